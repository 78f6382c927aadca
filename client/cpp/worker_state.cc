#include "client/cpp/worker_state.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "absl/strings/str_cat.h"
#include "client/cpp/delivery_rep.h"
#include "client/cpp/settle_frame.h"
#include "client/cpp/subscribe_start.h"
#include "proto/support/error.h"

namespace acta::client {
namespace {

// With more under way each would carry less: what waits for an answer travels together.
constexpr int64_t kMaxSettling = 4;
// Of a start frame: less than the 64 KiB of a control frame that every broker takes by default.
constexpr int kMaxHeldRuns = 10'000;
constexpr size_t kMaxHeldBytes = 40 << 10;
// With less credit than this each event is given back at once.
constexpr int64_t kLittleCredit = 64;

// Sorted, neighbours and overlapping ones merged.
void MergeRanges(std::vector<std::pair<int64_t, int64_t>>* ranges) {
  std::sort(ranges->begin(), ranges->end());
  size_t kept = 0;
  for (const auto& range : *ranges) {
    if (kept > 0 && range.first <= (*ranges)[kept - 1].second) {
      (*ranges)[kept - 1].second = std::max((*ranges)[kept - 1].second, range.second);
    } else {
      (*ranges)[kept++] = range;
    }
  }
  ranges->resize(kept);
}

// No stream was there to be ended by it.
v1::Notice ResetMeanwhile(const WorkerOptions& options) {
  v1::Notice notice;
  notice.set_code("GROUP_RESET");
  notice.set_text(
      absl::StrCat("the positions of group '", options.group,
                   "' were reset meanwhile, or the log was cut: drop what was delivered"));
  return notice;
}

}  // namespace

void WorkerState::OnOpen() {
  next_frame_ = 1;
  first_lease_ = last_lease_ + 1;
  returned_.Clear();
  started_ = tick_due_ = false;
  start_due_ = true;
}

void WorkerState::OnEnd() {
  std::deque<Item> kept;
  for (Item& item : items_) {
    if (!std::holds_alternative<WorkItem>(item)) kept.push_back(std::move(item));
  }
  items_ = std::move(kept);
  std::deque<Settlement> unanswered;
  for (Sent& sent : sent_) {
    for (Settlement& settlement : sent.settlements) {
      settlement.repeated = true;
      settlement.failed = 0;
      unanswered.push_back(std::move(settlement));
    }
  }
  waiting_.insert(waiting_.begin(), std::make_move_iterator(unanswered.begin()),
                  std::make_move_iterator(unanswered.end()));
  sent_.clear();
  settling_ = 0;
  by_assignment_.clear();
  for (auto& [key, partition] : partitions_) partition.assignment = 0;
  start_due_ = started_ = tick_due_ = false;
  returned_.Clear();
}

void WorkerState::OnFrame(DeliveryFrame frame) {
  const v1::DeliveryFrame& control = frame.control;
  for (const v1::Assigned& assigned : control.assigned()) OnAssigned(assigned);
  // What is said of the group comes before its events.
  for (const v1::Notice& notice : control.notice()) {
    if (notice.code() == "MEMBER_ID") member_id_ = notice.text();
    items_.push_back(notice);
  }
  for (Delivery& delivery : frame.deliveries) OnDelivery(std::move(delivery));
  for (const v1::Gap& gap : control.gap()) {
    const Partition* const partition = Find(gap.assignment());
    if (partition == nullptr) continue;
    items_.push_back(StatusOfGap(gap, *partition->topic, partition->number));
  }
  OnErrors(control);
  OnAcked(control.acked_through());
}

WorkerState::Partition* WorkerState::Find(uint64_t assignment) {
  const auto found = by_assignment_.find(assignment);
  return found == by_assignment_.end() ? nullptr : found->second;
}

void WorkerState::OnAssigned(const v1::Assigned& assigned) {
  if (assigned.assignment() == 0) return;  // No handle.
  Partition& partition = partitions_[Key(assigned.topic(), assigned.partition())];
  if (partition.topic == nullptr) {
    partition.topic = std::make_shared<const std::string>(assigned.topic());
    partition.number = assigned.partition();
  }
  // It was reset, or cut: what came before is nobody's, and must not be taken for what comes again.
  if (partition.generation != assigned.generation()) {
    if (!started_ && !reset_told_ && !partition.leased.empty()) OnReset(ResetMeanwhile(options_));
    Lose(&partition);
  }
  by_assignment_.erase(partition.assignment);
  partition.assignment = assigned.assignment();
  partition.generation = assigned.generation();
  by_assignment_[assigned.assignment()] = &partition;
}

void WorkerState::OnDelivery(Delivery delivery) {
  Partition* const partition = Find(delivery.rep_->assignment);
  if (partition == nullptr) {
    return GiveBack(delivery.count(), static_cast<int64_t>(delivery.payload().size()));
  }
  delivery.rep_->topic = partition->topic;
  delivery.rep_->partition = partition->number;
  for (const Range& range : delivery.Runs()) Overtake(partition, range);
  items_.push_back(WorkItem(std::move(delivery), ++last_lease_));
}

void WorkerState::Overtake(Partition* partition, Range range) {
  for (const Range& part : PartsOf(*partition, range, 0)) TakeOut(partition, part);
  for (auto one = waiting_.begin(); one != waiting_.end();) {
    const bool meant = one->partition == partition && one->range.first < range.second &&
                       range.first < one->range.second && one->verdict.kind != v1::SETTLE_KIND_ACK;
    if (meant) TellLostOf(*one);
    one = meant ? waiting_.erase(one) : std::next(one);
  }
}

void WorkerState::OnErrors(const v1::DeliveryFrame& frame) {
  for (const v1::ControlError& error : frame.errors()) {
    const auto sent = std::find_if(sent_.begin(), sent_.end(), [&error](const Sent& one) {
      return one.frame_id == error.frame_id();
    });
    if (sent == sent_.end()) continue;
    if (sent->verb == Verb::kSettle) OnSettleError(error, &*sent);
    if (sent->verb == Verb::kStart || sent->verb == Verb::kCredit) {
      failure_.Update(FromProto(error.status()));
    }
  }
}

void WorkerState::OnSettleError(const v1::ControlError& error, Sent* sent) {
  const Partition* const partition = Find(error.assignment());
  const absl::Status status = FromProto(error.status());
  if (ReasonOf(status) == v1::WRONG_GROUP_MODE) failure_.Update(status);
  for (Settlement& whole : sent->settlements) {
    Settlement part = whole;
    if (error.assignment() != 0) {
      // All of it is what the broker says: the end may be beyond every offset.
      const int64_t most = std::numeric_limits<int64_t>::max() - std::max(1, error.count());
      const int64_t end = std::min(error.offset(), most) + std::max(1, error.count());
      part.range = {std::max(part.range.first, error.offset()), std::min(part.range.second, end)};
      if (part.partition != partition || part.range.first >= part.range.second) continue;
    }
    // It counted before the stream broke.
    if (part.repeated && ReasonOf(status) == v1::ALREADY_SETTLED) continue;
    whole.failed += part.range.second - part.range.first;
    TellOf(part, status);
  }
}

void WorkerState::OnAcked(uint64_t through) {
  while (!sent_.empty() && sent_.front().frame_id <= through) {
    const Sent sent = std::move(sent_.front());
    sent_.pop_front();
    if (sent.verb == Verb::kSettle) --settling_;
    for (const Settlement& settlement : sent.settlements) TellSettled(settlement);
    if (sent.verb != Verb::kStart) continue;
    started_ = true;
    reset_told_ = false;
    for (auto& [key, partition] : partitions_) {
      if (partition.assignment == 0) Lose(&partition);
    }
  }
}

void WorkerState::Lose(Partition* partition) {
  partition->leased.clear();
  for (const Range range : std::exchange(partition->acks, {})) {
    TellLost(partition->key(), range, v1::SETTLE_KIND_ACK);
  }
  with_acks_.erase(partition->key());
  for (auto one = waiting_.begin(); one != waiting_.end();) {
    const bool meant = one->partition == partition;
    if (meant) TellLostOf(*one);
    one = meant ? waiting_.erase(one) : std::next(one);
  }
}

void WorkerState::Abandon(const absl::Status& status) {
  for (const Sent& sent : std::exchange(sent_, {})) {
    for (const Settlement& settlement : sent.settlements) TellOf(settlement, status);
  }
  settling_ = 0;
  for (const Settlement& settlement : std::exchange(waiting_, {})) TellOf(settlement, status);
  for (const auto& [key, partition] : std::exchange(with_acks_, {})) {
    for (const Range range : std::exchange(partition->acks, {})) {
      Tell(key, range, v1::SETTLE_KIND_ACK, status);
    }
  }
}

std::optional<WorkerState::Item> WorkerState::Pop() {
  if (!errors_.empty()) {
    Item error = std::move(errors_.front());
    errors_.pop_front();
    return error;
  }
  if (items_.empty()) return std::nullopt;
  Item item = std::move(items_.front());
  items_.pop_front();
  if (const auto* work = std::get_if<WorkItem>(&item); work != nullptr) Hold(*work);
  return item;
}

std::vector<SettleError> WorkerState::TakeErrors() {
  const std::deque<SettleError> errors = std::exchange(errors_, {});
  return {errors.begin(), errors.end()};
}

std::optional<v1::SubscribeControl> WorkerState::TakeControl() {
  v1::SubscribeControl control;
  if (std::exchange(start_due_, false)) {
    *control.mutable_start() = StartFrame();
    return Number(std::move(control), Verb::kStart);
  }
  if (started_ && HasWaiting() && settling_ < kMaxSettling) return TakeSettle();
  if (CreditDue()) {
    control.mutable_credit()->Swap(&returned_);
    returned_.Clear();
    return Number(std::move(control), Verb::kCredit);
  }
  if (!tick_due_) return std::nullopt;
  control.mutable_tick();
  return Number(std::move(control), Verb::kTick);
}

v1::SubscribeControl WorkerState::Number(v1::SubscribeControl control, Verb verb,
                                         std::vector<Settlement> settlements) {
  tick_due_ = false;
  control.set_frame_id(next_frame_++);
  sent_.push_back({control.frame_id(), verb, std::move(settlements)});
  return control;
}

v1::SubscribeControl WorkerState::TakeSettle() {
  SettleFrame frame;
  std::vector<Settlement> settlements;
  while (!waiting_.empty() && frame.Add(waiting_.front().partition->assignment,
                                        waiting_.front().range, waiting_.front().verdict)) {
    settlements.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  while (waiting_.empty() && !with_acks_.empty()) {
    Partition* const partition = with_acks_.begin()->second;
    const auto acks = partition->acks.begin();
    Range range = *acks;
    range.second = range.first + std::min(range.second - range.first, frame.room());
    if (!frame.Add(partition->assignment, range, {})) break;
    settlements.push_back({partition, range, {}, ++last_settlement_});
    if (range.second < acks->second) partition->acks.emplace(range.second, acks->second);
    partition->acks.erase(acks);
    if (partition->acks.empty()) with_acks_.erase(with_acks_.begin());
  }
  ++settling_;
  v1::SubscribeControl control;
  *control.mutable_settle() = std::move(frame).Finish();
  return Number(std::move(control), Verb::kSettle, std::move(settlements));
}

v1::SubscribeStart WorkerState::StartFrame() {
  v1::SubscribeStart start = MakeSubscribeStart(options_, member_id_);
  for (const std::string& topic : options_.topics) start.add_topics()->set_topic(topic);
  size_t bytes = 0;
  for (auto& [key, ranges] : Held()) {
    MergeRanges(&ranges);
    const int before = start.held_size();
    size_t more = 0;
    for (auto [first, end] : ranges) {
      while (first < end && start.held_size() <= kMaxHeldRuns) {
        const int64_t count = std::min(end - first, kMaxSettledEvents);
        v1::HeldEvents* const held = start.add_held();
        held->set_topic(key.first);
        held->set_partition(key.second);
        held->set_offset(first);
        held->set_count(static_cast<int32_t>(count));
        held->set_generation(partitions_[key].generation);
        first += count;
        more += held->ByteSizeLong() + 4;  // With tag and length.
      }
    }
    if (start.held_size() <= kMaxHeldRuns && bytes + more <= kMaxHeldBytes) {
      bytes += more;
      continue;
    }
    start.mutable_held()->DeleteSubrange(before, start.held_size() - before);
    Lose(&partitions_[key]);
  }
  return start;
}

std::map<WorkerState::Key, std::vector<WorkerState::Range>> WorkerState::Held() const {
  std::map<Key, std::vector<Range>> held;
  for (const auto& [key, partition] : partitions_) {
    for (const auto& [first, run] : partition.leased) held[key].emplace_back(first, run.end);
    for (const Range range : partition.acks) held[key].push_back(range);
  }
  for (const Settlement& one : waiting_) {
    // What is extended is leased, or settled by now.
    if (one.verdict.kind != v1::SETTLE_KIND_EXTEND) held[one.partition->key()].push_back(one.range);
  }
  return held;
}

void WorkerState::GiveBack(int64_t events, int64_t bytes) {
  returned_.set_events(returned_.events() + events);
  returned_.set_bytes(returned_.bytes() + bytes);
}

bool WorkerState::CreditDue() const {
  if (returned_.events() == 0) return false;
  return options_.credit_events < kLittleCredit ||
         returned_.events() * 4 >= options_.credit_events ||
         returned_.bytes() * 4 >= options_.credit_bytes;
}

}  // namespace acta::client
