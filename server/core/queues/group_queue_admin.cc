// What an operator decides: settings, skipping, redriving, discarding.
#include <algorithm>
#include <utility>

#include "proto/support/error.h"
#include "server/core/queues/group_queue_parts.h"
#include "storage/layout/rows.h"

namespace acta {
namespace {

bool IsParkedFull(const QueueBudget& budget) { return budget.parked >= budget.max_parked; }

// One that is held has its row already.
bool IsRoomFor(const QueueBudget& budget, const LetterToRedrive& letter) {
  return letter.record == nullptr || !IsParkedFull(budget);
}

// `runs` rise.
void AddRun(OffsetRun run, std::vector<OffsetRun>* runs) {
  if (!runs->empty() && runs->back().end == run.first) {
    runs->back().end = run.end;
  } else {
    runs->push_back(run);
  }
}

}  // namespace

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

int64_t GroupQueue::Skip(PartitionId id, OffsetRun run, const LedgerNote& note) {
  int64_t skipped = 0;
  After after;
  {
    MutexLock lock(mu_);
    Partition* const partition = Find(id);
    if (partition == nullptr) return 0;
    CollectRowsOf(*partition);  // What failed before that is told first.
    PartitionQueue& queue = *partition->queue;
    std::vector<OffsetRun> runs;
    for (const Offset offset : queue.OutstandingBelow(run.end)) {
      if (offset < run.first || !queue.Skip(offset)) continue;
      AddRun({offset, offset + 1}, &runs);
    }
    if (run.first <= queue.head()) {
      for (const OffsetRun& lost : queue.SkipUnscanned(run.end)) AddRun(lost, &runs);
    }
    for (const OffsetRun& one : runs) {
      skipped += Lag(one.first, one.end);
      NoteSettled(*partition, one);
      storage::v1::LedgerEntry entry = LedgerEntryOf(storage::v1::LedgerEntry::SKIPPED, one, note);
      entry.set_outstanding(true);
      PutEntry(*partition, std::move(entry));
    }
    const OffsetRun& lost = partition->lost;
    // Where the log was cut other events may be by now, and only a reset comes to them.
    const bool cut = ReasonOf(partition->problem) == v1::LOG_TRUNCATED;
    if (!partition->problem.ok() && !cut && run.first < lost.end && lost.first < run.end) {
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
  return outstanding + (run.first <= queue.head() ? queue.CountUnscanned(run.end) : 0);
}

bool GroupQueue::RedriveOne(Partition& partition, Offset offset, const EventFacts& facts,
                            AttemptsBefore before, const std::string& by) {
  const auto redrives = static_cast<int32_t>(before.rounds.size());
  if (!partition.queue->Redrive(offset, facts, redrives, NowUs())) return false;
  partition.redriven[offset] = std::move(before);
  storage::v1::LedgerEntry entry =
      LedgerEntryOf(storage::v1::LedgerEntry::REDRIVEN, {offset, offset + 1}, {by, ""});
  entry.set_redrives(redrives);
  PutEntry(partition, std::move(entry));
  Touch(partition);
  Activate(partition);
  return true;
}

bool GroupQueue::RedriveLetter(PartitionId id, Offset offset,
                               const storage::v1::DeadLetterRecord& record,
                               const Redriver& redriver) {
  Partition* const partition = Find(id);
  if (partition == nullptr || going_.contains({id, offset})) return false;
  AttemptsBefore before = {{record.attempts_before().begin(), record.attempts_before().end()},
                           redriver.redrive};
  before.rounds.push_back(record.attempts());
  if (!RedriveOne(*partition, offset, FactsFrom(record.facts()), std::move(before), redriver.by))
    return false;
  LetGoOfLetter(id, offset);
  --budget_.dead_letters;
  rows_.push_back({Family::kState, QueueRow(kDeadLetterRows, group_, id, offset), std::nullopt});
  return true;
}

bool GroupQueue::LetGoOfLetter(PartitionId id, Offset offset) {
  if (!going_.emplace(id, offset).second) return false;
  going_next_.emplace_back(id, offset);
  return true;
}

bool GroupQueue::RedriveHeld(PartitionId id, Offset offset, const Redriver& redriver) {
  Partition* const partition = Find(id);
  if (partition == nullptr) return false;
  const auto held = partition->queue->HeldIn({offset, offset + 1}, 1);
  if (held.empty()) return false;
  AttemptsBefore before = {partition->RoundsBefore(offset).rounds, redriver.redrive};
  before.rounds.push_back(held.front().attempts);
  return RedriveOne(*partition, offset, held.front().facts, std::move(before), redriver.by);
}

bool GroupQueue::RedriveLocked(const LetterToRedrive& letter, const Redriver& redriver) {
  if (letter.record == nullptr) return RedriveHeld(letter.partition, letter.offset, redriver);
  return RedriveLetter(letter.partition, letter.offset, *letter.record, redriver);
}

bool GroupQueue::IsFull() const {
  MutexLock lock(mu_);
  return IsParkedFull(budget_);
}

bool GroupQueue::Redrive(const LetterToRedrive& letter, const std::string& by) {
  After after;
  {
    MutexLock lock(mu_);
    if (!IsRoomFor(budget_, letter) || !RedriveLocked(letter, {by, 0})) return false;
    after = MakeAfter();
  }
  Run(std::move(after));
  return true;
}

bool GroupQueue::RedriveSome(absl::Span<const LetterToRedrive> letters, const Redriver& redriver,
                             absl::FunctionRef<std::optional<RowWrite>(const RedrivenLetters&)> row,
                             Done done) {
  After after;
  {
    MutexLock lock(mu_);
    RedrivenLetters redriven;
    for (const LetterToRedrive& one : letters) {
      if (!IsRoomFor(budget_, one)) break;
      ++redriven.passed;
      redriven.redriven += RedriveLocked(one, redriver);
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
  return WaitQuiet(false);
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

std::vector<PartitionId> GroupQueue::partitions() const {
  MutexLock lock(mu_);
  std::vector<PartitionId> ids;
  ids.reserve(partitions_.size());
  for (const auto& [id, partition] : partitions_) ids.push_back(id);
  return ids;
}

std::vector<StoredParked> GroupQueue::HeldIn(PartitionId id, OffsetRun run, size_t most) const {
  MutexLock lock(mu_);
  std::vector<StoredParked> held;
  const auto it = partitions_.find(id);
  if (it == partitions_.end()) return held;
  for (const ParkedEvent& event : it->second->queue->HeldIn(run, most)) {
    held.push_back({id, event, it->second->RoundsBefore(event.offset)});
  }
  return held;
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

void GroupQueue::PutDiscardedEntry(PartitionId id, Offset offset, const LedgerNote& note,
                                   std::vector<RowWrite>* rows) const {
  if (!KeepsLedger(deps_.topics, id)) return;
  rows->push_back(LedgerRow(DecisionRecord(
      group_, id, NowUs(),
      LedgerEntryOf(storage::v1::LedgerEntry::DISCARDED, {offset, offset + 1}, note))));
}

void GroupQueue::ForgetDeadLetter(PartitionId id, Offset offset) {
  ForgetKept(id, offset);
  --budget_.dead_letters;
}

bool GroupQueue::Discard(PartitionId id, Offset offset, const storage::v1::DeadLetterRecord& record,
                         const LedgerNote& note) {
  After after;
  {
    MutexLock lock(mu_);
    const Partition* const partition = Find(id);
    const bool outstanding = partition != nullptr && partition->queue->IsOutstanding(offset);
    if (outstanding || !LetGoOfLetter(id, offset)) return false;
    PutDiscarded(id, offset, record, &rows_);
    PutDiscardedEntry(id, offset, note, &rows_);
    ForgetDeadLetter(id, offset);
    after = MakeAfter();
  }
  Run(std::move(after));
  return true;
}

bool GroupQueue::DiscardStep(PartitionId id, Offset offset,
                             const storage::v1::DeadLetterRecord& record, const LedgerNote& note,
                             QueueStep step) {
  After after;
  {
    MutexLock lock(mu_);
    if (going_.contains({id, offset})) return false;
    PutDiscarded(id, offset, record, &step.rows);
    PutDiscardedEntry(id, offset, note, &step.rows);
    HeldStep held;
    held.step = std::move(step);
    held.dead_letters.emplace_back(id, offset);
    AddStep(std::move(held));
    after = MakeAfter();
  }
  Run(std::move(after));
  return true;
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
