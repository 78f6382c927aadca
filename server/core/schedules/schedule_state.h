#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "acta/storage/v1/records.pb.h"
#include "server/core/schedules/schedule_index.h"
#include "server/core/schedules/schedules.h"
#include "storage/base/mutex.h"

namespace acta {

// One that is held, as it was read.
struct HeldSchedule {
  ScheduleKey key;
  storage::v1::ScheduleRecord record;
};

// What Schedules and its reservations share. It lives as long as one of them, or a write of its
// own.
class ScheduleState : public std::enable_shared_from_this<ScheduleState> {
 public:
  explicit ScheduleState(const Schedules::Deps& deps) : deps(deps) {}

  // Sees to it that Deliver() runs when the next one is due.
  void WaitForNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  void Stop();
  // Of those that are held: they are `gone` from the disk, or are let go.
  void End(const std::vector<ScheduleKey>& keys, bool gone) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);

  // Errors: SCHEDULE_NOT_FOUND when it is not of the topic.
  absl::StatusOr<storage::v1::ScheduleRecord> Read(const Topic& topic, uint64_t number) const;
  // The same, held. Errors also: CONCURRENT_CHANGE.
  absl::StatusOr<HeldSchedule> ReadAndHold(const Topic& topic, uint64_t number);
  // The same without the record when it cannot be read: a cancellation does not need it.
  absl::StatusOr<HeldSchedule> HoldToCancel(const Topic& topic, uint64_t number);
  // Writes the rows of a change to a schedule of the topic that is held, and then changes the
  // index, which lets it go. Blocks.
  absl::Status Write(const Topic& topic, const HeldSchedule& held, std::vector<RowWrite> rows,
                     absl::FunctionRef<void(ScheduleIndex&)> change);
  // The topic is deleted. Blocks.
  void ForgetTopic(TopicId topic);
  // Of a topic whose schedules were not all in the index, or were held: when it was deleted
  // meanwhile, they were not seen. Later, on the pool.
  void ForgetIfDeleted(TopicId topic);

  const Schedules::Deps deps;
  mutable Mutex mu;  // Held over no disk. Taken before the timer's.
  ScheduleIndex index ABSL_GUARDED_BY(mu);
  uint64_t last_number ABSL_GUARDED_BY(mu) = 0;
  int64_t delivered ABSL_GUARDED_BY(mu) = 0;

 private:
  // On the pool, one at a time: appends what is due, some at once, until nothing is.
  void Deliver();
  void DeliverNext();
  // Held. Some, of a bounded number of bytes.
  std::vector<HeldSchedule> TakeDue();
  // Of one that is held and could not be read: it is put off, unless its topic is gone. Then it is
  // to be deleted like those of such a topic that can be read.
  std::optional<HeldSchedule> OnUnread(const ScheduleKey& key, const absl::Status& why);
  // Of those that are put off.
  void ReadAgainLater(std::vector<uint64_t> numbers);
  // When it is due, by looking at all of the topic's.
  std::optional<ScheduleKey> SearchKey(TopicId topic, uint64_t number) const;
  void OnDelivered(const std::vector<ScheduleKey>& keys, const absl::Status& status);

  uint64_t timer_ ABSL_GUARDED_BY(mu) = 0;                            // 0: none runs.
  int64_t timer_due_us_ ABSL_GUARDED_BY(mu) = 0;                      // What it runs for.
  absl::Time not_before_ ABSL_GUARDED_BY(mu) = absl::InfinitePast();  // After a failure.
  bool delivering_ ABSL_GUARDED_BY(mu) = false;
  bool stopped_ ABSL_GUARDED_BY(mu) = false;
};

}  // namespace acta
