// What becomes durable, and who is told.
#include <algorithm>
#include <iterator>
#include <utility>

#include "proto/support/error.h"
#include "server/core/queues/group_queue_parts.h"
#include "storage/base/log.h"
#include "storage/layout/rows.h"

namespace acta {
namespace {

storage::v1::AttemptRecord::End EndFor(AttemptEnd end) {
  switch (end) {
    case AttemptEnd::kNack:
      return storage::v1::AttemptRecord::NACK;
    case AttemptEnd::kReject:
      return storage::v1::AttemptRecord::REJECT;
    case AttemptEnd::kLeaseExpired:
      return storage::v1::AttemptRecord::LEASE_EXPIRED;
    case AttemptEnd::kMemberLost:
      return storage::v1::AttemptRecord::MEMBER_LOST;
  }
  return storage::v1::AttemptRecord::NACK;
}

bool AllStored(const TransactionResult& result) {
  return std::all_of(result.appends.begin(), result.appends.end(),
                     [](const AppendResult& append) { return append.status.ok(); });
}

bool WorthTryingAgain(const absl::Status& status) {
  const v1::ErrorReason reason = ReasonOf(status);
  return reason == v1::DISK_FULL || reason == v1::PUBLISH_QUEUE_FULL;
}

absl::Status StoppingWhileFull() {
  return Error(v1::SERVER_STOPPING,
               "the disk is full and the server is stopping: what it did not answer was not done; "
               "free room, start it and ask again");
}

}  // namespace

void GroupQueue::CollectRows() {
  for (const PartitionId id : std::exchange(dirty_, {})) CollectRowsOf(*Find(id));
}

// Rows that go come before those that are written: an event may be parked again.
void GroupQueue::CollectRowsOf(Partition& partition) {
  partition.shelf.DropBelow(partition.queue->floor());
  const QueueChanges changes = partition.queue->TakeChanges();
  PutLedger(partition, changes);
  NoteExpired(partition);  // What failed before that is told first.
  if (!changes.turns.empty()) {
    std::vector<KeyTurn>& turns = turns_[partition.id];
    turns.insert(turns.end(), changes.turns.begin(), changes.turns.end());
  }
  for (const FailedAttempt& attempt : changes.failed) {
    rows_.push_back(AttemptRowOf(partition.id, attempt));
  }
  absl::flat_hash_set<Offset> dead;
  for (const DeadLetter& letter : changes.dead_letters) dead.insert(letter.offset);
  for (const Offset offset : changes.unparked) {
    rows_.push_back(
        {Family::kState, QueueRow(kParkedRows, group_, partition.id, offset), std::nullopt});
    if (!dead.contains(offset)) ForgetKept(partition.id, offset);
  }
  PutDeadLetters(partition, changes);
  for (const PastAttempts& past : changes.past) ForgetAttempts(partition, past);
  for (const ParkedEvent& event : changes.parked) {
    if (event.state == ParkedEvent::State::kHeld) CountDied(partition.RedriveAt(event.offset));
    rows_.push_back(ParkedRowOf(partition.id, event, partition.RoundsBefore(event.offset)));
  }
  if (!changes.position.has_value()) return;
  if (writing_ && partition.queue->in_steps()) {
    // This row is written behind the step, and would have its events outstanding again.
    partition.queue->NamePositionAgain();
    dirty_.insert(partition.id);
    return;
  }
  PutPosition(*changes.position, &partition.record);
  // Of a position in a log that was cut the incarnation says so, until it is reset.
  if (ReasonOf(partition.problem) != v1::LOG_TRUNCATED) {
    partition.record.set_incarnation(deps_.engine.incarnation().value());
  }
  partition.record.set_commit_time_us(NowUs());
  rows_.push_back(
      {Family::kState, PositionRow(group_, partition.id), partition.record.SerializeAsString()});
}

// There may be as many as a member can have leases: nothing is looked for in all of them for each.
void GroupQueue::PutDeadLetters(Partition& partition, const QueueChanges& changes) {
  if (changes.dead_letters.empty()) return;
  absl::flat_hash_map<Offset, const FailedAttempt*> last;  // Of each event.
  for (const FailedAttempt& attempt : changes.failed) last[attempt.offset] = &attempt;
  for (const DeadLetter& letter : changes.dead_letters) {
    NoteSettled(partition, {letter.offset, letter.offset + 1});
    CountDied(partition.RedriveAt(letter.offset));
    if (partition.forgotten.has_value()) partition.died.push_back(letter.offset);
    const auto failed = last.find(letter.offset);
    rows_.push_back(DeadLetterRowOf(partition.id, letter, partition.TakeRounds(letter.offset),
                                    failed == last.end() ? nullptr : failed->second));
  }
}

void GroupQueue::NoteSettled(Partition& partition, OffsetRun run) {
  std::vector<SettledRun>& settled = partition.settled;
  const auto waiting =
      std::find_if(settled.begin(), settled.end(),
                   [written = written_](const SettledRun& one) { return one.write > written; });
  settled.erase(settled.begin(), waiting);
  const uint64_t next = begun_ + 1;
  const bool goes_on =
      !settled.empty() && settled.back().write == next && settled.back().run.end == run.first;
  if (goes_on) {
    settled.back().run.end = run.end;
  } else {
    settled.push_back({next, run});
  }
}

std::vector<OffsetRun> GroupQueue::UnwrittenOf(const Partition& partition) const {
  std::vector<OffsetRun> runs;
  // What came behind a write that was refused is written with it, and not by the one after it.
  if (stopped_.ok() && !writing_ && dirty_.empty() && rows_.empty()) return runs;
  for (const SettledRun& one : partition.settled) {
    if (one.write > written_) runs.push_back(one.run);
  }
  std::sort(runs.begin(), runs.end(),
            [](const OffsetRun& one, const OffsetRun& other) { return one.first < other.first; });
  return runs;
}

// There is a copy only when the event is gone from the log, or was about to go.
bool GroupQueue::MayHaveCopy(PartitionId id, Offset offset) const {
  const auto extent = deps_.engine.Extent(id);
  if (extent.ok() && offset < extent->first) return true;
  const auto it = partitions_.find(id);
  return it != partitions_.end() && offset < it->second->copied_below;
}

void GroupQueue::ForgetKept(PartitionId id, Offset offset) {
  Partition* const partition = Find(id);
  if (partition != nullptr && partition->forgotten.has_value()) {
    partition->forgotten->insert(offset);
  }
  PutForgottenCopy(id, offset, &rows_);
}

void GroupQueue::PutForgottenCopy(PartitionId id, Offset offset,
                                  std::vector<RowWrite>* rows) const {
  if (!MayHaveCopy(id, offset)) return;
  rows->push_back({Family::kState, QueueRow(kKeptRows, group_, id, offset), std::nullopt});
}

storage::v1::AttemptRecord GroupQueue::AttemptRecordOf(const FailedAttempt& attempt) const {
  storage::v1::AttemptRecord record;
  record.set_end(EndFor(attempt.end));
  if (const QueueMemberFacts* const facts = MemberFactsOf(attempt.member); facts != nullptr) {
    record.set_member_id(facts->member_id);
    record.set_app(facts->app);
    record.set_app_version(facts->app_version);
  }
  record.set_leased_us(attempt.leased_us);
  record.set_ended_us(attempt.ended_us);
  record.set_reason(attempt.reason);
  record.set_text(attempt.text);
  return record;
}

RowWrite GroupQueue::AttemptRowOf(PartitionId partition, const FailedAttempt& attempt) const {
  return {Family::kState,
          AttemptRow(group_, partition, attempt.offset, attempt.redrives, attempt.attempt),
          AttemptRecordOf(attempt).SerializeAsString()};
}

void GroupQueue::ForgetAttempts(Partition& partition, const PastAttempts& past) {
  std::vector<int32_t> rounds = partition.TakeRounds(past.offset).rounds;
  rounds.push_back(past.attempts);
  DeleteAttempts(partition.id, past.offset, rounds, &rows_);
}

void GroupQueue::DeleteAttempts(PartitionId partition, Offset offset,
                                const std::vector<int32_t>& rounds,
                                std::vector<RowWrite>* rows) const {
  for (size_t round = 0; round < rounds.size(); ++round) {
    for (int32_t attempt = 1; attempt <= rounds[round]; ++attempt) {
      rows->push_back({Family::kState,
                       AttemptRow(group_, partition, offset, static_cast<int32_t>(round), attempt),
                       std::nullopt});
    }
  }
}

RowWrite GroupQueue::DeadLetterRowOf(PartitionId partition, const DeadLetter& letter,
                                     const AttemptsBefore& before,
                                     const FailedAttempt* last) const {
  storage::v1::DeadLetterRecord record = DeadLetterRecordOf(letter, before);
  if (last != nullptr) {
    record.set_fingerprint(FailureFingerprint(deps_.engine, last->reason, last->text));
  }
  record.set_incarnation(deps_.engine.incarnation().value());
  return {Family::kState, QueueRow(kDeadLetterRows, group_, partition, letter.offset),
          record.SerializeAsString()};
}

RowWrite GroupQueue::ParkedRowOf(PartitionId partition, const ParkedEvent& event,
                                 const AttemptsBefore& before) const {
  return {Family::kState, QueueRow(kParkedRows, group_, partition, event.offset),
          ParkedRecordOf(event, before).SerializeAsString()};
}

void GroupQueue::Flush() {
  while (true) {
    Pending write;
    TransactionResult stopped;
    bool writes;
    {
      MutexLock lock(mu_);
      if (writing_ || trying_again_) return;
      CollectRows();
      write.rows = std::exchange(rows_, {});
      write.going = std::exchange(going_next_, {});
      write.answers = std::exchange(answers_, {});
      write.turns = std::exchange(turns_, {});
      TakeSteps(&write);
      stopped.status = stopped_;
      writes = writing_ = stopped_.ok() && !(write.rows.empty() && write.steps.empty());
      begun_ += writes;
      if (!writes) quiet_.SignalAll();
    }
    if (writes) return Write(std::move(write));
    for (Done& answer : write.answers) answer(stopped.status);
    AnswerSteps(stopped, &write);
    // When nothing is written any more no write follows that takes the rest.
    if (write.steps.empty()) return;
  }
}

void GroupQueue::Write(Pending write) {
  Transaction transaction;
  transaction.rows = write.rows;  // A refused transaction is gone: for another try.
  transaction.rows.insert(transaction.rows.end(), write.step_rows.begin(), write.step_rows.end());
  for (const HeldStep& held : write.steps) {
    transaction.appends.insert(transaction.appends.end(), held.step.appends.begin(),
                               held.step.appends.end());
  }
  transaction.atomic = !write.steps.empty();
  transaction.leave_out_duplicates = transaction.atomic;
  transaction.level = Level::kFsync;
  transaction.source = uint64_t{1} << 62 | group_.value();
  const auto pending = std::make_shared<Pending>(std::move(write));
  transaction.done = [self = shared_from_this(), pending](const TransactionResult& result) {
    self->OnWritten(result, std::move(*pending));
  };
  TransactionResult refused;
  refused.status = deps_.engine.Submit(std::move(transaction));
  if (!refused.status.ok()) OnWritten(refused, std::move(*pending));
}

// On the engine's threads: they must not submit.
void GroupQueue::OnWritten(const TransactionResult& result, Pending write) {
  const bool refused = WorthTryingAgain(result.status);
  // Publishes are refused sooner than acks, and some fail by themselves: all but the steps is tried
  // again at once.
  const bool undone =
      !write.steps.empty() && (refused || (result.status.ok() && !AllStored(result)));
  absl::Status said = result.status;
  bool again = refused && !undone;
  std::vector<QueueStep> behind;
  After after;
  {
    MutexLock lock(mu_);
    if (again && stopping_ && ReasonOf(said) == v1::DISK_FULL) {
      again = false;
      said = StoppingWhileFull();
    }
    writing_ = false;
    trying_again_ = again;
    if (undone) UndoSteps(/*apart=*/!refused && write.steps.size() > 1, &write);
    if (!write.steps.empty()) ended_step_ = write.steps.back().number;
    if (again || undone) {
      --begun_;
      PutBack(&write);
    } else if (!said.ok()) {
      stopped_ = said;
    } else {
      written_ = begun_;
      ConfirmSteps(write);
      for (const auto& place : write.going) going_.erase(place);
      for (const auto& [id, turns] : write.turns) {
        Partition* const partition = Find(id);
        if (partition == nullptr) continue;
        partition->queue->PassTurns(turns);
        Touch(*partition);
        Activate(*partition);
      }
    }
    if (!again) behind = std::exchange(behind_, {});
    after = MakeAfter();
    quiet_.SignalAll();
  }
  for (Done& answer : write.answers) answer(said);
  AnswerSteps(result, &write);
  if (!behind.empty()) {
    deps_.pool.Post([self = shared_from_this(), steps = std::move(behind)]() mutable {
      self->TryAgain(std::move(steps));
    });
  }
  if (after.timer.has_value()) StartTimer(*after.timer, after.timer_number);
  if (after.wake != nullptr) after.wake();
  if (after.flush) deps_.pool.Post([self = shared_from_this()] { self->Flush(); });
  if (!again) return;
  LogWarn("the state of a group was not written, because the disk is full: tried again in 1 s");
  deps_.timer.After(kTryAgain, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->TryAgain();
  });
}

// Before what came since.
void GroupQueue::PutBack(Pending* write) {
  const auto put = [](auto* first, auto* rest) {
    std::move(rest->begin(), rest->end(), std::back_inserter(*first));
    *rest = std::exchange(*first, {});
  };
  put(&write->rows, &rows_);
  put(&write->going, &going_next_);
  put(&write->answers, &answers_);
  for (auto& [id, turns] : write->turns) put(&turns, &turns_[id]);
}

void GroupQueue::AwaitTry() {
  if (!quiet_.WaitFor(mu_, kTryAgain)) trying_again_ = false;
}

void GroupQueue::StopWaiting() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
    trying_again_ = false;
    quiet_.SignalAll();
  }
  Flush();
}

void GroupQueue::TryAgain() {
  {
    MutexLock lock(mu_);
    trying_again_ = false;
  }
  Flush();
}

}  // namespace acta
