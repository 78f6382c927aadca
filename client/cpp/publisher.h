#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "acta/v1/event.pb.h"
#include "acta/v1/publisher.pb.h"
#include "client/cpp/channel.h"
#include "client/cpp/export.h"

namespace acta::client {

struct PublisherOptions {
  // Unspecified: each topic's default.
  v1::AckLevel level = v1::ACK_LEVEL_UNSPECIFIED;
  // Kept beside the events; at most 256 bytes each.
  std::string app;
  std::string app_version;
  std::string instance;

  // What all events that are not answered may hold.
  int64_t max_memory_bytes = 32 << 20;
  // Above it Publish() waits, or is refused PUBLISH_QUEUE_FULL.
  bool block_when_full = true;
  // How long it waits at most before it is refused.
  absl::Duration block_for = absl::InfiniteDuration();
  // A batch is closed above this.
  int32_t batch_bytes = 64 << 10;
  // One frame carries at most this, unless a single event is larger.
  int32_t max_frame_bytes = 3 << 20;
  // Frames and bytes sent and not answered.
  int32_t max_frames_in_flight = 5;
  int64_t max_bytes_in_flight = 8 << 20;
  // An event that could not be delivered for this long fails with the last error seen; with
  // OUTCOME_UNKNOWN when that is a refusal, and the event was sent before without an answer.
  absl::Duration retry_for = absl::Minutes(2);
};

// What became of one event.
struct EventResult {
  absl::Status status;
  int32_t partition = -1;
  // Of the event; of a duplicate: where it was stored before. -1: not stored, or stored so long ago
  // that the broker has forgotten where.
  int64_t offset = -1;
  int64_t incarnation = 0;
  // 0 for a duplicate.
  int64_t append_time_us = 0;
  bool duplicate = false;
  v1::AckLevel level = v1::ACK_LEVEL_UNSPECIFIED;
};

// What became of a prepared batch.
struct BatchOutcome {
  // Not OK: nothing of it was stored, but after OUTCOME_UNKNOWN or without an answer it may be.
  absl::Status status;
  int32_t partition = -1;
  // Of the first event that was stored now; -1: none was.
  int64_t base_offset = -1;
  int64_t incarnation = 0;
  int64_t append_time_us = 0;
  int64_t stored = 0;
  int64_t duplicates = 0;
};

// Publisher sends events over one stream. There is no timer: what arrives while a frame is on its
// way goes into the next one, so a lone event leaves at once and a flood travels in large batches.
//
// Order:     events of one partition are stored in the order of the Publish() calls, also across
//            retries: every batch has a producer sequence and is sent again unchanged.
// Partition: that of the key, else that of the id, else one for as long as a batch lasts. When a
//            topic is grown meanwhile, the broker says so with the next answer. Events with a key
//            that are under way go to their new partitions, where they may come behind others of
//            their key; one that was sent before, and not answered, fails OUTCOME_UNKNOWN.
// Retries:   a broken stream and every retryable refusal are tried again until `retry_for`; the
//            rest is the event's result. One that was sent before, and not answered, may be stored
//            whatever it is refused for: it fails OUTCOME_UNKNOWN, with the reason of the refusal
//            as `refusal` in its details.
// Threads:   any. Callbacks run one at a time, on the publisher's own thread or inside Close(),
//            outside of locks; they must not block. Publish() from a callback never waits for room:
//            it is refused when the memory is full. PublishAndWait(), Flush(), Close() and the end
//            of the publisher wait for its callbacks, and would for ever inside of one.
class ACTA_CLIENT_EXPORT Publisher {
 public:
  using EventDone = absl::AnyInvocable<void(const EventResult&)>;
  using BatchDone = absl::AnyInvocable<void(const BatchOutcome&)>;

  explicit Publisher(std::shared_ptr<Channel> channel, const PublisherOptions& options = {});
  ~Publisher();  // Close() with the channel's deadline.
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  // Takes the event and returns. Not OK: it was not taken and `done` will not run. The first event
  // of a topic waits for GetTopic. Errors: those of GetTopic, PUBLISH_QUEUE_FULL, EVENT_TOO_LARGE
  // for every broker, FAILED_PRECONDITION after Close(), CANCELLED after Cancel().
  absl::Status Publish(absl::string_view topic, const v1::Event& event, EventDone done = nullptr);
  // To a partition of the caller's choice.
  absl::Status PublishTo(absl::string_view topic, int32_t partition, const v1::Event& event,
                         EventDone done = nullptr);
  // What another event caused that was delivered (Delivery::CauseOf()): the broker keeps its id and
  // the journey it belongs to beside this one. The result is INVALID_DELIVERY_TOKEN and the like
  // when it cannot. Without a partition as Publish() does.
  absl::Status PublishCausedBy(const v1::CausedBy& cause, absl::string_view topic,
                               std::optional<int32_t> partition, const v1::Event& event,
                               EventDone done = nullptr);
  // The result of Publish() as a future, which always gets one.
  std::future<EventResult> PublishForResult(absl::string_view topic, const v1::Event& event);
  // Waits for the result.
  EventResult PublishAndWait(absl::string_view topic, const v1::Event& event);

  // One batch as it is: `payload` holds `count` whole `events` elements (AppendElement()), which
  // must fit the partition. For forwarders and load generators: nothing is copied or looked into.
  // Errors: those of Publish(), BATCH_TOO_LARGE for every broker.
  absl::Status PublishPrepared(absl::string_view topic, int32_t partition,
                               std::shared_ptr<const std::string> payload, uint32_t count,
                               BatchDone done = nullptr);

  // Waits until everything published before is answered. OK: all of it was stored. Else the first
  // failure since the last Flush(), or DEADLINE_EXCEEDED when it took longer than `timeout`, or
  // CANCELLED.
  absl::Status Flush(absl::Duration timeout = absl::InfiniteDuration());
  // Gives up: a waiting Publish(), Flush() or Close() and each later one ends with CANCELLED at
  // once, and nothing more is taken. What is not answered goes on and fails when the publisher is
  // closed; it may have been stored. Safe in any thread, also in a callback.
  void Cancel();
  // Flushes, ends the stream and the thread; what is not answered after `timeout` fails. The result
  // is Flush()'s. Later calls do nothing.
  absl::Status Close(absl::Duration timeout = absl::InfiniteDuration());

  // Bytes of events that are not answered.
  int64_t unanswered_bytes() const;

 private:
  class Core;
  const std::unique_ptr<Core> core_;
};

// Appends the event as an element of a prepared payload: tag, length, bytes.
ACTA_CLIENT_EXPORT void AppendElement(const v1::Event& event, std::string* payload);

}  // namespace acta::client
