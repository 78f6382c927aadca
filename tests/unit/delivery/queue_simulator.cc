#include "tests/unit/delivery/queue_simulator.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"

namespace acta {
namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kMostEvents = 60;
constexpr char const* kNames[] = {
    "publish", "scan",   "lease",   "lease",   "ack",     "ack",   "ack",    "nack",
    "reject",  "extend", "release", "leave",   "break",   "wait",  "wait",   "tick",
    "commit",  "commit", "crash",   "present", "redrive", "skip",  "trim",   "keep",
    "hold",    "hold",   "step",    "policy",  "jump",    "reset", "discard"};
constexpr uint32_t kKinds = sizeof(kNames) / sizeof(kNames[0]);

QueueModel::Failed FailedOf(const FailedAttempt& attempt) {
  return {attempt.offset, attempt.redrives, attempt.attempt,
          attempt.end,    attempt.member,   attempt.leased_us};
}

}  // namespace

bool QueueSimulator::Is(uint32_t kind, absl::string_view name) { return kNames[kind] == name; }

QueueSimulator::Life QueueSimulator::MakeLife(uint64_t seed) {
  std::mt19937_64 random(seed);
  const size_t operations = 20 + seed % 100;
  const auto few = [&](int64_t otherwise) {
    return random() % 4 == 0 ? static_cast<int64_t>(1 + random() % 4) : otherwise;
  };
  Life life;
  life.seed = seed;
  life.policy.order = static_cast<QueueOrder>(random() % 3);
  life.policy.on_exhausted = static_cast<OnExhausted>(random() % 2);
  life.policy.max_attempts = 1 + static_cast<int32_t>(random() % 4);
  life.policy.window = static_cast<int32_t>(few(1000));
  life.policy.window_runs = static_cast<int32_t>(few(1000));
  life.budget.max_parked = few(1000);
  life.budget.max_dead_letters = few(1000);
  life.policy.max_deliveries = static_cast<int32_t>(random() % 4 == 0 ? 1 + random() % 3 : 100);
  if (random() % 2 == 0) life.policy.backoff.initial = absl::Seconds(30);
  life.policy.backoff.factor = 1 + static_cast<double>(random() % 3);
  if (random() % 2 == 0) life.policy.backoff.max = absl::Seconds(40);
  life.policy.backoff.jitter = random() % 2 == 0 ? 0.2 : 0;
  for (size_t i = 0; i < operations; ++i) {
    life.operations.push_back({static_cast<uint32_t>(random() % kKinds),
                               static_cast<uint32_t>(random()), static_cast<uint32_t>(random())});
  }
  return life;
}

std::string QueueSimulator::Run(const Life& life, QueueMutant mutant) {
  QueueSimulator simulator(life, mutant);
  for (size_t i = 0; i < life.operations.size(); ++i) {
    std::string wrong = simulator.Do(life.operations[i]);
    const PartitionQueue& queue = *simulator.queue_;
    if (wrong.empty() && !(queue.states() == queue.Count())) wrong = "states are counted wrong";
    if (wrong.empty()) wrong = simulator.CheckCounts();
    if (wrong.empty()) wrong = simulator.CheckNext();
    if (!wrong.empty()) {
      return absl::StrCat("operation ", i, ", ", kNames[life.operations[i].kind], ": ", wrong);
    }
  }
  const std::string wrong = simulator.Drain();
  return wrong.empty() ? "" : absl::StrCat("at the end: ", wrong);
}

QueueSimulator::Life QueueSimulator::Shrink(Life life, QueueMutant mutant) {
  for (size_t i = 0; i < life.operations.size();) {
    Life fewer = life;
    fewer.operations.erase(fewer.operations.begin() + static_cast<ptrdiff_t>(i));
    if (Run(fewer, mutant).empty()) {
      ++i;
    } else {
      life = std::move(fewer);
      i = 0;
    }
  }
  return life;
}

std::string QueueSimulator::Describe(const Life& life) {
  std::string text = absl::StrCat(
      "order ", static_cast<int>(life.policy.order), ", on_exhausted ",
      static_cast<int>(life.policy.on_exhausted), ", max_attempts ", life.policy.max_attempts,
      ", window ", life.policy.window, ", window_runs ", life.policy.window_runs,
      ", max_deliveries ", life.policy.max_deliveries, ", max_parked ", life.budget.max_parked,
      ", max_dead_letters ", life.budget.max_dead_letters, ":");
  for (const Operation& operation : life.operations) {
    absl::StrAppend(&text, "\n  ", kNames[operation.kind], " ", operation.first, " ",
                    operation.second);
  }
  return text;
}

QueueSimulator::QueueSimulator(const Life& life, QueueMutant mutant)
    : life_(life),
      mutant_(mutant),
      policy_(life.policy),
      model_(life.policy),
      durable_model_(life.policy) {
  Open();
}

QueuePolicy QueueSimulator::MachinePolicy() const {
  QueuePolicy policy = policy_;
  if (mutant_ == QueueMutant::kIgnoresKeys) policy.order = QueueOrder::kUnordered;
  if (mutant_ == QueueMutant::kIgnoresGrace) policy.grace = absl::ZeroDuration();
  if (mutant_ == QueueMutant::kRetriesEarly) policy.backoff.initial /= 2;
  if (mutant_ == QueueMutant::kScansWhenFull) policy.window = policy.window_runs = 1000;
  return policy;
}

void QueueSimulator::MakeQueue() {
  queue_ = std::make_unique<PartitionQueue>(MachinePolicy(), budget_, life_.seed);
}

void QueueSimulator::Open() {
  std::vector<ParkedEvent> rows;
  for (const auto& [offset, row] : parked_) rows.push_back(row);
  for (ParkedEvent& row : rows) {
    if (mutant_ == QueueMutant::kForgetsDue) row.due_us = 0;
    if (mutant_ == QueueMutant::kForgetsAttempts) row.attempts = 0;
  }
  if (mutant_ == QueueMutant::kLosesRow && !rows.empty()) rows.pop_back();
  queue_.reset();
  budget_ = life_.budget;
  budget_.dead_letters = static_cast<int64_t>(letters_.size());
  if (mutant_ == QueueMutant::kScansWhenFull) budget_.max_parked = 1000;
  if (mutant_ == QueueMutant::kLeasesWhenFull) budget_.max_dead_letters = 1000;
  MakeQueue();
  queue_->Load(position_, rows, Offset(static_cast<int64_t>(log_.size())), now_us_);
}

Offset QueueSimulator::Pick(uint32_t chance) const {
  return Offset(static_cast<int64_t>(chance % log_.size()));
}

void QueueSimulator::Publish(uint32_t chance, int64_t count) {
  std::mt19937 random(chance);
  for (int64_t i = 0; i < count; ++i) {
    if (static_cast<int64_t>(log_.size()) >= kMostEvents) return;
    EventFacts facts;
    facts.key = random() % 4;
    if (random() % 8 == 0) facts.expires_us = now_us_ + random() % 60 * kSecond;
    log_.push_back(facts);
    model_.Publish(facts);
  }
}

void QueueSimulator::Scan(int64_t most) {
  const Offset head = queue_->head();
  const int64_t count =
      std::min({most, queue_->Room(), static_cast<int64_t>(log_.size()) - head.value()});
  if (count <= 0) return;
  queue_->Scan(
      absl::MakeSpan(log_).subspan(static_cast<size_t>(head.value()), static_cast<size_t>(count)),
      now_us_);
  model_.Scanned(head, count, now_us_);
  for (Offset offset = head; offset < head + count; offset = offset + 1) {
    QueueModel::Event& event = model_.at(offset);
    if (!event.presented) continue;
    if (queue_->holder(offset) == event.holder) {
      model_.Present(event.holder, offset, now_us_);
    } else {
      event.presented = false;
      event.holder = 0;
    }
  }
}

std::string QueueSimulator::FindOver() {
  for (Offset offset; offset < model_.end(); offset = offset + 1) {
    const QueueModel::Event& event = model_.at(offset);
    if (model_.Known(offset) && !queue_->IsOutstanding(offset) &&
        event.state != QueueModel::State::kSettled) {
      const bool expired = event.facts.expires_us <= now_us_;
      const bool looped = event.deliveries >= policy_.max_deliveries;
      if (!expired && !looped) return absl::StrCat("event ", offset.value(), " vanished");
      if (expired) {
        model_.Settle(offset);
      } else {
        model_.Bury(offset);
      }
    }
  }
  return "";
}

std::string QueueSimulator::Lease(uint64_t member, int64_t most) {
  std::vector<LeasedRun> runs;
  const int64_t dead = model_.CountDead();
  model_.Tick(now_us_);
  const bool full =
      budget_.dead_letters + model_.CountDead() - dead >= life_.budget.max_dead_letters;
  const int64_t leased =
      queue_->Lease(member, {most, std::numeric_limits<int64_t>::max()}, now_us_, &runs).events;
  int64_t counted = 0;
  if (std::string wrong = FindOver(); !wrong.empty()) return wrong;
  for (const LeasedRun& run : runs) {
    counted += run.count;
    for (int32_t i = 0; i < run.count; ++i) had_.emplace(member, run.first + i);
    if (std::string wrong = model_.Leased(member, run, now_us_); !wrong.empty()) return wrong;
  }
  if (counted != leased) return "the runs are not what was leased";
  if (full && leased > 0) return "leased, with as many dead letters as may be";
  // Of those that were delivered too often some may have filled it just now.
  const bool stopped = budget_.dead_letters >= life_.budget.max_dead_letters;
  return leased < most && !stopped ? model_.NothingToLease(now_us_) : "";
}

std::string QueueSimulator::Settle(uint32_t kind, uint64_t member, Offset offset, uint32_t chance) {
  const bool ack = Is(kind, "ack");
  Nack nack;
  if (chance % 3 == 0) nack.delay = absl::Seconds(chance % 7);
  SettleOutcome expected = model_.Expect(member, offset, !ack);
  SettleOutcome got = SettleOutcome::kDone;
  const absl::Duration length = absl::Seconds(1 + chance % 50'000);
  if (ack) {
    Offset acked = offset;
    if (mutant_ == QueueMutant::kSettlesAnother && expected == SettleOutcome::kDone) {
      for (Offset other; other < model_.end(); other = other + 1) {
        if (model_.Expect(member, other, true) == SettleOutcome::kDone) acked = other;
      }
    }
    got = queue_->Ack(member, acked);
    const uint64_t holder = queue_->holder(offset);
    if (mutant_ == QueueMutant::kAcksLaterAttempt && got == SettleOutcome::kLeaseLost &&
        holder != 0 && had_.contains({member, offset})) {
      queue_->Ack(holder, offset);
    }
  } else if (Is(kind, "nack") || (Is(kind, "release") && mutant_ == QueueMutant::kCountsRelease)) {
    got = queue_->Fail(member, offset, nack, now_us_);
  } else if (Is(kind, "reject")) {
    got = queue_->Reject(member, offset, nack, now_us_);
  } else if (Is(kind, "extend")) {
    const int64_t until = now_us_ + absl::ToInt64Microseconds(length);
    const bool long_one =
        until > model_.at(offset).leased_us + absl::ToInt64Microseconds(policy_.longest_lease);
    if (expected == SettleOutcome::kDone && long_one) expected = SettleOutcome::kTooLong;
    got = queue_->Extend(member, offset, length, now_us_);
    if (expected == SettleOutcome::kDone) model_.Extend(offset, until);
  } else {
    got = queue_->Release(member, offset);
  }
  if (got != expected) {
    return absl::StrCat("event ", offset.value(), ": outcome ", static_cast<int>(got),
                        ", expected ", static_cast<int>(expected));
  }
  if (expected != SettleOutcome::kDone || Is(kind, "extend")) return "";
  if (ack) model_.Settle(offset);
  if (Is(kind, "nack")) model_.EndAttempt(offset, AttemptEnd::kNack, nack, now_us_);
  if (Is(kind, "reject")) model_.EndAttempt(offset, AttemptEnd::kReject, nack, now_us_);
  if (Is(kind, "release")) model_.Release(offset);
  return "";
}

void QueueSimulator::Gone(uint64_t member, bool cleanly) {
  const bool forgets = mutant_ == QueueMutant::kForgetsHolder && cleanly;
  if (!forgets) queue_->MemberGone(member, cleanly, now_us_);
  model_.MemberGone(member, cleanly, now_us_);
}

std::string QueueSimulator::Hold(uint64_t member, Offset offset, uint32_t chance) {
  const bool other_attempt = chance % 8 == 0, other_round = chance % 8 == 1;
  SettleOutcome expected = model_.Expect(member, offset, true);
  if (expected == SettleOutcome::kDone && (other_attempt || other_round))
    expected = SettleOutcome::kLeaseLost;
  const bool names = mutant_ != QueueMutant::kHoldsLaterAttempt;
  const int32_t attempt = model_.at(offset).attempts + 1 + (names && other_attempt);
  const int32_t round = model_.at(offset).redrives;
  const int32_t redrives = names && other_round ? (round > 0 ? round - 1 : 1) : round;
  if (queue_->Hold(member, offset, attempt, redrives) != expected) {
    return absl::StrCat("event ", offset.value(), ": held or not");
  }
  if (expected != SettleOutcome::kDone) return "";
  model_.at(offset).state = QueueModel::State::kSettling;
  model_.at(offset).lease_over = false;
  planned_.erase(offset);
  if (chance % 3 == 0) return "";
  Planned& planned = planned_[offset];
  if (chance % 5 == 0) planned.nack.delay = absl::Seconds(chance % 7);
  planned.policy = policy_;
  planned.failure = queue_->PlanFailure(
      offset, chance % 3 == 1 ? AttemptEnd::kNack : AttemptEnd::kReject, planned.nack, now_us_);
  return "";
}

std::string QueueSimulator::Confirm(Offset offset) {
  const auto it = planned_.find(offset);
  parked_.erase(offset);
  if (it == planned_.end()) {
    queue_->Confirm(offset);
    model_.Settle(offset);
    model_.TakePast();  // Is in the write of the step.
    return "";
  }
  const Failure& failure = it->second.failure;
  queue_->Confirm(offset, mutant_ == QueueMutant::kForgetsFailure ? nullptr : &failure);
  model_.SetPolicy(it->second.policy);
  model_.EndAttempt(offset, failure.attempt.end, it->second.nack, failure.attempt.ended_us);
  model_.SetPolicy(policy_);
  if (model_.TakeFailed() != std::multiset{FailedOf(failure.attempt)}) {
    return absl::StrCat("event ", offset.value(), ": failed otherwise than was planned");
  }
  if (!failure.letter.has_value()) {
    parked_[offset] = failure.parked;
    return "";
  }
  ++dead_[offset];
  Buried(offset);
  return model_.CheckDeadLetter(*failure.letter);
}

std::string QueueSimulator::Step(bool stored, bool gone) {
  std::vector<Offset> held;
  for (Offset offset; offset < model_.end(); offset = offset + 1) {
    if (model_.at(offset).state == QueueModel::State::kSettling) held.push_back(offset);
  }
  if (!stored) {
    const int64_t until_us = now_us_ + absl::ToInt64Microseconds(policy_.lease);
    for (const Offset offset : held) {
      queue_->Unhold(offset, gone ? std::nullopt : std::optional(until_us));
      QueueModel::Event& event = model_.at(offset);
      event.state = QueueModel::State::kLeased;
      if (gone) model_.Release(offset);
      if (event.lease_over) model_.Extend(offset, until_us);
      event.lease_over = false;
    }
    return "";
  }
  // One write: all that changed, and these on top of it.
  if (std::string wrong = Commit(); !wrong.empty()) return wrong;
  if (mutant_ != QueueMutant::kLosesStep) position_ = queue_->PositionWithout(held);
  for (const Offset offset : held) {
    if (std::string wrong = Confirm(offset); !wrong.empty()) return wrong;
  }
  model_.Committed();
  durable_model_ = model_;
  durable_dead_ = dead_;
  durable_letters_ = letters_;
  return durable_model_.CheckDurable(position_, parked_);
}

// What is told of attempts: of each that failed, and of those that nobody asks for any more.
std::string QueueSimulator::CheckAttempts(const QueueChanges& changes) {
  std::multiset<QueueModel::Failed> failed;
  for (const FailedAttempt& attempt : changes.failed) failed.insert(FailedOf(attempt));
  if (failed != model_.TakeFailed()) return "other attempts failed than is told";
  std::multiset<QueueModel::Past> past;
  for (const PastAttempts& one : changes.past) past.emplace(one.offset, one.attempts);
  if (past != model_.TakePast()) return "attempts of others are past than is told";
  return "";
}

std::string QueueSimulator::Commit() {
  QueueChanges changes = queue_->TakeChanges();
  if (std::string wrong = CheckAttempts(changes); !wrong.empty()) return wrong;
  if (changes.position.has_value() && mutant_ != QueueMutant::kLosesPosition) {
    position_ = *changes.position;
  }
  for (const ParkedEvent& row : changes.parked) parked_[row.offset] = row;
  for (const Offset offset : changes.unparked) parked_.erase(offset);
  for (const DeadLetter& letter : changes.dead_letters) {
    dead_[letter.offset] += 1 + (mutant_ == QueueMutant::kBuriesTwice);
    Buried(letter.offset);
    if (std::string wrong = model_.CheckDeadLetter(letter); !wrong.empty()) return wrong;
  }
  for (Offset offset; offset < model_.end(); offset = offset + 1) {
    const auto it = dead_.find(offset);
    const int32_t buried = it == dead_.end() ? 0 : it->second;
    if (buried != model_.at(offset).dead) {
      return absl::StrCat("event ", offset.value(), ": ", buried, " dead letters, expected ",
                          model_.at(offset).dead);
    }
  }
  if (budget_.dead_letters != static_cast<int64_t>(letters_.size())) {
    return absl::StrCat(budget_.dead_letters, " dead letters are counted, there are ",
                        letters_.size());
  }
  queue_->PassTurns(changes.turns);
  model_.Committed();
  durable_model_ = model_;
  durable_dead_ = dead_;
  durable_letters_ = letters_;
  return model_.CheckDurable(position_, parked_);
}

std::string QueueSimulator::Crash() {
  lost_leases_.clear();
  for (Offset offset; offset < model_.end(); offset = offset + 1) {
    const QueueModel::Event& event = model_.at(offset);
    if (event.state == QueueModel::State::kLeased || event.state == QueueModel::State::kSettling) {
      lost_leases_.emplace_back(event.holder, offset);
    }
  }
  const Offset known = durable_model_.end();
  model_ = durable_model_;
  dead_ = durable_dead_;
  letters_ = durable_letters_;
  for (Offset offset = known; offset.value() < static_cast<int64_t>(log_.size());
       offset = offset + 1) {
    model_.Publish(log_[static_cast<size_t>(offset.value())]);
  }
  model_.Restart(position_.floor, parked_, now_us_);
  Open();
  return Trim(first_);
}

std::string QueueSimulator::Do(const Operation& operation) {
  const uint32_t kind = operation.kind;
  const uint64_t member = 1 + operation.first % kMembers;
  if (Is(kind, "publish")) Publish(operation.first, 1 + operation.second % 6);
  if (Is(kind, "scan")) Scan(1 + operation.second % 20);
  if (Is(kind, "lease")) return Lease(member, 1 + operation.second % 6);
  if (Is(kind, "leave") || Is(kind, "break")) Gone(member, Is(kind, "leave"));
  if (Is(kind, "wait")) now_us_ += operation.second % 40 * kSecond / 2;
  if (Is(kind, "tick") || Is(kind, "wait")) {
    model_.Tick(now_us_);
    queue_->Tick(now_us_);
    const std::optional<int64_t> next = queue_->next_us();
    if (next.has_value() && *next <= now_us_) return "there is something to do at once again";
    if (std::string wrong = FindOver(); !wrong.empty()) return wrong;
  }
  if (Is(kind, "commit")) return Commit();
  if (Is(kind, "step")) return Step(operation.first % 3 != 0, operation.second % 2 == 0);
  if (Is(kind, "crash")) return Crash();
  // Never back: the server's clock is not.
  if (Is(kind, "jump")) now_us_ += (1 + operation.second % 72) * 3600 * kSecond;
  if (Is(kind, "jump") && operation.first % 3 == 0) return Crash();
  if (log_.empty()) return "";
  const Offset offset = Pick(operation.second);
  if (Is(kind, "hold")) return Hold(member, offset, operation.first / 8);
  if (Is(kind, "ack") || Is(kind, "nack") || Is(kind, "reject") || Is(kind, "extend") ||
      Is(kind, "release")) {
    return Settle(kind, member, offset, operation.first);
  }
  if (Is(kind, "present")) {
    // Or somebody says what he likes.
    const bool lies = lost_leases_.empty() || operation.first % 3 == 0;
    const auto [holder, lost] =
        lies ? std::pair(member, offset) : lost_leases_[operation.second % lost_leases_.size()];
    const bool may = model_.MayPresent(lost, now_us_);
    const bool got = queue_->Present(holder, lost, now_us_);
    if (got && !may) return absl::StrCat("event ", lost.value(), " was presented");
    if (got) model_.Present(holder, lost, now_us_);
  }
  return Administer(operation);
}

std::string QueueSimulator::Drain() {
  if (std::string wrong = Step(/*stored=*/true, /*gone=*/false); !wrong.empty()) return wrong;
  for (int round = 0; round < 400; ++round) {
    while (!letters_.empty()) Discard(*letters_.begin());
    Scan(kMostEvents);
    for (Offset offset; offset < model_.end(); offset = offset + 1) {
      if (model_.at(offset).state != QueueModel::State::kHeld) continue;
      queue_->Skip(offset);
      model_.Settle(offset);
    }
    if (std::string wrong = Lease(9, 7); !wrong.empty()) return wrong;
    for (Offset offset; offset < model_.end(); offset = offset + 1) {
      const QueueModel::Event& event = model_.at(offset);
      if (event.holder != 9 || event.state != QueueModel::State::kLeased) continue;
      if (queue_->Ack(9, offset) != SettleOutcome::kDone) return "not acknowledged";
      model_.Settle(offset);
    }
    if (std::string wrong = Commit(); !wrong.empty()) return wrong;
    if (model_.AllSettled() && queue_->head() == model_.end()) return "";
    now_us_ += 200 * kSecond;
  }
  return "not everything is settled";
}

}  // namespace acta
