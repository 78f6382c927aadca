#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "acta/storage/v1/records.pb.h"
#include "acta/v1/dead_letters.pb.h"
#include "server/core/groups/group.h"
#include "server/core/groups/held_letters.h"
#include "server/core/groups/stored_letter.h"
#include "storage/log_engine.h"

namespace acta {

// By one selection.
inline constexpr int kMaxNamedLetters = 1000;

// What is walked through.
enum class Letters : uint8_t {
  kDead,
  kDeadAndHeld,  // Also the events that are held.
};

// Whether the conditions hold that do not name letters.
bool Selects(const v1::DeadLetterSelection& selection, const StoredLetter& letter);
// The same of what was a dead letter, or held, at a time.
v1::DeadLetterSelection SelectionAt(v1::DeadLetterSelection selection, int64_t unix_us);
// At least one condition is set, names are as long as names may be, and not too many letters are
// named. Errors: INVALID_ARGUMENT, LIMIT_EXCEEDED.
absl::Status CheckSelection(const v1::DeadLetterSelection& selection);

// DeadLetterWalk goes through the dead letters of a group, and those held if that is wanted, by
// partition and offset, and keeps one page of them in memory. Those that come or go meanwhile are
// found or not.
//
// Threads:   one, which may wait for the disk.
// Ownership: borrows engine, group and selection.
class DeadLetterWalk {
 public:
  // `selection` null: all of them. Begins behind `place`, as PlaceText() said it; empty: at the
  // first. `page`: letters that are read at once, at least 1. `stopping` as of Caller: between
  // pages; letters that are named are a page. Errors: INVALID_ARGUMENT, LIMIT_EXCEEDED.
  static absl::StatusOr<DeadLetterWalk> Begin(const LogEngine& engine, const Group& group,
                                              const v1::DeadLetterSelection* selection,
                                              absl::string_view place, size_t page, Letters which,
                                              const std::atomic<bool>* stopping = nullptr);
  // The next one that is selected; nullopt: that was the last. Errors: DATA_CORRUPTED,
  // SERVER_STOPPING.
  absl::StatusOr<std::optional<StoredLetter>> Next();

 private:
  DeadLetterWalk(const LogEngine& engine, const Group& group,
                 const v1::DeadLetterSelection* selection, const std::atomic<bool>* stopping)
      : engine_(engine), group_(group), selection_(selection), stopping_(stopping) {}
  // The next one, selected or not.
  absl::StatusOr<std::optional<StoredLetter>> NextDead();
  // The next page of rows; empty at the end.
  absl::Status LoadPage();
  absl::Status LoadNamed();

  const LogEngine& engine_;
  const Group& group_;
  const v1::DeadLetterSelection* const selection_;
  const std::atomic<bool>* const stopping_;
  bool named_ = false;             // Only those in `keys_`.
  std::vector<std::string> keys_;  // Of rows to load, the next one last.
  RowRange range_;                 // What follows the page.
  bool ended_ = false;             // Nothing follows the page.
  RowList page_;
  size_t next_ = 0;  // In the page.
  std::optional<HeldWalk> held_walk_;
  std::optional<StoredLetter> dead_, held_;  // The next ones.
};

// Calls `visit` with all that are selected (null: all there are), by partition and offset, some in
// memory at a time. Blocks. Errors: as DeadLetterWalk.
absl::Status VisitDeadLetters(const LogEngine& engine, const Group& group,
                              const v1::DeadLetterSelection* selection, Letters which,
                              absl::FunctionRef<void(const StoredLetter&)> visit,
                              const std::atomic<bool>* stopping = nullptr);
// nullopt: there is no dead letter at this place. Blocks. Errors: DATA_CORRUPTED.
absl::StatusOr<std::optional<StoredLetter>> LoadDeadLetter(const LogEngine& engine,
                                                           const Group& group,
                                                           PartitionId partition, Offset offset);
// The same, also when it is held.
absl::StatusOr<std::optional<StoredLetter>> LoadDeadOrHeld(const LogEngine& engine,
                                                           const Group& group,
                                                           PartitionId partition, Offset offset);
// That all that is named is there. Blocks. Errors: DEAD_LETTER_NOT_FOUND, as DeadLetterWalk.
absl::Status CheckNamed(const LogEngine& engine, const Group& group,
                        const v1::DeadLetterSelection& selection, Letters which);
// Says what it is, when it is held.
absl::Status DeadLetterNotFound(const Group& group, const v1::DeadLetterRef& ref);
// An id that no partition has when the group does not read it.
PartitionId PartitionOf(const Group& group, const v1::DeadLetterRef& ref);

// All attempts of a letter, the first first, or the last one alone, if it has one. Blocks. Errors:
// DATA_CORRUPTED.
absl::StatusOr<std::vector<v1::Attempt>> LoadAttempts(const LogEngine& engine, GroupId group,
                                                      const StoredLetter& letter, bool all);
// For answers; `whole`: with all attempts and the event. Blocks. Errors: DATA_CORRUPTED.
absl::StatusOr<v1::DeadLetter> DescribeLetter(const LogEngine& engine, const Group& group,
                                              const StoredLetter& letter, bool whole);
std::string FingerprintOf(uint64_t fingerprint);

// Where a letter is, as text that sorts like the list.
std::string PlaceText(const StoredLetter& letter);

}  // namespace acta
