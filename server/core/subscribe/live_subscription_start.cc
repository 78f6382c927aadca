// How a stream starts: the start frame, joining a group, finding positions.
#include <algorithm>
#include <utility>

#include "server/core/subscribe/live_subscription.h"
#include "server/core/subscribe/member_listener.h"
#include "server/core/subscribe/start_frame.h"

namespace acta {
namespace {

constexpr char kDeliveryTokens[] = "DELIVERY_TOKENS";

bool WantsTokens(const v1::SubscribeStart& start) {
  return std::find(start.wanted_features().begin(), start.wanted_features().end(),
                   kDeliveryTokens) != start.wanted_features().end();
}

}  // namespace

void LiveSubscription::Start(uint64_t frame_id, const v1::SubscribeStart& start) {
  absl::Status status = CheckStart(caller_, deps_.hub.authorizer, deps_.hub.limits, start);
  if (status.ok()) status = credit_.Start(start.credit());
  if (!status.ok()) return End(status);
  for (const std::string& feature : start.wanted_features()) {
    if (feature != kDeliveryTokens) outbox_.Error(frame_id, UnknownFeature(feature));
  }
  const size_t max_frame_bytes = MaxFrameBytes(deps_.hub.limits, start);
  frame_bytes_ = std::min(frame_bytes_, max_frame_bytes);
  group_ = start.group();
  pump_ = std::make_unique<Pump>(Pump::Deps{deps_.hub.engine, deps_.hub.pool, deps_.hub.timer,
                                            *deps_.pace, *deps_.delivered, post_, credit_, outbox_,
                                            frame_bytes_, max_frame_bytes, !group_.empty()});
  if (group_.empty()) {
    Resolve(frame_id, start);
  } else {
    Join(frame_id, start);
  }
}

void LiveSubscription::Join(uint64_t frame_id, const v1::SubscribeStart& start) {
  auto listener = std::make_shared<Listener>(this, post_);
  deps_.hub.pool.Post([self = self(), frame_id, start, listener = std::move(listener)]() mutable {
    const SubscriptionHub::Deps& hub = self->deps_.hub;
    auto joined = hub.groups.Join(self->caller_, MakeJoinRequest(start), listener);
    if (joined.ok() && (*joined)->queue() != nullptr) {
      LookAtHeld(hub.topics, self->caller_, start, *(*joined)->queue());
    }
    self->post_([stream = self.get(), frame_id, start, joined = std::move(joined)]() mutable {
      stream->OnJoined(frame_id, start, std::move(joined));
    });
  });
}

void LiveSubscription::OnJoined(uint64_t frame_id, const v1::SubscribeStart& start,
                                absl::StatusOr<std::shared_ptr<Membership>> joined) {
  if (ending_) return;
  if (!joined.ok()) return End(joined.status());
  membership_ = *std::move(joined);
  outbox_.Notice("MEMBER_ID", membership_->member_id());
  if (membership_->group_created()) outbox_.Notice("GROUP_CREATED", group_);
  const bool tokens = WantsTokens(start);
  if (tokens) {
    outbox_.Notice("GRANTED_FEATURE", kDeliveryTokens);
    pump_->GiveTokens(deps_.hub.groups.tokens(), membership_->group());
  }
  if (membership_->queue() != nullptr) {
    const size_t most = MaxFrameBytes(deps_.hub.limits, start);
    feed_ = std::make_unique<QueueFeed>(
        QueueFeed::Deps{deps_.hub.engine, deps_.hub.topics, deps_.hub.authorizer, caller_,
                        *deps_.delivered, credit_, outbox_, frame_bytes_, most,
                        tokens ? &deps_.hub.groups.tokens() : nullptr},
        *membership_);
    feed_->Present(start);
  }
  // Behind what names the partitions: those that are not named by then the client holds no more.
  settlements_.Settle(frame_id, absl::OkStatus());
  for (Turns::Task& task : std::exchange(before_joined_, {})) std::move(task)();
}

void LiveSubscription::Resolve(uint64_t frame_id, const v1::SubscribeStart& start) {
  deps_.hub.pool.Post([self = self(), frame_id, start] {
    const SubscriptionHub::Deps& hub = self->deps_.hub;
    self->post_([stream = self.get(), frame_id, start,
                 ranges = ResolveRanges(self->caller_, hub.engine, hub.topics, start)]() mutable {
      stream->OnResolved(frame_id, start, std::move(ranges));
    });
  });
}

void LiveSubscription::OnResolved(uint64_t frame_id, const v1::SubscribeStart& start,
                                  absl::StatusOr<std::vector<ReadRange>> ranges) {
  if (ending_) return;
  if (!ranges.ok()) return End(ranges.status());
  resolved_ = true;
  bounded_ = std::all_of(ranges->begin(), ranges->end(),
                         [](const ReadRange& range) { return range.bounded(); });
  for (const v1::TopicPosition& position : start.topics()) {
    if (!Follows(position)) continue;
    const auto range = std::find_if(ranges->begin(), ranges->end(), [&](const ReadRange& one) {
      return one.topic->name() == position.topic();
    });
    if (range != ranges->end()) followed_.emplace_back(range->topic, range->topic->partitions());
  }
  for (ReadRange& range : *ranges) AddRange(std::move(range));
  if (half_closed_ && bounded_ && result_->ok()) reading_ = true;
  settlements_.Settle(frame_id, absl::OkStatus());
}

void LiveSubscription::AddRange(ReadRange range) {
  const uint64_t handle = ++last_handle_;
  v1::Assigned assigned;
  assigned.set_assignment(handle);
  assigned.set_topic(range.topic->name());
  assigned.set_partition(range.partition);
  assigned.set_offset(range.from.value());
  // A position that was cut off stays one of its own incarnation: who asks for it once more is told
  // so again, and not sent what has come there since.
  const bool cut_off = range.incarnation != Incarnation();
  assigned.set_incarnation((cut_off ? range.incarnation : deps_.hub.engine.incarnation()).value());
  outbox_.Assigned(assigned);
  pump_->Add(handle, std::move(range));
}

void LiveSubscription::AddNewPartitions() {
  for (auto& [topic, partitions] : followed_) {
    const TopicPtr now = deps_.hub.topics.FindById(topic->id);
    if (now == nullptr) continue;
    topic = now;
    for (; partitions < now->partitions(); ++partitions) {
      ReadRange range;
      range.topic = now;
      range.partition = partitions;
      AddRange(std::move(range));
    }
  }
}

}  // namespace acta
