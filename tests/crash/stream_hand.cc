#include "tests/crash/stream_hand.h"

#include <utility>

#include "storage/base/status_macros.h"
#include "tests/crash/stream_history.h"
#include "tests/support/test_store.h"

namespace acta {

absl::Status SettleStreamStep(QueueStore& store, int64_t number, const std::string& token,
                              std::vector<HeldRun> runs, bool fails,
                              absl::AnyInvocable<void(const absl::Status&)> done) {
  v1::CompleteClaimRequest complete;
  complete.set_group(kStreamGroup);
  complete.set_key(StreamClaimOf(number));
  complete.set_token(token);
  complete.set_result(OutcomeOf(number));
  ASSIGN_OR_RETURN(ClaimChange prepared, store.claims().PrepareComplete(store.caller(), complete));
  const auto change = std::make_shared<ClaimChange>(std::move(prepared));
  QueueStep step;
  step.runs = std::move(runs);
  step.appends.push_back(MakeAppend(store.OutcomePartition(), {EventElement(OutcomeOf(number))}));
  if (fails) step.appends.back().expected_end = Offset(1'000'000'000);
  step.rows = change->TakeRows();
  step.done = [change, done = std::move(done)](const TransactionResult& result) mutable {
    absl::Status written = result.status;
    for (const AppendResult& append : result.appends) written.Update(append.status);
    change->Finish(written);
    done(written);
  };
  ASSIGN_OR_RETURN(const auto group, store.groups().FindForStep(store.caller(), "", kStreamGroup));
  return group->SettleStep(std::move(step));
}

void StreamHand::Listener::OnAssigned(const MemberAssignment& assignment) {
  held[assignment.partition] = {assignment.handle, assignment.generation, assignment.offset.value(),
                                false};
}

void StreamHand::Listener::OnRevoking(uint64_t handle, absl::Duration) {
  for (auto& [partition, one] : held) one.revoking |= one.handle == handle;
}

void StreamHand::Listener::OnRevoked(uint64_t handle) { Drop(handle); }

void StreamHand::Listener::Drop(uint64_t handle) {
  lost.push_back(handle);
  std::erase_if(held, [&](const auto& one) { return one.second.handle == handle; });
}

absl::StatusOr<std::unique_ptr<StreamHand>> StreamHand::Join(QueueStore& store,
                                                             const std::string& member_id) {
  JoinRequest request;
  request.group = kStreamGroup;
  request.member_id = member_id;
  std::unique_ptr<StreamHand> hand(new StreamHand(store, std::make_shared<Listener>()));
  ASSIGN_OR_RETURN(hand->membership_,
                   store.groups().Join(store.caller(), request, hand->listener_));
  store.Run();
  return hand;
}

absl::Status StreamHand::Release(int32_t partition) {
  const uint64_t handle = held().at(partition).handle;
  listener_->Drop(handle);
  const absl::Status released = membership_->Released(handle);
  store_.Run();
  return released;
}

void StreamHand::Leave(bool cleanly) {
  if (cleanly) membership_->Leave();
  membership_.reset();
  store_.Run();
}

}  // namespace acta
