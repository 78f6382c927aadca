// What an operator decides: settings, skipping, redriving, discarding.
#include <algorithm>
#include <utility>

#include "server/core/queues/group_queue_parts.h"
#include "storage/layout/rows.h"

namespace acta {

absl::Status GroupQueue::SetPolicy(const QueuePolicy& policy, int64_t max_dead_letters) {
  bool reordered = false;
  After after;
  {
    MutexLock lock(mu_);
    reordered = policy.order != policy_.order;
  }
  if (reordered) AwaitSteps(std::nullopt);  // Of members that are gone.
  {
    MutexLock lock(mu_);
    policy_ = policy;
    budget_.max_dead_letters = max_dead_letters;
    for (auto& [id, partition] : partitions_) {
      partition->queue->SetPolicy(policy);
      Touch(*partition);
      Activate(*partition);  // More dead letters may fit now.
    }
    after = MakeAfter();
  }
  Run(std::move(after));
  // Keys whose events are settled go on before that is durable: nobody may join until it is.
  return reordered ? WaitQuiet() : absl::OkStatus();
}

size_t GroupQueue::members() const {
  MutexLock lock(mu_);
  return members_.size();
}

int64_t GroupQueue::CountTried() const {
  MutexLock lock(mu_);
  int64_t tried = 0;
  for (const auto& [id, partition] : partitions_) tried += partition->queue->CountTried();
  return tried;
}

int64_t GroupQueue::Skip(PartitionId id, OffsetRun run) {
  int64_t skipped = 0;
  After after;
  {
    MutexLock lock(mu_);
    Partition* const partition = Find(id);
    if (partition == nullptr) return 0;
    PartitionQueue& queue = *partition->queue;
    for (const Offset offset : queue.OutstandingBelow(run.end)) {
      if (offset >= run.first) skipped += queue.Skip(offset);
    }
    const Offset head = queue.head();
    if (!partition->problem.ok() && run.first <= head) {
      for (const OffsetRun& lost : queue.SkipUnscanned(run.end)) {
        skipped += Lag(lost.first, lost.end);
      }
    }
    const OffsetRun& lost = partition->lost;
    if (!partition->problem.ok() && run.first < lost.end && lost.first < run.end) {
      partition->problem = absl::OkStatus();
      still_.erase(id);
      for (auto& [session, member] : members_) member->told.erase(id);
    }
    Touch(*partition);
    Activate(*partition);
    after = MakeAfter();
  }
  Run(std::move(after));
  return skipped;
}

int64_t GroupQueue::CountOutstanding(PartitionId id, OffsetRun run) const {
  MutexLock lock(mu_);
  const auto it = partitions_.find(id);
  if (it == partitions_.end()) return 0;
  const PartitionQueue& queue = *it->second->queue;
  const std::vector<Offset> below = queue.OutstandingBelow(run.end);
  const auto outstanding =
      std::count_if(below.begin(), below.end(), [&](Offset offset) { return offset >= run.first; });
  // What was not scanned is reached from what was, or from where it stands still.
  const Offset head = queue.head();
  const bool reached = run.first < head || (!it->second->problem.ok() && run.first == head);
  return outstanding + (reached ? std::max<int64_t>(0, Lag(head, run.end)) : 0);
}

bool GroupQueue::RedriveOne(Partition& partition, Offset offset, const EventFacts& facts,
                            AttemptsBefore before) {
  const auto redrives = static_cast<int32_t>(before.rounds.size());
  if (!partition.queue->Redrive(offset, facts, redrives, NowUs())) return false;
  partition.redriven[offset] = std::move(before);
  Touch(partition);
  Activate(partition);
  return true;
}

bool GroupQueue::RedriveLetter(PartitionId id, Offset offset,
                               const storage::v1::DeadLetterRecord& record, uint64_t redrive) {
  Partition* const partition = Find(id);
  if (partition == nullptr) return false;
  AttemptsBefore before = {{record.attempts_before().begin(), record.attempts_before().end()},
                           redrive};
  before.rounds.push_back(record.attempts());
  if (!RedriveOne(*partition, offset, FactsFrom(record.facts()), std::move(before))) return false;
  --budget_.dead_letters;
  rows_.push_back({Family::kState, QueueRow(kDeadLetterRows, group_, id, offset), std::nullopt});
  return true;
}

bool GroupQueue::Redrive(PartitionId id, Offset offset,
                         const storage::v1::DeadLetterRecord& record) {
  After after;
  {
    MutexLock lock(mu_);
    if (budget_.parked >= budget_.max_parked) return false;
    if (!RedriveLetter(id, offset, record, 0)) return false;
    after = MakeAfter();
  }
  Run(std::move(after));
  return true;
}

bool GroupQueue::RedriveSome(absl::Span<const LetterToRedrive> letters, uint64_t redrive,
                             absl::FunctionRef<std::optional<RowWrite>(const RedrivenLetters&)> row,
                             Done done) {
  After after;
  {
    MutexLock lock(mu_);
    RedrivenLetters redriven;
    for (const LetterToRedrive& one : letters) {
      if (budget_.parked >= budget_.max_parked) break;
      ++redriven.passed;
      redriven.redriven += RedriveLetter(one.partition, one.offset, *one.record, redrive);
    }
    std::optional<RowWrite> made = row(redriven);
    if (!made.has_value()) return false;
    rows_.push_back(*std::move(made));
    answers_.push_back(std::move(done));
    after = MakeAfter();
  }
  Run(std::move(after));
  return true;
}

absl::Status GroupQueue::PutRow(RowWrite row) {
  {
    MutexLock lock(mu_);
    rows_.push_back(std::move(row));
  }
  return AwaitQuiet(false);
}

void GroupQueue::WatchRedrive(uint64_t redrive, int64_t died_already) {
  MutexLock lock(mu_);
  died_[redrive] = died_already;
}

void GroupQueue::EndWatch(uint64_t redrive) {
  MutexLock lock(mu_);
  died_.erase(redrive);
}

int64_t GroupQueue::CountDiedAgain(uint64_t redrive) const {
  MutexLock lock(mu_);
  const auto found = died_.find(redrive);
  return found == died_.end() ? 0 : found->second;
}

void GroupQueue::CountDied(uint64_t redrive) {
  if (const auto found = died_.find(redrive); found != died_.end()) ++found->second;
}

std::optional<int32_t> GroupQueue::RedrivesOfHeld(PartitionId id, Offset offset) const {
  MutexLock lock(mu_);
  const auto it = partitions_.find(id);
  if (it == partitions_.end()) return std::nullopt;
  const std::optional<ParkedEvent> parked = it->second->queue->Parked(offset);
  if (!parked.has_value() || parked->state != ParkedEvent::State::kHeld) return std::nullopt;
  return static_cast<int32_t>(it->second->RoundsBefore(offset).rounds.size());
}

bool GroupQueue::RedriveHeld(PartitionId id, Offset offset) {
  After after;
  {
    MutexLock lock(mu_);
    Partition* const partition = Find(id);
    if (partition == nullptr) return false;
    const std::optional<ParkedEvent> parked = partition->queue->Parked(offset);
    if (!parked.has_value() || parked->state != ParkedEvent::State::kHeld) return false;
    AttemptsBefore before = {partition->RoundsBefore(offset).rounds, 0};
    before.rounds.push_back(parked->attempts);
    if (!RedriveOne(*partition, offset, parked->facts, std::move(before))) return false;
    after = MakeAfter();
  }
  Run(std::move(after));
  return true;
}

void GroupQueue::PutDiscarded(PartitionId id, Offset offset,
                              const storage::v1::DeadLetterRecord& record,
                              std::vector<RowWrite>* rows) const {
  std::vector<int32_t> rounds(record.attempts_before().begin(), record.attempts_before().end());
  rounds.push_back(record.attempts());
  rows->push_back({Family::kState, QueueRow(kDeadLetterRows, group_, id, offset), std::nullopt});
  DeleteAttempts(id, offset, rounds, rows);
  PutForgottenCopy(id, offset, rows);
}

void GroupQueue::ForgetDeadLetter(PartitionId id, Offset offset) {
  ForgetKept(id, offset);
  --budget_.dead_letters;
}

void GroupQueue::Discard(PartitionId id, Offset offset,
                         const storage::v1::DeadLetterRecord& record) {
  After after;
  {
    MutexLock lock(mu_);
    PutDiscarded(id, offset, record, &rows_);
    ForgetDeadLetter(id, offset);
    after = MakeAfter();
  }
  Run(std::move(after));
}

void GroupQueue::DiscardStep(PartitionId id, Offset offset,
                             const storage::v1::DeadLetterRecord& record, QueueStep step) {
  After after;
  {
    MutexLock lock(mu_);
    PutDiscarded(id, offset, record, &step.rows);
    HeldStep held;
    held.step = std::move(step);
    held.dead_letters.emplace_back(id, offset);
    AddStep(std::move(held));
    after = MakeAfter();
  }
  Run(std::move(after));
}

void GroupQueue::LettersGone(int64_t count) {
  if (count == 0) return;
  After after;
  {
    MutexLock lock(mu_);
    budget_.dead_letters -= count;
    after = MakeAfter();
  }
  Run(std::move(after));
}

}  // namespace acta
