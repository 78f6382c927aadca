#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "acta/v1/subscriber.pb.h"
#include "server/core/groups/group_registry.h"
#include "server/core/subscribe/credit.h"
#include "server/core/subscribe/event_sink.h"
#include "server/core/subscribe/outbox.h"
#include "server/core/subscribe/pump.h"

namespace acta {

// Looks at what a start frame says is held, so that it can be settled as soon as the start is
// answered. Blocks.
void LookAtHeld(const TopicRegistry& topics, const Caller& caller, const v1::SubscribeStart& start,
                GroupQueue& queue);

// QueueFeed fills a stream's frames with events that its member of a QUEUE group leases, and
// settles what the client says of them. Events are leased when a frame can take them, so that what
// waits is anybody's.
//
// Partitions have handles of the stream, named before their first events. No other stream has them:
// what is settled under one that was kept over a break is FENCED, and no other event.
//
// Threads:   in the turns of its stream, but for `done` of Settle().
// Ownership: borrows the membership, of a QUEUE group.
class QueueFeed {
 public:
  struct Deps {
    const LogEngine& engine;
    const TopicRegistry& topics;
    const Authorizer& authorizer;
    const Caller& caller;
    DeliveryCount& delivered;
    Credit& credit;
    Outbox& outbox;
    size_t target_frame_bytes = 0;
    size_t max_frame_bytes = 0;
    const DeliveryTokens* tokens = nullptr;  // Null: the client wants none.
  };
  QueueFeed(const Deps& deps, Membership& membership)
      : deps_(deps),
        membership_(membership),
        queue_(*membership.queue()),
        session_(membership.session()) {}

  // Of the start frame.
  void Present(const v1::SubscribeStart& start);
  // Adds events to a frame. Only when the outbox is empty.
  void Fill(bool alone, OutgoingFrame* frame);
  // There may be something to take; when the stream cannot take it now it is for others.
  void OnWake(bool can_take);

  // Settles what a frame names. `done` runs once, on any thread, when that is durable, perhaps
  // before this returns the errors of single settlements.
  using Done = absl::AnyInvocable<void(const absl::Status&)>;
  std::vector<v1::ControlError> Settle(const v1::Settle& settle, Done done);

  // What was not sent is nobody's any more, and costs no credit.
  void GiveBack();
  // Not OK: the stream cannot go on.
  const absl::Status& failure() const { return failure_; }

 private:
  struct Named {
    uint64_t handle = 0;
    TopicPtr topic;
  };
  // Rises when what members were given of it may be gone, and other events in their place: with a
  // power cut, of what is seen before it is synced, and with a backup that is restored.
  int64_t CutsOf(PartitionId partition) const;
  // The handle of a partition, named to the client by then; 0 when that failed.
  uint64_t HandleOf(PartitionId partition, Offset offset);
  void Take(LeaseBounds most);
  void TellProblem(const QueueProblem& problem);
  // Moves the first of staged_ into the frame, or what fits of it. False: it does not fit.
  bool PutFirst(bool alone, size_t* room, OutgoingFrame* frame);
  void FailTooLarge(const QueueDelivery& event, const absl::Status& why);
  absl::Status ToSettlement(const v1::Settlement& from, QueueSettlement* to) const;

  const Deps deps_;
  Membership& membership_;
  GroupQueue& queue_;
  const uint64_t session_;
  std::deque<QueueDelivery> staged_;  // Leased and not sent.
  bool left_out_ = false;             // Something was, whose credit is there again.
  absl::flat_hash_map<PartitionId, Named> named_;
  absl::flat_hash_map<uint64_t, PartitionId> handles_;
  absl::Status failure_;
};

}  // namespace acta
