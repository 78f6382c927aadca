#include "server/core/settle/causation.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "acta/v1/event.pb.h"
#include "proto/support/error.h"
#include "proto/support/limit_error.h"
#include "proto/support/wire.h"
#include "server/core/queues/group_queue.h"
#include "server/core/topics/place_name.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

struct CausingEvent {
  v1::Event event;
  v1::BatchContext context;
};

absl::StatusOr<CausingEvent> ReadCause(const LogEngine& engine, GroupId group,
                                       const EventPosition& at) {
  ASSIGN_OR_RETURN(const BatchPtr batch, LoadBatchOf(engine, group, at.partition, at.offset));
  CausingEvent cause;
  const auto index = static_cast<uint32_t>(Lag(batch->base_offset, at.offset));
  EventElements elements(EventElements::Cut(batch->payload.view(), index, index + 1));
  absl::string_view bytes;
  if (!elements.Next(&bytes) ||
      !cause.event.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Error(v1::DATA_CORRUPTED, "the event that is named as the cause cannot be read");
  }
  cause.context = ContextOfBatch(*batch);
  return cause;
}

}  // namespace

absl::Status SetCausation(const LogEngine& engine, const TopicRegistry& topics, GroupId group,
                          const EventPosition& at, v1::BatchContext* context) {
  ASSIGN_OR_RETURN(const CausingEvent cause, ReadCause(engine, group, at));
  const int32_t depth = cause.context.causation_depth() + 1;
  if (depth > kMaxCausationDepth) {
    return LimitError{
        v1::CAUSATION_TOO_DEEP,       "events that caused one another before these:",
        static_cast<uint64_t>(depth), "max_causation_depth",
        kMaxCausationDepth,           "find the handlers that answer each other's events"}
        .Make();
  }
  const TopicPtr topic = topics.FindById(at.partition.topic());
  const std::string place =
      PlaceText(topic == nullptr ? absl::StrCat(at.partition.topic().value()) : topic->name(),
                at.partition.partition(), at.offset);
  const std::string& id = cause.event.id().empty() ? place : cause.event.id();
  const std::string& journey = !cause.event.correlation_id().empty()
                                   ? cause.event.correlation_id()
                                   : cause.context.correlation_id();
  context->set_correlation_id(journey.empty() ? id : journey);
  context->set_causation_id(id);
  context->set_causation_depth(depth);
  return absl::OkStatus();
}

}  // namespace acta
