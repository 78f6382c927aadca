// What operators and retention do in the life of a queue, and what is counted.
#include <algorithm>
#include <iterator>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/delivery/queue_simulator.h"

namespace acta {

Offset QueueSimulator::PickLetter(uint32_t chance) const {
  if (letters_.empty()) return Pick(chance);
  return *std::next(letters_.begin(), static_cast<ptrdiff_t>(chance % letters_.size()));
}

std::string QueueSimulator::Administer(const Operation& operation) {
  const uint32_t kind = operation.kind;
  const Offset offset = Pick(operation.second);
  if (Is(kind, "policy") && operation.first % 4 == 0) return ChangePolicy(operation.second);
  if (Is(kind, "reset") && operation.first % 2 == 0) return Reset(operation.second);
  if (Is(kind, "redrive")) {
    return Redrive(operation.first % 3 == 0 ? offset : PickLetter(operation.second));
  }
  if (Is(kind, "discard") && !letters_.empty()) Discard(PickLetter(operation.second));
  if (Is(kind, "keep")) queue_->ParkBelow(offset);
  if (Is(kind, "trim") && operation.first % 4 == 0) return Trim(offset);
  if (Is(kind, "skip") && offset < model_.head()) {
    const bool open = model_.at(offset).state != QueueModel::State::kSettled;
    if (queue_->Skip(offset) != open) return "skipped or not";
    if (open) model_.Settle(offset);
  }
  if (Is(kind, "skip") && offset >= queue_->head()) return SkipAhead(offset + 1);
  return "";
}

// What was not looked at yet.
std::string QueueSimulator::SkipAhead(Offset end) {
  const Offset head = queue_->head();
  std::set<Offset> open;
  for (Offset offset = head; offset < end; offset = offset + 1) {
    const bool settled = model_.at(offset).state == QueueModel::State::kSettled;
    if (!settled && !queue_->IsOutstanding(offset)) open.insert(offset);
  }
  if (queue_->CountUnscanned(end) != static_cast<int64_t>(open.size())) return "counted or not";
  std::set<Offset> skipped;
  for (const OffsetRun& run : queue_->SkipUnscanned(end)) {
    for (Offset offset = run.first; offset < run.end; offset = offset + 1) skipped.insert(offset);
  }
  if (skipped != open) return "skipped or not";
  for (const Offset offset : open) model_.Settle(offset);
  model_.Scanned(head, Lag(head, queue_->head()), now_us_);
  return "";
}

// Dead letters only when they are on the disk, and while more may be parked.
std::string QueueSimulator::Redrive(Offset offset) {
  const QueueModel::Event& event = model_.at(offset);
  const bool held = event.state == QueueModel::State::kHeld;
  const bool dead = event.state == QueueModel::State::kSettled && letters_.contains(offset) &&
                    dead_[offset] == event.dead && budget_.parked < life_.budget.max_parked;
  if (!held && !dead) return "";
  if (!queue_->Redrive(offset, event.facts, event.redrives + 1, now_us_)) return "not redriven";
  if (dead) Discard(offset);
  model_.Redrive(offset, now_us_);
  return "";
}

void QueueSimulator::Discard(Offset offset) {
  letters_.erase(offset);
  --budget_.dead_letters;
}

void QueueSimulator::Buried(Offset offset) {
  // Of the same event before a reset.
  if (!letters_.insert(offset).second) --budget_.dead_letters;
}

// As the registry of groups does it: nobody is a member any more, what they did is on the disk, and
// one write says where the queue begins anew. Dead letters stay.
std::string QueueSimulator::Reset(uint32_t chance) {
  for (uint64_t member = 1; member <= kMembers; ++member) Gone(member, true);
  if (std::string wrong = Step(chance % 3 != 0, /*gone=*/true); !wrong.empty()) return wrong;
  if (std::string wrong = Commit(); !wrong.empty()) return wrong;
  const Offset to = first_ + static_cast<int64_t>(chance / 3) % (Lag(first_, model_.end()) + 1);
  position_.floor = to;
  position_.head = std::max(to, position_.head);
  if (mutant_ != QueueMutant::kResetKeepsRuns) position_ = {to, to, {}};
  std::vector<ParkedEvent> rows;
  if (mutant_ == QueueMutant::kResetKeepsRows) {
    for (const auto& [offset, row] : parked_) rows.push_back(row);
  }
  parked_.clear();
  planned_.clear();
  queue_.reset();
  if (budget_.parked != 0) return "what a queue that is gone had parked is counted";
  MakeQueue();
  queue_->Load(position_, rows, std::nullopt, now_us_);
  model_.Reset(to);
  durable_model_ = model_;
  durable_dead_ = dead_;
  durable_letters_ = letters_;
  return model_.CheckDurable(position_, parked_);
}

// What is full is so by what there is, and leaves no room for a scan.
std::string QueueSimulator::CheckCounts() const {
  const std::vector<ParkedEvent> rows = queue_->AllParked();
  const auto parked = static_cast<int64_t>(rows.size());
  if (budget_.parked != parked) {
    return absl::StrCat(budget_.parked, " parked ones are counted, there are ", parked);
  }
  auto row = rows.begin();
  int64_t events = 0, runs = 0;
  bool in_run = false;
  for (Offset offset; offset < queue_->head(); offset = offset + 1) {
    while (row != rows.end() && row->offset < offset) ++row;
    const bool has_row = row != rows.end() && row->offset == offset;
    const bool open = !has_row && model_.at(offset).state != QueueModel::State::kSettled;
    events += open;
    runs += open && !in_run;
    in_run = open;
  }
  const bool full = runs >= policy_.window_runs || parked >= life_.budget.max_parked;
  const int64_t room = full ? 0 : std::max<int64_t>(0, policy_.window - events);
  if (queue_->Room() == room) return "";
  return absl::StrCat("room for ", queue_->Room(), ", expected ", room);
}

// Who only waits for the time that is named does everything in time.
std::string QueueSimulator::CheckNext() const {
  const std::optional<int64_t> latest = model_.NextDue(now_us_);
  const std::optional<int64_t> next = queue_->next_us();
  const bool late = latest.has_value() && next.value_or(*latest + 1) > *latest;
  return late ? "there is something to do before the time that is named" : "";
}

// Retention, and an operator who skips what is lost by it: what was not settled and has no row of
// its own, and nothing else.
std::string QueueSimulator::Trim(Offset first) {
  first_ = std::max(first_, first);
  std::set<Offset> lost;
  for (const Offset offset : queue_->OutstandingBelow(first_)) {
    if (!queue_->Parked(offset).has_value() && queue_->Skip(offset)) lost.insert(offset);
  }
  for (const OffsetRun& run : queue_->SkipUnscanned(first_)) {
    for (Offset offset = run.first; offset < run.end; offset = offset + 1) lost.insert(offset);
  }
  for (Offset offset; offset < first_; offset = offset + 1) {
    const bool open = model_.at(offset).state != QueueModel::State::kSettled;
    if (lost.contains(offset) != (open && !queue_->IsOutstanding(offset))) {
      return absl::StrCat("event ", offset.value(), ": lost or not");
    }
    if (lost.contains(offset)) model_.Settle(offset);
  }
  model_.Scanned(std::min(model_.head(), first_), Lag(std::min(model_.head(), first_), first_),
                 now_us_);
  return "";
}

// An operator changes settings, which are durable first. Another order comes while nobody has a
// lease, a stricter one while nothing that failed is outstanding.
std::string QueueSimulator::ChangePolicy(uint32_t chance) {
  if (std::string wrong = Commit(); !wrong.empty()) return wrong;
  std::mt19937 random(chance);
  policy_.max_attempts = 1 + static_cast<int32_t>(random() % 4);
  policy_.on_exhausted = static_cast<OnExhausted>(random() % 2);
  policy_.lease = absl::Seconds(1 + random() % 40);
  policy_.backoff.initial = absl::Seconds(1 + random() % 20);
  const auto order = static_cast<QueueOrder>(random() % 3);
  // As strict as it is: unordered, relaxed, by key.
  const auto strictness = [](QueueOrder order) {
    return order == QueueOrder::kUnordered ? 0 : order == QueueOrder::kKeyRelaxed ? 1 : 2;
  };
  const bool stricter = strictness(order) > strictness(policy_.order);
  if (order != policy_.order && !(stricter && queue_->CountTried() > 0)) {
    if (std::string wrong = Step(/*stored=*/false, /*gone=*/true); !wrong.empty()) return wrong;
    for (uint64_t member = 1; member <= kMembers; ++member) Gone(member, true);
    if (std::string wrong = Commit(); !wrong.empty()) return wrong;
    policy_.order = order;
  }
  queue_->SetPolicy(MachinePolicy());
  model_.SetPolicy(policy_);
  durable_model_.SetPolicy(policy_);
  return "";
}

}  // namespace acta
