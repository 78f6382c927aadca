#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "acta/v1/subscriber.pb.h"
#include "client/cpp/delivery_frame.h"
#include "client/cpp/hooks.h"
#include "client/cpp/settle_frame.h"
#include "client/cpp/work_item.h"
#include "client/cpp/worker.h"

namespace acta::client {

// WorkerState is what a worker knows: the leases the caller has, the settlements that wait and
// those under way, the credit to give back. It does no IO and knows no clock: frames and calls go
// in, control frames and items come out.
//
// Breaks:  as Worker says. Nothing is settled before the start of a stream is answered: by then the
//          broker has named the partitions of what is held.
// Threads: one at a time.
class WorkerState {
 public:
  using Options = WorkerOptions;
  static constexpr ClientKind kClient = ClientKind::kWorker;
  // A status is one partition's.
  using Item = std::variant<WorkItem, v1::Notice, SettleError, absl::Status>;

  explicit WorkerState(const WorkerOptions& options) : options_(options) {}

  // The stream's side.
  void OnOpen();
  void OnFrame(DeliveryFrame frame);
  void OnEnd();
  // Behind OnEnd(): somebody moved the group's positions, which ended the stream. The
  // next one says of which partitions (OnAssigned()).
  void OnReset(const v1::Notice& notice) {
    items_.push_back(notice);
    reset_told_ = true;
  }
  // The next frame to send; nothing while there is none, or an answer has to come before.
  std::optional<v1::SubscribeControl> TakeControl();
  bool HasControl() const { return start_due_ || tick_due_ || CreditDue() || HasWaiting(); }
  // Says that the client is alive unless something is said anyway.
  void Tick() { tick_due_ = true; }

  // The caller's side.
  std::optional<Item> Pop();
  bool HasItem() const { return !items_.empty() || !errors_.empty(); }
  void Settle(const WorkItem& item, const Verdict& verdict);
  void Settle(absl::string_view topic, int32_t partition, int64_t offset, int64_t count,
              const Verdict& verdict);
  // It is not the caller's any more, by other means than a settlement. `lost`: because the broker
  // does not know its lease. What it may have kept for the caller over a break is given back.
  void Forget(const WorkItem& item, bool lost);
  // Numbers the settlements that wait, before those that come: the last of them.
  uint64_t Mark();
  // None of the settlements up to this number waits or is under way.
  bool Settled(uint64_t through = std::numeric_limits<uint64_t>::max()) const;
  // Those that wait and those under way fail with `status`: nothing will be sent any more.
  void Abandon(const absl::Status& status);
  // The first settlement that failed since the last call.
  absl::Status TakeFailure() { return std::exchange(failed_settlement_, absl::OkStatus()); }
  // From now on TakeSettled() tells of each settlement that was answered or has failed.
  void KeepSettled() { keeps_settled_ = true; }
  std::vector<SettledEvents> TakeSettled() { return std::exchange(settled_, {}); }
  // What Pop() would tell of failed settlements.
  std::vector<SettleError> TakeErrors();

  // The broker refused the membership, or the group is no queue; OK while it did not.
  const absl::Status& failure() const { return failure_; }
  static constexpr bool ReachedAllEnds() { return false; }
  const std::string& member_id() const { return member_id_; }

 private:
  using Key = std::pair<std::string, int32_t>;
  using Range = std::pair<int64_t, int64_t>;  // First and end.
  // Events that the caller has, or what is left of them, by the first.
  struct Run {
    int64_t end = 0;
    int64_t bytes = 0;
    uint64_t lease = 0;
  };
  struct Partition {
    Key key() const { return {*topic, number}; }

    std::shared_ptr<const std::string> topic;
    int32_t number = 0;
    uint64_t assignment = 0;  // 0: not named on this stream.
    int64_t generation = 0;   // As it was named last.
    std::map<int64_t, Run> leased;
    std::map<int64_t, int64_t> acks;  // That wait: first and end, neighbours merged.
  };
  struct Settlement {
    Partition* partition = nullptr;
    Range range;
    Verdict verdict;
    uint64_t number = 0;    // Rises in the order in which they are sent.
    bool repeated = false;  // A stream broke before the answer came.
    bool quiet = false;     // Nobody asked for it.
    int64_t failed = 0;     // Of its events.
  };
  enum class Verb { kStart, kCredit, kSettle, kTick };
  struct Sent {
    uint64_t frame_id = 0;
    Verb verb;
    std::vector<Settlement> settlements;
  };

  Partition* Find(uint64_t assignment);
  void OnAssigned(const v1::Assigned& assigned);
  void OnDelivery(Delivery delivery);
  void OnErrors(const v1::DeliveryFrame& frame);
  void OnSettleError(const v1::ControlError& error, Sent* sent);
  void OnAcked(uint64_t through);
  // The caller gets it.
  void Hold(const WorkItem& item);
  // A new lease of the range ends older ones.
  void Overtake(Partition* partition, Range range);
  // The broker kept nothing of it.
  void Lose(Partition* partition);

  // Settles the parts of the range that the caller has; under this lease unless it is 0. Returns
  // them, in order.
  std::vector<Range> SettleRange(const Key& key, Range range, uint64_t lease,
                                 const Verdict& verdict);
  // The parts of the range that the caller has, each of one run; under this lease unless it is 0.
  static std::vector<Range> PartsOf(const Partition& partition, Range range, uint64_t lease);
  // Takes such a part out of its run.
  void TakeOut(Partition* partition, Range part);
  void Queue(Partition* partition, Range range, const Verdict& verdict, bool quiet = false);
  void Wait(Partition* partition, Range range, const Verdict& verdict, bool quiet);
  void QueueAck(Partition* partition, Range range);
  bool HasWaiting() const { return !waiting_.empty() || !with_acks_.empty(); }
  void Tell(const Key& key, Range range, v1::SettleKind kind, const absl::Status& status);
  void TellSettled(const Settlement& settlement);
  void Keep(const Key& key, v1::SettleKind kind, int64_t events, const absl::Status& status);
  void TellLost(const Key& key, Range range, v1::SettleKind kind);
  void TellOf(const Settlement& settlement, const absl::Status& status);
  void TellLostOf(const Settlement& settlement);

  v1::SubscribeControl Number(v1::SubscribeControl control, Verb verb,
                              std::vector<Settlement> settlements = {});
  v1::SubscribeStart StartFrame();
  std::map<Key, std::vector<Range>> Held() const;
  v1::SubscribeControl TakeSettle();
  void GiveBack(int64_t events, int64_t bytes);
  bool CreditDue() const;

  const WorkerOptions options_;
  std::string member_id_;
  std::map<Key, Partition> partitions_;  // Never erased.
  std::map<uint64_t, Partition*> by_assignment_;
  std::deque<Item> items_;
  absl::Status failure_;

  std::deque<Settlement> waiting_;  // All but new acks, which go behind them.
  uint64_t last_settlement_ = 0;    // That has a number.
  std::map<Key, Partition*> with_acks_;
  std::deque<Sent> sent_;  // Not answered.
  int64_t settling_ = 0;   // Of those, the settles.
  std::deque<SettleError> errors_;
  absl::Status failed_settlement_;
  bool keeps_settled_ = false;
  std::vector<SettledEvents> settled_;

  uint64_t last_lease_ = 0;
  // Of the stream in hand.
  uint64_t first_lease_ = 1;  // Leases below are of streams before.
  uint64_t next_frame_ = 1;
  bool start_due_ = false;
  bool started_ = false;     // The start is answered.
  bool reset_told_ = false;  // By OnReset(), of the break before this stream or in it.
  bool tick_due_ = false;
  v1::Credit returned_;  // Settled and not given back.
};

}  // namespace acta::client
