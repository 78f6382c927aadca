#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "acta/storage/v1/records.pb.h"
#include "server/core/queues/queue_records.h"
#include "tests/crash/queue_store.h"

namespace acta {

struct JobPlace {
  int32_t partition = 0;
  int64_t offset = 0;
  friend auto operator<=>(const JobPlace&, const JobPlace&) = default;
};

// What the rows of a QUEUE group say.
struct GroupRows {
  std::map<int32_t, QueuePosition> positions;  // By partition.
  std::map<int32_t, int64_t> resets;           // The same: how often the group began anew.
  std::map<JobPlace, ParkedEvent> parked;
  std::map<JobPlace, storage::v1::DeadLetterRecord> letters;
  std::map<JobPlace, int32_t> attempts;  // How many that failed it has.

  // At or above the head, or in one of the runs of the position.
  bool IsOutstanding(const JobPlace& place) const;
  // How many attempts of it failed, in all rounds, by the rows of attempts.
  int32_t AttemptsOf(const JobPlace& place) const;
};
absl::StatusOr<GroupRows> LoadGroupRows(QueueStore& store, GroupId group);

// What a group of kQueueGroups says of itself.
struct GroupNumbers {
  int64_t outstanding = 0;  // What follows the head may be too much.
  int64_t held = 0;
  int64_t dead_letters = 0;
};
absl::StatusOr<GroupNumbers> AskNumbers(QueueStore& store, size_t group);

}  // namespace acta
