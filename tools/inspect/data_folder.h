#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "acta/storage/v1/records.pb.h"
#include "storage/base/ids.h"
#include "storage/log/witness.h"
#include "storage/rocks/rocks_store.h"

namespace acta::inspect {

// Keeps a broker from starting on the folder while it is looked at, without writing to it.
class SharedLock {
 public:
  // Errors: FOLDER_IN_USE while a broker runs on it, FOLDER_UNUSABLE.
  static absl::StatusOr<std::unique_ptr<SharedLock>> Take(const std::string& folder);
  ~SharedLock();

 private:
  explicit SharedLock(int fd) : fd_(fd) {}
  const int fd_;
};

struct NamedTopic {
  std::string tenant;
  std::string name;
  storage::v1::TopicRecord record;
};

struct NamedGroup {
  std::string tenant;
  std::string name;
  storage::v1::GroupRecord record;
};

struct Position {
  GroupId group;
  PartitionId partition;
  storage::v1::PositionRecord record;
};

// One log family; `record` is of the closed ones.
struct SliceFamily {
  uint64_t id = 0;
  int64_t class_seconds = 0;
  FamilyPtr family;
  std::optional<storage::v1::SliceRecord> record;
};

// A data folder nobody has open, and its records. Rows that cannot be read are named in `damage`
// and left out.
struct DataFolder {
  std::string path;
  std::unique_ptr<SharedLock> lock;
  int format = 0;
  std::optional<WitnessRecord> witness;
  std::vector<uint64_t> missing_wals;  // Those the witness knows.
  std::unique_ptr<RocksStore> rocks;
  storage::v1::StoreRecord store;
  std::map<TopicId, NamedTopic> topics;
  std::map<GroupId, NamedGroup> groups;
  std::map<PartitionId, storage::v1::PartitionRecord> partitions;
  std::vector<Position> positions;
  std::vector<SliceFamily> slices;
  std::vector<std::string> damage;

  // "tenant/topic/partition", or the number of a partition whose topic is gone. Of the broker's own
  // log "(ledger)/0".
  std::string NameOf(PartitionId partition) const;
  // "tenant/name", or the number of a group that is gone.
  std::string NameOf(GroupId group) const;
};

// Opens the folder for reading only; nothing in it changes. `wal_folder` empty: inside it.
//
// Errors: FOLDER_IN_USE, FOLDER_UNUSABLE (no data folder), FORMAT_TOO_NEW, DATA_LOST when the
// database cannot be opened.
absl::StatusOr<DataFolder> OpenDataFolder(const std::string& path, const std::string& wal_folder);

}  // namespace acta::inspect
