#include "server/core/subscribe/fetch_page.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/proto_time.h"
#include "server/core/subscribe/batch_buffer.h"
#include "server/core/subscribe/frame_bytes.h"
#include "server/core/topics/topic_rules.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

constexpr int32_t kDefaultEvents = 1000;
constexpr int32_t kDefaultBytes = 1 << 20;
// Of a FetchResponse beside its batches, rounded up: four numbers with their tags.
constexpr size_t kPageHeadBytes = 44;

absl::Status NotBetween(absl::string_view field, absl::string_view value, absl::string_view most) {
  return Error(v1::INVALID_ARGUMENT,
               absl::StrCat(field, " ", value, " is not between 0 and ", most),
               {{"field", std::string(field)}});
}

// Zero means the default.
absl::StatusOr<int32_t> Number(absl::string_view field, int32_t value, int32_t otherwise,
                               int32_t most) {
  if (value < 0 || value > most) return NotBetween(field, absl::StrCat(value), absl::StrCat(most));
  return value == 0 ? otherwise : value;
}

absl::StatusOr<absl::Duration> Wait(const google::protobuf::Duration& wait) {
  const absl::Duration duration = ToDuration(wait);
  if (duration < absl::ZeroDuration() || duration > kMaxFetchWait) {
    return NotBetween("wait", absl::FormatDuration(duration), absl::FormatDuration(kMaxFetchWait));
  }
  return duration;
}

}  // namespace

absl::StatusOr<FetchRange> CheckFetch(const Caller& caller, const TopicRegistry& topics,
                                      const LogEngine& engine, const SubscribeLimits& limits,
                                      const v1::FetchRequest& request) {
  RETURN_IF_ERROR(CheckTenant(caller, request.tenant()));
  ASSIGN_OR_RETURN(const TopicPtr topic, topics.Get(caller.tenant, request.topic()));
  if (request.partition() < 0 || request.partition() >= topic->partitions()) {
    return PartitionNotFound(topic->name(), request.partition(), topic->partitions());
  }
  ASSIGN_OR_RETURN(const int32_t events,
                   Number("max_events", request.max_events(), kDefaultEvents, kMaxFetchEvents));
  ASSIGN_OR_RETURN(const int32_t bytes,
                   Number("max_bytes", request.max_bytes(), kDefaultBytes, kMaxFetchBytes));
  RETURN_IF_ERROR(CheckMaxFrameBytes(limits, request.max_frame_bytes()));
  constexpr int64_t kMaxIncarnation = std::numeric_limits<uint32_t>::max();
  if (request.incarnation() < 0 || request.incarnation() > kMaxIncarnation) {
    return NotBetween("incarnation", absl::StrCat(request.incarnation()),
                      absl::StrCat(kMaxIncarnation));
  }
  FetchRange range;
  ASSIGN_OR_RETURN(range.wait, Wait(request.wait()));
  range.partition = topic->partition(request.partition());
  range.from = Offset(request.offset());
  range.max_events = static_cast<uint32_t>(events);
  range.max_bytes = static_cast<size_t>(bytes);
  range.max_frame_bytes = static_cast<size_t>(
      request.max_frame_bytes() == 0 ? limits.max_max_frame_bytes : request.max_frame_bytes());
  range.deadline = caller.deadline;
  RETURN_IF_ERROR(engine.CheckPosition(
      range.partition, Incarnation(static_cast<uint32_t>(request.incarnation())), range.from));
  return range;
}

absl::StatusOr<FetchedBatches> CutPage(const FetchRange& range, const std::vector<BatchPtr>& read) {
  BatchBuffer buffer(range.from);
  buffer.Append(read);
  FetchedBatches out;
  uint32_t events = range.max_events;
  size_t bytes = range.max_bytes;
  size_t frame = range.max_frame_bytes - kPageHeadBytes;
  while (!buffer.empty() && events > 0) {
    const size_t stored = buffer.front().payload.size() + buffer.front().context.size();
    const size_t overhead = BatchOverheadBytes(buffer.front());
    const size_t room = frame - std::min(frame, overhead);
    OutgoingBatch batch = buffer.Take(events, std::min(bytes, room));
    if (batch.count == 0 && out.batches.empty()) {
      const size_t next = buffer.next_event_bytes();
      if (next == 0) return NotWholeEvents(buffer.position(), buffer.front().end());
      if (next > room) {
        return EventTooLargeForClient(buffer.position(), next, kPageHeadBytes + overhead + next,
                                      range.max_frame_bytes);
      }
      batch = buffer.Take(1, next);
    }
    if (batch.count == 0) break;
    events -= batch.count;
    bytes -= std::min(bytes, batch.payload.size());
    frame -= overhead + batch.payload.size();
    out.held_bytes += static_cast<int64_t>(stored);
    out.batches.push_back(std::move(batch));
  }
  return out;
}

}  // namespace acta
