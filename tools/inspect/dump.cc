#include <algorithm>

#include "absl/strings/str_cat.h"
#include "acta/v1/event.pb.h"
#include "proto/support/error.h"
#include "tools/inspect/commands.h"

namespace acta::inspect {
namespace {

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

bool DumpPartition(const DataFolder& folder, const DumpRange& range, PartitionId partition,
                   std::ostream& out) {
  const auto line_at = [&](Offset offset) {
    Json line;
    line["topic"] = range.topic;
    line["partition"] = partition.partition();
    line["offset"] = offset.value();
    return line;
  };
  return VisitEvents(
      folder, partition, range.offsets,
      [&](const StoredEvent& event) {
        Json line = line_at(event.offset);
        line["append_time"] = TimeText(event.append_time_us);
        line["crc_ok"] = event.crc_ok;
        line.update(EventJson(event.bytes));
        out << JsonText(line) << '\n';
      },
      [&](Offset at, const std::string& what) {
        Json line = line_at(at);
        line["error"] = what;
        out << JsonText(line) << '\n';
      });
}

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
  if (range.partition.value_or(0) >= count) {
    return Error(v1::PARTITION_NOT_FOUND,
                 absl::StrCat("topic '", range.topic, "' has partitions 0 to ", count - 1,
                              ", and no ", *range.partition),
                 {{"topic", range.topic}, {"partition", absl::StrCat(*range.partition)}});
  }
  for (int32_t number = range.partition.value_or(0);
       number < (range.partition.has_value() ? *range.partition + 1 : count); ++number) {
    sound &= DumpPartition(folder, range, PartitionId(topic->first, number), out);
  }
  return sound;
}

}  // namespace acta::inspect
