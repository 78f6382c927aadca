#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "acta/v1/subscriber.pb.h"
#include "client/cpp/delivery.h"
#include "client/cpp/delivery_frame.h"
#include "client/cpp/hooks.h"
#include "client/cpp/subscriber.h"

namespace acta::client {

// SubscriptionState is what a subscriber knows: its partitions, what waits for the caller, the
// commits under way, the credit to give back. It does no IO and knows no clock: frames and calls go
// in, control frames and items come out.
//
// Breaks:  what waits for the caller is dropped when a new stream opens; a member gets it again
// from
//          the committed positions, a reader without a group asks for it from its own.
// Threads: one at a time.
class SubscriptionState {
 public:
  using Options = SubscriberOptions;
  static constexpr ClientKind kClient = ClientKind::kSubscriber;
  // A partition moves away, and all that was delivered of it has been consumed: ends with
  // Release().
  struct Revoking {
    uint64_t assignment = 0;
    uint64_t stream = 0;  // On another one the assignment may be of another partition.
    SubscribedPartition partition;
  };
  struct Noticed {
    v1::Notice notice;
    std::optional<SubscribedPartition> partition;
  };
  // An error is one partition's.
  using Item = std::variant<Delivery, Revoking, Noticed, absl::Status>;

  explicit SubscriptionState(const SubscriberOptions& options) : options_(options) {}

  // The stream's side.
  void OnOpen();
  void OnFrame(DeliveryFrame frame);
  void OnEnd();
  // Behind OnEnd(): somebody moved the group's positions, which ended the stream.
  void OnReset(const v1::Notice& notice);
  // The next frame to send; nothing while there is none.
  std::optional<v1::SubscribeControl> TakeControl();
  bool HasControl() const { return !outbox_.empty(); }
  // Says that the client is alive unless something is said anyway.
  void Tick();

  // The caller's side. Pop() consumes the delivery it gave before.
  std::optional<Item> Pop();
  bool HasItem() const { return !items_.empty(); }
  // Commits the partition's position if `commit`, and gives it back. Not when its stream is gone.
  void Release(const Revoking& revoking, bool commit);
  // Errors: FENCED.
  absl::Status Commit(absl::string_view topic, int32_t partition, int64_t offset);
  void CommitDelivered();
  // A step that commits the delivery begins, by a call beside the stream.
  void BeginStep(const Delivery& delivery);
  // No commit is under way.
  bool CommitsSettled() const;
  // The first failed commit since the last call, or UNAVAILABLE when a break lost one that no later
  // commit makes up for.
  absl::Status TakeCommitFailure();

  // From now on TakeSettled() tells of each commit that was answered.
  void KeepSettled() { keeps_settled_ = true; }
  std::vector<SettledEvents> TakeSettled() { return std::exchange(settled_, {}); }

  // The broker has said of every partition that it is read to its end, or stops for good before.
  bool ReachedAllEnds() const;
  // The broker refused the subscription itself, or its last partition is gone; OK while it did not.
  const absl::Status& failure() const { return failure_; }
  std::vector<SubscribedPartition> partitions() const;
  const std::string& member_id() const { return member_id_; }
  bool in_group() const { return !options_.group.empty(); }

 private:
  using Key = std::pair<std::string, int32_t>;
  struct Partition {
    std::shared_ptr<const std::string> topic;
    int32_t number = 0;
    uint64_t assignment = 0;  // 0: not read just now.
    int64_t next_offset = 0;  // Of what Pop() gives next.
    int64_t incarnation = 0;
    bool reached_end = false;  // Nothing more comes of it on this stream.
    bool gone = false;         // Its topic was deleted; only without a group.
    int64_t wanted = -1;       // Highest commit asked for.
    int64_t settled = -1;      // Durable.
    int64_t lost = -1;         // Under way when the stream broke.
    int64_t asked = -1;        // Highest that may become durable by what this member does.
    int64_t begun = 0;         // Where it went on when others had moved it; -1: not known yet.
    int64_t given = 0;         // Highest that Pop() has come to since then.
    int64_t life = 0;          // Incarnation of the log that it was assigned in last.
    bool commit_listed = false;
  };
  enum class Verb { kStart, kCredit, kCommit, kReleased, kTick };
  struct Outgoing {
    Verb verb;
    uint64_t assignment = 0;
  };
  struct Sent {
    uint64_t frame_id = 0;
    Verb verb;
    Key key;             // Of a commit.
    int64_t offset = 0;  // Of a commit.
    absl::Status status;
  };
  // Where an item stands: a delivery is dropped when its partition is no longer read.
  struct Waiting {
    Item item;
    uint64_t assignment = 0;
  };

  Partition* Find(uint64_t assignment);
  static SubscribedPartition Describe(const Partition& partition);
  void OnAssigned(const v1::Assigned& assigned);
  void OnDelivery(Delivery delivery);
  void OnGap(const v1::Gap& gap);
  void OnNotice(const v1::Notice& notice);
  void OnErrors(const v1::DeliveryFrame& frame);
  void OnAcked(uint64_t through);
  void OnRevoked(uint64_t assignment);
  void Forget(uint64_t assignment);
  void DropCommit();
  // The caller is told of a reset, and so that what it committed before does not count.
  void ForgetLost();
  void DropDeliveries();
  // Topics that were deleted while others were read: nobody asks for them again.
  void DropDeleted();
  void Consumed(const v1::Credit& credit);
  void WantCommit(Partition& partition, int64_t offset);
  v1::SubscribeStart StartFrame() const;
  void Fill(const Outgoing& outgoing, v1::SubscribeControl* control, Sent* sent);

  const SubscriberOptions options_;
  std::string member_id_;
  std::map<Key, Partition> partitions_;
  std::map<uint64_t, Key> by_assignment_;
  std::set<std::string> deleted_;  // Topics, of streams before.
  std::deque<Waiting> items_;
  absl::Status failure_;

  std::deque<Outgoing> outbox_;
  std::deque<Sent> sent_;  // Not settled.
  uint64_t stream_ = 0;    // Number of the one in hand.
  uint64_t next_frame_ = 1;
  // Positions were moved, or the log may have been cut, and the caller may have events of before:
  // nothing is committed but what Pop() gave since.
  bool was_reset_ = false;
  absl::Status commit_failure_;
  bool keeps_settled_ = false;
  std::vector<SettledEvents> settled_;

  // Of the stream in hand: popped and not consumed, consumed and not given back.
  v1::Credit popped_;
  v1::Credit consumed_;
  bool credit_listed_ = false;
};

}  // namespace acta::client
