#include "server/core/subscribe/start_frame.h"

#include <limits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limit_error.h"
#include "server/core/access/names.h"
#include "server/core/subscribe/frame_bytes.h"
#include "server/core/topics/topic_rules.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

absl::Status Invalid(absl::string_view field, absl::string_view what) {
  return Error(v1::INVALID_ARGUMENT, absl::StrCat(field, ": ", what),
               {{"field", std::string(field)}});
}

absl::Status CheckAppName(absl::string_view field, absl::string_view name) {
  if (name.size() <= kMaxAppNameBytes) return absl::OkStatus();
  return LimitError{v1::INVALID_ARGUMENT, absl::StrCat(field, " has bytes:"),
                    name.size(),          "max_app_name_bytes",
                    kMaxAppNameBytes,     "use a shorter one"}
      .Make({{"field", std::string(field)}});
}

absl::Status CheckGroup(const v1::SubscribeStart& start) {
  RETURN_IF_ERROR(ValidateName("group", start.group()));
  if (!start.member_id().empty()) RETURN_IF_ERROR(ValidateName("member_id", start.member_id()));
  if (!v1::GroupMode_IsValid(start.mode())) {
    const std::string mode = absl::StrCat(static_cast<int>(start.mode()));
    return Error(v1::UNKNOWN_ENUM_VALUE,
                 absl::StrCat("mode ", mode,
                              " is not known: use GROUP_MODE_STREAM or "
                              "GROUP_MODE_QUEUE"),
                 {{"field", "mode"}, {"value", mode}});
  }
  for (const v1::TopicPosition& topic : start.topics()) {
    const bool names_only = !topic.has_from() && topic.partitions().empty() &&
                            !topic.only_listed() && !topic.has_until_time_us() &&
                            !topic.until_end();
    if (names_only) continue;
    return Invalid("topics", absl::StrCat("topic '", topic.topic(),
                                          "' has a position: those of a group are its own; set "
                                          "`create_at`, or leave out the group"));
  }
  return absl::OkStatus();
}

absl::Status CheckTopics(const v1::SubscribeStart& start) {
  absl::flat_hash_set<absl::string_view> names;
  for (const v1::TopicPosition& topic : start.topics()) {
    RETURN_IF_ERROR(ValidateName("topic", topic.topic()));
    if (!names.insert(topic.topic()).second) {
      return Invalid("topics", absl::StrCat("topic '", topic.topic(), "' is named twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status OutOfRange(const Topic& topic, int32_t partition, int64_t offset, Offset end) {
  return Error(v1::OFFSET_OUT_OF_RANGE,
               absl::StrCat("offset ", offset, " of partition ", partition, " of topic '",
                            topic.name(), "' is not between 0 and the end ", end.value()),
               {{"topic", topic.name()},
                {"partition", absl::StrCat(partition)},
                {"offset", absl::StrCat(offset)},
                {"end_offset", absl::StrCat(end.value())}});
}

// Offsets below the first are fine here: reading tells the gap.
absl::StatusOr<Offset> CheckOffset(const Topic& topic, int32_t partition, int64_t offset,
                                   Offset end) {
  if (offset < 0 || offset > end.value()) return OutOfRange(topic, partition, offset, end);
  return Offset(offset);
}

absl::StatusOr<Offset> FindStart(const LogEngine& engine, const ReadRange& range,
                                 const PartitionExtent& extent, const v1::StartPosition& from) {
  switch (from.at_case()) {
    case v1::StartPosition::kEarliest:
      return extent.first;
    case v1::StartPosition::kTimeUs:
      return engine.FindOffset(range.id(), from.time_us());
    case v1::StartPosition::kOffset:
      return CheckOffset(*range.topic, range.partition, from.offset(), extent.visible_end);
    default:
      return extent.visible_end;
  }
}

// Where a client left off.
absl::Status Resume(const LogEngine& engine, const PartitionExtent& extent,
                    const v1::PartitionPosition& position, ReadRange* range) {
  if (position.incarnation() < 0 || position.incarnation() > std::numeric_limits<uint32_t>::max()) {
    return Invalid("incarnation", absl::StrCat(position.incarnation(), " is not one of a log"));
  }
  const Incarnation incarnation(static_cast<uint32_t>(position.incarnation()));
  range->problem = engine.CheckPosition(range->id(), incarnation, Offset(position.offset()));
  if (!range->problem.ok()) {
    if (ReasonOf(range->problem) != v1::LOG_TRUNCATED) return range->problem;
    range->from = Offset(position.offset());
    range->incarnation = incarnation;
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(range->from, CheckOffset(*range->topic, range->partition, position.offset(),
                                            extent.visible_end));
  return absl::OkStatus();
}

using Listed = absl::flat_hash_map<int32_t, const v1::PartitionPosition*>;

absl::StatusOr<Listed> ListPositions(const Topic& topic, const v1::TopicPosition& position) {
  Listed listed;
  for (const v1::PartitionPosition& one : position.partitions()) {
    if (one.partition() < 0 || one.partition() >= topic.partitions()) {
      return PartitionNotFound(topic.name(), one.partition(), topic.partitions());
    }
    if (!listed.emplace(one.partition(), &one).second) {
      return Invalid("partitions", absl::StrCat("partition ", one.partition(), " of topic '",
                                                topic.name(), "' is listed twice"));
    }
  }
  return listed;
}

}  // namespace

absl::Status CheckStart(const Caller& caller, const Authorizer& authorizer,
                        const SubscribeLimits& limits, const v1::SubscribeStart& start) {
  RETURN_IF_ERROR(CheckTenant(caller, start.tenant()));
  RETURN_IF_ERROR(CheckMaxFrameBytes(limits, start.max_frame_bytes()));
  if (start.wanted_features_size() > kMaxWantedFeatures) {
    return LimitExceeded("the start wants features:", start.wanted_features_size(),
                         "max_wanted_features", kMaxWantedFeatures);
  }
  RETURN_IF_ERROR(CheckAppName("app", start.app()));
  RETURN_IF_ERROR(CheckAppName("app_version", start.app_version()));
  RETURN_IF_ERROR(CheckAppName("instance", start.instance()));
  RETURN_IF_ERROR(CheckTopics(start));
  if (!start.group().empty()) {
    RETURN_IF_ERROR(CheckGroup(start));
    RETURN_IF_ERROR(
        authorizer.Authorize(caller, Verb::kSubscribe, {ResourceKind::kGroup, start.group()}));
  } else if (start.topics().empty()) {
    return Invalid("topics", "name a group, or at least one topic");
  }
  for (const v1::TopicPosition& topic : start.topics()) {
    RETURN_IF_ERROR(
        authorizer.Authorize(caller, Verb::kSubscribe, {ResourceKind::kTopic, topic.topic()}));
  }
  return absl::OkStatus();
}

size_t MaxFrameBytes(const SubscribeLimits& limits, const v1::SubscribeStart& start) {
  return static_cast<size_t>(start.max_frame_bytes() == 0 ? limits.default_max_frame_bytes
                                                          : start.max_frame_bytes());
}

JoinRequest MakeJoinRequest(const v1::SubscribeStart& start) {
  JoinRequest join;
  join.group = start.group();
  join.member_id = start.member_id();
  join.app = start.app();
  join.app_version = start.app_version();
  join.instance = start.instance();
  join.create_mode = start.mode();
  join.create_at = start.create_at();
  for (const v1::TopicPosition& topic : start.topics()) join.create_topics.push_back(topic.topic());
  return join;
}

absl::StatusOr<std::vector<ReadRange>> ResolveRanges(const Caller& caller, const LogEngine& engine,
                                                     const TopicRegistry& topics,
                                                     const v1::SubscribeStart& start) {
  std::vector<ReadRange> ranges;
  for (const v1::TopicPosition& position : start.topics()) {
    ASSIGN_OR_RETURN(const TopicPtr topic, topics.Get(caller.tenant, position.topic()));
    ASSIGN_OR_RETURN(const Listed listed, ListPositions(*topic, position));
    for (int32_t partition = 0; partition < topic->partitions(); ++partition) {
      const auto at = listed.find(partition);
      if (at == listed.end() && position.only_listed()) continue;
      ReadRange range;
      range.topic = topic;
      range.partition = partition;
      ASSIGN_OR_RETURN(const PartitionExtent extent, engine.Extent(range.id()));
      if (at != listed.end()) {
        RETURN_IF_ERROR(Resume(engine, extent, *at->second, &range));
      } else {
        ASSIGN_OR_RETURN(range.from, FindStart(engine, range, extent, position.from()));
      }
      if (position.until_end()) range.end = extent.visible_end;
      if (position.has_until_time_us()) range.until_us = position.until_time_us();
      ranges.push_back(std::move(range));
    }
  }
  if (ranges.empty()) return Invalid("partitions", "only_listed is set and none is listed");
  return ranges;
}

bool Follows(const v1::TopicPosition& position) {
  return !position.only_listed() && !position.until_end() && !position.has_until_time_us();
}

absl::Status UnknownFeature(absl::string_view feature) {
  const std::string shown = absl::CHexEscape(feature.substr(0, 64));
  return Error(v1::UNSUPPORTED_FEATURE,
               absl::StrCat("this server has no feature '", shown, "': leave it out"),
               {{"feature", shown}});
}

}  // namespace acta
