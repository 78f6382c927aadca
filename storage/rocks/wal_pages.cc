#include "storage/rocks/wal_pages.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>

namespace acta {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

namespace {

// At once: less is not worth the call.
constexpr uint64_t kStretch = 256 << 10;
// The kernel keeps what it has in one piece with pages that are to stay: it goes the next time.
constexpr uint64_t kLargestPiece = 2 << 20;

// Syncs are one at a time, beside appends.
class PagesFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  explicit PagesFile(std::unique_ptr<FSWritableFile> file)
      : FSWritableFileOwnerWrapper(std::move(file)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    return Count(FSWritableFileOwnerWrapper::Append(data, options, debug), data.size());
  }
  IOStatus Append(const Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& verification,
                  IODebugContext* debug) override {
    return Count(FSWritableFileOwnerWrapper::Append(data, options, verification, debug),
                 data.size());
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    const uint64_t end = size_.load(std::memory_order_acquire);
    const IOStatus status = FSWritableFileOwnerWrapper::Sync(options, debug);
    if (status.ok() && end >= given_back_ + kStretch) GiveBack(end / kStretch * kStretch);
    return status;
  }

 private:
  IOStatus Count(IOStatus status, size_t bytes) {
    if (status.ok()) size_.fetch_add(bytes, std::memory_order_release);
    return status;
  }
  void GiveBack(uint64_t end) {
    // Pages that stay are only a waste.
    const uint64_t begin = given_back_ - std::min(given_back_, kLargestPiece);
    InvalidateCache(begin, end - begin).PermitUncheckedError();
    given_back_ = end;
  }

  std::atomic<uint64_t> size_{0};
  uint64_t given_back_ = 0;
};

}  // namespace

std::unique_ptr<rocksdb::FSWritableFile> GiveBackPages(
    std::unique_ptr<rocksdb::FSWritableFile> file) {
  return std::make_unique<PagesFile>(std::move(file));
}

}  // namespace acta
