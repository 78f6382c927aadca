// Steps: events that are settled in one write with something else.
#include <algorithm>
#include <iterator>
#include <utility>

#include "proto/support/error.h"
#include "server/core/queues/group_queue_parts.h"
#include "server/core/queues/settle_error.h"
#include "storage/layout/rows.h"

namespace acta {
namespace {

// Of one write. When one step of several fails they are tried again one by one.
constexpr size_t kMostSteps = 64;
constexpr size_t kMostStepBytes = 4 << 20;

size_t BytesOfStep(const QueueStep& step) {
  size_t bytes = 0;
  for (const Append& append : step.appends) {
    bytes += append.payload.size() + append.context.size();
  }
  for (const RowWrite& row : step.rows) bytes += row.value.has_value() ? row.value->size() : 0;
  return bytes;
}

// What the engine said of the appends of one step.
TransactionResult ResultOf(const TransactionResult& all, size_t first, size_t count) {
  TransactionResult result;
  result.status = all.status;
  result.level = all.level;
  result.incarnation = all.incarnation;
  if (all.appends.size() < first + count) return result;
  const auto begin = all.appends.begin() + static_cast<std::ptrdiff_t>(first);
  result.appends.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
  return result;
}

}  // namespace

std::vector<SettleFailure> GroupQueue::SettleStep(QueueStep step) { return TryStep(&step); }

std::vector<SettleFailure> GroupQueue::TryStep(QueueStep* step) {
  std::vector<SettleFailure> failures;
  TransactionResult stopped;
  After after;
  {
    MutexLock lock(mu_);
    const bool again = ComesAgain(*step);
    if (again && stopped_.ok()) {
      behind_.push_back(std::move(*step));
      return {};
    }
    if (again) stopped.status = stopped_;
    HeldStep held;
    if (!step->runs.empty()) held.session = step->runs.front().session;
    if (const QueueMemberFacts* const facts = MemberFactsOf(held.session); facts != nullptr) {
      held.member = std::make_shared<const QueueMemberFacts>(*facts);
    }
    held.step = std::move(*step);
    for (size_t i = 0; i < held.step.runs.size(); ++i) {
      const HeldRun& run = held.step.runs[i];
      Partition* const partition = Find(run.partition);
      const bool there = partition != nullptr && !partition->leaving;
      for (int32_t n = 0; n < run.count; ++n) {
        const SettleOutcome outcome =
            there ? HoldOne(*partition, run, run.first + n, &held) : SettleOutcome::kLeaseLost;
        if (outcome == SettleOutcome::kDone) continue;
        refused_[static_cast<size_t>(outcome)] += !again;
        failures.push_back({i, run.first + n, 1, outcome});
      }
      if (partition != nullptr) Touch(*partition);
    }
    if (failures.empty()) {
      AddStep(std::move(held));
    } else {
      LetGo(held);
      *step = std::move(held.step);
    }
    after = MakeAfter();
  }
  Run(std::move(after));
  if (stopped.status.ok()) return failures;
  step->done(std::move(stopped));  // What became of the one before is not known.
  return {};
}

std::vector<SettleFailure> GroupQueue::CheckStep(absl::Span<const HeldRun> runs,
                                                 bool* in_step) const {
  MutexLock lock(mu_);
  std::vector<SettleFailure> failures;
  for (size_t i = 0; i < runs.size(); ++i) {
    const HeldRun& run = runs[i];
    const auto it = partitions_.find(run.partition);
    const PartitionQueue* const queue = it == partitions_.end() ? nullptr : it->second->queue.get();
    for (int32_t n = 0; n < run.count; ++n) {
      const Offset offset = run.first + n;
      if (queue != nullptr && queue->InStep(run.session, offset)) {
        *in_step = true;
        continue;
      }
      const SettleOutcome outcome =
          queue == nullptr ? SettleOutcome::kLeaseLost
                           : queue->CanHold(run.session, offset, run.attempt, run.redrives);
      if (outcome != SettleOutcome::kDone) failures.push_back({i, offset, 1, outcome});
    }
  }
  return failures;
}

bool GroupQueue::ComesAgain(const QueueStep& step) const {
  for (const HeldRun& run : step.runs) {
    const auto it = partitions_.find(run.partition);
    if (it == partitions_.end()) continue;
    for (int32_t n = 0; n < run.count; ++n) {
      if (it->second->queue->InStep(run.session, run.first + n)) return true;
    }
  }
  return false;
}

void GroupQueue::TryAgain(std::vector<QueueStep> steps) {
  for (QueueStep& step : steps) {
    const std::vector<HeldRun> runs = step.runs;
    TransactionResult refused;
    refused.status = StepError(TryStep(&step), runs);
    if (!refused.status.ok()) step.done(std::move(refused));
  }
}

SettleOutcome GroupQueue::HoldOne(Partition& partition, const HeldRun& run, Offset offset,
                                  HeldStep* held) {
  const SettleOutcome outcome =
      partition.queue->Hold(held->session, offset, run.attempt, run.redrives);
  if (outcome != SettleOutcome::kDone) return outcome;
  HeldEvent& event = held->events.emplace_back();
  event.partition = partition.id;
  event.offset = offset;
  event.member = held->member;
  event.leased_us = partition.queue->leased_us(offset);
  if (!run.failed.has_value()) return outcome;
  event.failure = partition.queue->PlanFailure(offset, *run.failed, run.nack, NowUs());
  event.attempt = AttemptRowOf(partition.id, event.failure->attempt);
  return outcome;
}

void GroupQueue::AddStep(HeldStep step) {
  step.number = ++last_step_;
  steps_.push_back(std::move(step));
}

void GroupQueue::LetGo(const HeldStep& held) {
  std::optional<int64_t> until_us;
  if (members_.contains(held.session)) {
    until_us = NowUs() + absl::ToInt64Microseconds(policy_.lease);
  }
  for (const HeldEvent& event : held.events) {
    Partition* const partition = Find(event.partition);
    if (partition == nullptr) continue;
    partition->queue->Unhold(event.offset, until_us);
    Touch(*partition);
    Activate(*partition);
  }
}

void GroupQueue::AwaitSteps(std::optional<PartitionId> only) {
  while (true) {
    Flush();
    MutexLock lock(mu_);
    const bool held = std::any_of(partitions_.begin(), partitions_.end(), [&](const auto& one) {
      return one.first == only.value_or(one.first) && one.second->queue->in_steps();
    });
    if (!held || !stopped_.ok()) return;
    if (writing_) {
      quiet_.Wait(mu_);
    } else if (trying_again_) {
      AwaitTry();
    }
  }
}

void GroupQueue::TakeSteps(Pending* write) {
  size_t bytes = 0;
  absl::btree_map<PartitionId, std::vector<const HeldEvent*>> held;
  while (!steps_.empty() && write->steps.size() < kMostSteps && bytes < kMostStepBytes) {
    if (steps_.front().alone && !write->steps.empty()) break;
    write->steps.push_back(std::move(steps_.front()));
    steps_.pop_front();
    const HeldStep& taken = write->steps.back();
    bytes += BytesOfStep(taken.step);
    // They stay where they are when the step is moved.
    for (const HeldEvent& event : taken.events) {
      if (!WasSkipped(taken, event)) held[event.partition].push_back(&event);
    }
    write->step_rows.insert(write->step_rows.end(), taken.step.rows.begin(), taken.step.rows.end());
    if (write->steps.back().alone) break;
  }
  for (auto& [id, events] : held) {
    const Partition* const partition = Find(id);
    if (partition == nullptr) continue;
    std::sort(events.begin(), events.end(),
              [](const auto* one, const auto* other) { return one->offset < other->offset; });
    PutSettled(*partition, events, &write->step_rows);
  }
}

bool GroupQueue::WasSkipped(const HeldStep& step, const HeldEvent& event) {
  if (!event.failure.has_value()) return false;  // Then it is processed as well.
  const Partition* const partition = Find(event.partition);
  return partition != nullptr && !partition->queue->InStep(step.session, event.offset);
}

// The rows come after those of the write, whose position has the events outstanding.
void GroupQueue::PutSettled(const Partition& partition, absl::Span<const HeldEvent* const> events,
                            std::vector<RowWrite>* rows) {
  std::vector<Offset> offsets;
  offsets.reserve(events.size());
  for (const HeldEvent* event : events) {
    offsets.push_back(event->offset);
    PutOneSettled(partition, *event, rows);
  }
  PutSettledLedger(partition, events, rows);
  storage::v1::PositionRecord record = partition.record;
  PutPosition(partition.queue->PositionWithout(offsets), &record);
  record.set_incarnation(deps_.engine.incarnation().value());
  record.set_commit_time_us(NowUs());
  rows->push_back({Family::kState, PositionRow(group_, partition.id), record.SerializeAsString()});
}

void GroupQueue::PutOneSettled(const Partition& partition, const HeldEvent& event,
                               std::vector<RowWrite>* rows) {
  const AttemptsBefore before = partition.RoundsBefore(event.offset);
  const std::optional<ParkedEvent> parked = partition.queue->Parked(event.offset);
  if (event.attempt.has_value()) rows->push_back(*event.attempt);
  if (event.failure.has_value() && !event.failure->letter.has_value()) {
    return rows->push_back(ParkedRowOf(partition.id, event.failure->parked, before));
  }
  if (parked.has_value()) {
    rows->push_back(
        {Family::kState, QueueRow(kParkedRows, group_, partition.id, event.offset), std::nullopt});
  }
  if (event.failure.has_value()) {
    return rows->push_back(
        DeadLetterRowOf(partition.id, *event.failure->letter, before, &event.failure->attempt));
  }
  if (!parked.has_value()) return;
  PutForgottenCopy(partition.id, event.offset, rows);
  std::vector<int32_t> rounds = before.rounds;
  rounds.push_back(parked->attempts);
  DeleteAttempts(partition.id, event.offset, rounds, rows);
}

void GroupQueue::ConfirmSteps(const Pending& write) {
  for (const HeldStep& held : write.steps) {
    for (const HeldEvent& event : held.events) {
      Partition* const partition = Find(event.partition);
      if (partition == nullptr) continue;
      ConfirmOne(*partition, event);
      Touch(*partition);
      Activate(*partition);
    }
    for (const auto& [id, offset] : held.dead_letters) ForgetDeadLetter(id, offset);
  }
}

void GroupQueue::ConfirmOne(Partition& partition, const HeldEvent& event) {
  const Failure* const failure = event.failure.has_value() ? &*event.failure : nullptr;
  const bool copying = partition.forgotten.has_value();
  const bool parked = copying && partition.queue->Parked(event.offset).has_value();
  if (!partition.queue->Confirm(event.offset, failure)) {
    if (failure == nullptr) return;
    // It was skipped, and may have been written as one that failed.
    for (const absl::string_view kind : {kParkedRows, kDeadLetterRows}) {
      rows_.push_back(
          {Family::kState, QueueRow(kind, group_, partition.id, event.offset), std::nullopt});
    }
    return rows_.push_back({Family::kState, event.attempt->key, std::nullopt});
  }
  partition.record.set_commit_time_us(NowUs());
  if (parked) PutParkedAgain(partition, event.offset);
  const bool held = failure != nullptr && failure->parked.state == ParkedEvent::State::kHeld;
  if (held) CountDied(partition.RedriveAt(event.offset));
  if (partition.queue->IsOutstanding(event.offset)) return;
  const AttemptsBefore before = partition.TakeRounds(event.offset);
  if (failure != nullptr) {
    CountDied(before.redrive);
    if (partition.forgotten.has_value()) partition.died.push_back(event.offset);
  }
  // A copy may have been made meanwhile.
  if (failure == nullptr) ForgetKept(partition.id, event.offset);
}

// Copies are made, and it may have been parked for that while the step was written: a row that says
// so would follow the step.
void GroupQueue::PutParkedAgain(const Partition& partition, Offset offset) {
  const std::optional<ParkedEvent> parked = partition.queue->Parked(offset);
  if (parked.has_value()) {
    rows_.push_back(ParkedRowOf(partition.id, *parked, partition.RoundsBefore(offset)));
  } else {
    rows_.push_back(
        {Family::kState, QueueRow(kParkedRows, group_, partition.id, offset), std::nullopt});
  }
}

void GroupQueue::UndoSteps(bool apart, Pending* write) {
  if (!apart) {
    for (const HeldStep& step : write->steps) LetGo(step);
    return;
  }
  for (HeldStep& step : write->steps) step.alone = true;
  std::move(write->steps.begin(), write->steps.end(), std::front_inserter(steps_));
  // As they came.
  std::reverse(steps_.begin(), steps_.begin() + static_cast<std::ptrdiff_t>(write->steps.size()));
  write->steps.clear();
}

void GroupQueue::AnswerSteps(const TransactionResult& result, Pending* write) {
  size_t first = 0;
  for (HeldStep& held : write->steps) {
    const size_t count = held.step.appends.size();
    held.step.done(ResultOf(result, first, count));
    first += count;
  }
}

}  // namespace acta
