#include "tests/crash/stream_load.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/support/error.h"
#include "proto/support/proto_time.h"
#include "storage/base/status_macros.h"
#include "tests/crash/queue_history.h"

namespace acta {
namespace {

constexpr int kMostWaits = 100'000;  // Of 100 us.

// What a member may be told that comes too late.
bool CameTooLate(const absl::Status& status) {
  const v1::ErrorReason reason = ReasonOf(status);
  return reason == v1::FENCED || reason == v1::ALREADY_SETTLED;
}

}  // namespace

absl::Status StreamLoad::Create() {
  v1::CreateGroupRequest request;
  request.mutable_group()->set_name(kStreamGroup);
  request.mutable_group()->add_topics(kQueueTopic);
  request.mutable_group()->set_mode(v1::GROUP_MODE_STREAM);
  request.mutable_start()->set_earliest(true);
  return store_.groups().Create(store_.caller(), request).status();
}

absl::Status StreamLoad::Step() {
  for (size_t i = 0; i < kStreamHands; ++i) {
    std::unique_ptr<StreamHand>& hand = hands_[i];
    if (hand == nullptr) {
      if (!OneIn(4)) continue;
      // The first one keeps its place for a while when it breaks.
      ASSIGN_OR_RETURN(hand, StreamHand::Join(store_, i == 0 ? "reader" : ""));
    }
    RETURN_IF_ERROR(Work(*hand));
    if (!OneIn(15)) continue;
    hand->Leave(OneIn(2));
    hand.reset();
  }
  store_.Run();
  return OneIn(2) ? Settle() : absl::OkStatus();
}

absl::Status StreamLoad::Work(StreamHand& hand) {
  RETURN_IF_ERROR(TryLost(hand));
  if (OneIn(3)) RETURN_IF_ERROR(StepSome(hand));
  for (int32_t partition = 0; partition < kQueuePartitions; ++partition) {
    if (!hand.held().contains(partition)) continue;
    if (OneIn(2)) RETURN_IF_ERROR(CommitSome(hand, partition));
    if (!hand.held().at(partition).revoking || !OneIn(2)) continue;
    const absl::Status released = hand.Release(partition);
    if (!released.ok() && !CameTooLate(released)) return released;
  }
  return absl::OkStatus();
}

// Under an assignment that is over. Not in the history: nothing of it may ever be found.
absl::Status StreamLoad::TryLost(StreamHand& hand) {
  if (hand.lost().empty() || !OneIn(3)) return absl::OkStatus();
  const auto partition = static_cast<int32_t>(Random(kQueuePartitions));
  StreamHand::Held lost;
  lost.handle = hand.lost().back();
  ASSIGN_OR_RETURN(const int64_t end, EndOf(partition));
  const auto committed = std::make_shared<absl::Status>(absl::UnknownError("it waits"));
  hand.membership().Commit(lost.handle, Offset(end), [committed](absl::Status status, bool) {
    *committed = std::move(status);
  });
  if (ReasonOf(*committed) != v1::FENCED) return absl::InternalError("a stale commit counts");
  ASSIGN_OR_RETURN(const auto group,
                   store_.groups().FindForStep(store_.caller(), "", kStreamGroup));
  lost.next = end;
  QueueStep step;
  step.runs.push_back(lost.Run(store_.Partition(partition), end + 1));
  step.done = [](const TransactionResult&) {};
  if (ReasonOf(group->SettleStep(std::move(step))) != v1::FENCED) {
    return absl::InternalError("a stale step counts");
  }
  ++fenced_;
  return absl::OkStatus();
}

absl::StatusOr<int64_t> StreamLoad::EndOf(int32_t partition) const {
  ASSIGN_OR_RETURN(const PartitionExtent extent,
                   store_.engine().Extent(store_.Partition(partition)));
  return extent.visible_end.value();
}

// Further on, or now and then back, which changes nothing.
absl::Status StreamLoad::CommitSome(StreamHand& hand, int32_t partition) {
  ASSIGN_OR_RETURN(const int64_t end, EndOf(partition));
  StreamHand::Held& held = hand.held().at(partition);
  if (held.next < end) {
    held.next += 1 + static_cast<int64_t>(Random(static_cast<uint64_t>(end - held.next)));
    Commit(hand, partition, held.next);
  }
  if (OneIn(4) && held.next > 0) Commit(hand, partition, held.next - 1);
  return absl::OkStatus();
}

void StreamLoad::Commit(StreamHand& hand, int32_t partition, int64_t offset) {
  const StreamHand::Held held = hand.held().at(partition);
  const auto asked = std::make_shared<Asked>();
  Note(held, partition, offset, asked.get());
  hand.membership().Commit(held.handle, Offset(offset),
                           [asked, disk = &disk_](absl::Status status, bool) {
                             MutexLock lock(asked->mu);
                             asked->done = true;
                             asked->acked = disk->operations();
                             asked->status = std::move(status);
                           });
  asked_.push_back(asked);
}

void StreamLoad::Note(const StreamHand::Held& held, int32_t partition, int64_t offset,
                      Asked* asked) {
  asked->commits.push_back(history_.commits.size());
  StreamCommit& commit = history_.commits.emplace_back();
  commit.partition = partition;
  commit.first = held.next;
  commit.offset = offset;
  commit.generation = held.generation;
  commit.step = asked->step;
  commit.submitted = disk_.operations();
}

absl::StatusOr<std::string> StreamLoad::Claim(int64_t step) {
  v1::ClaimRequest request;
  request.set_group(kStreamGroup);
  request.set_key(StreamClaimOf(step));
  SetDuration(kMostClaimLease, request.mutable_lease());
  ASSIGN_OR_RETURN(const v1::ClaimResponse claim, store_.claims().Claim(store_.caller(), request));
  if (claim.outcome() == v1::CLAIM_OUTCOME_FIRST) return claim.token();
  return absl::InternalError("a claim of a step was there before");
}

// What a member has of one partition or of all.
absl::Status StreamLoad::StepSome(StreamHand& hand) {
  std::vector<HeldRun> runs;
  const auto asked = std::make_shared<Asked>();
  asked->step = static_cast<int64_t>(history_.steps.size());
  const bool all = OneIn(2);
  for (const auto& [partition, held] : hand.held()) {
    ASSIGN_OR_RETURN(const int64_t end, EndOf(partition));
    if (held.next >= end || (!all && !runs.empty())) continue;
    const int64_t most = std::min<int64_t>(end - held.next, 4);
    const int64_t to = held.next + 1 + static_cast<int64_t>(Random(static_cast<uint64_t>(most)));
    runs.push_back(held.Run(store_.Partition(partition), std::min(to, end)));
  }
  if (runs.empty()) return absl::OkStatus();
  StreamStep& said = history_.steps.emplace_back();
  said.claimed_us = absl::ToUnixMicros(store_.engine().Now());
  ASSIGN_OR_RETURN(said.token, Claim(asked->step));
  said.claimed = disk_.operations();
  for (const HeldRun& run : runs) {
    StreamHand::Held& held = hand.held().at(run.partition.partition());
    Note(held, run.partition.partition(), run.first.value() + run.count, asked.get());
    held.next = run.first.value() + run.count;
  }
  const absl::Status begun =
      SettleStreamStep(store_, asked->step, said.token, std::move(runs), steps_fail_ && OneIn(8),
                       [asked, disk = &disk_](const absl::Status& status) {
                         MutexLock lock(asked->mu);
                         asked->done = true;
                         asked->acked = disk->operations();
                         asked->status = status;
                       });
  if (begun.ok()) {
    asked_.push_back(asked);
    return absl::OkStatus();
  }
  said.refused = true;
  return CameTooLate(begun) ? absl::OkStatus() : begun;
}

bool StreamLoad::IsDone(Asked& asked) {
  MutexLock lock(asked.mu);
  return asked.done;
}

// What waits behind something else is tried again by the pool.
absl::Status StreamLoad::Settle() {
  const auto all_done = [this] {
    return std::all_of(asked_.begin(), asked_.end(),
                       [](const AskedPtr& asked) { return IsDone(*asked); });
  };
  for (int i = 0; i < kMostWaits; ++i) {
    store_.Run();
    if (all_done()) break;
    absl::SleepFor(absl::Microseconds(100));
  }
  if (!all_done()) return absl::InternalError("a commit was never answered");
  for (const AskedPtr& asked : std::exchange(asked_, {})) RETURN_IF_ERROR(TakeAnswer(*asked));
  return absl::OkStatus();
}

// Of a commit that came too late nobody knows whether it was written; a step was not.
absl::Status StreamLoad::TakeAnswer(Asked& asked) {
  MutexLock lock(asked.mu);
  if (asked.status.ok()) {
    for (const size_t commit : asked.commits) history_.commits[commit].acked = asked.acked;
    return absl::OkStatus();
  }
  const bool step = asked.step >= 0;
  if (step) history_.steps[static_cast<size_t>(asked.step)].refused = true;
  const bool failed = step && ReasonOf(asked.status) == v1::WRONG_EXPECTED_OFFSET;
  return failed || CameTooLate(asked.status) ? absl::OkStatus() : asked.status;
}

absl::Status StreamLoad::LeaveAll() {
  for (std::unique_ptr<StreamHand>& hand : hands_) {
    if (hand != nullptr) hand->Leave(true);
    hand.reset();
  }
  return Settle();
}

absl::Status StreamLoad::CheckHadAll() const {
  const bool steps =
      std::any_of(history_.commits.begin(), history_.commits.end(), [](const StreamCommit& commit) {
        return commit.step >= 0 && commit.acked != StreamCommit::kNever;
      });
  if (!steps) return absl::InternalError("no member of a stream made a step");
  return fenced_ > 0 ? absl::OkStatus() : absl::InternalError("nobody tried a stale handle");
}

}  // namespace acta
