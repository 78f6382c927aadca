#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "acta/v1/schedules.pb.h"
#include "server/core/access/authorizer.h"
#include "server/core/schedules/schedule_reservation.h"
#include "server/core/topics/topic_registry.h"
#include "server/exec/executor.h"
#include "storage/log_engine.h"

namespace acta {

struct ScheduleLimits {
  int64_t max_events = 1'000'000;  // That wait, of all topics.
};
inline constexpr absl::Duration kFarthestSchedule = absl::Hours(24 * 400);

// Events of one batch to be scheduled together; already checked as any that are published.
struct ScheduleRequest {
  struct Event {
    absl::string_view element;  // A whole `events` element.
    EventIdHash id;             // 0: it has none, or the topic does not dedupe by ids.
  };
  const Topic& topic;
  std::optional<int32_t> partition;
  int64_t due_us = 0;
  absl::string_view context;  // An encoded BatchContext.
  absl::Span<const Event> events;
};

// Of the schedules of one frame, whose batches are written together or not at all.
using FrameNumbers = absl::flat_hash_set<uint64_t>;

// Schedules is the events that were published for later. What it answers is durable. When one is
// due it is appended and forgotten in one write: once, whatever crashes. Events are appended in the
// order they are due, those of one moment in the order they were scheduled. Time is the engine's:
// never early.
//
// Threads: any. Methods that take requests wait for the disk; Reserve() does not.
// Errors:  as the methods of acta.v1.Schedules say.
class Schedules {
 public:
  struct Deps {
    LogEngine& engine;
    const TopicRegistry& topics;
    Executor& pool;
    Timer& timer;
    ScheduleLimits limits;
  };
  explicit Schedules(const Deps& deps);
  ~Schedules();  // Nothing is delivered any more.

  // Reads what waits, and begins to deliver. Once, after TopicRegistry::Load().
  absl::Status Load();

  // Errors: SCHEDULE_TOO_FAR; LIMIT_EXCEEDED (limits.scheduled_events); CONCURRENT_CHANGE when
  // another call is scheduling an event of the same id. `of_frame` has the numbers of the batches
  // before, and gets those of this one.
  absl::StatusOr<ScheduleReservation> Reserve(const ScheduleRequest& request,
                                              FrameNumbers* of_frame);

  absl::StatusOr<v1::ListSchedulesResponse> List(const Caller&,
                                                 const v1::ListSchedulesRequest&) const;
  absl::StatusOr<v1::GetScheduleResponse> Get(const Caller&, const v1::GetScheduleRequest&) const;
  absl::StatusOr<v1::MoveScheduleResponse> Move(const Caller&, const v1::MoveScheduleRequest&);
  absl::StatusOr<v1::CancelScheduleResponse> Cancel(const Caller&,
                                                    const v1::CancelScheduleRequest&);

  // The topic was deleted, and its schedules with it.
  void ForgetTopic(TopicId topic);

  int64_t waiting() const;
  int64_t delivered() const;  // Since the start.
  // How long the oldest that is due has been waiting to be appended; zero: none is.
  absl::Duration overdue() const;

 private:
  const std::shared_ptr<ScheduleState> state_;
};

}  // namespace acta
