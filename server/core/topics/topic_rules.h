#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "acta/v1/topics.pb.h"
#include "google/protobuf/field_mask.pb.h"
#include "server/core/topics/topic_limits.h"
#include "storage/log_engine.h"

namespace acta {

// What a topic may be. Pure: no state, no disk.

inline constexpr absl::Duration kLeastRetention = absl::Seconds(1);
inline constexpr absl::Duration kMostRetention = absl::Hours(24 * 36525);  // 100 years.
inline constexpr absl::Duration kLeastDedupeWindow = absl::Seconds(1);
inline constexpr absl::Duration kMostDedupeWindow = absl::Hours(24);
inline constexpr int kMaxLabels = 64;
inline constexpr int64_t kMaxLabelBytes = 8192;

// A new topic with every default filled in; what the server sets is left out. Errors: INVALID_NAME,
// INVALID_ARGUMENT, UNKNOWN_ENUM_VALUE, LIMIT_EXCEEDED.
absl::StatusOr<v1::Topic> MakeTopicProto(const v1::Topic& wanted, const TopicLimits& limits);

// `before` with the fields of the request's mask. Errors: those above, REORDER_NOT_ACCEPTED.
absl::StatusOr<v1::Topic> ApplyTopicUpdate(const v1::Topic& before,
                                           const v1::UpdateTopicRequest& request,
                                           const TopicLimits& limits);

// That a mask names no path twice: each copies its field once more, however large. Errors:
// INVALID_ARGUMENT.
absl::Status CheckMask(const google::protobuf::FieldMask& mask);

// Labels of a topic or a group. Errors: INVALID_ARGUMENT, LIMIT_EXCEEDED.
absl::Status CheckLabels(const google::protobuf::Map<std::string, std::string>& labels);

// Of a topic that passed the rules.
TopicSettings SettingsOf(const v1::Topic& topic);

// TOPIC_NOT_FOUND with the detail clients read.
absl::Status TopicNotFound(absl::string_view name);
// PARTITION_NOT_FOUND, of a topic with so many.
absl::Status PartitionNotFound(absl::string_view topic, int32_t partition, int32_t partitions);

}  // namespace acta
