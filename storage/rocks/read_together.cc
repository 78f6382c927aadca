#include "storage/rocks/read_together.h"

#include <utility>

namespace acta {
namespace {

thread_local bool only_begin = false;

rocksdb::IOStatus Begun() { return rocksdb::IOStatus::Aborted("begun"); }

class TogetherFile final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  using FSRandomAccessFileOwnerWrapper::FSRandomAccessFileOwnerWrapper;

  rocksdb::IOStatus Read(uint64_t offset, size_t size, const rocksdb::IOOptions& options,
                         rocksdb::Slice* result, char* scratch,
                         rocksdb::IODebugContext* debug) const override {
    if (!only_begin) {
      return FSRandomAccessFileOwnerWrapper::Read(offset, size, options, result, scratch, debug);
    }
    // Asks the kernel only, as Prefetch() does; that it is not const is a matter of the interface.
    const_cast<TogetherFile*>(this)->Prefetch(offset, size, options, debug).PermitUncheckedError();
    *result = rocksdb::Slice(scratch, 0);
    return Begun();
  }

  rocksdb::IOStatus MultiRead(rocksdb::FSReadRequest* requests, size_t count,
                              const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override {
    for (size_t i = 0; (count > 1 || only_begin) && i < count; ++i) {
      // A hint: what it does not fetch is read below.
      Prefetch(requests[i].offset, requests[i].len, options, debug).PermitUncheckedError();
    }
    if (!only_begin) {
      return FSRandomAccessFileOwnerWrapper::MultiRead(requests, count, options, debug);
    }
    for (size_t i = 0; i < count; ++i) {
      requests[i].result = rocksdb::Slice();
      requests[i].status = Begun();
    }
    return Begun();
  }
};

}  // namespace

std::unique_ptr<rocksdb::FSRandomAccessFile> ReadTogether(
    std::unique_ptr<rocksdb::FSRandomAccessFile> file) {
  return std::make_unique<TogetherFile>(std::move(file));
}

BegunReads::BegunReads() : outer_(std::exchange(only_begin, true)) {}
BegunReads::~BegunReads() { only_begin = outer_; }

}  // namespace acta
