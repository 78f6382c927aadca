#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/base/mutex.h"
#include "storage/layout/index_block.h"
#include "storage/log/commit_queue.h"
#include "storage/log/log_table.h"
#include "storage/log/slice_set.h"
#include "storage/rocks/rocks_store.h"

namespace acta {

// SliceIndex keeps the entries of the index beside the slices they point into: an entry leaves the
// disk with its event.
//
// Threads: any; every method blocks on the disk.
class SliceIndex {
 public:
  SliceIndex(RocksStore& store, SliceSet& slices, const LogTable& table, CommitQueue& queue)
      : store_(store), slices_(slices), table_(table), queue_(queue) {}

  // See LogEngine::AddToIndex().
  absl::Status Add(absl::Span<const IndexEntry> entries);
  // Runs it while nothing is added.
  template <typename Run>
  auto Unchanged(Run run) {
    MutexLock adding(add_mu_);
    return run();
  }
  // See LogEngine::FindInIndex().
  absl::Status Find(std::vector<uint64_t> hashes, IndexPlaces* out) const;

 private:
  absl::Status CheckReadable() const;

  RocksStore& store_;
  SliceSet& slices_;
  const LogTable& table_;
  CommitQueue& queue_;
  Mutex add_mu_;  // One addition at a time; held over the disk.
};

}  // namespace acta
