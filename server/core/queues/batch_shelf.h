#pragma once

#include <deque>

#include "server/core/queues/indexed_batch.h"

namespace acta {

// The batches of a partition that were read last, so that events leased one after the other are not
// looked for again and again.
//
// Threads: one at a time.
class BatchShelf {
 public:
  // Null: it is not here.
  IndexedBatchPtr Find(Offset offset) const;
  void Put(IndexedBatchPtr batch);
  void Clear();

 private:
  std::deque<IndexedBatchPtr> batches_;  // The newest last.
  size_t bytes_ = 0;
};

}  // namespace acta
