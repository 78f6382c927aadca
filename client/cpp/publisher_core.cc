#include "client/cpp/publisher_core.h"

#include <grpcpp/support/proto_buffer_reader.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/error.h"
#include "client/cpp/publish_message.h"
#include "client/cpp/steady_time.h"
#include "client/cpp/tell.h"
#include "proto/support/error.h"
#include "proto/support/partitioner.h"
#include "storage/base/status_macros.h"

namespace acta::client {
namespace {

constexpr int32_t kMaxPartition = 65'535;
// A message above 17 MiB ends the stream, and would do so again and again. These leave room for
// what goes with the events, of one batch and of as many as a frame may have.
constexpr size_t kMaxPayloadBytes = (17 << 20) - (4 << 10);
constexpr int32_t kMaxFrameBytes = 16 << 20;
// How long a stream that has nothing more to say may take to end.
constexpr absl::Duration kEndPatience = absl::Seconds(1);

uint64_t DrawProducerId() {
  std::random_device random;
  const uint64_t high = random();
  return std::max<uint64_t>(1, high << 32 | random());
}

PublishQueue::Options QueueOptions(const PublisherOptions& options) {
  PublishQueue::Options queue;
  queue.batch_bytes = std::min(options.batch_bytes, kMaxFrameBytes);
  queue.max_frame_bytes = std::min(options.max_frame_bytes, kMaxFrameBytes);
  queue.max_frames_in_flight = options.max_frames_in_flight;
  queue.max_bytes_in_flight = options.max_bytes_in_flight;
  queue.retry_for = options.retry_for;
  return queue;
}

absl::Status CheckPartition(int32_t partition) {
  if (partition >= 0 && partition <= kMaxPartition) return absl::OkStatus();
  return Error(v1::INVALID_ARGUMENT, absl::StrCat("there is no partition ", partition));
}

absl::Status CheckSize(v1::ErrorReason reason, size_t bytes) {
  if (bytes <= kMaxPayloadBytes) return absl::OkStatus();
  return Error(reason, absl::StrCat("it has ", bytes, " bytes: no broker takes more than ",
                                    kMaxPayloadBytes, " in one message"));
}

// What says that the number of partitions is not what it was.
bool IsAboutPartitions(v1::ErrorReason reason) {
  return reason == v1::PARTITION_KEY_MISMATCH || reason == v1::PARTITION_NOT_FOUND ||
         reason == v1::TOPIC_NOT_FOUND;
}

absl::Status Cancelled() { return absl::CancelledError("the publisher was cancelled"); }

}  // namespace

Publisher::Core::Core(std::shared_ptr<Channel> channel, const PublisherOptions& options)
    : channel_(std::move(channel)),
      options_(options),
      producer_id_(DrawProducerId()),
      admin_(channel_),
      queue_(QueueOptions(options)),
      backoff_(channel_->options().min_backoff),
      stream_(channel_, ClientKind::kPublisher, "/acta.v1.Publisher/PublishStream", *this) {
  stream_.Run();
}

absl::Status Publisher::Core::Publish(absl::string_view topic, std::optional<int32_t> partition,
                                      const v1::Event& event, std::optional<v1::CausedBy> cause,
                                      EventDone done) {
  int32_t partitions = 0;
  const bool named = partition.has_value();
  if (named) {
    RETURN_IF_ERROR(CheckPartition(*partition));
  } else {
    ASSIGN_OR_RETURN(partitions, PartitionsOf(topic));
    const std::string& key = event.key().empty() ? event.id() : event.key();
    if (!key.empty()) partition = PartitionOfKey(key, partitions);
  }
  std::string element;
  AppendElement(event, &element);
  RETURN_IF_ERROR(CheckSize(v1::EVENT_TOO_LARGE, element.size()));
  bool start = false;
  bool full = false;  // Whoever brings the next answer writes.
  {
    MutexLock lock(mu_);
    RETURN_IF_ERROR(WaitForRoom(element.size()));
    const bool by_key = !named && partition.has_value();
    PublishQueue::NewEvent added{element, std::move(done), std::move(cause), by_key};
    if (partition.has_value()) {
      queue_.AddEvent(topic, *partition, std::move(added), SteadyNow);
    } else {
      queue_.AddAnywhere(topic, partitions, std::move(added), SteadyNow);
    }
    start = MustStart();
    full = queue_.IsFull();
  }
  if (start || !full) Drive(start);
  return absl::OkStatus();
}

absl::Status Publisher::Core::PublishPrepared(absl::string_view topic, int32_t partition,
                                              std::shared_ptr<const std::string> payload,
                                              uint32_t count, BatchDone done) {
  RETURN_IF_ERROR(CheckPartition(partition));
  RETURN_IF_ERROR(CheckSize(v1::BATCH_TOO_LARGE, payload->size()));
  bool start = false;
  bool full = false;  // Whoever brings the next answer writes.
  {
    MutexLock lock(mu_);
    RETURN_IF_ERROR(WaitForRoom(payload->size()));
    queue_.AddBatch(topic, partition, std::move(payload), count, std::move(done), SteadyNow());
    start = MustStart();
    full = queue_.IsFull();
  }
  if (start || !full) Drive(start);
  return absl::OkStatus();
}

absl::StatusOr<int32_t> Publisher::Core::PartitionsOf(absl::string_view topic) {
  {
    MutexLock lock(mu_);
    const auto found = partitions_.find(topic);
    if (found != partitions_.end()) return found->second.partitions;
  }
  v1::GetTopicRequest request;
  request.set_name(std::string(topic));
  ASSIGN_OR_RETURN(const v1::GetTopicResponse response, admin_.GetTopic(request));
  const int32_t partitions = std::max(1, response.topic().partitions());
  MutexLock lock(mu_);
  // The answer to a frame may have said more meanwhile.
  return partitions_.try_emplace(std::string(topic), KnownTopic{partitions, 0})
      .first->second.partitions;
}

absl::Status Publisher::Core::WaitForRoom(size_t bytes) {
  std::optional<absl::Time> deadline;
  while (true) {
    if (cancelled_) return Cancelled();
    if (closed_) return absl::FailedPreconditionError("the publisher is closed");
    // A single event may be larger than all the memory.
    if (queue_.empty() ||
        queue_.bytes() + static_cast<int64_t>(bytes) <= options_.max_memory_bytes) {
      return absl::OkStatus();
    }
    // Not once it is closed: Close() joins the thread then.
    const bool may_wait = options_.block_when_full && !stream_.OnOwnThread();
    if (may_wait && !deadline.has_value()) deadline = SteadyNow() + options_.block_for;
    if (!may_wait || !WaitUntil(*deadline)) {
      return Error(v1::PUBLISH_QUEUE_FULL,
                   absl::StrCat("the publisher holds ", queue_.bytes(),
                                " bytes that are not answered, of max_memory_bytes ",
                                options_.max_memory_bytes));
    }
  }
}

bool Publisher::Core::WaitUntil(absl::Time deadline) {
  const absl::Duration rest = deadline - SteadyNow();
  if (rest <= absl::ZeroDuration()) return false;
  changed_.WaitFor(mu_, std::min(rest, absl::Hours(1)));
  return true;
}

bool Publisher::Core::MustStart() {
  if (streaming_ || SteadyNow() < reconnect_at_) return false;
  streaming_ = true;
  return true;
}

void Publisher::Core::Drive(bool start) {
  if (start) (void)stream_.Start();  // False only after Stop(), when nothing matters any more.
  stream_.Wake();
}

void Publisher::Core::OnOpen() {
  MutexLock lock(mu_);
  opened_ = false;
}

bool Publisher::Core::WriteNext() {
  grpc::ByteBuffer message;
  bool half_close = false;
  {
    MutexLock lock(mu_);
    const std::optional<PublishQueue::Frame> frame = queue_.Take(SteadyNow);
    if (frame.has_value()) {
      v1::PublishOpen open;
      open.set_level(options_.level);
      open.set_app(options_.app);
      open.set_app_version(options_.app_version);
      open.set_instance(options_.instance);
      message = EncodeFrame(*frame, producer_id_, opened_ ? nullptr : &open);
      opened_ = true;
    } else if (closing_ && queue_.empty()) {
      half_close = true;
    } else {
      return false;
    }
  }
  if (half_close) {
    stream_.WritesDone();
  } else {
    stream_.Write(message);
  }
  return true;
}

void Publisher::Core::OnMessage(const grpc::ByteBuffer& message) {
  grpc::ByteBuffer bytes(message);
  grpc::ProtoBufferReader reader(&bytes);
  v1::PublishResults results;
  if (!results.ParseFromZeroCopyStream(&reader)) return stream_.Cancel();
  std::vector<std::pair<uint64_t, v1::TopicPartitions>> news;  // By frame.
  PublishQueue::Finished finished;
  {
    MutexLock lock(mu_);
    const absl::Time now = SteadyNow();
    backoff_ = channel_->options().min_backoff;
    last_error_ = absl::OkStatus();
    for (v1::FrameResult& result : *results.mutable_results()) {
      for (v1::TopicPartitions& topic : *result.mutable_topics()) {
        news.emplace_back(result.frame_id(), std::move(topic));
      }
      queue_.OnAnswer(std::move(result), now, &finished);
    }
    for (const std::string& topic : queue_.TakeGrown()) partitions_.erase(topic);
    GiveOut(finished);
    for (const auto& [frame_id, topic] : news) Learn(topic, frame_id);
    stream_.TickWithin(NextDue(now) - now);
  }
  stream_.Wake();  // Before the callbacks, so that the broker does not wait for them.
  Deliver(std::move(finished));
}

// Answers to frames that wait for the disk come behind later ones that do not.
void Publisher::Core::Learn(const v1::TopicPartitions& topic, uint64_t frame_id) {
  if (topic.partitions() < 1) return;
  KnownTopic& known = partitions_[topic.topic()];
  if (frame_id >= known.frame_id) known = {topic.partitions(), frame_id};
}

void Publisher::Core::OnEnd(const absl::Status& status) {
  PublishQueue::Finished finished;
  {
    MutexLock lock(mu_);
    const absl::Time now = SteadyNow();
    streaming_ = false;
    last_error_ = status.ok() ? absl::UnavailableError(absl::StrCat("broker '", channel_->address(),
                                                                    "' ended the stream"))
                              : status;
    queue_.OnStreamEnd(last_error_, IsRetryable(last_error_), now, &finished);
    reconnect_at_ = now + std::max(backoff_, RetryAfterOf(status));
    backoff_ = std::min(backoff_ * 2, channel_->options().max_backoff);
    GiveOut(finished);
    changed_.SignalAll();
    stream_.TickWithin(NextDue(now) - now);
  }
  Deliver(std::move(finished));
}

absl::Time Publisher::Core::NextDue(absl::Time now) const {
  const bool waits = !streaming_ && !queue_.empty();
  return std::min(queue_.NextDue(now), waits ? reconnect_at_ : absl::InfiniteFuture());
}

absl::Duration Publisher::Core::OnTick(absl::Time now) {
  PublishQueue::Finished finished;
  bool start = false;
  bool silent = false;
  absl::Duration wait;
  {
    MutexLock lock(mu_);
    const absl::Status late = absl::DeadlineExceededError(
        absl::StrCat("not answered within ", absl::FormatDuration(options_.retry_for)));
    queue_.Expire(now, last_error_.ok() ? late : last_error_, &finished);
    GiveOut(finished);
    silent = now - queue_.OldestSent() > channel_->options().deadline;
    start = !queue_.empty() && MustStart();
    wait = NextDue(now) - now;
  }
  Deliver(std::move(finished));
  if (silent) stream_.Cancel();
  Drive(start);
  return wait;
}

void Publisher::Core::GiveOut(const PublishQueue::Finished& finished) {
  if (finished.empty()) return;
  given_out_ += finished.size();
  for (const FinishedBatch& batch : finished) {
    // Not by its status, which is OUTCOME_UNKNOWN when it was sent before.
    const bool about_partitions =
        !batch.status.ok() && IsAboutPartitions(ReasonOf(batch.batch->last_error));
    if (about_partitions) partitions_.erase(batch.batch->topic());
  }
  changed_.SignalAll();
}

void Publisher::Core::Deliver(PublishQueue::Finished finished) {
  if (finished.empty()) return;
  TellPublished(*channel_, finished);
  absl::Status failure;
  for (FinishedBatch& batch : finished) {
    RunCallbacks(batch);
    failure.Update(batch.status);
  }
  MutexLock lock(mu_);
  delivered_ += finished.size();
  failure_.Update(failure);
  changed_.SignalAll();
}

absl::Status Publisher::Core::Flush(absl::Duration timeout) {
  const absl::Time deadline = SteadyNow() + timeout;
  const absl::Status late = absl::DeadlineExceededError(
      absl::StrCat("not everything was answered within ", absl::FormatDuration(timeout)));
  MutexLock lock(mu_);
  const uint64_t order = queue_.last_order();
  while (!queue_.FinishedThrough(order)) {
    if (cancelled_) return Cancelled();
    if (!WaitUntil(deadline)) return late;
  }
  const uint64_t given_out = given_out_;
  while (delivered_ < given_out) {
    if (cancelled_) return Cancelled();
    if (!WaitUntil(deadline)) return late;
  }
  return std::exchange(failure_, absl::OkStatus());
}

void Publisher::Core::Cancel() {
  {
    MutexLock lock(mu_);
    cancelled_ = true;
    changed_.SignalAll();
  }
  admin_.Cancel();
}

absl::Status Publisher::Core::Close(absl::Duration timeout) {
  {
    MutexLock lock(mu_);
    if (closed_) return absl::OkStatus();
    closed_ = true;
    changed_.SignalAll();
  }
  const absl::Status status = Flush(timeout);
  {
    MutexLock lock(mu_);
    closing_ = true;
  }
  stream_.Wake();
  {
    MutexLock lock(mu_);
    const absl::Time deadline = SteadyNow() + kEndPatience;
    while (streaming_ && queue_.empty() && WaitUntil(deadline)) continue;
  }
  stream_.Stop();
  PublishQueue::Finished finished;
  {
    MutexLock lock(mu_);
    queue_.FailAll(status.ok() ? absl::CancelledError("the publisher is closed") : status,
                   &finished);
    GiveOut(finished);
  }
  Deliver(std::move(finished));
  return status;
}

int64_t Publisher::Core::unanswered_bytes() const {
  MutexLock lock(mu_);
  return queue_.bytes();
}

}  // namespace acta::client
