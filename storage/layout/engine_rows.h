#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "storage/base/bytes.h"
#include "storage/base/ids.h"

namespace acta {

// Rows that belong to the engine itself. Rows of the domain: rows.h. Records:
// acta/storage/v1/records.proto.

// meta: StoreRecord.
inline constexpr char kStoreRow[] = "store";
// In every family with rows: the last group that wrote to it, u64 little endian. Lets a table
// file tell how far it reaches.
inline constexpr char kGroupRow[] = "!group";

// meta: SliceRecord.
inline constexpr char kSliceRows[] = "slice/";
inline std::string SliceRow(uint64_t slice_id) {
  std::string key = kSliceRows;
  PutBig64(&key, slice_id);
  return key;
}

// meta: PartitionRecord.
inline constexpr char kPartitionRows[] = "partition/";
inline std::string PartitionRow(PartitionId partition) {
  std::string key = kPartitionRows;
  PutBig64(&key, partition.value());
  return key;
}

// meta: TopicRecord; written by the domain (rows.h), read here to know which topics there are.
inline constexpr char kTopicRows[] = "topic/";

// state: ProducerSnapshot.
inline constexpr char kProducerRows[] = "producers/";
inline std::string ProducerRow(PartitionId partition) {
  std::string key = kProducerRows;
  PutBig64(&key, partition.value());
  return key;
}

// The broker's own log: what groups did with events (acta/storage/v1/ledger.proto). Topics begin
// with 1.
inline constexpr TopicId kLedgerTopic{0};
inline constexpr PartitionId kLedgerPartition{kLedgerTopic, 0};

// The families.
inline constexpr char kMetaFamily[] = "meta";
inline constexpr char kStateFamily[] = "state";
// log.<class seconds, 0: forever>.<slice id>
inline std::string SliceFamily(int64_t class_seconds, uint64_t slice_id) {
  return absl::StrCat("log.", class_seconds, ".", slice_id);
}
// index.<class seconds>.<slice id>: of the slice of that name.
inline std::string IndexFamily(int64_t class_seconds, uint64_t slice_id) {
  return absl::StrCat("index.", class_seconds, ".", slice_id);
}

// Files of a data folder.
inline constexpr char kFormatFile[] = "FORMAT";
inline constexpr char kLockFile[] = "acta.lock";
inline constexpr char kWitnessFile[] = "witness";
inline constexpr char kDatabaseFolder[] = "db";
inline constexpr char kBallastFile[] = "ballast";
// Second names of the database's files while a backup is made of them.
inline constexpr char kCutFolder[] = "backup.cut";
// Of a backup alone: what belongs to it (acta/storage/v1/backup.proto). A folder with it is not to
// be started on.
inline constexpr char kBackupFile[] = "BACKUP";
// What the witness of a backup has for a boot, which is no kernel's: the start that finds it begins
// a life of its own.
inline constexpr char kBackupBoot[] = "backup";
inline constexpr int kFormatVersion = 1;

}  // namespace acta
