#pragma once

#include "absl/status/statusor.h"
#include "server/core/access/authorizer.h"
#include "server/core/groups/group_registry.h"
#include "server/core/publish/causes.h"
#include "server/core/topics/topic_registry.h"
#include "storage/log_engine.h"

namespace acta {

// Causes among what was delivered to groups.
//
// Threads:   any.
// Ownership: borrows everything in Deps.
class DeliveredCauses final : public Causes {
 public:
  struct Deps {
    const LogEngine& engine;
    const TopicRegistry& topics;
    const GroupRegistry& groups;
    const Authorizer& authorizer;
  };
  explicit DeliveredCauses(const Deps& deps) : deps_(deps) {}

  absl::StatusOr<v1::BatchContext> Find(const Caller& caller,
                                        const CausedByView& cause) const override;

 private:
  // A token of a former life may have been made by anybody: what it names is asked for.
  absl::Status Allow(const Caller& caller, GroupId group, TopicId topic) const;

  const Deps deps_;
};

}  // namespace acta
