#pragma once

#include <atomic>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "storage/base/clock.h"
#include "storage/log/disk_guard.h"
#include "storage/log/slice_set.h"
#include "storage/rocks/rocks_store.h"

namespace acta {

// IndexTidier joins the files of an index to one when nothing has been added to it for a while:
// each lookup reads a block of every file. A second of quiet is worth a MiB, and at least a minute
// of it is wanted: so much is written for it at most, however entries come.
//
// Threads: one at a time; its own joins.
class IndexTidier {
 public:
  IndexTidier(RocksStore& store, const SliceSet& slices, const DiskGuard& disk, const Clock& clock)
      : store_(store), slices_(slices), disk_(disk), clock_(clock) {}
  ~IndexTidier() { Stop(); }

  // Begins to join what is due, unless it still joins. Does not wait for it.
  void Tick();
  // Gives up what is being joined. No Tick() behind it.
  void Stop();

 private:
  struct Seen {
    int64_t bytes = 0;
    absl::Duration since;  // Since boot.
  };

  bool IsDue(const FamilyPtr& index, absl::Duration now);
  bool HasRoom(int64_t bytes) const;
  void Join(std::vector<FamilyPtr> indexes);

  RocksStore& store_;
  const SliceSet& slices_;
  const DiskGuard& disk_;
  const Clock& clock_;
  absl::flat_hash_map<FamilyPtr, Seen> seen_;
  std::atomic<bool> joins_ = false;
  std::thread thread_;
};

}  // namespace acta
