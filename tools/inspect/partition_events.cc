#include "tools/inspect/partition_events.h"

#include <memory>
#include <vector>

#include "proto/support/wire.h"
#include "storage/base/crc32c.h"
#include "storage/base/status_macros.h"
#include "storage/layout/batch_header.h"

namespace acta::inspect {
namespace {

// The batches of one partition over all slices, by offset.
class PartitionCursor {
 public:
  PartitionCursor(const DataFolder& folder, PartitionId partition, Offset from)
      : partition_(partition) {
    for (const SliceFamily& slice : folder.slices) {
      auto cursor = folder.rocks->NewCursor(slice.family, 1 << 20);
      cursor->Seek(LogKey(partition, from));
      cursors_.push_back(std::move(cursor));
    }
    Choose();
  }

  bool Valid() const { return current_ != nullptr; }
  Offset last() const { return last_; }
  absl::string_view value() const { return current_->value(); }
  void Next() {
    current_->Next();
    Choose();
  }
  // Not OK: some of it could not be read.
  absl::Status status() const {
    for (const auto& cursor : cursors_) RETURN_IF_ERROR(cursor->status());
    return absl::OkStatus();
  }

 private:
  void Choose() {
    current_ = nullptr;
    for (const auto& cursor : cursors_) {
      if (!cursor->Valid()) continue;
      const auto key = DecodeLogKey(cursor->key());
      if (!key.ok() || key->partition != partition_) continue;
      if (current_ != nullptr && key->last >= last_) continue;
      current_ = cursor.get();
      last_ = key->last;
    }
  }

  const PartitionId partition_;
  std::vector<std::unique_ptr<RowCursor>> cursors_;
  RowCursor* current_ = nullptr;
  Offset last_;
};

class PartitionWalk {
 public:
  PartitionWalk(const OffsetRange& range, absl::FunctionRef<void(const StoredEvent&)> event,
                absl::FunctionRef<void(Offset, const std::string&)> damage)
      : range_(range), event_(event), damage_(damage) {}

  bool Run(PartitionCursor cursor) {
    for (; cursor.Valid(); cursor.Next()) {
      if (!VisitBatch(cursor.last(), cursor.value())) break;
    }
    if (!cursor.status().ok()) Damaged(std::string(cursor.status().message()));
    return sound_;
  }

 private:
  void Damaged(const std::string& what) {
    sound_ = false;
    damage_(next_, what);
  }

  // False: beyond the range.
  bool VisitBatch(Offset last, absl::string_view value) {
    const auto header = DecodeBatchHeader(value);
    if (!header.ok()) {
      next_ = last;
      Damaged(std::string(header.status().message()));
      return true;
    }
    if (range_.to.has_value() && header->base_offset >= *range_.to) return false;
    const absl::string_view payload = PayloadOf(*header, value);
    const bool crc_ok = Crc32c(payload) == header->payload_crc32c;
    sound_ &= crc_ok;
    EventElements elements(payload);
    absl::string_view bytes;
    for (next_ = header->base_offset; elements.Next(&bytes); next_ = next_ + 1) {
      if (range_.Contains(next_)) event_({next_, header->append_time_us, crc_ok, bytes});
    }
    if (next_ != header->end()) Damaged("the rest of the batch is not whole events");
    return true;
  }

  const OffsetRange& range_;
  const absl::FunctionRef<void(const StoredEvent&)> event_;
  const absl::FunctionRef<void(Offset, const std::string&)> damage_;
  Offset next_;
  bool sound_ = true;
};

}  // namespace

bool VisitEvents(const DataFolder& folder, PartitionId partition, const OffsetRange& range,
                 absl::FunctionRef<void(const StoredEvent&)> event,
                 absl::FunctionRef<void(Offset at, const std::string& what)> damage) {
  return PartitionWalk(range, event, damage).Run(PartitionCursor(folder, partition, range.from));
}

}  // namespace acta::inspect
