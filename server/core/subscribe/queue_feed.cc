#include "server/core/subscribe/queue_feed.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/wire.h"
#include "server/core/queues/offset_detail.h"
#include "server/core/queues/settlement_rules.h"
#include "server/core/subscribe/frame_bytes.h"

namespace acta {
namespace {

// Of a batch beside what others have: when the lease ends, and the attempt.
constexpr size_t kLeaseBytes = 24;
// Of what was redriven: how often, and by which redrive.
constexpr size_t kRedriveBytes = 24;
// Few power cuts come to a multiple of it; a restore leaves out more, two of one backup hardly ever
// as many. Nor are there so many resets: lives are added to the generations that those raise.
constexpr uint32_t kFewLives = 256;

// As many of the events as fit, at least one.
QueueDelivery SplitFront(QueueDelivery* delivery, size_t most_bytes) {
  QueueDelivery front = *delivery;
  const absl::string_view payload =
      delivery->batch->payload.view().substr(delivery->begin, delivery->end - delivery->begin);
  EventElements elements(payload);
  absl::string_view event;
  size_t bytes = 0;
  uint32_t count = 0;
  while (count < delivery->count && elements.Next(&event)) {
    if (count > 0 && elements.offset() > most_bytes) break;
    bytes = elements.offset();
    ++count;
  }
  front.count = count;
  front.end = front.begin + bytes;
  delivery->first = delivery->first + count;
  delivery->count -= count;
  delivery->begin = front.end;
  return front;
}

std::optional<PartitionId> PartitionOfHeld(const TopicRegistry& topics, const Caller& caller,
                                           const v1::HeldEvents& held) {
  if (held.offset() < 0 || Offset(held.offset()) > kMostNamedOffset) return std::nullopt;
  const TopicPtr topic = topics.Find(caller.tenant, held.topic());
  if (topic == nullptr || held.partition() < 0 || held.partition() >= topic->partitions()) {
    return std::nullopt;
  }
  return topic->partition(held.partition());
}

int32_t CountOfHeld(const v1::HeldEvents& held) {
  return std::clamp(held.count(), 1, kMaxSettledEvents);
}

}  // namespace

void LookAtHeld(const TopicRegistry& topics, const Caller& caller, const v1::SubscribeStart& start,
                GroupQueue& queue) {
  for (const v1::HeldEvents& held : start.held()) {
    const std::optional<PartitionId> partition = PartitionOfHeld(topics, caller, held);
    if (!partition.has_value()) continue;
    // Of what cannot be read who takes is told.
    queue.ScanThrough(*partition, Offset(held.offset()) + CountOfHeld(held)).IgnoreError();
  }
}

void QueueFeed::Present(const v1::SubscribeStart& start) {
  int64_t left = kMaxSettledEvents;
  for (const v1::HeldEvents& held : start.held()) {
    left -= CountOfHeld(held);
    if (left < 0) return;
    const std::optional<PartitionId> partition = PartitionOfHeld(deps_.topics, deps_.caller, held);
    if (!partition.has_value()) continue;
    const int32_t count = CountOfHeld(held);
    const Offset first(held.offset());
    const int64_t generation = std::max<int64_t>(-1, held.generation()) - CutsOf(*partition);
    const int64_t kept = queue_.Present(session_, *partition, {first, first + count}, generation);
    const uint64_t handle = HandleOf(*partition, first);
    if (handle == 0) return;
    deps_.outbox.Notice("HELD",
                        absl::StrCat(kept, " of ", count, " events from offset ", held.offset(),
                                     " on are still leased to this member"),
                        handle);
  }
}

int64_t QueueFeed::CutsOf(PartitionId partition) const {
  const TopicPtr topic = deps_.topics.FindById(partition.topic());
  const bool seen_early = topic != nullptr && topic->settings.visible_at == Level::kOs;
  const uint32_t lives = deps_.engine.incarnation().value();
  return seen_early ? lives : lives - lives % kFewLives;
}

uint64_t QueueFeed::HandleOf(PartitionId partition, Offset offset) {
  Named& named = named_[partition];
  if (named.handle != 0) return named.handle;
  named.topic = deps_.topics.FindById(partition.topic());
  if (named.topic == nullptr) return 0;  // It is being deleted.
  const absl::Status allowed = deps_.authorizer.Authorize(
      deps_.caller, Verb::kSubscribe, {ResourceKind::kTopic, named.topic->name()});
  if (!allowed.ok()) {
    failure_ = allowed;
    return 0;
  }
  named.handle = membership_.NewHandle();
  handles_[named.handle] = partition;
  v1::Assigned assigned;
  assigned.set_assignment(named.handle);
  assigned.set_topic(named.topic->name());
  assigned.set_partition(partition.partition());
  assigned.set_generation(queue_.Generation(partition) + CutsOf(partition));
  assigned.set_offset(offset.value());
  deps_.outbox.Assigned(assigned);
  return named.handle;
}

void QueueFeed::Take(LeaseBounds most) {
  std::vector<QueueDelivery> taken;
  std::vector<QueueProblem> problems;
  const LeaseBounds leased = queue_.Take(session_, most, &taken, &problems);
  deps_.credit.Spend(leased.events, leased.bytes);
  for (QueueDelivery& delivery : taken) staged_.push_back(std::move(delivery));
  for (const QueueDelivery& delivery : staged_) HandleOf(delivery.partition, delivery.first);
  for (const QueueProblem& problem : problems) TellProblem(problem);
}

void QueueFeed::TellProblem(const QueueProblem& problem) {
  const uint64_t handle = HandleOf(problem.partition, problem.at);
  if (handle == 0) return;
  deps_.outbox.Gap(handle, OffsetDetail(problem.status, "first_lost", problem.at),
                   OffsetDetail(problem.status, "last_lost", problem.at), problem.status);
}

void QueueFeed::OnWake(bool can_take) {
  // The next who waits is woken then.
  if (!can_take || !staged_.empty() || !deps_.credit.open()) Take({});
}

void QueueFeed::Fill(bool alone, OutgoingFrame* frame) {
  const size_t used = std::max(kFrameHeadBytes, frame->control.ByteSizeLong());
  const size_t limit = std::min(deps_.target_frame_bytes, deps_.max_frame_bytes);
  size_t room = limit > used ? limit - used : 0;
  do {
    if (staged_.empty() && deps_.credit.open()) {
      Take({deps_.credit.events(),
            std::min<int64_t>(deps_.credit.bytes(), static_cast<int64_t>(room))});
    }
    for (const QueueDelivery& delivery : staged_) HandleOf(delivery.partition, delivery.first);
    // What names the partitions goes first.
    if (!deps_.outbox.empty()) return;
    while (!staged_.empty() && failure_.ok() && PutFirst(alone, &room, frame)) {
    }
    // Nobody wakes who has credit for what was left out.
  } while (std::exchange(left_out_, false) && failure_.ok());
}

bool QueueFeed::PutFirst(bool alone, size_t* room, OutgoingFrame* frame) {
  QueueDelivery& first = staged_.front();
  const size_t token_bytes = deps_.tokens == nullptr ? 0 : kTokenBytes;
  const size_t overhead = BatchOverheadBytes(*first.batch) + kLeaseBytes + token_bytes +
                          (first.redrives > 0 ? kRedriveBytes : 0);
  const size_t left = *room > overhead ? *room - overhead : 0;
  QueueDelivery delivery;
  const bool whole = first.end - first.begin <= left;
  if (whole) {
    delivery = std::move(first);
    staged_.pop_front();
  } else {
    delivery = SplitFront(&first, left);
    const size_t bytes = delivery.end - delivery.begin;
    const size_t frame_bytes = kFrameHeadBytes + overhead + bytes;
    const bool fits =
        bytes <= left || (alone && frame->batches.empty() && frame_bytes <= deps_.max_frame_bytes);
    const bool never = !fits && frame->batches.empty() && alone;
    if (never) {
      FailTooLarge(delivery, EventTooLargeForClient(delivery.first, bytes, frame_bytes,
                                                    deps_.max_frame_bytes));
    } else if (!fits) {
      first.first = delivery.first;
      first.count += delivery.count;
      first.begin = delivery.begin;
      return false;
    }
    if (first.count == 0) staged_.pop_front();
    if (never) return true;
  }
  OutgoingBatch out;
  out.assignment = HandleOf(delivery.partition, delivery.first);
  if (out.assignment == 0) {  // The topic is going.
    deps_.credit.Refund(delivery.count, static_cast<int64_t>(delivery.end - delivery.begin));
    left_out_ = true;
    return true;
  }
  out.base_offset = delivery.first;
  out.count = delivery.count;
  out.incarnation = delivery.batch->incarnation;
  out.append_time_us = delivery.batch->append_time_us;
  out.context = delivery.batch->context;
  out.payload = delivery.batch->payload.Slice(delivery.begin, delivery.end - delivery.begin);
  out.lease_until_us = delivery.until_us;
  out.attempt = delivery.attempt;
  out.redrives = delivery.redrives;
  if (delivery.redrive != 0) out.redrive_id = RedriveText(delivery.redrive);
  if (deps_.tokens != nullptr) {
    out.delivery_token =
        deps_.tokens->Make({queue_.group(), session_, delivery.partition, delivery.first,
                            delivery.count, delivery.attempt, delivery.redrives});
  }
  *room -= std::min(*room, out.payload.size() + overhead);
  deps_.delivered.events.fetch_add(out.count, std::memory_order_relaxed);
  deps_.delivered.bytes.fetch_add(static_cast<int64_t>(out.payload.size()),
                                  std::memory_order_relaxed);
  frame->batches.push_back(std::move(out));
  return true;
}

// The event alone is at fault: it may be another member's, and is a dead letter in the end.
void QueueFeed::FailTooLarge(const QueueDelivery& event, const absl::Status& why) {
  QueueSettlement failed;
  failed.partition = event.partition;
  failed.offset = event.first;
  failed.kind = QueueSettlement::Kind::kNack;
  failed.reason = v1::ErrorReason_Name(ReasonOf(why));
  failed.text = std::string(why.message());
  deps_.credit.Refund(1, static_cast<int64_t>(event.end - event.begin));
  deps_.outbox.Notice("EVENT_TOO_LARGE", failed.text, HandleOf(event.partition, event.first));
  queue_.Settle(session_, {&failed, 1}, [](const absl::Status&) {});
}

void QueueFeed::GiveBack() {
  std::vector<QueueSettlement> unsent;
  for (const QueueDelivery& delivery : std::exchange(staged_, {})) {
    QueueSettlement settlement;
    settlement.partition = delivery.partition;
    settlement.offset = delivery.first;
    settlement.count = static_cast<int32_t>(delivery.count);
    settlement.kind = QueueSettlement::Kind::kRelease;
    settlement.delivered = false;
    deps_.credit.Refund(delivery.count, static_cast<int64_t>(delivery.end - delivery.begin));
    unsent.push_back(std::move(settlement));
  }
  if (!unsent.empty()) queue_.Settle(session_, unsent, [](const absl::Status&) {});
}

}  // namespace acta
