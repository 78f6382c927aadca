#include "storage/rocks/read_together.h"

#include <algorithm>
#include <utility>

namespace acta {
namespace {

constexpr size_t kMostAnnounced = size_t{256} << 10;

thread_local bool only_announces = false;

class TogetherFile final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  using FSRandomAccessFileOwnerWrapper::FSRandomAccessFileOwnerWrapper;

  rocksdb::IOStatus Read(uint64_t offset, size_t size, const rocksdb::IOOptions& options,
                         rocksdb::Slice* result, char* scratch,
                         rocksdb::IODebugContext* debug) const override {
    if (!only_announces) {
      return FSRandomAccessFileOwnerWrapper::Read(offset, size, options, result, scratch, debug);
    }
    *result = rocksdb::Slice();
    target()
        ->Prefetch(offset, std::min(size, kMostAnnounced), options, debug)
        .PermitUncheckedError();
    return rocksdb::IOStatus::IOError();
  }
  rocksdb::IOStatus MultiRead(rocksdb::FSReadRequest* requests, size_t count,
                              const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override {
    for (size_t i = 0; count > 1 && i < count; ++i) {
      // A hint: what it does not fetch is read below.
      Prefetch(requests[i].offset, requests[i].len, options, debug).PermitUncheckedError();
    }
    return FSRandomAccessFileOwnerWrapper::MultiRead(requests, count, options, debug);
  }
};

}  // namespace

std::unique_ptr<rocksdb::FSRandomAccessFile> ReadTogether(
    std::unique_ptr<rocksdb::FSRandomAccessFile> file) {
  return std::make_unique<TogetherFile>(std::move(file));
}

OnlyAnnounce::OnlyAnnounce() { only_announces = true; }
OnlyAnnounce::~OnlyAnnounce() { only_announces = false; }

}  // namespace acta
