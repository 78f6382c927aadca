#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "acta/v1/event.pb.h"
#include "proto/support/error.h"
#include "proto/support/wire.h"
#include "storage/base/crc32c.h"
#include "storage/base/status_macros.h"
#include "storage/layout/batch_header.h"
#include "tools/inspect/commands.h"

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

Json EventJson(absl::string_view bytes) {
  Json json;
  v1::Event event;
  if (!event.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    json["error"] = "the event cannot be parsed";
    SetBytes(&json, "event", bytes);
    return json;
  }
  json["id"] = event.id();
  json["source"] = event.source();
  json["type"] = event.type();
  SetBytes(&json, "key", event.key());
  SetBytes(&json, "data", event.data());
  return json;
}

class PartitionDump {
 public:
  PartitionDump(const DataFolder& folder, const DumpRange& range, PartitionId partition,
                std::ostream& out)
      : folder_(folder), range_(range), partition_(partition), out_(out) {}

  bool Run() {
    PartitionCursor cursor(folder_, partition_, range_.from);
    for (; cursor.Valid(); cursor.Next()) {
      if (!PrintBatch(cursor.last(), cursor.value())) break;
    }
    if (!cursor.status().ok()) Damaged("error", std::string(cursor.status().message()));
    return sound_;
  }

 private:
  Json Line(Offset offset) const {
    Json line;
    line["topic"] = range_.topic;
    line["partition"] = partition_.partition();
    line["offset"] = offset.value();
    return line;
  }

  void Damaged(absl::string_view name, const std::string& what) {
    sound_ = false;
    Json line = Line(next_);
    line[std::string(name)] = what;
    out_ << JsonText(line) << '\n';
  }

  // False: beyond the range.
  bool PrintBatch(Offset last, absl::string_view value) {
    const auto header = DecodeBatchHeader(value);
    if (!header.ok()) {
      next_ = last;
      Damaged("error", std::string(header.status().message()));
      return true;
    }
    if (range_.to.has_value() && header->base_offset >= *range_.to) return false;
    const absl::string_view payload = PayloadOf(*header, value);
    const bool crc_ok = Crc32c(payload) == header->payload_crc32c;
    sound_ &= crc_ok;
    EventElements elements(payload);
    absl::string_view bytes;
    for (next_ = header->base_offset; elements.Next(&bytes); next_ = next_ + 1) {
      if (next_ < range_.from || (range_.to.has_value() && next_ >= *range_.to)) continue;
      Json line = Line(next_);
      line["append_time"] = TimeText(header->append_time_us);
      line["crc_ok"] = crc_ok;
      line.update(EventJson(bytes));
      out_ << JsonText(line) << '\n';
    }
    if (next_ != header->end()) Damaged("error", "the rest of the batch is not whole events");
    return true;
  }

  const DataFolder& folder_;
  const DumpRange& range_;
  const PartitionId partition_;
  std::ostream& out_;
  Offset next_;
  bool sound_ = true;
};

}  // namespace

absl::StatusOr<bool> Dump(const DataFolder& folder, const DumpRange& range, std::ostream& out) {
  const auto topic =
      std::find_if(folder.topics.begin(), folder.topics.end(), [&range](const auto& entry) {
        return entry.second.tenant == range.tenant && entry.second.name == range.topic;
      });
  if (topic == folder.topics.end()) {
    return Error(v1::TOPIC_NOT_FOUND,
                 absl::StrCat("topic '", range.topic, "' is not in this folder"),
                 {{"topic", range.topic}});
  }
  bool sound = true;
  const int32_t count = std::max(1, topic->second.record.topic().partitions());
  for (int32_t number = range.partition.value_or(0);
       number < (range.partition.has_value() ? *range.partition + 1 : count); ++number) {
    sound &= PartitionDump(folder, range, PartitionId(topic->first, number), out).Run();
  }
  return sound;
}

}  // namespace acta::inspect
