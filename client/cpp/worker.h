#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "acta/v1/groups.pb.h"
#include "acta/v1/publisher.pb.h"
#include "acta/v1/subscriber.pb.h"
#include "client/cpp/channel.h"
#include "client/cpp/export.h"
#include "client/cpp/work_item.h"

namespace acta::client {

// Events whose settlement did not count.
struct SettleError {
  std::string topic;
  int32_t partition = -1;
  int64_t offset = 0;
  int64_t count = 0;
  v1::SettleKind kind = v1::SETTLE_KIND_UNSPECIFIED;
  // LEASE_LOST, ALREADY_SETTLED, NEVER_LEASED, LIMIT_EXCEEDED, ...
  absl::Status status;
};

struct WorkerOptions {
  std::string group;
  // With both of these a missing group is created, with `topics` and the default settings.
  v1::GroupMode create_mode = v1::GROUP_MODE_UNSPECIFIED;
  std::optional<v1::StartPosition> create_at;
  std::vector<std::string> topics;
  // Stable name of the member. Empty: the broker draws one.
  std::string member_id;

  // What may be leased to this worker and not settled. Less than what it processes within a lease.
  int64_t credit_events = 1'000;
  int64_t credit_bytes = 16 << 20;
  // Largest frame taken, ChannelOptions::max_receive_bytes at most; an event above it fails for
  // this worker (EVENT_TOO_LARGE_FOR_CLIENT), and `on_notice` is told.
  int32_t max_frame_bytes = 4 << 20;

  std::string app;
  std::string app_version;
  std::string instance;
  // For AckAndPublish() and its like.
  bool delivery_tokens = false;

  // Without a working stream for this long Next() returns the last error. Zero: the first failure
  // ends the worker.
  absl::Duration retry_for = absl::Minutes(2);

  // MEMBER_ID, GROUP_CREATED and others; GROUP_RESET before what comes behind a reset. Runs inside
  // Next(), on its thread.
  std::function<void(const v1::Notice&)> on_notice;
  // Each settlement, or part of one, that did not count. Runs inside Next(), Flush() and Close(),
  // on their thread.
  std::function<void(const SettleError&)> on_settle_error;
};

struct NackOptions {
  // When it comes again; not set: after the group's backoff.
  std::optional<absl::Duration> delay;
  // A stable word for programs: at most 64 of [a-zA-Z0-9._-].
  std::string reason;
  // For people: at most 1,024 bytes.
  std::string text;
};

struct RejectOptions {
  std::string reason;
  std::string text;
};

// Worker is a member of a QUEUE group: it gets events with a lease, and settles them, each once and
// in any order.
//
// Settling:  sends and returns; what did not count is told later (Flush(), `on_settle_error`) and
//            not tried again: the events come again when their leases end. Acks of neighbours
//            travel as one; what is settled while a frame is on its way goes into the next.
// Leases:    are the caller's to extend. What Next() has not returned yet is leased too.
// Breaks:    the worker connects again under the same member id. What Next() had not returned is
//            dropped and comes again. What it had returned, and settlements that were not answered,
//            are named to the broker as held. Of partitions that the broker then names, the
//            settlements are sent again under the new assignment; one that the broker had taken
//            before the break (ALREADY_SETTLED) counts. The broker keeps held events when it was
//            restarted less than 10 s ago. When it did not keep them each settlement is LEASE_LOST:
//            those not answered, and later ones of items from before the break. An ack counts even
//            so while nobody else got the event, unless other events may be in its place
//            (Assigned.generation). A NACK, REJECT, EXTEND or RELEASE of events that came again
//            meanwhile is not sent, so that it does not hit the new lease.
// Resets:    somebody moved the group's positions: the worker connects again and goes on at the new
//            ones. `on_notice` is told GROUP_RESET before, and nothing is leased until it returns;
//            of a reset while the stream was broken, or where a power cut or the restore of a
//            backup may have put other events in the place of those that the caller has, it is
//            told when the caller has events of such a partition. Settlements of what came before
//            of them are LEASE_LOST. Once Next() has returned such an event again, a settlement by
//            its offset is of its new lease: who works beside Next() ends what is under way when
//            the notice comes.
// Threads:   Next(), Flush() and Close() from one thread at a time; settling and Cancel() from any.
//            A thread of its own talks to the broker, keeps the membership alive and connects
//            again, also while the caller is busy.
class ACTA_CLIENT_EXPORT Worker {
 public:
  explicit Worker(std::shared_ptr<Channel> channel, WorkerOptions options);
  ~Worker();  // Close(), at most 5 s.
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // The next events. Nothing: the deadline has passed, or Cancel() was called. Errors: of one
  // partition, after which the others go on: GAP, LOG_TRUNCATED, DATA_CORRUPTED, with details
  // `topic` and `partition`. Every other error ended the worker and is returned again by each
  // further call (failed()); one is WRONG_GROUP_MODE, which the first settlement finds out.
  absl::StatusOr<std::optional<WorkItem>> Next(absl::Time deadline = absl::InfiniteFuture());
  // The worker ended with the error Next() returned.
  bool failed() const;

  // Of all events of an item that are not settled yet, or of those named, which Next() returned.
  // Processed.
  void Ack(const WorkItem& item);
  void Ack(absl::string_view topic, int32_t partition, int64_t offset, int64_t count = 1);
  // One step: all events of the item are processed, the batches are published because of them, and
  // claims of the group are completed, in one write of the broker. Blocks until it is durable. Not
  // OK: nothing of it happened, but after OUTCOME_UNKNOWN or without an answer it may have.
  // LEASE_LOST, ALREADY_SETTLED: the events are no longer this worker's; drop what was made of
  // them. So is each item from before a restart of the broker: it is given back and comes again at
  // once. Else they still are: try again, or Nack(). Called again it publishes nothing twice. Needs
  // `delivery_tokens`, and all of the item unsettled.
  absl::StatusOr<v1::SettleResponse> AckAndPublish(const WorkItem& item,
                                                   std::vector<v1::PartitionBatch> batches,
                                                   std::vector<v1::CompletedClaim> claims = {});
  // The same, but that the events failed.
  absl::StatusOr<v1::SettleResponse> NackAndPublish(const WorkItem& item, NackOptions options,
                                                    std::vector<v1::PartitionBatch> batches,
                                                    std::vector<v1::CompletedClaim> claims = {});
  absl::StatusOr<v1::SettleResponse> RejectAndPublish(const WorkItem& item, RejectOptions options,
                                                      std::vector<v1::PartitionBatch> batches,
                                                      std::vector<v1::CompletedClaim> claims = {});
  // Failed now: they come again.
  void Nack(const WorkItem& item, NackOptions options = {});
  void Nack(absl::string_view topic, int32_t partition, int64_t offset, int64_t count = 1,
            NackOptions options = {});
  // Never again: they become dead letters.
  void Reject(const WorkItem& item, RejectOptions options = {});
  void Reject(absl::string_view topic, int32_t partition, int64_t offset, int64_t count = 1,
              RejectOptions options = {});
  // Their leases end so long from now; not set: the group's lease. At most 12 h after they began.
  void Extend(const WorkItem& item, std::optional<absl::Duration> lease = std::nullopt);
  void Extend(absl::string_view topic, int32_t partition, int64_t offset, int64_t count = 1,
              std::optional<absl::Duration> lease = std::nullopt);
  // Given back untouched: no attempt is counted.
  void Release(const WorkItem& item);
  void Release(absl::string_view topic, int32_t partition, int64_t offset, int64_t count = 1);

  // Waits until everything that was settled before is durable. Else the first failure since the
  // last call, or DEADLINE_EXCEEDED, or what ended the worker.
  absl::Status Flush(absl::Duration timeout = absl::Seconds(30));

  // Empty before the broker has named it.
  std::string member_id() const;

  // Makes a waiting Next() and all further ones return nothing. What is settled is sent as before,
  // also after a break. Safe in any thread.
  void Cancel();
  // What was settled is answered, after a break by the next stream; what is not settled is given
  // back, and no attempt is counted. OK when the broker ended the stream in good order.
  absl::Status Close(absl::Duration timeout = absl::Seconds(10));

 private:
  class Core;
  const std::unique_ptr<Core> core_;
};

}  // namespace acta::client
