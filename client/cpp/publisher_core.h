#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "client/cpp/admin.h"
#include "client/cpp/publish_queue.h"
#include "client/cpp/publisher.h"
#include "client/cpp/raw_stream.h"
#include "storage/base/mutex.h"

namespace acta::client {

// Publisher at work: the queue behind a lock, and the stream that empties it. Every time here is of
// SteadyNow().
//
// Threads: as Publisher says.
class ACTA_CLIENT_HIDDEN Publisher::Core final : public RawStream::Handler {
 public:
  Core(std::shared_ptr<Channel> channel, const PublisherOptions& options);

  // No partition: that of the key or id, else any.
  absl::Status Publish(absl::string_view topic, std::optional<int32_t> partition,
                       const v1::Event& event, std::optional<v1::CausedBy> cause, EventDone done);
  absl::Status PublishPrepared(absl::string_view topic, int32_t partition,
                               std::shared_ptr<const std::string> payload, uint32_t count,
                               BatchDone done);
  absl::Status Flush(absl::Duration timeout);
  void Cancel();
  absl::Status Close(absl::Duration timeout);
  const ChannelOptions& channel_options() const { return channel_->options(); }
  int64_t unanswered_bytes() const;

  void OnOpen() override;
  void OnMessage(const grpc::ByteBuffer& message) override;
  bool WriteNext() override;
  void OnEnd(const absl::Status& status) override;
  absl::Duration OnTick(absl::Time now) override;

 private:
  struct KnownTopic {
    int32_t partitions = 0;
    uint64_t frame_id = 0;  // Whose answer said so; 0: GetTopic.
  };

  absl::StatusOr<int32_t> PartitionsOf(absl::string_view topic);
  void Learn(const v1::TopicPartitions& topic, uint64_t frame_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Waits until `bytes` more may be held. Errors: PUBLISH_QUEUE_FULL, FAILED_PRECONDITION,
  // CANCELLED.
  absl::Status WaitForRoom(size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // False: the time has passed.
  bool WaitUntil(absl::Time deadline) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // True: the caller must Start() the stream once unlocked.
  bool MustStart() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Starts the stream if need be, and writes if it is free.
  void Drive(bool start);
  void GiveOut(const PublishQueue::Finished& finished) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Runs the callbacks of what GiveOut() counted, outside of locks.
  void Deliver(PublishQueue::Finished finished);
  absl::Time NextDue(absl::Time now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<Channel> channel_;
  const PublisherOptions options_;
  const uint64_t producer_id_;
  Admin admin_;

  mutable Mutex mu_;  // Leaf.
  CondVar changed_;
  PublishQueue queue_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, KnownTopic> partitions_ ABSL_GUARDED_BY(mu_);
  bool streaming_ ABSL_GUARDED_BY(mu_) = false;  // From Start() to OnEnd().
  bool opened_ ABSL_GUARDED_BY(mu_) = false;     // The open frame is written.
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;   // Nothing more is taken.
  bool closing_ ABSL_GUARDED_BY(mu_) = false;  // Half-close once all is answered.
  absl::Time reconnect_at_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  absl::Duration backoff_ ABSL_GUARDED_BY(mu_);
  absl::Status last_error_ ABSL_GUARDED_BY(mu_);  // Of the last stream, until another one answers.
  // Batches whose callbacks are to run, and that have run.
  uint64_t given_out_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t delivered_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mu_);  // The first since the last Flush().

  RawStream stream_;
};

}  // namespace acta::client
