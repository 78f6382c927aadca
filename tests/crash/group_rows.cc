#include "tests/crash/group_rows.h"

#include <algorithm>

#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"
#include "tests/crash/queue_history.h"

namespace acta {

bool GroupRows::IsOutstanding(const JobPlace& place) const {
  const QueuePosition& position = positions.at(place.partition);
  const Offset offset(place.offset);
  return offset >= position.head ||
         std::any_of(
             position.outstanding.begin(), position.outstanding.end(),
             [offset](const OffsetRun& run) { return run.first <= offset && offset < run.end; });
}

int32_t GroupRows::AttemptsOf(const JobPlace& place) const {
  const auto found = attempts.find(place);
  return found == attempts.end() ? 0 : found->second;
}

absl::StatusOr<GroupRows> LoadGroupRows(QueueStore& store, GroupId group) {
  GroupRows out;
  const LogEngine& engine = store.engine();
  for (int32_t number = 0; number < kQueuePartitions; ++number) {
    ASSIGN_OR_RETURN(const RowList rows,
                     engine.LoadRows(Family::kState, PositionRow(group, store.Partition(number))));
    storage::v1::PositionRecord record;
    if (rows.size() == 1 && !record.ParseFromString(rows.front().second)) {
      return absl::DataLossError("a position");
    }
    out.positions[number] = PositionFrom(record);
    out.resets[number] = record.generation();
  }
  ASSIGN_OR_RETURN(const RowList parked,
                   engine.LoadRows(Family::kState, QueueRows(kParkedRows, group)));
  for (const auto& [key, value] : parked) {
    ASSIGN_OR_RETURN(const StoredParked one, ParkedFrom(key, value));
    out.parked[{one.partition.partition(), one.event.offset.value()}] = one.event;
  }
  ASSIGN_OR_RETURN(const RowList letters,
                   engine.LoadRows(Family::kState, QueueRows(kDeadLetterRows, group)));
  for (const auto& [key, value] : letters) {
    ASSIGN_OR_RETURN(const auto place, PlaceOfRow(kDeadLetterRows, key));
    auto& letter = out.letters[{place.first.partition(), place.second.value()}];
    if (!letter.ParseFromString(value)) return absl::DataLossError("a dead letter");
  }
  ASSIGN_OR_RETURN(const RowList attempts,
                   engine.LoadRows(Family::kState, QueueRows(kAttemptRows, group)));
  for (const auto& [key, value] : attempts) {
    ASSIGN_OR_RETURN(const auto place, PlaceOfRow(kAttemptRows, key));
    ++out.attempts[{place.first.partition(), place.second.value()}];
  }
  return out;
}

absl::StatusOr<GroupNumbers> AskNumbers(QueueStore& store, size_t group) {
  v1::GetLagRequest request;
  request.set_group(kQueueGroups[group].name);
  ASSIGN_OR_RETURN(const v1::GetLagResponse lag, store.groups().GetLag(store.caller(), request));
  GroupNumbers numbers;
  for (const v1::PartitionLag& partition : lag.partitions()) {
    const v1::QueueLag& queue = partition.queue();
    numbers.outstanding += queue.ready() + queue.leased() + queue.retry_wait() +
                           queue.blocked_by_key() + queue.held() + queue.not_scanned();
    numbers.held += queue.held();
    numbers.dead_letters = queue.dead_letters();
  }
  return numbers;
}

}  // namespace acta
