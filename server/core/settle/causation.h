#pragma once

#include "absl/status/statusor.h"
#include "acta/v1/context.pb.h"
#include "server/core/settle/step_request.h"
#include "server/core/topics/topic_registry.h"
#include "storage/log_engine.h"

namespace acta {

inline constexpr int32_t kMaxCausationDepth = 64;

// Sets the causation of what an event caused: correlation and causation id, and the depth. `group`
// may have kept a copy of an event that the log has no more. Blocks. Errors: CAUSATION_TOO_DEEP;
// GAP, DATA_CORRUPTED when the event cannot be read.
absl::Status SetCausation(const LogEngine& engine, const TopicRegistry& topics, GroupId group,
                          const EventPosition& cause, v1::BatchContext* context);

}  // namespace acta
