#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "storage/base/bytes.h"
#include "storage/base/ids.h"
#include "storage/layout/engine_rows.h"

namespace acta {

// Rows of the domain: every key shape the broker's nouns are stored under. Rows of the engine:
// engine_rows.h. Records: acta/storage/v1/records.proto. Names hold no '/'.

// meta: TopicRecord, under kTopicRows.
inline std::string TopicRow(absl::string_view tenant, absl::string_view name) {
  return absl::StrCat(kTopicRows, tenant, "/", name);
}

// meta: GroupRecord.
inline constexpr char kGroupRows[] = "group/";
inline std::string GroupRow(absl::string_view tenant, absl::string_view name) {
  return absl::StrCat(kGroupRows, tenant, "/", name);
}

// state: PositionRecord.
inline constexpr char kPositionRows[] = "position/";
inline std::string PositionRow(GroupId group, PartitionId partition) {
  std::string key = kPositionRows;
  PutBig64(&key, group.value());
  PutBig64(&key, partition.value());
  return key;
}

// state, of queues: ParkedRecord, AttemptRecord, DeadLetterRecord, KeptRecord.
inline constexpr char kParkedRows[] = "parked/";
inline constexpr char kAttemptRows[] = "attempt/";
inline constexpr char kDeadLetterRows[] = "deadletter/";
inline constexpr char kKeptRows[] = "kept/";
inline std::string QueueRows(absl::string_view kind, GroupId group) {
  std::string key(kind);
  PutBig64(&key, group.value());
  return key;
}
inline std::string QueueRows(absl::string_view kind, GroupId group, PartitionId partition) {
  std::string key = QueueRows(kind, group);
  PutBig64(&key, partition.value());
  return key;
}
// Of all partitions of the topic.
inline std::string QueueRows(absl::string_view kind, GroupId group, TopicId topic) {
  std::string key = QueueRows(kind, group, PartitionId(topic, 0));
  key.resize(key.size() - 2);  // The number of the partition comes last.
  return key;
}
inline std::string QueueRow(absl::string_view kind, GroupId group, PartitionId partition,
                            Offset offset) {
  std::string key = QueueRows(kind, group, partition);
  PutBig64(&key, static_cast<uint64_t>(offset.value()));
  return key;
}
inline std::string AttemptRow(GroupId group, PartitionId partition, Offset offset, int32_t redrives,
                              int32_t attempt) {
  std::string key = QueueRow(kAttemptRows, group, partition, offset);
  PutBig64(&key, static_cast<uint64_t>(redrives) << 32 | static_cast<uint32_t>(attempt));
  return key;
}

// state: RedriveRecord, by group and number.
inline constexpr char kRedriveRows[] = "redrive/";
inline std::string RedriveRow(GroupId group, uint64_t redrive) {
  std::string key = QueueRows(kRedriveRows, group);
  PutBig64(&key, redrive);
  return key;
}
// Of such a row.
inline uint64_t RedriveOfRow(absl::string_view key) {
  return key.size() < 8 ? 0 : GetBig64(key.data() + key.size() - 8);
}

// state, of scheduled events: DueRecord by due time, ScheduleRecord by number.
inline constexpr char kDueRows[] = "due/";
inline std::string DueRow(int64_t due_us, uint64_t number) {
  std::string key = kDueRows;
  PutBig64(&key, static_cast<uint64_t>(due_us));
  PutBig64(&key, number);
  return key;
}
inline constexpr char kScheduleRows[] = "schedule/";
inline std::string ScheduleRow(uint64_t number) {
  std::string key = kScheduleRows;
  PutBig64(&key, number);
  return key;
}

// state: IndexedRecord.
inline constexpr char kIndexedRows[] = "indexed/";
inline std::string IndexedRow(PartitionId partition) {
  std::string key = kIndexedRows;
  PutBig64(&key, partition.value());
  return key;
}

// state, of claims: ClaimRecord, and beside each an empty row by the time it ends. The length of
// the key comes first: no row is the beginning of another.
inline constexpr char kClaimRows[] = "claim/";
inline constexpr char kClaimEndRows[] = "claimend/";
inline void PutClaimKey(std::string* out, absl::string_view key) {
  out->push_back(static_cast<char>(key.size() >> 8));
  out->push_back(static_cast<char>(key.size() & 0xff));
  out->append(key.data(), key.size());
}
inline std::string ClaimRow(GroupId group, absl::string_view key) {
  std::string row = QueueRows(kClaimRows, group);
  PutClaimKey(&row, key);
  return row;
}
inline std::string ClaimEndRow(GroupId group, int64_t end_us, absl::string_view key) {
  std::string row = QueueRows(kClaimEndRows, group);
  PutBig64(&row, static_cast<uint64_t>(end_us));
  PutClaimKey(&row, key);
  return row;
}

// meta: the next id of a kind, u64 little endian, written with the record that takes an id.
inline constexpr char kNextTopicIdRow[] = "next_topic_id";
inline constexpr char kNextGroupIdRow[] = "next_group_id";

}  // namespace acta
