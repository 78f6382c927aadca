#pragma once

#include <atomic>
#include <cstddef>
#include <list>
#include <memory>
#include <utility>

#include "absl/container/btree_map.h"
#include "server/core/queues/indexed_batch.h"

namespace acta {

// What the shelves of all groups may hold together.
struct ShelfBudget {
  static constexpr size_t kMostBytes = 64 << 20;
  std::atomic<size_t> bytes = 0;
};

// The batches of a partition that were read and are still needed: events that wait for their key
// are leased long after they were scanned, and a batch is not read again for each of them. Beyond
// the budget those that came last stay, of at most 1 MiB.
//
// Threads: one at a time; others that share the budget need not wait.
class BatchShelf {
 public:
  explicit BatchShelf(std::shared_ptr<ShelfBudget> budget) : budget_(std::move(budget)) {}
  ~BatchShelf();
  BatchShelf(const BatchShelf&) = delete;
  BatchShelf& operator=(const BatchShelf&) = delete;

  // Null: it is not here.
  IndexedBatchPtr Find(Offset offset) const;
  void Put(IndexedBatchPtr batch);
  // What ends below it is not needed any more.
  void DropBelow(Offset floor);

 private:
  using Order = std::list<IndexedBatchPtr>;
  void Drop(Order::iterator batch);

  const std::shared_ptr<ShelfBudget> budget_;
  Order order_;                                       // The newest last.
  absl::btree_map<Offset, Order::iterator> batches_;  // By their base offsets.
  size_t bytes_ = 0;
};

}  // namespace acta
