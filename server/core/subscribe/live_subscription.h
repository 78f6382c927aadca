#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "acta/v1/subscriber.pb.h"
#include "server/core/subscribe/credit.h"
#include "server/core/subscribe/open_streams.h"
#include "server/core/subscribe/outbox.h"
#include "server/core/subscribe/pump.h"
#include "server/core/subscribe/queue_feed.h"
#include "server/core/subscribe/settlements.h"
#include "server/core/subscribe/sink_gate.h"
#include "server/core/subscribe/subscription.h"
#include "server/core/subscribe/subscription_hub.h"
#include "server/core/subscribe/turns.h"

namespace acta {

// LiveSubscription is the one Subscription there is: it settles control frames, follows what the
// group says, and sends what the outbox and the pump have, one frame at a time.
//
// Threads:   any; everything happens in turns.
// Ownership: shared by the edge and by what is under way. Engine threads hold it only weakly: its
//            end writes rows, which they must not.
class LiveSubscription final : public Subscription {
 public:
  struct Deps {
    SubscriptionHub::Deps hub;
    std::shared_ptr<OpenStreams> open;
    std::shared_ptr<CatchUpPace> pace;
    std::shared_ptr<DeliveryCount> delivered;
  };
  static std::shared_ptr<LiveSubscription> Make(Deps deps, Caller caller, EventSink& sink);
  ~LiveSubscription() override;

  void OnControl(absl::string_view frame) override;
  void OnWritten() override;
  void OnHalfClose() override;
  void OnDisconnect() override;

  // Says going_away, settles what was asked until now, and finishes with SERVER_STOPPING.
  void GoAway();
  // Drops the membership and reads nothing more, whatever is outstanding.
  void Abandon();

 private:
  class Listener;
  using Post = std::function<void(Turns::Task)>;

  LiveSubscription(Deps deps, Caller caller, EventSink& sink);

  // Runs the task in a turn, and sends what came of it.
  void RunTurn(Turns::Task task);
  Post MakePost();

  // Takes no control frame more and ends the stream, after those that wait.
  void Refuse(const absl::Status& status);
  void OnFrame(const v1::SubscribeControl& control);
  void OnControlFrame(uint64_t frame_id, const v1::SubscribeControl& control);
  void SayGoingAway();
  // Ends the stream as soon as no write is outstanding; nothing more is sent.
  void End(const absl::Status& status);
  // Ends it once everything outstanding is settled and sent.
  void Drain(const absl::Status& status);
  bool Drained() const;
  void Send();
  void Finish();
  // Gives everything back; the last that happens.
  void Close();

  void StartTimer(absl::Duration delay);
  void OnTimer();
  // Of a member: ends the stream of one that was silent for too long.
  void LookAtSilence();

  // live_subscription_start.cc
  void Start(uint64_t frame_id, const v1::SubscribeStart& start);
  void Join(uint64_t frame_id, const v1::SubscribeStart& start);
  void OnJoined(uint64_t frame_id, const v1::SubscribeStart& start,
                absl::StatusOr<std::shared_ptr<Membership>> joined);
  void Resolve(uint64_t frame_id, const v1::SubscribeStart& start);
  void OnResolved(uint64_t frame_id, const v1::SubscribeStart& start,
                  absl::StatusOr<std::vector<ReadRange>> ranges);
  void AddRange(ReadRange range);
  // Of topics that grew.
  void AddNewPartitions();

  // live_subscription_member.cc
  void WhenJoined(Turns::Task task);
  void OnAssigned(const MemberAssignment& assignment);
  void OnRevoking(uint64_t handle, absl::Duration deadline);
  void OnRevoked(uint64_t handle);
  void OnPaused(bool paused);
  void OnQueued();
  void Settle(uint64_t frame_id, const v1::Settle& settle);
  // The membership ends; `cleanly`: what is leased to it is given back, no attempt is counted.
  void EndMembership(bool cleanly);
  void Commit(uint64_t frame_id, const v1::Commit& commit);
  void OnCommitted(uint64_t frame_id, const v1::Commit& commit, const absl::Status& status,
                   bool changed);
  absl::Status Release(uint64_t handle);
  // Whether frames about an assignment are for the caller to send.
  absl::Status CheckMember(uint64_t handle) const;

  std::shared_ptr<LiveSubscription> self() const { return self_.lock(); }

  const Deps deps_;
  const Caller caller_;
  std::weak_ptr<LiveSubscription> self_;
  SinkGate gate_;
  Turns turns_;
  Post post_;  // Brings a task from any thread to the turns, if the stream still lives then.

  Outbox outbox_;
  Settlements settlements_;
  Credit credit_;
  std::unique_ptr<Pump> pump_;       // Null until the start frame came.
  std::unique_ptr<QueueFeed> feed_;  // Of a member of a QUEUE group.
  size_t frame_bytes_;               // What is sent at once, but for one large event.

  std::string group_;  // Empty: none.
  std::shared_ptr<Membership> membership_;
  std::vector<Turns::Task> before_joined_;  // What the group said before Join() returned.

  uint64_t last_handle_ = 0;                            // Without a group.
  std::vector<std::pair<TopicPtr, int32_t>> followed_;  // Topics, and how many partitions are read.
  bool bounded_ = false;                                // Every partition has an end.
  bool resolved_ = false;                               // The positions are found.

  // Control frames that wait for their turn.
  std::atomic<size_t> waiting_{0};
  std::atomic<size_t> waiting_bytes_{0};
  bool refusing_ = false;  // Of who brings control frames: the stream ends with one of them.
  bool framed_ = false;    // A frame came.
  uint64_t last_frame_id_ = 0;
  absl::Duration last_heard_;  // Since boot.
  uint64_t timer_ = 0;
  bool writing_ = false;  // A frame is with the sink.
  bool reading_ = true;   // Events may be sent.
  bool paused_ = false;   // But not while the group is.
  bool half_closed_ = false;
  bool ending_ = false;  // End() was called.
  bool closed_ = false;
  std::optional<absl::Status> result_;  // What the stream finishes with, soon.
};

}  // namespace acta
