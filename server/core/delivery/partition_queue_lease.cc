#include <algorithm>
#include <limits>

#include "absl/container/inlined_vector.h"
#include "server/core/delivery/partition_queue.h"

namespace acta {

bool PartitionQueue::InGrace(Offset offset, int64_t now_us) const {
  return now_us < grace_until_us_ && offset < grace_end();
}

LeaseBounds PartitionQueue::Lease(uint64_t member, LeaseBounds most, int64_t now_us,
                                  std::vector<LeasedRun>* out) {
  Tick(now_us);
  const int64_t until_us = now_us + absl::ToInt64Microseconds(policy_.lease);
  LeaseBounds leased;
  OffsetRun run;
  absl::InlinedVector<Entry*, 16> entries;  // Of the run.
  int32_t attempt = 0, redrives = 0;
  const auto close = [&] {
    if (entries.empty()) return;
    GiveLease(member, run, entries, now_us, until_us);
    out->push_back({run.first, static_cast<int32_t>(entries.size()), attempt, until_us, redrives});
    entries.clear();
  };
  while (leased.events < most.events && leased.bytes < most.bytes &&
         budget_.dead_letters < budget_.max_dead_letters) {
    Picked next = PickReady(now_us);
    if (next.entry == nullptr) next = PickFresh(now_us);
    // What was dealt with on the way may have passed its turn on.
    if (next.entry == nullptr) next = PickReady(now_us);
    if (next.entry == nullptr) break;
    Entry& entry = *next.entry;
    SetState(&entry, State::kLeased);
    budget_.tally.redelivered += entry.deliveries > 0 || WasTried(entry);
    const int32_t next_attempt = entry.attempts + 1;
    if (run.end != next.offset || attempt != next_attempt || redrives != entry.redrives) {
      close();
      run.first = next.offset;
      attempt = next_attempt;
      redrives = entry.redrives;
    }
    run.end = next.offset + 1;
    entries.push_back(&entry);
    ++leased.events;
    leased.bytes += std::max<int64_t>(1, entry.facts.bytes);
  }
  close();
  return leased;
}

void PartitionQueue::GiveLease(uint64_t member, OffsetRun offsets, absl::Span<Entry* const> entries,
                               int64_t now_us, int64_t until_us) {
  const uint64_t run = leases_.Open(offsets, until_us);
  for (Entry* const entry : entries) {
    SetState(entry, State::kLeased);
    entry->holder = member;
    entry->run = run;
    entry->leased_us = now_us;
    ++entry->deliveries;
  }
}

PartitionQueue::Picked PartitionQueue::PickReady(int64_t now_us) {
  const bool grace = now_us < grace_until_us_;
  if (grace && policy_.order != QueueOrder::kUnordered) return {};
  const Offset first = grace ? loaded_end_ : Offset(0);
  // What is dealt with may make others ready.
  for (auto it = ready_.lower_bound(first); it != ready_.end(); it = ready_.lower_bound(first)) {
    const Offset offset = *it;
    ready_.erase(it);
    Entry* const entry = Find(offset);
    if (CanLease(offset, entry, now_us)) return {offset, entry};
  }
  return {};
}

PartitionQueue::Picked PartitionQueue::PickFresh(int64_t now_us) {
  while (const std::optional<Offset> offset = events_.NextInWindow(fresh_)) {
    if (InGrace(*offset, now_us)) return {};
    fresh_ = *offset + 1;
    Entry* const entry = Find(*offset);
    if (entry->state != State::kReady) continue;
    ready_.erase(*offset);  // Its turn may have come meanwhile.
    if (CanLease(*offset, entry, now_us)) return {*offset, entry};
  }
  fresh_ = head_;
  return {};
}

bool PartitionQueue::CanLease(Offset offset, Entry* entry, int64_t now_us) {
  if (entry->facts.expires_us <= now_us) {
    Expire(offset);
    Settle(offset, entry);
    return false;
  }
  if (entry->deliveries >= policy_.max_deliveries) {
    Bury(LetterOf(offset, entry->attempts, DeadLetterReason::kDeliveryLoop, now_us));
    return false;
  }
  if (!Ordered(*entry) || turns_.Take(entry->facts.key, offset)) return true;
  SetState(entry, State::kWaitsForKey);
  return false;
}

void PartitionQueue::MakeReady(Offset offset, Entry* entry) {
  SetState(entry, State::kReady);
  ready_.insert(offset);
}

void PartitionQueue::TurnCame(Offset offset) {
  Entry* const entry = Find(offset);
  if (!WasTried(*entry) || entry->due_us <= now_us_) return MakeReady(offset, entry);
  SetState(entry, State::kRetryWait);
  AwaitTime(offset, *entry);
  ParkWaiting(entry->facts.key);
}

// Who waits for a decision waits without an end, unless the event has one.
int64_t PartitionQueue::WaitEnds(const Entry& entry) {
  if (entry.state == State::kHeld) return entry.facts.expires_us;
  return std::min(entry.due_us, entry.facts.expires_us);
}

void PartitionQueue::AwaitTime(Offset offset, const Entry& entry) {
  const int64_t end_us = WaitEnds(entry);
  if (end_us < std::numeric_limits<int64_t>::max()) due_.emplace(end_us, offset);
}

void PartitionQueue::EndWait(Offset offset, int64_t now_us) {
  Entry* const entry = Find(offset);
  const bool expired = entry->facts.expires_us <= now_us;
  // Within the grace somebody may say that he has it: it is looked at when it is leased.
  if (entry->state != State::kHeld && (!expired || InGrace(offset, now_us))) {
    return MakeReady(offset, entry);
  }
  Expire(offset);
  Settle(offset, entry);
}

void PartitionQueue::DropLease(Entry* entry) {
  const bool leased = entry->state == State::kLeased || entry->state == State::kSettling;
  if (leased) leases_.Drop(entry->run);
  entry->run = 0;
}

// One that was redriven waits for its turn as one that failed waits for its time, and after a load
// it has the turn when it is there first.
bool PartitionQueue::YieldTurn(Offset front, Offset to) {
  Entry* const waits = Find(front);
  if (waits == nullptr) return false;
  if (waits->state != State::kReady && waits->state != State::kRetryWait) return false;
  const Entry& given = *Find(to);
  // A relaxed retry is leased whenever none of its key is.
  const bool overtook = policy_.order == QueueOrder::kKeyRelaxed && WasTried(given);
  if (!overtook && !WaitedFor(*waits, given, to)) return false;
  due_.erase({WaitEnds(*waits), front});
  ready_.erase(front);
  SetState(waits, waits->parked ? State::kBlocked : State::kWaitsForKey);
  turns_.Pass(given.facts.key, to);
  return true;
}

bool PartitionQueue::WaitedFor(const Entry& front, const Entry& given, Offset to) const {
  if (policy_.order != QueueOrder::kKey) return false;
  // One that failed since it was redriven had its turn, and keeps it.
  if (front.redrives == 0 || front.attempts > 0) return false;
  // Nobody knows yet what is before it.
  if (given.redrives == 0 && to >= head_) return false;
  const absl::btree_set<Offset>* const others = turns_.Waiting(given.facts.key);
  if (given.redrives == 0 && others != nullptr) {
    for (const Offset other : *others) {
      if (other >= to) break;
      if (Find(other)->redrives == 0) return false;  // That goes before it.
    }
  }
  return true;
}

bool PartitionQueue::Present(uint64_t member, Offset offset, int64_t now_us) {
  if (now_us >= grace_until_us_ || offset >= loaded_end_) return false;
  Entry* const entry = Find(offset);
  if (entry == nullptr) {
    if (WasSettled(offset)) return false;
    return presented_.emplace(offset, member).second;
  }
  // Who has it was leased it: its time had come.
  if (WasTried(*entry) && entry->due_us > now_us) return false;
  if (entry->state != State::kReady && entry->state != State::kRetryWait &&
      entry->state != State::kBlocked) {
    return false;
  }
  if (Ordered(*entry)) {
    // Not by Take(): who only asks must not wait.
    const std::optional<Offset> front = turns_.Front(entry->facts.key);
    if (front.has_value() && *front != offset && !YieldTurn(*front, offset)) return false;
    turns_.Take(entry->facts.key, offset);
  }
  due_.erase({WaitEnds(*entry), offset});
  ready_.erase(offset);
  GiveLease(member, {offset, offset + 1}, {&entry, 1}, now_us,
            now_us + absl::ToInt64Microseconds(policy_.lease));
  return true;
}

uint32_t PartitionQueue::bytes(Offset offset) const {
  const Entry* const entry = Find(offset);
  return entry == nullptr ? 0 : entry->facts.bytes;
}

EventStanding PartitionQueue::StandingOf(Offset offset) const {
  using Where = EventStanding::Where;
  EventStanding standing;
  const Entry* const entry = Find(offset);
  if (entry == nullptr) {
    standing.where = offset >= head_ && !WasSettled(offset) ? Where::kPending : Where::kSettled;
    return standing;
  }
  standing.leased_us = entry->leased_us;
  standing.redrives = entry->redrives;
  switch (entry->state) {
    case State::kReady:
    case State::kWaitsForKey:
      standing.where = Where::kPending;
      break;
    case State::kLeased:
    case State::kSettling:
      standing.where = Where::kLeased;
      standing.holder = entry->holder;
      standing.until_us = leases_.UntilOf(entry->run);
      break;
    case State::kRetryWait:
      standing.where = Where::kRetryWait;
      standing.until_us = entry->due_us;
      break;
    case State::kBlocked:
      standing.where = Where::kBlockedByKey;
      break;
    case State::kHeld:
      standing.where = Where::kHeld;
      break;
  }
  return standing;
}

uint64_t PartitionQueue::holder(Offset offset) const {
  const Entry* const entry = Find(offset);
  if (entry == nullptr) return 0;
  const bool leased = entry->state == State::kLeased || entry->state == State::kSettling;
  return leased ? entry->holder : 0;
}

void PartitionQueue::Tick(int64_t now_us) {
  now_us_ = now_us;
  if (now_us >= grace_until_us_) {
    grace_until_us_ = 0;
    presented_.clear();
  }
  while (const auto ended = leases_.TakeEnded(now_us)) {
    for (Offset offset = ended->offsets.first; offset < ended->offsets.end; offset = offset + 1) {
      const Entry* const entry = Find(offset);
      if (entry == nullptr || entry->state != State::kLeased || entry->run != ended->run) continue;
      EndAttempt(offset, AttemptEnd::kLeaseExpired, {}, now_us);
    }
  }
  while (!due_.empty() && due_.begin()->first <= now_us) {
    const Offset offset = due_.begin()->second;
    due_.erase(due_.begin());
    EndWait(offset, now_us);
  }
}

std::optional<int64_t> PartitionQueue::next_us() const {
  std::optional<int64_t> next = leases_.next_us();
  const auto sooner = [&](int64_t time) { next = std::min(next.value_or(time), time); };
  if (!due_.empty()) sooner(due_.begin()->first);
  const bool waits = !ready_.empty() || fresh_ < head_ || !presented_.empty();
  if (waits && grace_until_us_ > 0) sooner(grace_until_us_);
  return next;
}

}  // namespace acta
