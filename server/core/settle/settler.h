#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "acta/v1/context.pb.h"
#include "acta/v1/dead_letters.pb.h"
#include "acta/v1/subscriber.pb.h"
#include "server/core/access/authorizer.h"
#include "server/core/claims/claim_registry.h"
#include "server/core/groups/group_registry.h"
#include "server/core/publish/publish_session.h"
#include "server/core/settle/step_claims.h"
#include "server/core/settle/step_request.h"
#include "server/exec/executor.h"

namespace acta {

// Of all Settle calls that are not answered; one alone may be larger.
inline constexpr int64_t kMaxStepBytesInFlight = int64_t{64} << 20;

// Settler runs Settle calls: events of a group are settled, what follows from them is published and
// claims are completed, in one write of the log.
//
// Threads:   any. Calls go on on the pool, because the event that caused a step may have to be read
//            from the disk.
// Ownership: borrows everything in Deps.
// Errors:    as acta.v1.Subscriber.Settle says.
class Settler {
 public:
  struct Deps {
    PublishSession::Deps publish;
    GroupRegistry& groups;
    ClaimRegistry& claims;
    Executor& pool;
  };
  explicit Settler(const Deps& deps)
      : deps_(deps), in_flight_(std::make_shared<std::atomic<int64_t>>(0)) {}

  // Once, on any thread; must not block.
  using Done = absl::AnyInvocable<void(absl::StatusOr<v1::SettleResponse>)>;
  void Settle(const Caller& caller, v1::SettleRequest request, Done done) const;

  // As acta.v1.DeadLetters.EditDeadLetter says. Blocks.
  absl::StatusOr<v1::EditDeadLetterResponse> EditDeadLetter(
      const Caller& caller, const v1::EditDeadLetterRequest& request) const;

 private:
  // On the pool. Not OK: the step did not begin, and `done` is left as it is.
  absl::Status Begin(const Caller& caller, const v1::SettleRequest& request, Done* done) const;
  // What is written with the step.
  struct Parts {
    PreparedFrame frame;
    StepClaims claims;
  };
  absl::StatusOr<Parts> PrepareParts(const Caller& caller, const v1::SettleRequest& request,
                                     GroupId group, const std::vector<HeldRun>& runs) const;
  // What the request publishes, prepared.
  absl::StatusOr<PreparedFrame> PrepareStep(const Caller& caller, const v1::SettleRequest& request,
                                            GroupId group, const EventPosition& cause) const;
  absl::StatusOr<PreparedFrame> Prepare(const Caller& caller, const v1::PublishFrame& frame,
                                        const v1::BatchContext& causation) const;

  const Deps deps_;
  const std::shared_ptr<std::atomic<int64_t>> in_flight_;  // Bytes.
};

}  // namespace acta
