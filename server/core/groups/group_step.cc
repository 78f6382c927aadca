// Steps: events that are settled in one write with something else.
#include <algorithm>
#include <utility>

#include "proto/support/error.h"
#include "server/core/groups/group.h"
#include "server/core/queues/settle_error.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"

namespace acta {
namespace {

bool WasWritten(const TransactionResult& result) {
  return result.status.ok() &&
         std::all_of(result.appends.begin(), result.appends.end(),
                     [](const AppendResult& append) { return append.status.ok(); });
}

}  // namespace

absl::Status Group::SettleStep(QueueStep step) {
  if (queue_ == nullptr) return BeginStep(std::make_shared<QueueStep>(std::move(step)));
  const std::vector<HeldRun> runs = step.runs;
  return StepError(queue_->SettleStep(std::move(step)), runs);
}

absl::Status Group::CheckStep(absl::Span<const HeldRun> runs) const {
  bool in_step = false;
  if (queue_ != nullptr) {
    RETURN_IF_ERROR(StepError(queue_->CheckStep(runs, &in_step), runs));
  } else {
    const StepCommits commits = CommitsOf(runs);
    MutexLock lock(mu_);
    RETURN_IF_ERROR(CheckCommits(commits));
    const auto is_in_step = [&](const auto& one) ABSL_NO_THREAD_SAFETY_ANALYSIS {
      const auto position = positions_.find(one.first);
      return position != positions_.end() && one.second.first.value() < position->second.step_end;
    };
    in_step = std::any_of(commits.begin(), commits.end(), is_in_step);
  }
  if (!in_step) return absl::OkStatus();
  return Error(v1::CONCURRENT_CHANGE, "a step with these events is being written: try again");
}

Group::StepCommits Group::CommitsOf(absl::Span<const HeldRun> runs) {
  StepCommits commits;
  for (const HeldRun& run : runs) {
    StepCommit& commit =
        commits.try_emplace(run.partition, StepCommit{run.session, run.first, {}}).first->second;
    commit.first = std::min(commit.first, run.first);
    commit.end = std::max(commit.end, run.first + run.count);
    // Of two assignments one is over.
    commit.handle = std::min(commit.handle, run.session);
  }
  return commits;
}

absl::Status Group::BeginStep(const std::shared_ptr<QueueStep>& step) {
  const StepCommits commits = CommitsOf(step->runs);
  {
    MutexLock lock(mu_);
    RETURN_IF_ERROR(TakeStep(commits, step, /*waited=*/false));
  }
  Flush();
  return absl::OkStatus();
}

void Group::BeginStepAgain(const std::shared_ptr<QueueStep>& step) {
  TransactionResult refused;
  {
    MutexLock lock(mu_);
    refused.status = TakeStep(CommitsOf(step->runs), step, /*waited=*/true);
  }
  Flush();
  if (!refused.status.ok()) step->done(std::move(refused));
}

absl::Status Group::TakeStep(const StepCommits& commits, const std::shared_ptr<QueueStep>& step,
                             bool waited) {
  RETURN_IF_ERROR(CheckCommits(commits));
  if (waited || !WaitForPositions(commits, step)) QueueStepRows(commits, step);
  return absl::OkStatus();
}

absl::Status Group::CheckCommits(const StepCommits& commits) const {
  const Session* member = nullptr;
  for (const auto& [partition, commit] : commits) {
    const auto position = positions_.find(partition);
    if (position != positions_.end() &&
        commit.first.value() < position->second.committed.offset()) {
      return AtEvent(SettleError(SettleOutcome::kAlreadySettled), partition, commit.first);
    }
    const auto it = handles_.find(commit.handle);
    if (it == handles_.end() || it->second.partition != partition) {
      return AtEvent(FencedHandle(commit.handle), partition, commit.first);
    }
    const Session* const owner = it->second.session.get();
    if (member != nullptr && owner != member) {
      return Error(v1::INVALID_ARGUMENT,
                   "processed: a step is of one member, and these were delivered to several",
                   {{"field", "processed"}});
    }
    member = owner;
  }
  return absl::OkStatus();
}

bool Group::WaitForPositions(const StepCommits& commits, const std::shared_ptr<QueueStep>& step) {
  bool free = true;
  std::vector<PartitionId> partitions;
  for (const auto& [partition, commit] : commits) {
    const Position& position = positions_[partition];
    free = free && position.in_flight == 0 && position.waiting.empty();
    partitions.push_back(partition);
  }
  if (free) return false;
  Wait(std::move(partitions), true,
       [self = shared_from_this(), step] { self->BeginStepAgain(step); });
  return true;
}

void Group::QueueStepRows(const StepCommits& commits, std::shared_ptr<QueueStep> step) {
  const int64_t time_us = absl::ToUnixMicros(deps_.engine.Now());
  Transaction transaction;
  transaction.rows = std::move(step->rows);
  transaction.appends = std::move(step->appends);
  transaction.atomic = true;
  transaction.leave_out_duplicates = true;
  transaction.level = Level::kFsync;
  for (const auto& [partition, commit] : commits) {
    Position& position = positions_[partition];
    ++position.in_flight;
    position.step_end = commit.end.value();
    transaction.rows.push_back(MakeRow(position, commit.end.value(), time_us));
    if (const auto held = handles_.find(commit.handle); held != handles_.end()) {
      PutPassed(position, *held->second.session, position.committed.offset(), commit.end.value(),
                time_us, &transaction.rows);
    }
  }
  const uint64_t number = ++last_row_;
  QueueWrite(
      std::move(transaction),
      [self = shared_from_this(), commits, time_us, number,
       step = std::move(step)](const TransactionResult& result) {
        self->StepEnded(commits, time_us, number, result);
        step->done(result);
      },
      number);
}

// Also when another owner came meanwhile, which began below: what it settles is refused.
void Group::StepEnded(const StepCommits& commits, int64_t time_us, uint64_t number,
                      const TransactionResult& result) {
  const bool written = WasWritten(result);
  const absl::Duration now = deps_.clock.SinceBoot();
  MutexLock lock(mu_);
  for (const auto& [partition, commit] : commits) {
    const auto it = positions_.find(partition);
    if (it == positions_.end()) continue;
    Position& position = it->second;
    --position.in_flight;
    position.step_end = 0;
    if (written) {
      position.committed.set_offset(commit.end.value());
      position.committed.set_commit_time_us(time_us);
      position.committed.set_incarnation(result.incarnation.value());
    }
    CommitsEnded(partition, position, now);
    if (!std::exchange(position.assigned_in_step, false)) continue;
    // Who waits for the step may be about to write another position, or to delete this one.
    QueueGenerations({MakeRow(position, position.committed.offset(), time_us)}, number);
  }
}

}  // namespace acta
