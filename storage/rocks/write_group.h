#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "storage/base/ids.h"

namespace rocksdb {
class ColumnFamilyHandle;
class WriteBatch;
}  // namespace rocksdb

namespace acta {

// A column family. Kept alive by whoever reads it: its files stay readable after a drop.
using FamilyPtr = std::shared_ptr<rocksdb::ColumnFamilyHandle>;

// One commit group: everything in it is written or nothing. It carries its number into the WAL,
// where recovery checks that none is missing.
class WriteGroup {
 public:
  WriteGroup(GroupNumber group, Incarnation incarnation);
  ~WriteGroup();
  // Empties it for the next group; keeps the memory.
  void Restart(GroupNumber group, Incarnation incarnation);

  void Put(const FamilyPtr& family, absl::string_view key, absl::string_view value);
  // The value is the three pieces one after the other.
  void PutBatch(const FamilyPtr& family, absl::string_view key, absl::string_view header,
                absl::string_view context, absl::string_view payload);
  void Delete(const FamilyPtr& family, absl::string_view key);

  GroupNumber group() const { return group_; }
  size_t size_bytes() const;
  rocksdb::WriteBatch& batch() { return *batch_; }

 private:
  void Mark(Incarnation incarnation);

  GroupNumber group_;
  std::unique_ptr<rocksdb::WriteBatch> batch_;
};

// The mark a group leaves in the WAL.
struct GroupMark {
  static constexpr uint32_t kMagic = 0x47544341;  // "ACTG"
  GroupNumber group;
  Incarnation incarnation;
};
std::string EncodeGroupMark(const GroupMark& mark);
bool DecodeGroupMark(absl::string_view blob, GroupMark* out);

}  // namespace acta
