#pragma once

#include "storage/log_engine.h"

namespace acta {

// Who wants to see what the indexer of journeys reads: the batches of topics that are indexed, and
// of the ledger, each partition in its order; after a start some that were seen before.
//
// Threads: that of the indexer. Must not block.
class BatchObserver {
 public:
  virtual ~BatchObserver() = default;
  virtual void OnBatch(const StoredBatch& batch) = 0;
  // What could not be read: no batch of the partition below `end` comes any more.
  virtual void OnPassed(PartitionId partition, Offset end) = 0;
};

}  // namespace acta
