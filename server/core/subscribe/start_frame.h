#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "acta/v1/subscriber.pb.h"
#include "server/core/access/authorizer.h"
#include "server/core/groups/group_registry.h"
#include "server/core/subscribe/read_range.h"
#include "server/core/subscribe/subscribe_limits.h"
#include "server/core/topics/topic_registry.h"
#include "storage/log_engine.h"

namespace acta {

// Checks what a start frame says and whether the caller may; looks nothing up.
// Errors: TENANT_NOT_FOUND, INVALID_NAME, INVALID_ARGUMENT, LIMIT_EXCEEDED, UNKNOWN_ENUM_VALUE,
// PERMISSION_DENIED.
absl::Status CheckStart(const Caller& caller, const Authorizer& authorizer,
                        const SubscribeLimits& limits, const v1::SubscribeStart& start);

// What a frame may hold.
size_t MaxFrameBytes(const SubscribeLimits& limits, const v1::SubscribeStart& start);

// The member a checked start frame asks for.
JoinRequest MakeJoinRequest(const v1::SubscribeStart& start);

// What a checked start frame without a group reads, partition by partition. Blocks.
// Errors: TOPIC_NOT_FOUND, PARTITION_NOT_FOUND, OFFSET_OUT_OF_RANGE, INVALID_ARGUMENT.
absl::StatusOr<std::vector<ReadRange>> ResolveRanges(const Caller& caller, const LogEngine& engine,
                                                     const TopicRegistry& topics,
                                                     const v1::SubscribeStart& start);

// Whether it goes on into partitions that the topic gets later.
bool Follows(const v1::TopicPosition& position);

// UNSUPPORTED_FEATURE; this server has no features to grant.
absl::Status UnknownFeature(absl::string_view feature);

}  // namespace acta
