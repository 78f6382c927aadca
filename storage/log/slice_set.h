#pragma once

#include <map>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/base/mutex.h"
#include "storage/log/slice.h"
#include "storage/rocks/rocks_store.h"

namespace acta {

// The slices of the log: which one of each class is written to, and which exist.
//
// Threads: any; families are created and dropped by one thread at a time.
class SliceSet {
 public:
  explicit SliceSet(RocksStore& store) : store_(store) {}

  // One found at the start; the newest of its class is written to unless it is closed.
  void Add(SlicePtr slice);
  // The slice that events of the class go to; null before EnsureClass().
  SlicePtr Current(int64_t class_seconds) const;
  // Makes sure that the class has one; blocks on the disk when it has not.
  absl::Status EnsureClass(int64_t class_seconds, int64_t now_us);
  // Creates one new slice for each class and makes it the current one. The slices it replaces
  // are closed: nothing is appended to them after it returns, provided no group is being written.
  // `pause` runs between creation and switch; what it returns keeps writers out until dropped.
  template <typename Pause>
  absl::StatusOr<std::vector<SlicePtr>> Rotate(const std::vector<int64_t>& classes, int64_t now_us,
                                               Pause pause) {
    MutexLock creating(create_mu_);
    const auto created = Create(classes, now_us);
    if (!created.ok()) return created.status();
    const auto paused = pause();
    return Switch(*created);
  }
  // Runs it while no slice and no index comes or goes.
  template <typename Run>
  auto Unchanged(Run run) {
    MutexLock creating(create_mu_);
    return run();
  }
  // Drops closed slices from the disk, and their indexes.
  absl::Status Drop(const std::vector<SlicePtr>& slices);

  // An index found at the start, of a slice that was added.
  void AddIndex(uint64_t slice_id, FamilyPtr index);
  // The indexes of these slices, in their order; made when missing, which blocks on the disk. Null
  // for a slice that was dropped.
  absl::StatusOr<std::vector<FamilyPtr>> EnsureIndexes(const std::vector<SlicePtr>& slices);
  std::vector<FamilyPtr> Indexes() const;
  // Of all slices, from the disk.
  absl::Status DropIndexes();

  std::vector<SlicePtr> All() const;
  size_t size() const;
  // Of slices and indexes.
  size_t families() const;

 private:
  absl::StatusOr<std::vector<SlicePtr>> Create(const std::vector<int64_t>& classes, int64_t now_us);
  std::vector<SlicePtr> Switch(const std::vector<SlicePtr>& created);

  RocksStore& store_;
  mutable Mutex mu_;  // Leaf.
  std::map<uint64_t, SlicePtr> slices_ ABSL_GUARDED_BY(mu_);
  std::map<uint64_t, FamilyPtr> indexes_ ABSL_GUARDED_BY(mu_);  // By slice.
  std::map<int64_t, SlicePtr> current_ ABSL_GUARDED_BY(mu_);
  uint64_t next_id_ ABSL_GUARDED_BY(mu_) = 1;
  // One creation or drop at a time; taken before mu_, held over the disk.
  Mutex create_mu_;
};

}  // namespace acta
