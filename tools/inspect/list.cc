#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "storage/layout/engine_rows.h"
#include "tools/inspect/commands.h"
#include "tools/inspect/log_scan.h"

namespace acta::inspect {
namespace {

struct PartitionRow {
  PartitionId id;
  Offset first;
  Offset end;
  uint64_t bytes = 0;
  int64_t batches = 0;
  size_t slices = 0;
};

PartitionRow Summarise(const DataFolder& folder, const LogScan& scan, PartitionId id) {
  PartitionRow row;
  row.id = id;
  uint64_t first_bytes = 0;
  if (const auto record = folder.partitions.find(id); record != folder.partitions.end()) {
    row.first = Offset(record->second.first_offset());
    first_bytes = record->second.first_bytes();
  }
  row.end = row.first;
  const auto pieces = scan.pieces.find(id);
  if (pieces == scan.pieces.end()) return row;
  std::set<uint64_t> slices;
  for (const Piece& piece : pieces->second) {
    if (piece.last < row.first) continue;
    row.end = std::max(row.end, piece.last + 1);
    row.bytes = std::max(row.bytes, piece.end_bytes - first_bytes);
    row.batches += piece.batches;
    slices.insert(piece.slice);
  }
  row.slices = slices.size();
  return row;
}

int32_t PartitionsOf(const NamedTopic& topic, TopicId id, const LogScan& scan) {
  int32_t count = topic.record.topic().partitions();
  for (const auto& [partition, pieces] : scan.pieces) {
    if (partition.topic() == id) count = std::max(count, partition.partition() + 1);
  }
  return count;
}

Json PartitionJson(const PartitionRow& row) {
  return {{"partition", row.id.partition()}, {"first_offset", row.first.value()},
          {"end_offset", row.end.value()},   {"bytes", row.bytes},
          {"batches", row.batches},          {"slices", row.slices}};
}

Json StoreJson(const DataFolder& folder) {
  Json json;
  json["store_id"] = folder.store.store_id();
  json["format"] = folder.format;
  json["incarnation"] = folder.store.incarnation();
  json["last_group"] = folder.rocks->recovered().last().value();
  if (folder.witness.has_value()) {
    json["witnessed_group"] = folder.witness->synced_group.value();
    json["clean_stop"] = folder.witness->clean;
    json["server_time"] = TimeText(folder.witness->server_time_us);
  }
  json["slices"] = folder.slices.size();
  return json;
}

Json PositionJson(const DataFolder& folder, const Position& position) {
  Json json;
  json["partition"] = folder.NameOf(position.partition);
  json["offset"] = position.record.offset();
  json["incarnation"] = position.record.incarnation();
  json["commit_time"] = TimeText(position.record.commit_time_us());
  return json;
}

void PrintText(const DataFolder& folder, const std::vector<PartitionRow>& partitions,
               std::ostream& out) {
  const Json store = StoreJson(folder);
  for (const auto& [name, value] : store.items()) {
    out << name << ": " << (value.is_string() ? value.get<std::string>() : value.dump()) << '\n';
  }
  std::vector<std::vector<std::string>> rows = {
      {"PARTITION", "FIRST", "END", "BYTES", "BATCHES", "SLICES"}};
  for (const PartitionRow& row : partitions) {
    rows.push_back({folder.NameOf(row.id), absl::StrCat(row.first.value()),
                    absl::StrCat(row.end.value()), absl::StrCat(row.bytes),
                    absl::StrCat(row.batches), absl::StrCat(row.slices)});
  }
  out << '\n' << TableText(rows);
  rows = {{"GROUP", "PARTITION", "POSITION", "INCARNATION", "COMMITTED AT"}};
  for (const auto& [id, group] : folder.groups) {
    const auto mine = [id = id](const Position& position) { return position.group == id; };
    if (std::none_of(folder.positions.begin(), folder.positions.end(), mine)) {
      rows.push_back({folder.NameOf(id), "-", "-", "-", "-"});
    }
  }
  for (const Position& position : folder.positions) {
    rows.push_back({folder.NameOf(position.group), folder.NameOf(position.partition),
                    absl::StrCat(position.record.offset()),
                    absl::StrCat(position.record.incarnation()),
                    TimeText(position.record.commit_time_us())});
  }
  out << '\n' << TableText(rows);
}

void PrintJson(const DataFolder& folder, const std::vector<PartitionRow>& partitions,
               std::ostream& out) {
  Json json;
  json["store"] = StoreJson(folder);
  json["topics"] = Json::array();
  for (const auto& [id, topic] : folder.topics) {
    Json entry;
    entry["tenant"] = topic.tenant;
    entry["name"] = topic.name;
    entry["topic_id"] = id.value();
    entry["partitions"] = Json::array();
    for (const PartitionRow& row : partitions) {
      if (row.id.topic() == id) entry["partitions"].push_back(PartitionJson(row));
    }
    json["topics"].push_back(std::move(entry));
  }
  for (const PartitionRow& row : partitions) {
    if (row.id == kLedgerPartition) json["ledger"] = PartitionJson(row);
  }
  json["groups"] = Json::array();
  for (const auto& [id, group] : folder.groups) {
    Json entry;
    entry["tenant"] = group.tenant;
    entry["name"] = group.name;
    entry["group_id"] = id.value();
    entry["positions"] = Json::array();
    for (const Position& position : folder.positions) {
      if (position.group == id) entry["positions"].push_back(PositionJson(folder, position));
    }
    json["groups"].push_back(std::move(entry));
  }
  out << JsonText(json) << '\n';
}

}  // namespace

bool List(const DataFolder& folder, Format format, std::ostream& out) {
  const LogScan scan = ScanLog(folder, false);
  std::vector<PartitionRow> partitions;
  for (const auto& [id, topic] : folder.topics) {
    const int32_t count = PartitionsOf(topic, id, scan);
    for (int32_t number = 0; number < count; ++number) {
      partitions.push_back(Summarise(folder, scan, PartitionId(id, number)));
    }
  }
  // It has no record.
  if (scan.pieces.contains(kLedgerPartition)) {
    partitions.push_back(Summarise(folder, scan, kLedgerPartition));
  }
  if (format == Format::kJson) {
    PrintJson(folder, partitions, out);
  } else {
    PrintText(folder, partitions, out);
  }
  return scan.findings.empty() && folder.damage.empty();
}

}  // namespace acta::inspect
