#include "storage/rocks/partition_blocks.h"

#include <rocksdb/table.h>

#include <string>

#include "storage/layout/batch_header.h"

namespace acta {
namespace {

class PartitionBlockPolicy final : public rocksdb::FlushBlockPolicy {
 public:
  explicit PartitionBlockPolicy(size_t block_bytes) : block_bytes_(block_bytes) {}

  bool Update(const rocksdb::Slice& key, const rocksdb::Slice& value) override {
    const rocksdb::Slice partition(key.data(), kLogKeyPartitionBytes);
    const bool cut = bytes_ > 0 && (bytes_ >= block_bytes_ || partition != partition_);
    if (cut) bytes_ = 0;
    bytes_ += key.size() + value.size();
    partition_.assign(partition.data(), partition.size());
    return cut;
  }

 private:
  const size_t block_bytes_;
  size_t bytes_ = 0;  // In the block that is being filled.
  std::string partition_;
};

class PartitionBlocks final : public rocksdb::FlushBlockPolicyFactory {
 public:
  const char* Name() const override { return "acta.partition_blocks"; }
  rocksdb::FlushBlockPolicy* NewFlushBlockPolicy(const rocksdb::BlockBasedTableOptions& options,
                                                 const rocksdb::BlockBuilder&) const override {
    return new PartitionBlockPolicy(options.block_size);
  }
};

}  // namespace

std::shared_ptr<rocksdb::FlushBlockPolicyFactory> MakePartitionBlocks() {
  return std::make_shared<PartitionBlocks>();
}

}  // namespace acta
