#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "acta/storage/v1/records.pb.h"
#include "acta/v1/dead_letters.pb.h"
#include "server/core/groups/group.h"
#include "storage/log_engine.h"

namespace acta {

// A dead letter as it is on the disk.
struct StoredLetter {
  PartitionId partition;
  Offset offset;
  TopicPtr topic;
  storage::v1::DeadLetterRecord record;
};

// At least one condition is set, and not too many letters. Errors: INVALID_ARGUMENT,
// LIMIT_EXCEEDED.
absl::Status CheckSelection(const v1::DeadLetterSelection& selection);

// By partition and offset; `selection` null: all. Blocks. Errors: DATA_CORRUPTED, INVALID_ARGUMENT.
absl::StatusOr<std::vector<StoredLetter>> LoadDeadLetters(const LogEngine& engine,
                                                          const Group& group,
                                                          const v1::DeadLetterSelection* selection);
absl::Status DeadLetterNotFound(const v1::DeadLetterRef& ref);
// Letters that the selection names and that are not among these.
std::vector<v1::DeadLetterRef> MissingFrom(const std::vector<StoredLetter>& letters,
                                           const v1::DeadLetterSelection& selection);
// Of no partition the group reads: an id that no partition has.
PartitionId PartitionOf(const Group& group, const v1::DeadLetterRef& ref);

// For answers; `whole`: with all attempts and the event. Blocks. Errors: DATA_CORRUPTED.
absl::StatusOr<v1::DeadLetter> DescribeLetter(const LogEngine& engine, const Group& group,
                                              const StoredLetter& letter, bool whole);
std::string FingerprintOf(uint64_t fingerprint);

// Where a letter is, as text that sorts like the list.
std::string PlaceText(const StoredLetter& letter);

}  // namespace acta
