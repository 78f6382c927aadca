#include "storage/rocks/write_group.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include "storage/base/bytes.h"
#include "storage/base/fatal.h"

namespace acta {
namespace {

rocksdb::Slice ToSlice(absl::string_view view) { return {view.data(), view.size()}; }

}  // namespace

WriteGroup::WriteGroup(GroupNumber group, Incarnation incarnation)
    : group_(group), batch_(std::make_unique<rocksdb::WriteBatch>()) {
  Mark(incarnation);
}

WriteGroup::~WriteGroup() = default;

void WriteGroup::Restart(GroupNumber group, Incarnation incarnation) {
  group_ = group;
  batch_->Clear();
  Mark(incarnation);
}

void WriteGroup::Mark(Incarnation incarnation) {
  const std::string mark = EncodeGroupMark({group_, incarnation});
  ACTA_CHECK(batch_->PutLogData(ToSlice(mark)).ok());
}

void WriteGroup::Put(const FamilyPtr& family, absl::string_view key, absl::string_view value) {
  ACTA_CHECK(batch_->Put(family.get(), ToSlice(key), ToSlice(value)).ok());
}

void WriteGroup::PutBatch(const FamilyPtr& family, absl::string_view key, absl::string_view header,
                          absl::string_view context, absl::string_view payload) {
  const rocksdb::Slice key_part = ToSlice(key);
  const rocksdb::Slice parts[] = {ToSlice(header), ToSlice(context), ToSlice(payload)};
  ACTA_CHECK(
      batch_->Put(family.get(), rocksdb::SliceParts(&key_part, 1), rocksdb::SliceParts(parts, 3))
          .ok());
}

void WriteGroup::Delete(const FamilyPtr& family, absl::string_view key) {
  ACTA_CHECK(batch_->Delete(family.get(), ToSlice(key)).ok());
}

size_t WriteGroup::size_bytes() const { return batch_->GetDataSize(); }

std::string EncodeGroupMark(const GroupMark& mark) {
  std::string out(16, '\0');
  PutLittle<uint32_t>(out.data(), GroupMark::kMagic);
  PutLittle<uint32_t>(out.data() + 4, mark.incarnation.value());
  PutLittle<uint64_t>(out.data() + 8, mark.group.value());
  return out;
}

bool DecodeGroupMark(absl::string_view blob, GroupMark* out) {
  if (blob.size() != 16 || GetLittle<uint32_t>(blob.data()) != GroupMark::kMagic) return false;
  out->incarnation = Incarnation(GetLittle<uint32_t>(blob.data() + 4));
  out->group = GroupNumber(GetLittle<uint64_t>(blob.data() + 8));
  return true;
}

}  // namespace acta
