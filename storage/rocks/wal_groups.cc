#include "storage/rocks/wal_groups.h"

#include <rocksdb/write_batch.h>

#include "absl/strings/str_cat.h"
#include "storage/rocks/write_group.h"

namespace acta {
namespace {

// Finds the group mark; accepts every operation we write.
class MarkReader final : public rocksdb::WriteBatch::Handler {
 public:
  rocksdb::Status PutCF(uint32_t, const rocksdb::Slice&, const rocksdb::Slice&) override {
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(uint32_t, const rocksdb::Slice&) override {
    return rocksdb::Status::OK();
  }
  void LogData(const rocksdb::Slice& blob) override {
    found_ = DecodeGroupMark({blob.data(), blob.size()}, &mark_);
  }
  // The mark stands first: nothing after it needs to be looked at.
  bool Continue() override { return !found_; }

  bool found() const { return found_; }
  GroupNumber group() const { return mark_.group; }

 private:
  bool found_ = false;
  GroupMark mark_;
};

}  // namespace

rocksdb::WalFilter::WalProcessingOption WalGroups::LogRecordFound(unsigned long long,
                                                                  const std::string& file,
                                                                  const rocksdb::WriteBatch& batch,
                                                                  rocksdb::WriteBatch*, bool*) {
  if (!hole_.empty()) return WalProcessingOption::kStopReplay;
  MarkReader reader;
  const rocksdb::Status read = batch.Iterate(&reader);
  // After a torn tail the database writes one empty record of its own, so that the next replay
  // knows the tail was left behind on purpose.
  if (read.ok() && !reader.found() && batch.Count() == 0) {
    return WalProcessingOption::kContinueProcessing;
  }
  if (!read.ok() || !reader.found()) {
    hole_ = absl::StrCat("a record of ", file, " has no group mark");
    return WalProcessingOption::kStopReplay;
  }
  const GroupNumber group = reader.group();
  if (last_.has_value() && group.value() != last_->value() + 1) {
    hole_ = absl::StrCat("group ", group.value(), " follows group ", last_->value(), " in ", file);
    return WalProcessingOption::kStopReplay;
  }
  if (!first_.has_value()) first_ = group;
  last_ = group;
  return WalProcessingOption::kContinueProcessing;
}

}  // namespace acta
