#include "server/core/delivery/partition_queue.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace acta {

PartitionQueue::PartitionQueue(const QueuePolicy& policy, QueueBudget& budget, uint64_t seed)
    : policy_(policy), budget_(budget), random_(seed) {}

PartitionQueue::~PartitionQueue() {
  budget_.parked -= static_cast<int64_t>(events_.parked().size());
}

void PartitionQueue::Load(const QueuePosition& position, const std::vector<ParkedEvent>& parked,
                          std::optional<Offset> end, int64_t now_us) {
  // What follows the floor is scanned again; what was settled there is passed over.
  head_ = fresh_ = position.floor;
  Offset settled = position.floor;
  for (const OffsetRun& run : position.outstanding) {
    if (settled < run.first) done_ahead_.push_back({settled, run.first});
    settled = run.end;
  }
  if (settled < position.head) done_ahead_.push_back({settled, position.head});
  std::reverse(done_ahead_.begin(), done_ahead_.end());
  PassSettled();
  for (const ParkedEvent& event : parked) {
    Entry& entry = events_.AddParked(event.offset, event.facts);
    entry.attempts = event.attempts;
    entry.redrives = event.redrives;
    entry.due_us = event.due_us;
    entry.state = StateOf(event.state);
    ++Counted(entry.state);
  }
  budget_.parked += static_cast<int64_t>(events_.parked().size());
  now_us_ = now_us;
  OrderAnew();
  loaded_end_ = end.value_or(position.floor);
  has_grace_ = end.has_value() && (position.floor < *end || !parked.empty());
  grace_until_us_ = now_us;
  BeginGrace(now_us);
}

void PartitionQueue::BeginGrace(int64_t now_us) {
  if (has_grace_) grace_until_us_ = now_us + absl::ToInt64Microseconds(policy_.grace);
}

void PartitionQueue::SetPolicy(const QueuePolicy& policy) {
  const bool reorder = policy.order != policy_.order;
  policy_ = policy;
  if (reorder) OrderAnew();
}

void PartitionQueue::OrderAnew() {
  turns_ = KeyTurns();
  ready_.clear();
  due_.clear();
  std::vector<Offset> offsets = OutstandingBelow(Offset(std::numeric_limits<int64_t>::max()));
  std::sort(offsets.begin(), offsets.end());
  // What is held keeps its key, also from those before it that were redriven.
  for (const Offset offset : offsets) {
    const Entry& entry = *Find(offset);
    if (entry.state == State::kHeld && Ordered(entry)) turns_.Take(entry.facts.key, offset);
  }
  for (const Offset offset : offsets) PlaceAnew(offset);
  fresh_ = floor();
}

void PartitionQueue::PlaceAnew(Offset offset) {
  Entry* const entry = Find(offset);
  if (entry->state == State::kHeld) return AwaitTime(offset, *entry);
  if (entry->state == State::kLeased) {
    DropLease(entry);
    entry->holder = 0;
  }
  const bool parked = entry->parked;
  const bool tried = WasTried(*entry);
  const bool in_turn = Ordered(*entry) && (policy_.order == QueueOrder::kKey || !tried);
  if (in_turn && !turns_.Take(entry->facts.key, offset)) {
    if (parked) return SetState(entry, State::kBlocked);
    if (BehindParked(entry->facts.key)) return SetState(&Park(offset), State::kBlocked);
    return SetState(entry, State::kWaitsForKey);
  }
  if (parked) {
    SetState(entry, State::kRetryWait);
    return AwaitTime(offset, *entry);
  }
  SetState(entry, State::kReady);
  // What is from before the load may wait for the grace still, and this need not.
  if (policy_.order == QueueOrder::kUnordered && offset >= loaded_end_) ready_.insert(offset);
}

PartitionQueue::State PartitionQueue::StateOf(ParkedEvent::State state) {
  switch (state) {
    case ParkedEvent::State::kRetryWait:
      return State::kRetryWait;
    case ParkedEvent::State::kBlockedByKey:
      return State::kBlocked;
    case ParkedEvent::State::kHeld:
      return State::kHeld;
  }
  return State::kRetryWait;
}

// The generator of SplitMix64 (Steele, Lea, Flood 2014).
double PartitionQueue::Random() {
  uint64_t z = (random_ += 0x9e3779b97f4a7c15U);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return static_cast<double>((z ^ (z >> 31)) >> 11) / static_cast<double>(uint64_t{1} << 53);
}

int64_t PartitionQueue::Room() const {
  if (static_cast<int64_t>(events_.runs().size()) >= policy_.window_runs ||
      budget_.parked >= budget_.max_parked)
    return 0;
  return std::max<int64_t>(0, policy_.window - events_.in_window());
}

void PartitionQueue::Scan(absl::Span<const EventFacts> events, int64_t now_us) {
  for (const EventFacts& facts : events) ScanOne(facts, now_us);
  PassSettled();
}

// Nobody needs the log for it, which may be without it by now.
void PartitionQueue::PassSettled() {
  while (!done_ahead_.empty() && done_ahead_.back().first <= head_) {
    head_ = std::max(head_, done_ahead_.back().end);
    done_ahead_.pop_back();
  }
}

void PartitionQueue::ScanOne(const EventFacts& facts, int64_t now_us) {
  const Offset offset = head_;
  head_ = head_ + 1;
  while (!done_ahead_.empty() && done_ahead_.back().end <= offset) done_ahead_.pop_back();
  if (!done_ahead_.empty() && done_ahead_.back().first <= offset) return;
  // Its row says what it is, whatever the position says.
  if (events_.IsParked(offset)) return;
  // Of one that somebody may have since before the load it is asked when it is leased.
  const bool may_be_held = now_us < grace_until_us_ && offset < loaded_end_;
  if (facts.expires_us <= now_us && !may_be_held) {
    Expire(offset);
    moved_ = true;
    return;
  }
  const Entry& entry = events_.Append(offset, facts);
  ++Counted(entry.state);
  if (Ordered(entry) && !turns_.Take(facts.key, offset) && BehindParked(facts.key)) {
    SetState(&Park(offset), State::kBlocked);
  }
  // What is from before the load waits for the grace, and this need not.
  if (policy_.order == QueueOrder::kUnordered && fresh_ < loaded_end_ && offset >= loaded_end_) {
    ready_.insert(offset);
  }
  if (presented_.empty()) return;
  const auto presented = presented_.find(offset);
  if (presented == presented_.end()) return;
  const uint64_t member = presented->second;
  presented_.erase(presented);
  Present(member, offset, now_us);
}

// In the window it would keep the floor for as long as that one waits.
bool PartitionQueue::BehindParked(uint64_t key) const {
  if (events_.parked().empty()) return false;
  const Entry* const front = Find(*turns_.Front(key));
  return front != nullptr && front->parked &&
         (front->state == State::kRetryWait || front->state == State::kHeld);
}

PartitionQueue::Entry& PartitionQueue::Park(Offset offset) {
  rows_.insert(offset);
  Entry& entry = *Find(offset);
  if (entry.parked) return entry;
  moved_ = true;
  ++budget_.parked;
  return events_.Park(offset);
}

void PartitionQueue::ParkBelow(Offset end) {
  while (floor() < std::min(end, head_)) {
    const Offset offset = floor();
    Entry& entry = Park(offset);
    if (entry.state == State::kReady) ready_.insert(offset);
    if (entry.state == State::kWaitsForKey) SetState(&entry, State::kBlocked);
  }
  fresh_ = std::max(fresh_, std::min(end, head_));
}

std::vector<Offset> PartitionQueue::OutstandingBelow(Offset end) const {
  std::vector<Offset> offsets;
  for (const auto& [offset, entry] : events_.parked()) {
    if (offset >= end) break;
    offsets.push_back(offset);
  }
  for (const auto& [first, last] : events_.runs()) {
    if (first >= end) break;
    for (Offset at = first; at < std::min(end, last); at = at + 1) offsets.push_back(at);
  }
  return offsets;
}

void PartitionQueue::ParkWaiting(uint64_t key) {
  const absl::btree_set<Offset>* const waiting = turns_.Waiting(key);
  if (waiting == nullptr) return;
  for (const Offset offset : *waiting) {
    if (!Find(offset)->parked) SetState(&Park(offset), State::kBlocked);
  }
}

QueuePosition PartitionQueue::position() const {
  QueuePosition position;
  position.floor = floor();
  position.head = head_;
  position.outstanding.reserve(events_.runs().size());
  for (const auto& [first, end] : events_.runs()) position.outstanding.push_back({first, end});
  // What the load found settled further on stays so.
  Offset end = head_;
  for (auto run = done_ahead_.rbegin(); run != done_ahead_.rend(); ++run) {
    if (run->end <= head_) continue;
    const Offset first = std::max(run->first, head_);
    if (end < first) position.outstanding.push_back({end, first});
    end = run->end;
  }
  position.head = end;
  return position;
}

QueueChanges PartitionQueue::TakeChanges() {
  QueueChanges changes = std::exchange(changes_, {});
  if (std::exchange(moved_, false)) changes.position = position();
  for (const Offset offset : std::exchange(rows_, {})) {
    if (const auto row = Parked(offset)) {
      changes.parked.push_back(*row);
    } else {
      changes.unparked.push_back(offset);
    }
  }
  return changes;
}

ParkedEvent PartitionQueue::RowOf(Offset offset, const Entry& entry) {
  // Who was never tried is there because of its key, and comes in its turn after a load.
  const bool tried = WasTried(entry);
  const auto state = entry.state == State::kHeld ? ParkedEvent::State::kHeld
                     : tried                     ? ParkedEvent::State::kRetryWait
                                                 : ParkedEvent::State::kBlockedByKey;
  return {offset, state, entry.due_us, entry.facts, entry.attempts, entry.redrives};
}

std::optional<ParkedEvent> PartitionQueue::Parked(Offset offset) const {
  const Entry* const entry = Find(offset);
  if (entry == nullptr || !entry->parked) return std::nullopt;
  return RowOf(offset, *entry);
}

std::vector<ParkedEvent> PartitionQueue::HeldIn(OffsetRun run, size_t most) const {
  std::vector<ParkedEvent> held;
  if (states().held == 0) return held;
  const auto& parked = events_.parked();
  for (auto it = parked.lower_bound(run.first); it != parked.end() && it->first < run.end; ++it) {
    if (held.size() == most) break;
    if (it->second->state == State::kHeld) held.push_back(RowOf(it->first, *it->second));
  }
  return held;
}

std::vector<ParkedEvent> PartitionQueue::AllParked() const {
  std::vector<ParkedEvent> rows;
  rows.reserve(events_.parked().size());
  for (const auto& [offset, entry] : events_.parked()) rows.push_back(RowOf(offset, *entry));
  return rows;
}

PartitionQueue::Counts PartitionQueue::Count() const {
  Counts counts;
  events_.ForEach([&](Offset offset, const Entry& entry) {
    counts.ready += entry.state == State::kReady;
    counts.leased += entry.state == State::kLeased || entry.state == State::kSettling;
    counts.retry_wait += entry.state == State::kRetryWait;
    counts.blocked_by_key += entry.state == State::kBlocked || entry.state == State::kWaitsForKey;
    counts.held += entry.state == State::kHeld;
    counts.in_grace += entry.state == State::kReady && InGrace(offset, now_us_);
    const bool fresh = entry.deliveries == 0 && !WasTried(entry);
    if (fresh && offset < counts.oldest_new.value_or(head_)) counts.oldest_new = offset;
    // Both are parked, which are seen from the oldest on.
    if (entry.state == State::kRetryWait && !counts.oldest_retry) counts.oldest_retry = offset;
    if (entry.state == State::kHeld && !counts.oldest_held) counts.oldest_held = offset;
  });
  return counts;
}

PartitionQueue::States PartitionQueue::states() const {
  const auto of = [&](State state) { return by_state_[static_cast<size_t>(state)]; };
  return {of(State::kReady), of(State::kLeased) + of(State::kSettling), of(State::kRetryWait),
          of(State::kBlocked) + of(State::kWaitsForKey), of(State::kHeld)};
}

std::vector<KeyStandstill> PartitionQueue::Standstills(size_t most) const {
  absl::flat_hash_map<uint64_t, int64_t> waiting;
  events_.ForEach([&](Offset, const Entry& entry) {
    const bool waits = entry.state == State::kWaitsForKey || entry.state == State::kBlocked;
    if (waits) ++waiting[entry.facts.key];
  });
  std::vector<KeyStandstill> standstills;
  for (const auto& [key, count] : waiting) {
    const std::optional<Offset> front = turns_.Front(key);
    if (!front.has_value()) continue;
    const Entry* const entry = Find(*front);
    // It is settled, and its key goes on when that is durable.
    if (entry == nullptr) continue;
    standstills.push_back({*front, WhyOf(entry->state), entry->due_us, count});
  }
  std::sort(standstills.begin(), standstills.end(), [](const auto& a, const auto& b) {
    return std::pair(-a.waiting, a.offset) < std::pair(-b.waiting, b.offset);
  });
  if (standstills.size() > most) standstills.resize(most);
  return standstills;
}

KeyStandstill::Why PartitionQueue::WhyOf(State state) {
  switch (state) {
    case State::kLeased:
    case State::kSettling:
      return KeyStandstill::Why::kLeased;
    case State::kRetryWait:
      return KeyStandstill::Why::kRetryWait;
    case State::kHeld:
      return KeyStandstill::Why::kHeld;
    case State::kReady:
    case State::kWaitsForKey:
    case State::kBlocked:
      break;
  }
  return KeyStandstill::Why::kReady;
}

void PartitionQueue::Expire(Offset offset) {
  ++budget_.tally.expired;
  const bool follows = !expired_.empty() && expired_.back().end == offset;
  if (follows) {
    expired_.back().end = offset + 1;
  } else {
    expired_.push_back({offset, offset + 1});
  }
}

std::vector<OffsetRun> PartitionQueue::TakeExpired() { return std::exchange(expired_, {}); }

int64_t PartitionQueue::CountTried() const {
  const auto& parked = events_.parked();
  return std::count_if(parked.begin(), parked.end(),
                       [](const auto& one) { return WasTried(*one.second); });
}

Offset PartitionQueue::oldest() const {
  const auto& parked = events_.parked();
  return parked.empty() ? floor() : std::min(floor(), parked.begin()->first);
}

}  // namespace acta
