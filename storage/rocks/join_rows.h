#pragma once

#include <memory>

#include <rocksdb/merge_operator.h>

namespace acta {

// For families whose rows are added to: what is merged into a row stands behind what is there.
std::shared_ptr<rocksdb::MergeOperator> MakeJoinRows();

}  // namespace acta
