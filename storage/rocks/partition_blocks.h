#pragma once

#include <memory>

#include <rocksdb/flush_block_policy.h>

namespace acta {

// Cuts the data blocks of a log table where a partition ends, besides by size. A seek to one of its
// offsets then reads a block only in the table that has it: in all others the index knows the first
// key of the next block. With blocks that hold the end of one partition and the beginning of the
// next, every table of a slice costs a block.
std::shared_ptr<rocksdb::FlushBlockPolicyFactory> MakePartitionBlocks();

}  // namespace acta
