#include "storage/rocks/wal_ahead.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace acta {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

namespace {

constexpr size_t kSmallAppend = 8 << 10;
constexpr uint64_t kPage = 4 << 10;
constexpr uint64_t kAhead = 64 << 10;
constexpr char kZeros[kAhead + kSmallAppend + kPage] = {};

class AheadFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  explicit AheadFile(std::unique_ptr<FSWritableFile> file)
      : FSWritableFileOwnerWrapper(std::move(file)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    Prepare(data.size(), options, debug);
    size_ += data.size();
    return FSWritableFileOwnerWrapper::Append(data, options, debug);
  }
  IOStatus Append(const Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& verification,
                  IODebugContext* debug) override {
    Prepare(data.size(), options, debug);
    size_ += data.size();
    return FSWritableFileOwnerWrapper::Append(data, options, verification, debug);
  }
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    if (zeros_end_ > size_) {
      // Zeros that stay are only untidy.
      FSWritableFileOwnerWrapper::Truncate(size_, options, debug).PermitUncheckedError();
    }
    return FSWritableFileOwnerWrapper::Close(options, debug);
  }

 private:
  void Prepare(size_t next, const IOOptions& options, IODebugContext* debug) {
    if (next > kSmallAppend || size_ + next <= zeros_end_) return;
    const uint64_t begin = std::max(size_, zeros_end_);
    const uint64_t end = (size_ + next + kAhead) / kPage * kPage;
    const IOStatus written = FSWritableFileOwnerWrapper::PositionedAppend(
        Slice(kZeros, end - begin), begin, options, debug);
    // A disk that refuses says so again at the append, where it counts.
    if (written.ok()) zeros_end_ = end;
  }

  uint64_t size_ = 0;
  uint64_t zeros_end_ = 0;
};

}  // namespace

std::unique_ptr<rocksdb::FSWritableFile> WriteAhead(std::unique_ptr<rocksdb::FSWritableFile> file) {
  return std::make_unique<AheadFile>(std::move(file));
}

}  // namespace acta
