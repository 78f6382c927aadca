#include <algorithm>
#include <utility>

#include "server/core/delivery/partition_queue.h"

namespace acta {

bool PartitionQueue::WasSettled(Offset offset) const {
  return offset < head_ ||
         std::any_of(done_ahead_.begin(), done_ahead_.end(),
                     [&](const OffsetRun& run) { return run.first <= offset && offset < run.end; });
}

SettleOutcome PartitionQueue::OutcomeFor(Offset offset, const Entry* entry, uint64_t member) const {
  if (entry == nullptr && WasSettled(offset)) return SettleOutcome::kAlreadySettled;
  if (entry != nullptr && entry->holder == member) {
    return entry->state == State::kSettling ? SettleOutcome::kLeaseLost : SettleOutcome::kDone;
  }
  // Who had what is from before the load is not known.
  const bool never =
      offset >= loaded_end_ &&
      (entry == nullptr || (entry->holder == 0 && entry->attempts + entry->deliveries == 0));
  return never ? SettleOutcome::kNeverLeased : SettleOutcome::kLeaseLost;
}

SettleOutcome PartitionQueue::OutcomeWithLease(Offset offset, uint64_t member) const {
  const Entry* const entry = Find(offset);
  const SettleOutcome outcome = OutcomeFor(offset, entry, member);
  const bool lost = outcome == SettleOutcome::kDone && entry->state != State::kLeased;
  return lost ? SettleOutcome::kLeaseLost : outcome;
}

SettleOutcome PartitionQueue::Ack(uint64_t member, Offset offset) {
  Entry* const entry = Find(offset);
  const SettleOutcome outcome = OutcomeFor(offset, entry, member);
  if (outcome != SettleOutcome::kDone) return outcome;
  ++budget_.tally.acked;
  Settle(offset, entry);
  return outcome;
}

SettleOutcome PartitionQueue::Fail(uint64_t member, Offset offset, const Nack& nack,
                                   int64_t now_us) {
  const SettleOutcome outcome = OutcomeWithLease(offset, member);
  if (outcome == SettleOutcome::kDone) EndAttempt(offset, AttemptEnd::kNack, nack, now_us);
  return outcome;
}

SettleOutcome PartitionQueue::Reject(uint64_t member, Offset offset, const Nack& nack,
                                     int64_t now_us) {
  const SettleOutcome outcome = OutcomeWithLease(offset, member);
  if (outcome == SettleOutcome::kDone) EndAttempt(offset, AttemptEnd::kReject, nack, now_us);
  return outcome;
}

SettleOutcome PartitionQueue::Extend(uint64_t member, Offset offset, absl::Duration length,
                                     int64_t now_us) {
  const SettleOutcome outcome = OutcomeWithLease(offset, member);
  if (outcome != SettleOutcome::kDone) return outcome;
  Entry* const entry = Find(offset);
  const int64_t until_us = now_us + absl::ToInt64Microseconds(length);
  if (until_us > entry->leased_us + absl::ToInt64Microseconds(policy_.longest_lease)) {
    return SettleOutcome::kTooLong;
  }
  leases_.Drop(entry->run);
  entry->run = leases_.Open({offset, offset + 1}, until_us);
  return outcome;
}

SettleOutcome PartitionQueue::Release(uint64_t member, Offset offset, bool delivered) {
  const SettleOutcome outcome = OutcomeWithLease(offset, member);
  if (outcome != SettleOutcome::kDone) return outcome;
  Entry* const entry = Find(offset);
  DropLease(entry);
  entry->holder = 0;
  if (!delivered) --entry->deliveries;
  MakeReady(offset, entry);
  ++budget_.tally.released;
  return outcome;
}

void PartitionQueue::MemberGone(uint64_t member, bool cleanly, int64_t now_us) {
  std::vector<Offset> held;
  events_.ForEach([&](Offset offset, const Entry& entry) {
    if (entry.state == State::kLeased && entry.holder == member) held.push_back(offset);
  });
  for (const Offset offset : held) {
    if (cleanly) {
      Release(member, offset);
    } else {
      EndAttempt(offset, AttemptEnd::kMemberLost, {}, now_us);
    }
  }
  absl::erase_if(presented_, [&](const auto& entry) { return entry.second == member; });
}

absl::Duration PartitionQueue::DelayAfter(AttemptEnd end, const Nack& nack, int32_t attempts) {
  if (nack.delay.has_value()) return *nack.delay;
  if (end == AttemptEnd::kNack) return policy_.backoff.Delay(attempts, Random());
  // Nobody said that the event is at fault: the first time another one gets it at once.
  return attempts == 1 ? absl::ZeroDuration() : policy_.backoff.Delay(attempts - 1, Random());
}

Failure PartitionQueue::PlanFailure(Offset offset, AttemptEnd end, const Nack& nack,
                                    int64_t now_us) {
  const Entry& entry = *Find(offset);
  Failure failure;
  const int32_t attempts = entry.attempts + 1;
  failure.attempt = {offset,          entry.redrives, attempts,    end,      entry.holder,
                     entry.leased_us, now_us,         nack.reason, nack.text};
  const bool rejected = end == AttemptEnd::kReject;
  const bool exhausted = attempts >= policy_.max_attempts;
  const bool hold = policy_.on_exhausted == OnExhausted::kHoldKey && Ordered(entry);
  if (rejected || (exhausted && !hold)) {
    const auto reason =
        rejected ? DeadLetterReason::kRejected : DeadLetterReason::kAttemptsExhausted;
    failure.letter = LetterOf(offset, attempts, reason, now_us);
    return failure;
  }
  const absl::Duration delay = DelayAfter(end, nack, attempts);
  failure.parked = {offset,
                    exhausted ? ParkedEvent::State::kHeld : ParkedEvent::State::kRetryWait,
                    now_us + absl::ToInt64Microseconds(delay),
                    entry.facts,
                    attempts,
                    entry.redrives};
  return failure;
}

void PartitionQueue::EndAttempt(Offset offset, AttemptEnd end, const Nack& nack, int64_t now_us) {
  Apply(PlanFailure(offset, end, nack, now_us));
}

void PartitionQueue::Apply(const Failure& failure) {
  const Offset offset = failure.attempt.offset;
  Entry* entry = Find(offset);
  DropLease(entry);
  entry->attempts = failure.attempt.attempt;
  entry->deliveries = 0;
  ++budget_.tally.failed[static_cast<size_t>(failure.attempt.end)];
  changes_.failed.push_back(failure.attempt);
  if (failure.letter.has_value()) return Bury(*failure.letter);
  entry = &Park(offset);
  SetState(entry, StateOf(failure.parked.state));
  entry->due_us = failure.parked.due_us;
  const bool held = entry->state == State::kHeld;
  AwaitTime(offset, *entry);
  if (!Ordered(*entry)) return;
  if (policy_.order == QueueOrder::kKey || held) {
    ParkWaiting(entry->facts.key);
  } else {
    PassTurn(offset, entry->facts);
  }
}

DeadLetter PartitionQueue::LetterOf(Offset offset, int32_t attempts, DeadLetterReason reason,
                                    int64_t now_us) {
  const Entry& entry = *Find(offset);
  return {offset,
          reason,
          entry.facts,
          attempts,
          entry.redrives,
          now_us,
          policy_.order == QueueOrder::kKey && Ordered(entry)};
}

void PartitionQueue::Bury(const DeadLetter& letter) {
  changes_.dead_letters.push_back(letter);
  ++budget_.dead_letters;
  ++budget_.tally.dead_lettered[static_cast<size_t>(letter.reason)];
  Remove(letter.offset, Find(letter.offset));
}

void PartitionQueue::Settle(Offset offset, Entry* entry) {
  if (WasTried(*entry)) {
    changes_.past.push_back({offset, entry->attempts});
  }
  Remove(offset, entry);
}

void PartitionQueue::Remove(Offset offset, Entry* entry) {
  DropLease(entry);
  if (entry->state == State::kReady) ready_.erase(offset);
  const bool waits = entry->state == State::kRetryWait || entry->state == State::kHeld;
  if (waits) due_.erase({WaitEnds(*entry), offset});
  --Counted(entry->state);
  const EventFacts facts = entry->facts;
  if (entry->parked) {
    --budget_.parked;
    rows_.insert(offset);
  } else {
    moved_ = true;
  }
  events_.Remove(offset);
  if (policy_.order == QueueOrder::kUnordered || facts.key == 0) return;
  if (turns_.Front(facts.key) == offset) {
    changes_.turns.push_back({offset, facts.key});
  } else {
    turns_.Leave(facts.key, offset);
  }
}

void PartitionQueue::PassTurns(absl::Span<const KeyTurn> turns) {
  for (const KeyTurn& turn : turns) {
    if (Find(turn.offset) != nullptr) continue;  // It was redriven, and has its turn again.
    if (const std::optional<Offset> next = turns_.Leave(turn.key, turn.offset)) TurnCame(*next);
  }
}

void PartitionQueue::PassTurn(Offset offset, const EventFacts& facts) {
  if (const std::optional<Offset> next = turns_.Leave(facts.key, offset)) TurnCame(*next);
}

bool PartitionQueue::Skip(Offset offset) {
  Entry* const entry = Find(offset);
  if (entry == nullptr) return false;
  ++budget_.tally.skipped;
  Settle(offset, entry);
  return true;
}

bool PartitionQueue::Redrive(Offset offset, const EventFacts& facts, int32_t redrives,
                             int64_t now_us) {
  const Entry* const held = Find(offset);
  if (held != nullptr ? held->state != State::kHeld : !WasSettled(offset)) return false;
  budget_.parked += held == nullptr;
  if (held != nullptr) {
    --Counted(held->state);
    due_.erase({WaitEnds(*held), offset});
    events_.Remove(offset);
  }
  Entry& entry = events_.AddParked(offset, facts);
  entry.redrives = redrives;
  entry.state = State::kRetryWait;
  ++Counted(entry.state);
  entry.due_us = now_us;
  AwaitTime(offset, entry);
  rows_.insert(offset);
  return true;
}

int64_t PartitionQueue::CountUnscanned(Offset end) const {
  int64_t count = 0;
  Offset at = head_;
  for (auto done = done_ahead_.rbegin(); done != done_ahead_.rend() && at < end; ++done) {
    if (at < done->first) count += Lag(at, std::min(end, done->first));
    at = std::max(at, done->end);
  }
  return count + std::max<int64_t>(0, Lag(at, end));
}

int64_t PartitionQueue::CountDoneAhead() const {
  int64_t count = 0;
  for (const OffsetRun& run : done_ahead_) count += Lag(run.first, run.end);
  return count;
}

std::vector<OffsetRun> PartitionQueue::SkipUnscanned(Offset end) {
  std::vector<OffsetRun> skipped;
  while (head_ < end) {
    const Offset next_done = done_ahead_.empty() ? end : done_ahead_.back().first;
    skipped.push_back({head_, std::min(end, next_done)});
    budget_.tally.skipped += Lag(head_, skipped.back().end);
    head_ = skipped.back().end;
    moved_ = true;
    PassSettled();
  }
  return skipped;
}

}  // namespace acta
