#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/proto_time.h"
#include "server/core/access/pages.h"
#include "server/core/topics/topic_registry.h"
#include "server/core/topics/topic_rules.h"
#include "server/core/topics/topic_snapshot.h"
#include "storage/base/status_macros.h"

// What a registry answers without changing anything.

namespace acta {
namespace {

// A topic that is deleted meanwhile is not there.
absl::Status AsTopicError(const absl::Status& status, const Topic& topic) {
  if (ReasonOf(status) == v1::PARTITION_NOT_FOUND) return TopicNotFound(topic.name());
  return status;
}

void FillPartition(const PartitionExtent& extent, v1::PartitionInfo* out) {
  out->set_first_offset(extent.first.value());
  out->set_end_offset(extent.visible_end.value());
  if (extent.first < extent.visible_end) {
    out->set_bytes(static_cast<int64_t>(extent.visible_end_bytes - extent.first_bytes));
    if (extent.first_time_us != 0) {
      SetTime(absl::FromUnixMicros(extent.first_time_us), out->mutable_first_time());
    }
    SetTime(absl::FromUnixMicros(extent.last_time_us), out->mutable_last_time());
  }
  SetDuration(extent.effective_dedupe_window, out->mutable_effective_dedupe_window());
}

// Rounded up: append times are whole microseconds.
absl::StatusOr<int64_t> GetMicros(const v1::FindOffsetsRequest& request) {
  const auto time = GetTime(request.time());
  if (request.has_time() && time.has_value()) {
    return absl::ToUnixMicros(*time + absl::Nanoseconds(999));
  }
  return Error(v1::INVALID_ARGUMENT,
               request.has_time() ? "time is not a time between the years 1 and 9999"
                                  : "time is missing: say from when on",
               {{"field", "time"}});
}

}  // namespace

absl::StatusOr<v1::GetTopicResponse> TopicRegistry::Get(const Caller& caller,
                                                        const v1::GetTopicRequest& request) const {
  RETURN_IF_ERROR(CheckTenant(caller, request.tenant()));
  ASSIGN_OR_RETURN(const TopicPtr topic, Get(caller.tenant, request.name()));
  v1::GetTopicResponse response;
  *response.mutable_topic() = topic->proto;
  return response;
}

absl::StatusOr<v1::ListTopicsResponse> TopicRegistry::List(
    const Caller& caller, const v1::ListTopicsRequest& request) const {
  RETURN_IF_ERROR(CheckTenant(caller, request.tenant()));
  ASSIGN_OR_RETURN(const size_t page_size, PageSize(request.page_size()));
  ASSIGN_OR_RETURN(const std::string after, ParsePageToken("topic", request.page_token()));
  const std::string& prefix = request.name_prefix();
  const std::shared_ptr<const Snapshot> topics = snapshot();
  v1::ListTopicsResponse response;
  auto at = topics->by_name.lower_bound(Snapshot::View(caller.tenant, std::max(after, prefix)));
  for (; at != topics->by_name.end(); ++at) {
    const Topic& topic = *at->second;
    if (topic.tenant != caller.tenant || !absl::StartsWith(topic.name(), prefix)) break;
    if (topic.name() == after) continue;
    if (static_cast<size_t>(response.topics_size()) == page_size) {
      response.set_next_page_token(MakePageToken(response.topics().rbegin()->name()));
      break;
    }
    *response.add_topics() = topic.proto;
  }
  return response;
}

absl::StatusOr<v1::ListPartitionsResponse> TopicRegistry::ListPartitions(
    const Caller& caller, const v1::ListPartitionsRequest& request) const {
  RETURN_IF_ERROR(CheckTenant(caller, request.tenant()));
  ASSIGN_OR_RETURN(const TopicPtr topic, Get(caller.tenant, request.topic()));
  v1::ListPartitionsResponse response;
  for (int32_t number = 0; number < topic->partitions(); ++number) {
    const auto extent = engine_.Extent(topic->partition(number));
    if (!extent.ok()) return AsTopicError(extent.status(), *topic);
    v1::PartitionInfo* out = response.add_partitions();
    out->set_partition(number);
    out->set_incarnation(engine_.incarnation().value());
    FillPartition(*extent, out);
  }
  return response;
}

absl::StatusOr<v1::FindOffsetsResponse> TopicRegistry::FindOffsets(
    const Caller& caller, const v1::FindOffsetsRequest& request) const {
  RETURN_IF_ERROR(CheckTenant(caller, request.tenant()));
  ASSIGN_OR_RETURN(const TopicPtr topic, Get(caller.tenant, request.topic()));
  ASSIGN_OR_RETURN(const int64_t time_us, GetMicros(request));
  v1::FindOffsetsResponse response;
  for (int32_t number = 0; number < topic->partitions(); ++number) {
    const auto offset = engine_.FindOffset(topic->partition(number), time_us);
    if (!offset.ok()) return AsTopicError(offset.status(), *topic);
    v1::PartitionOffset* out = response.add_offsets();
    out->set_partition(number);
    out->set_offset(offset->value());
    out->set_incarnation(engine_.incarnation().value());
  }
  return response;
}

}  // namespace acta
