#pragma once

#include <vector>

#include "server/core/schedules/schedule_state.h"
#include "server/core/topics/topic_registry.h"
#include "storage/log_engine.h"

namespace acta {

// Appends the events to their topics, in this order, and deletes their rows. Those whose topic is
// gone are only deleted. `done` and `source` are not set.
Transaction MakeDueTransaction(const std::vector<HeldSchedule>& due, const LogEngine& engine,
                               const TopicRegistry& topics);

}  // namespace acta
