#include "storage/rocks/read_together.h"

#include <utility>

namespace acta {
namespace {

class TogetherFile final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  using FSRandomAccessFileOwnerWrapper::FSRandomAccessFileOwnerWrapper;

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

}  // namespace acta
