// A dead letter that is replaced by a corrected event.
#include <chrono>
#include <future>
#include <utility>

#include "server/core/groups/dead_letter_rows.h"
#include "server/core/groups/group_state.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

constexpr std::chrono::milliseconds kLookAgain{10};

}  // namespace

absl::Status GroupRegistry::ReplaceDeadLetter(const Caller& caller,
                                              const v1::EditDeadLetterRequest& request,
                                              QueueStep step) {
  MutexLock lock(state_->write_mu);
  RETURN_IF_ERROR(CheckDeadline(caller));
  ASSIGN_OR_RETURN(const GroupPtr group,
                   state_->GetQueue(caller, request.tenant(), request.group()));
  RETURN_IF_ERROR(state_->CheckRoom());
  RETURN_IF_ERROR(group->queue()->WaitQuiet(false));  // What a redrive took is written.
  ASSIGN_OR_RETURN(const std::optional<StoredLetter> letter,
                   LoadDeadLetter(state_->deps.engine, *group, PartitionOf(*group, request.ref()),
                                  Offset(request.ref().offset())));
  if (!letter.has_value()) return DeadLetterNotFound(*group, request.ref());
  const auto written = std::make_shared<std::promise<void>>();
  step.done = [written, done = std::move(step.done)](TransactionResult result) mutable {
    std::move(done)(std::move(result));
    written->set_value();
  };
  if (!group->queue()->DiscardStep(letter->partition, letter->offset, letter->record,
                                   {caller.principal, "an edited event took its place"},
                                   std::move(step))) {
    return DeadLetterNotFound(*group, request.ref());
  }
  // Under the lock, so that nobody else decides about the letter meanwhile. What is queued is
  // written from here, because whoever has the pool may wait for the lock.
  const std::future<void> answered = written->get_future();
  do {
    RETURN_IF_ERROR(group->queue()->WaitQuiet());
  } while (answered.wait_for(kLookAgain) == std::future_status::timeout);
  return absl::OkStatus();
}

}  // namespace acta
