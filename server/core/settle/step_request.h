#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "acta/v1/subscriber.pb.h"
#include "server/core/groups/group_registry.h"
#include "server/core/queues/delivery_tokens.h"
#include "server/core/queues/queue_step.h"

namespace acta {

inline constexpr int kMaxStepRuns = 1'000;
inline constexpr int64_t kMaxStepEvents = 10'000;

// What the request settles. `group` is named in it. Errors: INVALID_ARGUMENT,
// INVALID_DELIVERY_TOKEN, LIMIT_EXCEEDED (max_step_runs, max_step_events), those of
// ReadSettlement(); WRONG_GROUP_MODE for failures in a STREAM group.
absl::StatusOr<std::vector<HeldRun>> ReadStepRuns(const v1::SettleRequest& request,
                                                  const StepGroup& group,
                                                  const DeliveryTokens& tokens);

// Where the event is that caused what is published. Errors: INVALID_ARGUMENT when it is not one of
// the step; INVALID_DELIVERY_TOKEN.
struct EventPosition {
  PartitionId partition;
  Offset offset;
};
absl::StatusOr<EventPosition> CauseOf(const v1::SettleRequest& request,
                                      const std::vector<HeldRun>& runs,
                                      const DeliveryTokens& tokens);

}  // namespace acta
