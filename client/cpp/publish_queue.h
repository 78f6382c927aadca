#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "acta/v1/publisher.pb.h"
#include "client/cpp/publish_batch.h"

namespace acta::client {

// The batches of one partition, in order.
struct PublishLane {
  std::shared_ptr<const std::string> topic;
  int32_t partition = 0;
  std::deque<std::unique_ptr<PublishBatch>> waiting;
  int32_t in_flight = 0;
  uint32_t epoch = 1;
  uint32_t next_sequence = 0;  // Of the next batch that is sent for the first time.
  uint32_t stored_end = 0;     // One past the last sequence known to be stored.
  // Something of this epoch is stored. Before, one batch at a time is sent: the broker takes any
  // first sequence, so a second batch could overtake a refused first one.
  bool confirmed = false;
  // A batch was refused: nothing is sent until all in flight are answered and can be renumbered.
  bool held = false;
  // A batch was given up that may be stored: once nothing is in flight, the numbered ones behind it
  // are given up too, and a new epoch starts.
  absl::Status abandoned;
  absl::Time not_before = absl::InfinitePast();
  bool listed = false;  // In PublishQueue::ready_ or delayed_.
};

// PublishQueue decides what a publisher sends: it fills batches, numbers them, keeps what is
// not answered, and puts it back in order when it is refused or the stream breaks. It does no IO
// and knows no clock: events and a time go in, frames and results come out.
//
// Sequences: a batch is numbered when it is first sent. If its outcome is unknown it is sent again
// with the same number; if it was refused the numbers behind it are given again, because the
// broker has not stored them. Where neither is safe the epoch rises, and numbering starts anew.
//
// Growth: a batch that is refused because its topic has more partitions now is taken apart, and
// each event goes behind what waits for the partition of its key, or stays where it was.
//
// Threads: one at a time.
class PublishQueue {
 public:
  struct Options {
    int32_t batch_bytes = 64 << 10;
    int32_t max_frame_bytes = 3 << 20;
    int32_t max_frames_in_flight = 5;
    int64_t max_bytes_in_flight = 8 << 20;
    absl::Duration retry_for = absl::Minutes(2);
  };
  using Finished = std::vector<FinishedBatch>;

  // A frame to send. Its batches stay where they are until it is answered or OnStreamEnd().
  struct Frame {
    uint64_t id = 0;
    std::vector<const PublishBatch*> batches;
  };

  // Says the time. Asked only where it matters: at a rate of millions of events reading a clock for
  // each of them is a third of what publishing them takes.
  using Now = absl::FunctionRef<absl::Time()>;

  explicit PublishQueue(const Options& options) : options_(options) {}

  struct NewEvent {
    absl::string_view element;  // One whole `events` element.
    Publisher::EventDone done;
    std::optional<v1::CausedBy> cause;
    // The partition is that of its key or id: when the topic has grown it goes to another one.
    bool by_key = false;
  };
  void AddEvent(absl::string_view topic, int32_t partition, NewEvent event, Now now);
  // To one partition of `partitions` for as long as its batch lasts.
  void AddAnywhere(absl::string_view topic, int32_t partitions, NewEvent event, Now now);
  void AddBatch(absl::string_view topic, int32_t partition,
                std::shared_ptr<const std::string> payload, uint32_t count,
                Publisher::BatchDone done, absl::Time now);

  // As much is in flight as may be: nothing leaves until an answer comes.
  bool IsFull() const {
    return frames_in_flight_ >= options_.max_frames_in_flight ||
           bytes_in_flight_ >= options_.max_bytes_in_flight;
  }
  // The next frame; none while there is nothing to send or the window is full.
  std::optional<Frame> Take(Now now);

  void OnAnswer(v1::FrameResult answer, absl::Time now, Finished* finished);
  // The stream is gone, and with it the answers to what is in flight. `retry`: send it again.
  void OnStreamEnd(const absl::Status& status, bool retry, absl::Time now, Finished* finished);
  // Fails what is older than `retry_for` and not in flight, with the last error it met, or else
  // with `status`.
  void Expire(absl::Time now, const absl::Status& status, Finished* finished);
  // Fails everything.
  void FailAll(const absl::Status& status, Finished* finished);

  // Topics that were found to have grown since the last call.
  std::vector<std::string> TakeGrown() { return std::exchange(grown_, {}); }

  // When Take() may give more than at `now`, because a delay ends. Infinite: none does. One that is
  // over counts no more: Take() sees it when a frame can be sent, which time alone does not bring.
  absl::Time NextDue(absl::Time now) const;
  // Since when the oldest frame has been without an answer. Infinite future: there is none.
  absl::Time OldestSent() const;

  bool empty() const { return unfinished_.empty(); }
  int64_t bytes() const { return bytes_; }  // Of all that is not finished.
  uint64_t last_order() const { return next_order_ - 1; }
  // Every batch up to `order` is finished.
  bool FinishedThrough(uint64_t order) const {
    return unfinished_.empty() || *unfinished_.begin() > order;
  }

 private:
  struct TopicLanes {
    std::shared_ptr<const std::string> name;
    std::vector<std::unique_ptr<PublishLane>> lanes;
    uint32_t sticky = 0;
  };
  struct SentFrame {
    uint64_t id = 0;
    int64_t bytes = 0;
    absl::Time sent;
    std::vector<std::unique_ptr<PublishBatch>> batches;
    bool answered = false;
  };

  TopicLanes& TopicOf(absl::string_view topic);
  PublishLane& LaneOf(TopicLanes& topic, int32_t partition);
  // In the batch that is being filled.
  bool HasRoom(const PublishLane& lane, const NewEvent& event) const;
  PublishBatch& NewBatch(PublishLane& lane, absl::Time now);
  // One that is to be filled with events like this one.
  PublishBatch& OpenBatch(PublishLane& lane, const NewEvent& event, absl::Time now);
  void Append(PublishLane& lane, NewEvent event, Now now);
  void AddTo(PublishBatch& batch, NewEvent event);
  // Sends the events of a refused batch to where they belong, if its topic has grown to that.
  bool Reroute(FinishedBatch& answer, int32_t partitions);

  static bool MaySend(const PublishLane& lane) {
    return !lane.held && (lane.confirmed || lane.in_flight == 0);
  }
  void List(PublishLane& lane);
  void ListDelayed(absl::Time now);
  void Number(PublishBatch& batch);
  void OnBatchAnswer(FinishedBatch answer, absl::Time now, Finished* finished);
  void OnRefused(FinishedBatch answer, absl::Time now, Finished* finished);
  void PutBack(std::unique_ptr<PublishBatch> batch);
  void ExpireLane(PublishLane& lane, absl::Time now, const absl::Status& status,
                  Finished* finished);
  // Of a lane that was held and has nothing in flight any more.
  void Settle(PublishLane& lane, Finished* finished);
  // Starts a new epoch: nothing is known about the sequences of the old one.
  static void Restart(PublishLane& lane);
  // Fails the waiting batches that must not be renumbered, and starts a new epoch.
  void AbandonNumbered(PublishLane& lane, const absl::Status& status, Finished* finished);
  void Finish(FinishedBatch batch, Finished* finished);
  void PopAnswered();

  const Options options_;
  absl::flat_hash_map<std::string, std::unique_ptr<TopicLanes>> topics_;
  std::deque<PublishLane*> ready_;
  std::vector<PublishLane*> delayed_;
  std::deque<SentFrame> frames_;  // In flight, by rising id without gaps.
  int32_t frames_in_flight_ = 0;
  int64_t bytes_in_flight_ = 0;
  uint64_t next_frame_ = 1;
  uint64_t next_order_ = 1;
  std::multiset<uint64_t> unfinished_;  // PublishBatch::since of all batches.
  std::vector<std::string> grown_;
  int64_t bytes_ = 0;
};

}  // namespace acta::client
