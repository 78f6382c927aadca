#include "storage/rocks/join_rows.h"

#include <deque>
#include <string>

namespace acta {
namespace {

class JoinRows : public rocksdb::MergeOperator {
 public:
  const char* Name() const override { return "acta.JoinRows"; }

  bool FullMergeV2(const MergeOperationInput& in, MergeOperationOutput* out) const override {
    size_t size = in.existing_value == nullptr ? 0 : in.existing_value->size();
    for (const rocksdb::Slice& part : in.operand_list) size += part.size();
    out->new_value.reserve(size);
    if (in.existing_value != nullptr) {
      out->new_value.assign(in.existing_value->data(), in.existing_value->size());
    }
    for (const rocksdb::Slice& part : in.operand_list) {
      out->new_value.append(part.data(), part.size());
    }
    return true;
  }

  bool PartialMergeMulti(const rocksdb::Slice&, const std::deque<rocksdb::Slice>& parts,
                         std::string* joined, rocksdb::Logger*) const override {
    for (const rocksdb::Slice& part : parts) joined->append(part.data(), part.size());
    return true;
  }
};

}  // namespace

std::shared_ptr<rocksdb::MergeOperator> MakeJoinRows() { return std::make_shared<JoinRows>(); }

}  // namespace acta
