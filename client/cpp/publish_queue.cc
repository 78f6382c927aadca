#include "client/cpp/publish_queue.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "client/cpp/error.h"
#include "client/cpp/rerouting.h"
#include "proto/support/error.h"

namespace acta::client {
namespace {

constexpr size_t kMaxBatchesPerFrame = 1000;
constexpr uint32_t kMaxEventsPerBatch = 65'536;
constexpr uint64_t kMaxEventsPerFrame = 131'072;
// A batch that is out of sequence this often is not worth another epoch.
constexpr int32_t kMaxRestarts = 3;
constexpr absl::Duration kLeastDelay = absl::Milliseconds(10);

// The later of two sequences, which count modulo 2^32.
uint32_t Later(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) > 0 ? a : b; }

// Of a batch with a cause beside its payload: there may be one for each event.
constexpr int64_t kCauseBytes = 512;

int64_t SizeOf(const PublishBatch& batch) {
  return static_cast<int64_t>(batch.payload->size()) + (batch.cause.has_value() ? kCauseBytes : 0);
}

bool SameCause(const std::optional<v1::CausedBy>& a, const std::optional<v1::CausedBy>& b) {
  if (!a.has_value() || !b.has_value()) return a.has_value() == b.has_value();
  return a->offset() == b->offset() && a->delivery_token() == b->delivery_token();
}

// Of the topic, as a refusal for PARTITION_KEY_MISMATCH says; 0: it does not.
int32_t PartitionsIn(const absl::Status& status) {
  const std::map<std::string, std::string> details = DetailsOf(status);
  const auto told = details.find("partitions");
  int32_t partitions = 0;
  const bool known = told != details.end() && absl::SimpleAtoi(told->second, &partitions);
  return known ? partitions : 0;
}

}  // namespace

const std::string& PublishBatch::topic() const { return *lane->topic; }
int32_t PublishBatch::partition() const { return lane->partition; }

void PublishQueue::AddEvent(absl::string_view topic, int32_t partition, NewEvent event, Now now) {
  Append(LaneOf(TopicOf(topic), partition), std::move(event), now);
}

void PublishQueue::AddAnywhere(absl::string_view topic, int32_t partitions, NewEvent event,
                               Now now) {
  TopicLanes& lanes = TopicOf(topic);
  const auto count = static_cast<uint32_t>(partitions);
  if (!HasRoom(LaneOf(lanes, static_cast<int32_t>(lanes.sticky % count)), event)) {
    ++lanes.sticky;
  }
  Append(LaneOf(lanes, static_cast<int32_t>(lanes.sticky % count)), std::move(event), now);
}

void PublishQueue::AddBatch(absl::string_view topic, int32_t partition,
                            std::shared_ptr<const std::string> payload, uint32_t count,
                            Publisher::BatchDone done, absl::Time now) {
  PublishBatch& batch = NewBatch(LaneOf(TopicOf(topic), partition), now);
  batch.payload = std::move(payload);
  batch.count = count;
  batch.batch_done = std::move(done);
  bytes_ += SizeOf(batch);
}

PublishQueue::TopicLanes& PublishQueue::TopicOf(absl::string_view topic) {
  const auto found = topics_.find(topic);
  if (found != topics_.end()) return *found->second;
  auto lanes = std::make_unique<TopicLanes>();
  lanes->name = std::make_shared<const std::string>(topic);
  return *topics_.emplace(std::string(topic), std::move(lanes)).first->second;
}

PublishLane& PublishQueue::LaneOf(TopicLanes& topic, int32_t partition) {
  const auto index = static_cast<size_t>(partition);
  if (index >= topic.lanes.size()) topic.lanes.resize(index + 1);
  std::unique_ptr<PublishLane>& lane = topic.lanes[index];
  if (lane == nullptr) {
    lane = std::make_unique<PublishLane>();
    lane->topic = topic.name;
    lane->partition = partition;
  }
  return *lane;
}

bool PublishQueue::HasRoom(const PublishLane& lane, const NewEvent& event) const {
  if (lane.waiting.empty()) return false;
  const PublishBatch& last = *lane.waiting.back();
  return last.growing != nullptr && last.count < kMaxEventsPerBatch &&
         last.growing->size() + event.element.size() <= static_cast<size_t>(options_.batch_bytes) &&
         last.by_key == event.by_key && SameCause(last.cause, event.cause);
}

PublishBatch& PublishQueue::NewBatch(PublishLane& lane, absl::Time now) {
  if (!lane.waiting.empty()) lane.waiting.back()->growing = nullptr;
  auto batch = std::make_unique<PublishBatch>();
  batch->lane = &lane;
  batch->order = batch->since = next_order_++;
  batch->born = now;
  unfinished_.insert(unfinished_.end(), batch->since);
  lane.waiting.push_back(std::move(batch));
  List(lane);
  return *lane.waiting.back();
}

PublishBatch& PublishQueue::OpenBatch(PublishLane& lane, const NewEvent& event, absl::Time now) {
  PublishBatch& batch = NewBatch(lane, now);
  auto payload = std::make_shared<std::string>();
  batch.growing = payload.get();
  batch.payload = std::move(payload);
  batch.cause = event.cause;
  batch.by_key = event.by_key;
  if (batch.cause.has_value()) bytes_ += kCauseBytes;
  return batch;
}

void PublishQueue::Append(PublishLane& lane, NewEvent event, Now now) {
  if (!HasRoom(lane, event)) OpenBatch(lane, event, now());
  AddTo(*lane.waiting.back(), std::move(event));
}

void PublishQueue::AddTo(PublishBatch& batch, NewEvent event) {
  batch.growing->append(event.element.data(), event.element.size());
  if (event.done) batch.event_dones.emplace_back(batch.count, std::move(event.done));
  ++batch.count;
  bytes_ += static_cast<int64_t>(event.element.size());
}

void PublishQueue::List(PublishLane& lane) {
  if (lane.listed) return;
  lane.listed = true;
  ready_.push_back(&lane);
}

void PublishQueue::ListDelayed(absl::Time now) {
  const auto due = std::partition(delayed_.begin(), delayed_.end(), [now](const PublishLane* lane) {
    return lane->not_before > now;
  });
  ready_.insert(ready_.end(), due, delayed_.end());
  delayed_.erase(due, delayed_.end());
}

std::optional<PublishQueue::Frame> PublishQueue::Take(Now clock) {
  if (IsFull() || (ready_.empty() && delayed_.empty())) return std::nullopt;
  const absl::Time now = clock();
  if (!delayed_.empty()) ListDelayed(now);
  SentFrame sent;
  Frame frame;
  uint64_t events = 0;
  while (!ready_.empty() && frame.batches.size() < kMaxBatchesPerFrame) {
    PublishLane& lane = *ready_.front();
    const bool sendable = !lane.waiting.empty() && MaySend(lane);
    if (!sendable || lane.not_before > now) {
      ready_.pop_front();
      lane.listed = sendable;  // What holds it otherwise lists it again.
      if (sendable) delayed_.push_back(&lane);
      continue;
    }
    const int64_t size = SizeOf(*lane.waiting.front());
    const uint32_t count = lane.waiting.front()->count;
    const bool fits =
        sent.bytes + size <= options_.max_frame_bytes && events + count <= kMaxEventsPerFrame;
    if (!frame.batches.empty() && !fits) break;
    events += count;
    ready_.pop_front();
    sent.batches.push_back(std::move(lane.waiting.front()));
    lane.waiting.pop_front();
    lane.listed = !lane.waiting.empty();
    if (lane.listed) ready_.push_back(&lane);
    Number(*sent.batches.back());
    sent.bytes += size;
    frame.batches.push_back(sent.batches.back().get());
  }
  if (frame.batches.empty()) return std::nullopt;
  frame.id = sent.id = next_frame_++;
  sent.sent = now;
  ++frames_in_flight_;
  bytes_in_flight_ += sent.bytes;
  frames_.push_back(std::move(sent));
  return frame;
}

void PublishQueue::Number(PublishBatch& batch) {
  PublishLane& lane = *batch.lane;
  batch.growing = nullptr;
  if (!batch.numbered) {
    batch.epoch = lane.epoch;
    batch.first_sequence = lane.next_sequence;
  }
  // One that is sent again may lie before others that are stored.
  lane.next_sequence = Later(lane.next_sequence, batch.first_sequence + batch.count);
  ++lane.in_flight;
}

void PublishQueue::OnAnswer(v1::FrameResult answer, absl::Time now, Finished* finished) {
  if (frames_.empty() || answer.frame_id() < frames_.front().id) return;
  const uint64_t index = answer.frame_id() - frames_.front().id;
  if (index >= frames_.size() || frames_[index].answered) return;
  SentFrame& frame = frames_[index];
  frame.answered = true;
  --frames_in_flight_;
  bytes_in_flight_ -= frame.bytes;
  const bool complete =
      answer.has_error() || answer.batches_size() == static_cast<int>(frame.batches.size());
  for (size_t i = 0; i < frame.batches.size(); ++i) {
    FinishedBatch batch;
    batch.batch = std::move(frame.batches[i]);
    batch.incarnation = answer.incarnation();
    batch.level = answer.level();
    if (answer.has_error()) {
      batch.status = FromProto(answer.error());
    } else if (!complete) {
      batch.status = absl::InternalError("the broker did not answer every batch of the frame");
    } else {
      batch.result = std::move(*answer.mutable_batches(static_cast<int>(i)));
      if (batch.result.has_error()) batch.status = FromProto(batch.result.error());
    }
    OnBatchAnswer(std::move(batch), now, finished);
  }
  PopAnswered();
}

void PublishQueue::PopAnswered() {
  while (!frames_.empty() && frames_.front().answered) frames_.pop_front();
}

void PublishQueue::OnBatchAnswer(FinishedBatch answer, absl::Time now, Finished* finished) {
  const PublishBatch& batch = *answer.batch;
  PublishLane& lane = *batch.lane;
  --lane.in_flight;
  if (ReasonOf(answer.status) == v1::DUPLICATE_SEQUENCE_FORGOTTEN) {
    answer.status = absl::OkStatus();
    answer.result.Clear();
  }
  if (answer.status.ok()) {
    if (batch.epoch == lane.epoch) {
      const uint32_t end = batch.first_sequence + batch.count;
      lane.stored_end = lane.confirmed ? Later(lane.stored_end, end) : end;
      lane.confirmed = true;
    }
    Finish(std::move(answer), finished);
  } else {
    lane.held = true;
    OnRefused(std::move(answer), now, finished);
  }
  if (lane.in_flight == 0 && lane.held) Settle(lane, finished);
  if (!lane.waiting.empty()) List(lane);
}

void PublishQueue::OnRefused(FinishedBatch answer, absl::Time now, Finished* finished) {
  PublishBatch& batch = *answer.batch;
  PublishLane& lane = *batch.lane;
  const v1::ErrorReason reason = ReasonOf(answer.status);
  batch.last_error = answer.status;
  if (reason == v1::PARTITION_KEY_MISMATCH && !batch.numbered &&
      Reroute(answer, PartitionsIn(answer.status))) {
    return;
  }
  if (reason == v1::OUT_OF_SEQUENCE && batch.restarts < kMaxRestarts) {
    // The broker has stored nothing from this batch on.
    for (const std::unique_ptr<PublishBatch>& behind : lane.waiting) {
      if (behind->order > batch.order) behind->numbered = false;
    }
    // Behind a refused batch this is expected. As the very next one it means that the broker
    // remembers other sequences than were answered: those of a lost tail.
    if (batch.epoch == lane.epoch && (!lane.confirmed || batch.first_sequence == lane.stored_end)) {
      ++batch.restarts;
      Restart(lane);
    }
    batch.numbered = false;
    return PutBack(std::move(answer.batch));
  }
  if (!IsRetryable(answer.status) || reason == v1::ERROR_REASON_UNSPECIFIED ||
      batch.born + options_.retry_for <= now) {
    // An earlier attempt may be stored although this one is not.
    const bool unknown = batch.numbered || reason == v1::OUTCOME_UNKNOWN;
    if (unknown) lane.abandoned.Update(answer.status);
    // The broker asks for rights, topic, sizes and room before it looks at sequences, and all of
    // them change. Only its sequences say that nothing was stored before either.
    if (batch.numbered && reason != v1::OUT_OF_SEQUENCE) {
      answer.status = OfUnanswered(answer.status);
    }
    return Finish(std::move(answer), finished);
  }
  batch.numbered = batch.numbered || reason == v1::OUTCOME_UNKNOWN;
  lane.not_before = now + std::max(RetryAfterOf(answer.status), kLeastDelay);
  PutBack(std::move(answer.batch));
}

bool PublishQueue::Reroute(FinishedBatch& answer, int32_t partitions) {
  PublishBatch& batch = *answer.batch;
  const auto routed = RouteAgain(batch, partitions);
  if (!routed.has_value()) return false;
  TopicLanes& topic = TopicOf(batch.topic());
  absl::flat_hash_map<int32_t, PublishBatch*> begun;
  const auto staying = std::make_shared<std::string>();
  std::vector<std::pair<uint32_t, Publisher::EventDone>> staying_dones;
  uint32_t staying_count = 0;
  auto done = batch.event_dones.begin();
  for (uint32_t i = 0; i < routed->size(); ++i) {
    const RoutedEvent& one = (*routed)[i];
    NewEvent event{one.element, nullptr, batch.cause, true};
    if (done != batch.event_dones.end() && done->first == i) event.done = std::move(done++->second);
    if (one.partition == batch.partition()) {
      staying->append(one.element.data(), one.element.size());
      if (event.done) staying_dones.emplace_back(staying_count, std::move(event.done));
      ++staying_count;
      continue;
    }
    PublishBatch*& to = begun[one.partition];
    if (to == nullptr) {
      to = &OpenBatch(LaneOf(topic, one.partition), event, batch.born);
      // Who waits for the one before waits for this one.
      unfinished_.erase(unfinished_.find(to->since));
      unfinished_.insert(to->since = batch.since);
    }
    AddTo(*to, std::move(event));
  }
  for (const auto& [partition, to] : begun) to->growing = nullptr;  // They are older than others.
  grown_.push_back(batch.topic());
  bytes_ -= SizeOf(batch);
  if (staying_count == 0) {
    unfinished_.erase(unfinished_.find(batch.since));
    return true;
  }
  batch.payload = staying;
  batch.count = staying_count;
  batch.event_dones = std::move(staying_dones);
  bytes_ += SizeOf(batch);
  PutBack(std::move(answer.batch));
  return true;
}

void PublishQueue::PutBack(std::unique_ptr<PublishBatch> batch) {
  PublishLane& lane = *batch->lane;
  auto place = lane.waiting.begin();
  while (place != lane.waiting.end() && (*place)->order < batch->order) ++place;
  lane.waiting.insert(place, std::move(batch));
  List(lane);
}

void PublishQueue::Settle(PublishLane& lane, Finished* finished) {
  lane.held = false;
  if (!lane.abandoned.ok()) {
    AbandonNumbered(lane, std::exchange(lane.abandoned, absl::OkStatus()), finished);
  }
  if (lane.confirmed) lane.next_sequence = lane.stored_end;
}

void PublishQueue::Restart(PublishLane& lane) {
  ++lane.epoch;
  lane.confirmed = false;
}

void PublishQueue::AbandonNumbered(PublishLane& lane, const absl::Status& status,
                                   Finished* finished) {
  Restart(lane);
  const absl::Status unanswered = OfUnanswered(status);
  std::deque<std::unique_ptr<PublishBatch>> kept;
  for (std::unique_ptr<PublishBatch>& batch : lane.waiting) {
    if (!batch->numbered) {
      kept.push_back(std::move(batch));
      continue;
    }
    FinishedBatch given_up;
    given_up.batch = std::move(batch);
    given_up.status = unanswered;
    Finish(std::move(given_up), finished);
  }
  lane.waiting = std::move(kept);
}

void PublishQueue::OnStreamEnd(const absl::Status& status, bool retry, absl::Time now,
                               Finished* finished) {
  const bool nothing_sent = frames_.empty();
  std::vector<PublishLane*> lanes;
  for (SentFrame& frame : frames_) {
    if (frame.answered) continue;
    for (std::unique_ptr<PublishBatch>& batch : frame.batches) {
      PublishLane* lane = batch->lane;
      --lane->in_flight;
      lanes.push_back(lane);
      // What was sent before a restart was refused, or would have been.
      const bool unanswered = std::exchange(batch->numbered, batch->epoch == lane->epoch);
      batch->last_error = status;
      if (retry && batch->born + options_.retry_for > now) {
        PutBack(std::move(batch));
        continue;
      }
      FinishedBatch given_up;
      given_up.batch = std::move(batch);
      // With a reason the broker ended the stream: what it had taken of it was answered before.
      given_up.status = unanswered ? OfUnanswered(status) : status;
      Finish(std::move(given_up), finished);
      lane->abandoned.Update(status);
    }
  }
  frames_.clear();
  frames_in_flight_ = 0;
  bytes_in_flight_ = 0;
  for (PublishLane* lane : lanes) {
    Settle(*lane, finished);
    if (!lane->waiting.empty()) List(*lane);
  }
  // A stream that is refused before it carried anything refuses what waits for it.
  if (nothing_sent && !retry) FailAll(status, finished);
}

void PublishQueue::Expire(absl::Time now, const absl::Status& status, Finished* finished) {
  for (auto& [name, topic] : topics_) {
    for (std::unique_ptr<PublishLane>& lane : topic->lanes) {
      if (lane != nullptr) ExpireLane(*lane, now, status, finished);
    }
  }
}

void PublishQueue::ExpireLane(PublishLane& lane, absl::Time now, const absl::Status& status,
                              Finished* finished) {
  while (!lane.waiting.empty() && lane.waiting.front()->born + options_.retry_for <= now) {
    FinishedBatch expired;
    expired.batch = std::move(lane.waiting.front());
    lane.waiting.pop_front();
    expired.status = expired.batch->last_error.ok() ? status : expired.batch->last_error;
    if (expired.batch->numbered) {
      expired.status = OfUnanswered(expired.status);
      lane.abandoned.Update(expired.status);
      lane.held = true;
    }
    Finish(std::move(expired), finished);
  }
  if (lane.in_flight == 0 && lane.held) Settle(lane, finished);
}

void PublishQueue::FailAll(const absl::Status& status, Finished* finished) {
  const auto fail = [&](std::unique_ptr<PublishBatch> batch) {
    FinishedBatch given_up;
    given_up.batch = std::move(batch);
    given_up.status = status;
    Finish(std::move(given_up), finished);
  };
  for (SentFrame& frame : frames_) {
    if (frame.answered) continue;
    for (std::unique_ptr<PublishBatch>& batch : frame.batches) {
      --batch->lane->in_flight;
      Restart(*batch->lane);
      fail(std::move(batch));
    }
  }
  frames_.clear();
  frames_in_flight_ = 0;
  bytes_in_flight_ = 0;
  for (auto& [name, topic] : topics_) {
    for (std::unique_ptr<PublishLane>& lane : topic->lanes) {
      if (lane == nullptr) continue;
      lane->held = false;
      lane->abandoned = absl::OkStatus();
      AbandonNumbered(*lane, status, finished);
      for (std::unique_ptr<PublishBatch>& batch : lane->waiting) fail(std::move(batch));
      lane->waiting.clear();
    }
  }
}

absl::Time PublishQueue::NextDue(absl::Time now) const {
  absl::Time due = absl::InfiniteFuture();
  for (const PublishLane* lane : delayed_) {
    if (lane->not_before > now) due = std::min(due, lane->not_before);
  }
  return due;
}

absl::Time PublishQueue::OldestSent() const {
  return frames_.empty() ? absl::InfiniteFuture() : frames_.front().sent;
}

void PublishQueue::Finish(FinishedBatch batch, Finished* finished) {
  unfinished_.erase(unfinished_.find(batch.batch->since));
  bytes_ -= SizeOf(*batch.batch);
  finished->push_back(std::move(batch));
}

}  // namespace acta::client
