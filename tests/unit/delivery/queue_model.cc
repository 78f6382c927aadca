#include "tests/unit/delivery/queue_model.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace acta {
namespace {

int64_t Micros(absl::Duration duration) { return absl::ToInt64Microseconds(duration); }

}  // namespace

std::string QueueModel::At(Offset offset, const std::string& what) const {
  return absl::StrCat("event ", offset.value(), ": ", what);
}

void QueueModel::Scanned(Offset first, int64_t count, int64_t now_us) {
  for (Offset offset = first; offset < first + count; offset = offset + 1) {
    Event& event = at(offset);
    const bool may_be_held = now_us < grace_until_us_ && offset < loaded_end_;
    const bool expired = event.facts.expires_us <= now_us && !may_be_held;
    if (event.state == State::kReady && expired && event.attempts == 0 && !event.row) {
      event.state = State::kSettled;
    }
    head_ = offset + 1;
  }
}

void QueueModel::Tick(int64_t now_us) {
  for (Offset offset; offset < end(); offset = offset + 1) {
    Event& event = at(offset);
    if (event.state == State::kLeased && event.until_us <= now_us) {
      EndAttempt(offset, AttemptEnd::kLeaseExpired, {}, now_us);
    }
    event.lease_over |= event.state == State::kSettling && event.until_us <= now_us;
    if (now_us >= grace_until_us_ && event.presented && event.state == State::kReady) {
      event.presented = false;
      event.holder = 0;
    }
  }
}

bool QueueModel::Known(Offset offset) const {
  const Event& event = at(offset);
  return offset < head_ || event.attempts > 0 || event.redrives > 0 || event.row;
}

bool QueueModel::InGrace(Offset offset, int64_t now_us) const {
  return now_us < grace_until_us_ &&
         (policy_.order != QueueOrder::kUnordered || offset < loaded_end_);
}

bool QueueModel::Waiting(Offset offset, int64_t now_us) const {
  const Event& event = at(offset);
  if (!Known(offset) || InGrace(offset, now_us)) return false;
  const int64_t over_us = std::min(event.due_to_us, event.facts.expires_us);
  return event.state == State::kReady || (event.state == State::kRetryWait && over_us <= now_us);
}

std::string QueueModel::KeyForbids(Offset offset, int64_t now_us) const {
  const Event& event = at(offset);
  if (!Ordered(event)) return "";
  for (Offset other; other < end(); other = other + 1) {
    const Event& rival = at(other);
    if (other == offset || !Known(other) || rival.facts.key != event.facts.key) continue;
    if (rival.settling) return At(other, "of its key is not durably settled");
    if (rival.state == State::kSettled) continue;
    if (rival.state == State::kLeased || rival.state == State::kSettling) {
      return At(other, "of its key is in flight");
    }
    if (rival.state == State::kHeld) return At(other, "of its key is held");
    if (other > offset || rival.redrives > 0) continue;
    if (policy_.order == QueueOrder::kKey && event.redrives == 0) {
      return At(other, "of its key was before it");
    }
    const bool first = event.attempts == 0 && rival.attempts == 0;
    if (first && event.redrives == 0 && Waiting(other, now_us)) {
      return At(other, "of its key was before it and was never tried");
    }
  }
  return "";
}

std::string QueueModel::Leased(uint64_t member, const LeasedRun& run, int64_t now_us) {
  for (Offset offset = run.first; offset < run.first + run.count; offset = offset + 1) {
    Event& event = at(offset);
    if (event.state == State::kSettled) return At(offset, "leased, but it is settled");
    if (event.state == State::kLeased) return At(offset, "leased twice");
    if (event.state == State::kSettling) return At(offset, "leased, but it is being settled");
    if (event.state == State::kHeld) return At(offset, "leased, but it is held");
    if (InGrace(offset, now_us)) return At(offset, "leased within the grace");
    if (!Known(offset)) return At(offset, "leased before it was scanned");
    if (event.state == State::kRetryWait && now_us < event.due_from_us) {
      return At(offset, "leased too early");
    }
    if (event.facts.expires_us <= now_us) return At(offset, "leased, but it is expired");
    if (run.attempt != event.attempts + 1) return At(offset, "leased under a wrong attempt");
    if (run.redrives != event.redrives) return At(offset, "leased under a wrong round");
    if (run.until_us != now_us + Micros(policy_.lease)) return At(offset, "a wrong deadline");
    if (const std::string why = KeyForbids(offset, now_us); !why.empty()) return At(offset, why);
    if (event.deliveries >= policy_.max_deliveries) return At(offset, "delivered too often");
    event.state = State::kLeased;
    event.holder = member;
    event.leased_us = now_us;
    event.until_us = run.until_us;
    ++event.deliveries;
  }
  return "";
}

std::string QueueModel::NothingToLease(int64_t now_us) const {
  std::set<uint64_t> may_wait;
  for (const Event& event : events_) {
    const bool redriven = event.redrives > 0 && event.state != State::kSettled;
    if (redriven || event.uncommitted) may_wait.insert(event.facts.key);
  }
  for (Offset offset; offset < end(); offset = offset + 1) {
    const Event& event = at(offset);
    if (event.state == State::kHeld && event.facts.expires_us <= now_us) {
      return At(offset, "is held, and expired");
    }
    if (!Waiting(offset, now_us)) continue;
    if (Ordered(event) && may_wait.contains(event.facts.key)) continue;
    if (KeyForbids(offset, now_us).empty()) return At(offset, "could be leased and is not");
  }
  return "";
}

std::optional<int64_t> QueueModel::NextDue(int64_t now_us) const {
  std::optional<int64_t> due;
  for (Offset offset; offset < end(); offset = offset + 1) {
    const Event& event = at(offset);
    // What waits for its key too has no time of its own.
    const bool waits = event.state == State::kRetryWait && Known(offset) && !Ordered(event) &&
                       std::min(event.due_from_us, event.facts.expires_us) > now_us;
    if (!waits && event.state != State::kLeased) continue;
    const int64_t at_us =
        waits ? std::min(event.due_to_us, event.facts.expires_us) : event.until_us;
    due = std::min(due.value_or(at_us), at_us);
  }
  return due;
}

SettleOutcome QueueModel::Expect(uint64_t member, Offset offset, bool needs_lease) const {
  const Event& event = at(offset);
  if (event.state == State::kSettled) return SettleOutcome::kAlreadySettled;
  if (event.state == State::kSettling) return SettleOutcome::kLeaseLost;
  if (event.holder == member && !(event.presented && event.state == State::kReady)) {
    const bool lost = needs_lease && event.state != State::kLeased;
    return lost ? SettleOutcome::kLeaseLost : SettleOutcome::kDone;
  }
  const bool never =
      event.holder == 0 && event.attempts + event.deliveries == 0 && offset >= loaded_end_;
  return never ? SettleOutcome::kNeverLeased : SettleOutcome::kLeaseLost;
}

void QueueModel::Settle(Offset offset) {
  const Event& event = at(offset);
  if (event.attempts > 0 || event.redrives > 0) past_.emplace(offset, event.attempts);
  MakeSettled(offset);
}

void QueueModel::Bury(Offset offset) {
  ++at(offset).dead;
  MakeSettled(offset);
}

void QueueModel::MakeSettled(Offset offset) {
  Event& event = at(offset);
  event.uncommitted = Ordered(event);
  const bool in_flight = event.state == State::kLeased || event.state == State::kSettling;
  event.settling = Ordered(event) && in_flight;
  event.state = State::kSettled;
}

void QueueModel::Committed() {
  for (Event& event : events_) event.settling = event.uncommitted = false;
}

absl::Duration QueueModel::PlainDelay(int32_t failures) const {
  const Backoff& backoff = policy_.backoff;
  absl::Duration delay = backoff.initial;
  for (int32_t i = 1; i < failures; ++i) delay = std::min(backoff.max, delay * backoff.factor);
  return std::min(backoff.max, delay);
}

void QueueModel::EndAttempt(Offset offset, AttemptEnd end, const Nack& nack, int64_t now_us) {
  Event& event = at(offset);
  ++event.attempts;
  event.deliveries = 0;
  failed_.emplace(offset, event.redrives, event.attempts, end, event.holder, event.leased_us);
  const bool exhausted = event.attempts >= policy_.max_attempts;
  const bool hold = policy_.on_exhausted == OnExhausted::kHoldKey && Ordered(event);
  if (end == AttemptEnd::kReject || (exhausted && !hold)) {
    return Bury(offset);
  }
  event.state = exhausted ? State::kHeld : State::kRetryWait;
  const bool at_once = end != AttemptEnd::kNack && event.attempts == 1;
  const int32_t failures = event.attempts - (end != AttemptEnd::kNack);
  const absl::Duration plain = PlainDelay(failures);
  absl::Duration least = plain * (1 - policy_.backoff.jitter);
  absl::Duration most = plain * (1 + policy_.backoff.jitter);
  if (at_once) least = most = absl::ZeroDuration();
  if (nack.delay.has_value()) least = most = *nack.delay;
  event.due_from_us = now_us + Micros(least);
  event.due_to_us = now_us + Micros(most);
}

void QueueModel::Release(Offset offset) {
  at(offset).state = State::kReady;
  at(offset).holder = 0;
}

void QueueModel::MemberGone(uint64_t member, bool cleanly, int64_t now_us) {
  for (Offset offset; offset < end(); offset = offset + 1) {
    Event& event = at(offset);
    if (event.holder != member) continue;
    if (event.presented && event.state == State::kReady) {
      event.presented = false;
      event.holder = 0;
    }
    if (event.state != State::kLeased) continue;
    if (cleanly) {
      Release(offset);
    } else {
      EndAttempt(offset, AttemptEnd::kMemberLost, {}, now_us);
    }
  }
}

bool QueueModel::MayPresent(Offset offset, int64_t now_us) const {
  const Event& event = at(offset);
  if (now_us >= grace_until_us_ || offset >= loaded_end_) return false;
  return (event.state == State::kReady && !event.presented) ||
         (event.state == State::kRetryWait && event.due_from_us <= now_us);
}

void QueueModel::Present(uint64_t member, Offset offset, int64_t now_us) {
  Event& event = at(offset);
  event.holder = member;
  event.presented = !Known(offset);
  if (event.presented) return;
  event.state = State::kLeased;
  event.leased_us = now_us;
  event.until_us = now_us + Micros(policy_.lease);
  ++event.deliveries;
}

void QueueModel::Redrive(Offset offset, int64_t now_us) {
  Event& event = at(offset);
  event.state = State::kRetryWait;
  event.attempts = event.deliveries = 0;
  event.holder = 0;
  ++event.redrives;
  event.due_from_us = event.due_to_us = now_us;
}

void QueueModel::Reset(Offset to) {
  for (Offset offset; offset < end(); offset = offset + 1) {
    Event anew;
    anew.facts = at(offset).facts;
    anew.dead = at(offset).dead;
    anew.state = offset < to ? State::kSettled : State::kReady;
    at(offset) = anew;
  }
  head_ = loaded_end_ = to;
  grace_until_us_ = 0;
}

int64_t QueueModel::CountDead() const {
  int64_t dead = 0;
  for (const Event& event : events_) dead += event.dead;
  return dead;
}

std::string QueueModel::CheckDurable(const QueuePosition& position,
                                     const std::map<Offset, ParkedEvent>& parked) const {
  std::set<Offset> outstanding;
  for (const OffsetRun& run : position.outstanding) {
    for (Offset offset = run.first; offset < run.end; offset = offset + 1) {
      outstanding.insert(offset);
    }
  }
  for (Offset offset; offset < end(); offset = offset + 1) {
    const Event& event = at(offset);
    const bool ahead = offset >= position.head;
    const bool row = parked.contains(offset);
    const bool open = row || ahead || outstanding.contains(offset);
    if (row && outstanding.contains(offset)) return At(offset, "parked and in the window");
    if (event.state == State::kSettled && open && !ahead) return At(offset, "settled, not durably");
    if (event.state == State::kSettled && row) return At(offset, "settled, and has a row");
    if (event.state != State::kSettled && !open) return At(offset, "lost");
    if (event.attempts > 0 && event.state != State::kSettled) {
      if (!row) return At(offset, "failed, and has no row");
      if (parked.at(offset).attempts != event.attempts) return At(offset, "attempts forgotten");
      if (parked.at(offset).redrives != event.redrives) return At(offset, "a round forgotten");
    }
    if (event.state == State::kRetryWait && (parked.at(offset).due_us < event.due_from_us ||
                                             parked.at(offset).due_us > event.due_to_us)) {
      return At(offset, "a wrong due time");
    }
    const bool held = row && parked.at(offset).state == ParkedEvent::State::kHeld;
    if (held != (event.state == State::kHeld)) return At(offset, "held or not");
  }
  return "";
}

std::string QueueModel::CheckDeadLetter(const DeadLetter& letter) const {
  const Event& event = at(letter.offset);
  if (event.attempts != letter.attempts) return At(letter.offset, "a dead letter's attempts");
  if (event.redrives != letter.redrives) return At(letter.offset, "a dead letter's round");
  return "";
}

void QueueModel::Restart(Offset floor, const std::map<Offset, ParkedEvent>& parked,
                         int64_t now_us) {
  head_ = floor;
  loaded_end_ = end();
  failed_.clear();
  past_.clear();
  grace_until_us_ = now_us + (floor < end() || !parked.empty() ? Micros(policy_.grace) : 0);
  for (Offset offset; offset < end(); offset = offset + 1) {
    Event& event = at(offset);
    event.row = parked.contains(offset);
    event.holder = 0;
    event.deliveries = 0;
    event.presented = false;
    if (event.state != State::kLeased && event.state != State::kSettling) continue;
    const bool failed = event.attempts > 0 || event.redrives > 0;
    event.state = failed ? State::kRetryWait : State::kReady;
  }
}

bool QueueModel::AllSettled() const {
  return std::all_of(events_.begin(), events_.end(),
                     [](const Event& event) { return event.state == State::kSettled; });
}

}  // namespace acta
