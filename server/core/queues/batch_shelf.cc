#include "server/core/queues/batch_shelf.h"

#include <iterator>
#include <utility>

namespace acta {
namespace {

// So much each may have when there is no room for more.
constexpr size_t kMostBatches = 16;
constexpr size_t kMostBytes = 1 << 20;

size_t BytesOf(const IndexedBatch& batch) {
  return batch.batch->payload.size() + batch.ends.size() * sizeof(batch.ends[0]);
}

}  // namespace

BatchShelf::~BatchShelf() { budget_->bytes.fetch_sub(bytes_, std::memory_order_relaxed); }

IndexedBatchPtr BatchShelf::Find(Offset offset) const {
  const auto next = batches_.upper_bound(offset);
  if (next == batches_.begin()) return nullptr;
  const IndexedBatchPtr& batch = *std::prev(next)->second;
  return offset < batch->batch->end() ? batch : nullptr;
}

void BatchShelf::Put(IndexedBatchPtr batch) {
  const Offset base = batch->batch->base_offset;
  if (const auto same = batches_.find(base); same != batches_.end()) Drop(same->second);
  const size_t bytes = BytesOf(*batch);
  bytes_ += bytes;
  size_t all = budget_->bytes.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  batches_[base] = order_.insert(order_.end(), std::move(batch));
  while (all > ShelfBudget::kMostBytes && order_.size() > 1 &&
         (order_.size() > kMostBatches || bytes_ > kMostBytes)) {
    Drop(order_.begin());
    all = budget_->bytes.load(std::memory_order_relaxed);
  }
}

void BatchShelf::DropBelow(Offset floor) {
  while (!batches_.empty() && (*batches_.begin()->second)->batch->end() <= floor) {
    Drop(batches_.begin()->second);
  }
}

void BatchShelf::Drop(Order::iterator batch) {
  const size_t bytes = BytesOf(**batch);
  bytes_ -= bytes;
  budget_->bytes.fetch_sub(bytes, std::memory_order_relaxed);
  batches_.erase((*batch)->batch->base_offset);
  order_.erase(batch);
}

}  // namespace acta
