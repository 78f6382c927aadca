#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "acta/v1/subscriber.pb.h"
#include "server/core/queues/delivery_tokens.h"
#include "server/core/queues/queue_step.h"

namespace acta {

inline constexpr int kMaxStepRuns = 1'000;
inline constexpr int64_t kMaxStepEvents = 10'000;

// The events that a step settles.
struct StepEvents {
  uint64_t session = 0;
  std::vector<HeldRun> runs;  // As in the request.
};

// What the request says is processed, all of it leased to one member of the group. Errors:
// INVALID_ARGUMENT, INVALID_DELIVERY_TOKEN, LIMIT_EXCEEDED (max_step_runs, max_step_events).
absl::StatusOr<StepEvents> ReadStepEvents(const v1::SettleRequest& request, GroupId group,
                                          const DeliveryTokens& tokens);

// Where the event is that caused what is published. Errors: INVALID_ARGUMENT when it is not one of
// those that are processed; INVALID_DELIVERY_TOKEN.
struct EventPosition {
  PartitionId partition;
  Offset offset;
};
absl::StatusOr<EventPosition> CauseOf(const v1::SettleRequest& request, const StepEvents& events,
                                      const DeliveryTokens& tokens);

}  // namespace acta
