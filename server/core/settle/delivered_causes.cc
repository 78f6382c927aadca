#include "server/core/settle/delivered_causes.h"

#include <optional>
#include <string>

#include "proto/support/error.h"
#include "server/core/queues/delivery_tokens.h"
#include "server/core/settle/causation.h"
#include "storage/base/status_macros.h"

namespace acta {

absl::StatusOr<v1::BatchContext> DeliveredCauses::Find(const Caller& caller,
                                                       const CausedByView& cause) const {
  ASSIGN_OR_RETURN(const DeliveredRun run, deps_.groups.tokens().Read(cause.token));
  const EventPosition at{run.partition, Offset(cause.offset)};
  if (at.offset < run.first || at.offset >= run.first + run.count) {
    return Error(v1::INVALID_ARGUMENT,
                 "caused_by: the offset is not of the delivery that the token is of",
                 {{"field", "caused_by"}});
  }
  RETURN_IF_ERROR(Allow(caller, run.group, run.partition.topic()));
  v1::BatchContext causation;
  RETURN_IF_ERROR(SetCausation(deps_.engine, deps_.topics, run.group, at, &causation));
  return causation;
}

absl::Status DeliveredCauses::Allow(const Caller& caller, GroupId group, TopicId topic) const {
  const std::optional<std::string> name = deps_.groups.NameOf(group);
  if (!name.has_value()) {
    return Error(v1::GROUP_NOT_FOUND,
                 "caused_by: the group of the delivery is gone; publish without it");
  }
  RETURN_IF_ERROR(deps_.groups.GetId(caller, caller.tenant, *name).status());
  RETURN_IF_ERROR(
      deps_.authorizer.Authorize(caller, Verb::kSubscribe, {ResourceKind::kGroup, *name}));
  const TopicPtr read = deps_.topics.FindById(topic);
  if (read == nullptr) {
    return Error(v1::TOPIC_NOT_FOUND,
                 "caused_by: the topic of the delivery is gone; publish without it");
  }
  return deps_.authorizer.Authorize(caller, Verb::kSubscribe, {ResourceKind::kTopic, read->name()});
}

}  // namespace acta
