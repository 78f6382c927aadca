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
#include "acta/v1/subscriber.pb.h"
#include "client/cpp/channel.h"
#include "client/cpp/delivery.h"
#include "client/cpp/export.h"

namespace acta::client {

// A partition the subscription reads, or read until now.
struct SubscribedPartition {
  std::string topic;
  int32_t partition = -1;
  // Next offset Next() will return.
  int64_t next_offset = 0;
  int64_t incarnation = 0;
};

struct SubscriberOptions {
  // Member of this group; empty: `topics` say what to read without a group.
  std::string group;
  // With both of these a missing group is created with the names of `topics`.
  v1::GroupMode create_mode = v1::GROUP_MODE_UNSPECIFIED;
  std::optional<v1::StartPosition> create_at;
  std::vector<v1::TopicPosition> topics;
  // Stable name of the member, whose partitions are kept for 30 s after a break. Empty: the broker
  // draws one.
  std::string member_id;

  // What the broker may send ahead of the caller, and so what is held here.
  int64_t credit_events = 100'000;
  int64_t credit_bytes = 16 << 20;
  // Largest frame taken, ChannelOptions::max_receive_bytes at most; an event above it stops its
  // partition with EVENT_TOO_LARGE_FOR_CLIENT.
  int32_t max_frame_bytes = 4 << 20;

  std::string app;
  std::string app_version;
  std::string instance;

  // Without a working stream for this long Next() returns the last error. Zero: the first failure
  // ends the subscription.
  absl::Duration retry_for = absl::Minutes(2);
  // Group members: for CommitAndPublish().
  bool delivery_tokens = false;

  // Group members: positions of a partition that moves away are committed before it goes.
  bool commit_when_revoked = true;

  // Both run inside Next(), on its thread. `on_revoked`: everything delivered of the partition has
  // been consumed, the position is committed after it returns; not called when the broker took the
  // partition away by force.
  std::function<void(const SubscribedPartition&)> on_revoked;
  // MEMBER_ID, GROUP_CREATED, COMMIT_NOT_NEWER, REACHED_END and others; GROUP_RESET before what
  // comes behind a reset. `partition` is null where the notice is about none.
  std::function<void(const v1::Notice&, const SubscribedPartition* partition)> on_notice;
};

// Subscriber reads events over one stream, as a member of a group or from positions of its own.
// It connects again after a break: a member under the same member id, from the committed positions,
// so that events not committed come once more; without a group exactly behind the last event. There
// a topic that is deleted while others are read is over, also when one of its name is made later.
//
// Resets:    somebody moved the group's positions, or skipped events: the member connects again and
//            goes on at the new ones. What it was given before counts no more: `on_notice` is told
//            GROUP_RESET, so that a caller who collects drops it, and a commit of anything but
//            what Next() returned since is FENCED. So it is where others moved a position while
//            the stream was broken, by a reset or as members that had the partition meanwhile.
//            So is one after a power cut of the broker's machine, or the restore of a backup: other
//            events may have come to the offsets of those that it was given.
// Consumed:  a delivery counts as consumed when Next() is called again.
// Commits:   are the caller's, but for partitions that move away (`commit_when_revoked`).
// Threads:   Next(), commits and Close() from one thread at a time; Cancel() from any. A thread of
//            its own talks to the broker, keeps the membership alive and connects again, also while
//            the caller is busy.
class ACTA_CLIENT_EXPORT Subscriber {
 public:
  explicit Subscriber(std::shared_ptr<Channel> channel, SubscriberOptions options);
  ~Subscriber();  // Close(), at most 5 s.
  Subscriber(const Subscriber&) = delete;
  Subscriber& operator=(const Subscriber&) = delete;

  // The next events. Nothing: the deadline has passed, or ended(), or Cancel() was called.
  // Errors: of one partition, after which the others go on: GAP, LOG_TRUNCATED,
  // EVENT_TOO_LARGE_FOR_CLIENT, DATA_CORRUPTED, with details `topic` and `partition`. Every other
  // error ended the subscription and is returned again by each further call (failed()).
  absl::StatusOr<std::optional<Delivery>> Next(absl::Time deadline = absl::InfiniteFuture());
  // Every partition was read to the end that `topics` named, or stops before it: for an error that
  // Next() returned, or because its topic was deleted while others were read.
  bool ended() const;
  // The subscription ended with the error Next() returned.
  bool failed() const;

  // `offset` is next-to-read. Sends and returns; FlushCommits() waits. Errors: FENCED when the
  // partition is not this member's, or the offset is of before others moved its position, or of
  // before a power cut.
  absl::Status Commit(absl::string_view topic, int32_t partition, int64_t offset);
  // Commits everything that Next() has returned of the partitions that are still this member's.
  void CommitDelivered();
  // One step: all events of the delivery are processed, the batches are published because of them,
  // and claims of the group are completed, in one write of the broker. Blocks until it is durable.
  // Not OK: nothing of it happened, but after OUTCOME_UNKNOWN or without an answer it may have.
  // FENCED, ALREADY_SETTLED: drop what was made of the events; they are another member's, or were
  // committed. Called again it publishes nothing twice. Needs `delivery_tokens`; deliveries of a
  // partition in their order.
  absl::StatusOr<v1::SettleResponse> CommitAndPublish(const Delivery& delivery,
                                                      std::vector<v1::PartitionBatch> batches,
                                                      std::vector<v1::CompletedClaim> claims = {});
  // Waits until the commits are durable. Else the first failure since the last call (FENCED: the
  // partition went to another member, which reads from the committed position; UNAVAILABLE: the
  // stream broke before, and the events come again), or DEADLINE_EXCEEDED. Nothing of commits of
  // before a reset once `on_notice` was told of it.
  absl::Status FlushCommits(absl::Duration timeout = absl::Seconds(30));

  // The partitions read just now, in order of name and number.
  std::vector<SubscribedPartition> partitions() const;
  // Empty without a group, and before the broker has named it.
  std::string member_id() const;

  // Makes a waiting Next() and all further ones return nothing. Safe in any thread.
  void Cancel();
  // Commits under way are settled, a member leaves its group at once. OK when the broker ended the
  // stream in good order. A commit that a break took is not sent again, as other events may have
  // come to its offset: FlushCommits() says so.
  absl::Status Close(absl::Duration timeout = absl::Seconds(10));

 private:
  class Core;
  const std::unique_ptr<Core> core_;
};

}  // namespace acta::client
