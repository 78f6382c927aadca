#include "server/core/topics/topic_rules.h"

#include <algorithm>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limit_error.h"
#include "proto/support/proto_time.h"
#include "server/core/access/names.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

constexpr char kChangeable[] =
    "partitions, retention, retention_bytes, ack_level, dedupe, dedupe_window, max_event_bytes, "
    "labels, journey";

absl::Status Invalid(absl::string_view field, absl::string_view what) {
  return Error(v1::INVALID_ARGUMENT, absl::StrCat(field, " ", what),
               {{"field", std::string(field)}});
}

absl::Status UnknownEnum(absl::string_view field, int value, absl::string_view known) {
  return Error(v1::UNKNOWN_ENUM_VALUE,
               absl::StrCat(field, " ", value, " is not known to this server: use ", known),
               {{"field", std::string(field)}, {"value", absl::StrCat(value)}});
}

absl::Status CheckDuration(absl::string_view field, const google::protobuf::Duration& proto,
                           absl::Duration least, absl::Duration most) {
  const auto duration = GetDuration(proto);
  if (duration.has_value() && *duration >= least && *duration <= most) return absl::OkStatus();
  return Error(v1::INVALID_ARGUMENT,
               absl::StrCat(field, " of ", proto.seconds(), " s is not between ",
                            absl::FormatDuration(least), " and ", absl::FormatDuration(most)),
               {{"field", std::string(field)},
                {"least", absl::FormatDuration(least)},
                {"most", absl::FormatDuration(most)}});
}

absl::Status CheckPartitions(int32_t partitions, const TopicLimits& limits) {
  if (partitions < 1) {
    return Invalid("partitions", absl::StrCat("of ", partitions, ": a topic has at least 1"));
  }
  if (partitions <= limits.max_partitions_per_topic) return absl::OkStatus();
  return LimitExceeded("the topic has partitions:", partitions, "limits.partitions_per_topic",
                       limits.max_partitions_per_topic);
}

absl::Status CheckMaxEventBytes(int32_t bytes, const TopicLimits& limits) {
  if (bytes < 1) {
    return Invalid("max_event_bytes", absl::StrCat("of ", bytes, ": it is at least 1"));
  }
  if (bytes <= limits.max_event_bytes) return absl::OkStatus();
  return LimitExceeded("max_event_bytes of the topic is", bytes, "limits.max_event",
                       limits.max_event_bytes);
}

// An unspecified level is FSYNC.
absl::StatusOr<v1::AckLevel> LevelOr(absl::string_view field, v1::AckLevel level) {
  switch (level) {
    case v1::ACK_LEVEL_UNSPECIFIED:
      return v1::ACK_LEVEL_FSYNC;
    case v1::ACK_LEVEL_OS:
    case v1::ACK_LEVEL_FSYNC:
      return level;
    default:
      return UnknownEnum(field, static_cast<int>(level), "OS or FSYNC");
  }
}

absl::StatusOr<v1::DedupeMode> DedupeOr(v1::DedupeMode mode) {
  switch (mode) {
    case v1::DEDUPE_MODE_UNSPECIFIED:
      return v1::DEDUPE_MODE_IDS;
    case v1::DEDUPE_MODE_IDS:
    case v1::DEDUPE_MODE_SEQUENCES:
    case v1::DEDUPE_MODE_OFF:
      return mode;
    default:
      return UnknownEnum("dedupe", static_cast<int>(mode), "IDS, SEQUENCES or OFF");
  }
}

absl::StatusOr<v1::JourneyMode> JourneyOr(v1::JourneyMode mode) {
  switch (mode) {
    case v1::JOURNEY_MODE_UNSPECIFIED:
      return v1::JOURNEY_MODE_FULL;
    case v1::JOURNEY_MODE_FULL:
    case v1::JOURNEY_MODE_CORRELATION:
    case v1::JOURNEY_MODE_OFF:
      return mode;
    default:
      return UnknownEnum("journey", static_cast<int>(mode), "FULL, CORRELATION or OFF");
  }
}

absl::StatusOr<v1::Partitioner> PartitionerOr(v1::Partitioner partitioner) {
  switch (partitioner) {
    case v1::PARTITIONER_UNSPECIFIED:
      return v1::PARTITIONER_KEY;
    case v1::PARTITIONER_KEY:
    case v1::PARTITIONER_EXPLICIT:
      return partitioner;
    default:
      return UnknownEnum("partitioner", static_cast<int>(partitioner), "KEY or EXPLICIT");
  }
}

bool IsZero(const google::protobuf::Duration& duration) {
  return duration.seconds() == 0 && duration.nanos() == 0;
}

// Everything but the name and what is fixed at creation. Enums are replaced by their defaults.
absl::Status CheckChangeable(v1::Topic* topic, const TopicLimits& limits) {
  RETURN_IF_ERROR(CheckPartitions(topic->partitions(), limits));
  RETURN_IF_ERROR(CheckDuration("retention", topic->retention(), kLeastRetention, kMostRetention));
  if (topic->retention_bytes() < 0) {
    return Invalid("retention_bytes",
                   absl::StrCat("of ", topic->retention_bytes(), ": 0 is no limit"));
  }
  ASSIGN_OR_RETURN(const v1::AckLevel level, LevelOr("ack_level", topic->ack_level()));
  topic->set_ack_level(level);
  ASSIGN_OR_RETURN(const v1::DedupeMode dedupe, DedupeOr(topic->dedupe()));
  topic->set_dedupe(dedupe);
  ASSIGN_OR_RETURN(const v1::JourneyMode journey, JourneyOr(topic->journey()));
  topic->set_journey(journey);
  RETURN_IF_ERROR(CheckDuration("dedupe_window", topic->dedupe_window(), kLeastDedupeWindow,
                                kMostDedupeWindow));
  RETURN_IF_ERROR(CheckMaxEventBytes(topic->max_event_bytes(), limits));
  return CheckLabels(topic->labels());
}

absl::Status CopyField(const std::string& path, const v1::Topic& from, v1::Topic* to) {
  if (path == "partitions") {
    to->set_partitions(from.partitions());
  } else if (path == "retention") {
    *to->mutable_retention() = from.retention();
  } else if (path == "retention_bytes") {
    to->set_retention_bytes(from.retention_bytes());
  } else if (path == "ack_level") {
    to->set_ack_level(from.ack_level());
  } else if (path == "journey") {
    to->set_journey(from.journey());
  } else if (path == "dedupe") {
    to->set_dedupe(from.dedupe());
  } else if (path == "dedupe_window") {
    *to->mutable_dedupe_window() = from.dedupe_window();
  } else if (path == "max_event_bytes") {
    to->set_max_event_bytes(from.max_event_bytes());
  } else if (path == "labels") {
    *to->mutable_labels() = from.labels();
  } else if (path == "name" || path == "visible_at" || path == "partitioner") {
    return Invalid("update_mask", absl::StrCat("names '", path, "', which is fixed at creation: ",
                                               kChangeable, " can be changed"));
  } else {
    return Invalid("update_mask", absl::StrCat("names '", absl::CHexEscape(path.substr(0, 64)),
                                               "': only ", kChangeable, " can be changed"));
  }
  return absl::OkStatus();
}

absl::Status CheckGrowth(const v1::Topic& before, const v1::Topic& after, bool accept_reorder) {
  if (after.partitions() < before.partitions()) {
    return Invalid("partitions", absl::StrCat("of topic '", before.name(), "' only grow: it has ",
                                              before.partitions(), ", not ", after.partitions()));
  }
  if (after.partitions() == before.partitions() || accept_reorder ||
      before.partitioner() != v1::PARTITIONER_KEY) {
    return absl::OkStatus();
  }
  return Error(v1::REORDER_NOT_ACCEPTED,
               absl::StrCat("growing topic '", before.name(), "' from ", before.partitions(),
                            " to ", after.partitions(),
                            " partitions moves keys to other partitions: say accept_reorder "
                            "(acta: --accept-reorder) if no consumer depends on order by key"),
               {{"topic", before.name()}, {"partitions", absl::StrCat(before.partitions())}});
}

}  // namespace

absl::Status CheckMask(const google::protobuf::FieldMask& mask) {
  absl::flat_hash_set<absl::string_view> paths;
  for (const std::string& path : mask.paths()) {
    if (paths.insert(path).second) continue;
    return Invalid("update_mask", absl::StrCat("names '", absl::CHexEscape(path.substr(0, 64)),
                                               "' twice: name each field once"));
  }
  return absl::OkStatus();
}

absl::Status CheckLabels(const google::protobuf::Map<std::string, std::string>& labels) {
  if (labels.size() > kMaxLabels) {
    return LimitExceeded("labels:", static_cast<int64_t>(labels.size()), "max_labels", kMaxLabels);
  }
  int64_t bytes = 0;
  for (const auto& [key, value] : labels) {
    if (key.empty()) return Invalid("labels", "have a name that is empty");
    bytes += static_cast<int64_t>(key.size() + value.size());
  }
  if (bytes <= kMaxLabelBytes) return absl::OkStatus();
  return LimitExceeded("the labels have bytes:", bytes, "max_label_bytes", kMaxLabelBytes);
}

absl::StatusOr<v1::Topic> MakeTopicProto(const v1::Topic& wanted, const TopicLimits& limits) {
  RETURN_IF_ERROR(ValidateName("topic", wanted.name()));
  v1::Topic topic = wanted;
  topic.DiscardUnknownFields();  // Nothing limits them.
  topic.clear_create_time();
  topic.clear_update_time();
  if (topic.partitions() == 0) topic.set_partitions(limits.default_partitions);
  if (IsZero(topic.retention())) {
    SetDuration(limits.default_retention, topic.mutable_retention());
  }
  if (IsZero(topic.dedupe_window())) {
    SetDuration(limits.default_dedupe_window, topic.mutable_dedupe_window());
  }
  if (topic.max_event_bytes() == 0) topic.set_max_event_bytes(limits.default_max_event_bytes);
  ASSIGN_OR_RETURN(const v1::AckLevel visible_at, LevelOr("visible_at", topic.visible_at()));
  topic.set_visible_at(visible_at);
  ASSIGN_OR_RETURN(const v1::Partitioner partitioner, PartitionerOr(topic.partitioner()));
  topic.set_partitioner(partitioner);
  RETURN_IF_ERROR(CheckChangeable(&topic, limits));
  return topic;
}

absl::StatusOr<v1::Topic> ApplyTopicUpdate(const v1::Topic& before,
                                           const v1::UpdateTopicRequest& request,
                                           const TopicLimits& limits) {
  if (request.update_mask().paths().empty()) {
    return Invalid("update_mask", absl::StrCat("is empty: name what to change of ", kChangeable));
  }
  v1::Topic wanted = request.topic();
  wanted.DiscardUnknownFields();
  v1::Topic after = before;
  for (const std::string& path : request.update_mask().paths()) {
    RETURN_IF_ERROR(CopyField(path, wanted, &after));
  }
  // A limit that was lowered since does not stop changes of other fields.
  TopicLimits allowed = limits;
  allowed.max_partitions_per_topic = std::max(limits.max_partitions_per_topic, before.partitions());
  allowed.max_event_bytes = std::max(limits.max_event_bytes, before.max_event_bytes());
  RETURN_IF_ERROR(CheckChangeable(&after, allowed));
  RETURN_IF_ERROR(CheckGrowth(before, after, request.accept_reorder()));
  return after;
}

TopicSettings SettingsOf(const v1::Topic& topic) {
  TopicSettings settings;
  settings.visible_at = topic.visible_at() == v1::ACK_LEVEL_OS ? Level::kOs : Level::kFsync;
  settings.dedupe = topic.dedupe() == v1::DEDUPE_MODE_OFF         ? Dedupe::kOff
                    : topic.dedupe() == v1::DEDUPE_MODE_SEQUENCES ? Dedupe::kSequences
                                                                  : Dedupe::kIds;
  settings.dedupe_window = GetDuration(topic.dedupe_window()).value_or(settings.dedupe_window);
  settings.retention = GetDuration(topic.retention()).value_or(settings.retention);
  settings.retention_bytes = topic.retention_bytes();
  return settings;
}

absl::Status TopicNotFound(absl::string_view name) {
  const std::string shown = ShownName(name);
  return Error(v1::TOPIC_NOT_FOUND,
               absl::StrCat("there is no topic '", shown,
                            "': create it with `acta topic create`, or correct the name"),
               {{"topic", shown}});
}

absl::Status PartitionNotFound(absl::string_view topic, int32_t partition, int32_t partitions) {
  return Error(v1::PARTITION_NOT_FOUND,
               absl::StrCat("topic '", topic, "' has no partition ", partition, ", only 0",
                            partitions > 1 ? absl::StrCat(" to ", partitions - 1) : ""),
               {{"topic", std::string(topic)}, {"partition", absl::StrCat(partition)}});
}

}  // namespace acta
