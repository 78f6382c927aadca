#pragma once

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/groups/stored_letter.h"

namespace acta {

// HeldWalk goes through the events of a group that are held, by partition and offset, as if they
// were dead letters. Those that come or go meanwhile are found or not.
//
// Threads:   one, which may wait for the disk.
// Ownership: borrows engine and group.
class HeldWalk {
 public:
  // `places`: of these only. Null: all. `page`: events that are looked for at once, at least 1.
  HeldWalk(const LogEngine& engine, const Group& group, const std::vector<LetterPlace>* places,
           size_t page);
  // Nothing up to this place.
  void BeginBehind(const LetterPlace& place);
  // nullopt: that was the last. Errors: DATA_CORRUPTED.
  absl::StatusOr<std::optional<StoredLetter>> Next();

 private:
  struct Stretch {
    PartitionId partition;
    OffsetRun run;
  };
  absl::StatusOr<std::optional<StoredLetter>> LetterOf(const StoredParked& parked) const;

  const LogEngine& engine_;
  const Group& group_;
  const size_t page_;
  std::vector<Stretch> stretches_;  // To look at, the next one last.
  std::vector<StoredParked> found_;
  size_t next_ = 0;  // Of `found_`.
};

}  // namespace acta
