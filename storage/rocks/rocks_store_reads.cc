#include <rocksdb/db.h>

#include "storage/base/status_macros.h"
#include "storage/rocks/read_together.h"
#include "storage/rocks/rocks_status.h"
#include "storage/rocks/rocks_store.h"
#include "storage/rocks/store_listener.h"
#include "storage/rocks/table_readers.h"

namespace acta {
namespace {

// Of rows: as the database does; their values are in memory.
constexpr size_t kAtOnce = 32;

}  // namespace

std::unique_ptr<RowCursor> RocksStore::NewReaderCursor(const FamilyPtr& slice,
                                                       PartitionId partition, Offset at) const {
  const uint64_t flushes = listener_ == nullptr ? 0 : listener_->flushes();
  return readers_->NewCursor(*db_, slice, partition, at, flushes);
}

void RocksStore::BeginRead(const FamilyPtr& slice, PartitionId partition, Offset at) const {
  readers_->BeginRead(slice, partition, at);
}

size_t RocksStore::OpenReaders() const { return readers_->open(); }

absl::Status RocksStore::GetRows(
    const FamilyPtr& family, absl::Span<const std::string> keys,
    absl::FunctionRef<absl::Status(size_t, absl::string_view)> visit) const {
  for (size_t begin = 0; begin < keys.size(); begin += kAtOnce) {
    const auto part = keys.subspan(begin, kAtOnce);
    const std::vector<rocksdb::Slice> wanted(part.begin(), part.end());
    std::vector<rocksdb::PinnableSlice> values(part.size());
    std::vector<rocksdb::Status> found(part.size());
    db_->MultiGet(rocksdb::ReadOptions(), family.get(), wanted.size(), wanted.data(), values.data(),
                  found.data(), true);
    for (size_t i = 0; i < part.size(); ++i) {
      if (found[i].IsNotFound()) continue;
      RETURN_IF_ERROR(FromRocks(found[i]));
      RETURN_IF_ERROR(visit(begin + i, {values[i].data(), values[i].size()}));
    }
  }
  return absl::OkStatus();
}

void RocksStore::BeginRows(const FamilyPtr& family, absl::Span<const std::string> keys) const {
  const BegunReads only_begun;
  for (size_t begin = 0; begin < keys.size(); begin += kAtOnce) {
    (void)GetRows(family, keys.subspan(begin, kAtOnce),
                  [](size_t, absl::string_view) { return absl::OkStatus(); });
  }
}

}  // namespace acta
