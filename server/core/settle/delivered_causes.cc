#include "server/core/settle/delivered_causes.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
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
  const absl::Status allowed = Allow(caller, run.group, run.partition.topic());
  // Whoever made it up is not told what there is.
  if (!allowed.ok() && run.session == 0) {
    return Error(v1::INVALID_DELIVERY_TOKEN,
                 "caused_by: the token is of a former life of the server, and names nothing that "
                 "you may subscribe to; publish without it",
                 {{"field", "caused_by"}});
  }
  RETURN_IF_ERROR(allowed);
  const absl::Status same =
      deps_.engine.CheckPosition(run.partition, run.incarnation, at.offset + 1);
  if (ReasonOf(same) == v1::LOG_TRUNCATED) {
    const std::string offset = absl::StrCat(at.offset.value());
    return Error(v1::GAP,
                 "caused_by: a power cut took the event, and another one may be in its place; "
                 "publish without it",
                 {{"first_lost", offset}, {"last_lost", offset}});
  }
  v1::BatchContext causation;
  RETURN_IF_ERROR(SetCausation(deps_.engine, deps_.topics, run.group, at, &causation));
  return causation;
}

absl::Status DeliveredCauses::Allow(const Caller& caller, GroupId group, TopicId topic) const {
  const std::optional<std::string> name = deps_.groups.NameOf(group);
  const auto of_tenant = name.has_value() ? deps_.groups.GetId(caller, caller.tenant, *name)
                                          : absl::StatusOr<GroupId>(GroupId());
  if (!name.has_value() || !of_tenant.ok() || *of_tenant != group) {
    return Error(v1::GROUP_NOT_FOUND,
                 "caused_by: the group of the delivery is gone; publish without it");
  }
  RETURN_IF_ERROR(
      deps_.authorizer.Authorize(caller, Verb::kSubscribe, {ResourceKind::kGroup, *name}));
  const TopicPtr read = deps_.topics.FindById(topic);
  if (read == nullptr || read->tenant != caller.tenant) {
    return Error(v1::TOPIC_NOT_FOUND,
                 "caused_by: the topic of the delivery is gone; publish without it");
  }
  return deps_.authorizer.Authorize(caller, Verb::kSubscribe, {ResourceKind::kTopic, read->name()});
}

}  // namespace acta
