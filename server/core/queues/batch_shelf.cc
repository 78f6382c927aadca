#include "server/core/queues/batch_shelf.h"

#include <utility>

namespace acta {
namespace {

constexpr size_t kMostBatches = 16;
constexpr size_t kMostBytes = 1 << 20;

}  // namespace

IndexedBatchPtr BatchShelf::Find(Offset offset) const {
  for (auto it = batches_.rbegin(); it != batches_.rend(); ++it) {
    const StoredBatch& batch = *(*it)->batch;
    if (batch.base_offset <= offset && offset < batch.end()) return *it;
  }
  return nullptr;
}

void BatchShelf::Put(IndexedBatchPtr batch) {
  bytes_ += batch->batch->payload.size();
  batches_.push_back(std::move(batch));
  while (batches_.size() > 1 && (batches_.size() > kMostBatches || bytes_ > kMostBytes)) {
    bytes_ -= batches_.front()->batch->payload.size();
    batches_.pop_front();
  }
}

void BatchShelf::Clear() {
  batches_.clear();
  bytes_ = 0;
}

}  // namespace acta
