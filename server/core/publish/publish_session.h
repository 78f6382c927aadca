#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "acta/v1/context.pb.h"
#include "acta/v1/publisher.pb.h"
#include "proto/support/publish_frame.h"
#include "server/core/access/authorizer.h"
#include "server/core/publish/batch_preparer.h"
#include "server/core/publish/causes.h"
#include "server/core/publish/frame_in_flight.h"
#include "server/core/publish/publish_limits.h"
#include "server/core/topics/topic_registry.h"
#include "storage/base/bytes.h"
#include "storage/log_engine.h"

namespace acta {

// A frame as it is to be written, and who answers it then.
struct PreparedFrame {
  std::shared_ptr<FrameInFlight> flight;
  std::vector<Append> appends;
  std::vector<RowWrite> rows;
  Level level = Level::kOs;
};

// Errors: PUBLISH_QUEUE_FULL.
absl::Status CheckInFlight(const LogEngine& engine);

// PublishSession turns the frames of one publish stream, or the one frame of a unary call, into
// transactions: it validates the bytes, authorizes, finds topics, splits batches by partition and
// puts the engine's results together again.
//
// Threads:   one at a time; `done` runs on the engine's threads or inside Take() and must not
//            block.
// Ownership: borrows everything; results in flight keep what they need alive, so the session may
//            go before its results come.
class PublishSession {
 public:
  // A frame's answer, exactly once a frame. In order of the frames for one partition.
  using Done = absl::AnyInvocable<void(v1::FrameResult)>;

  struct Deps {
    LogEngine& engine;
    const TopicRegistry& topics;
    Schedules& schedules;
    const Authorizer& authorizer;
    const Causes& causes;
    PublishLimits limits;
  };

  // `stream`: the first frame must open it and frame ids must rise. Else one frame is expected.
  // `causation`: the causation fields of all that is published.
  PublishSession(const Deps& deps, Caller caller, bool stream, v1::BatchContext causation = {});

  // `frame` is an encoded acta.v1.PublishFrame, to be taken next. Not OK: the stream must end with
  // this status (a malformed frame, a first frame that does not open).
  absl::Status Begin(SharedBytes frame);
  // Take() may wait for the disk, where the event is that caused a batch.
  bool MayBlock() const;
  // Keeps nothing of the frame begun, which is not to be taken before it begins again.
  void LetGo();
  // Takes the frame begun. Not OK: as of Begin(), and `done` is not called; every other failure is
  // an answer. `frame.size()` counts as in flight until `done`.
  absl::Status Take(Done done);

  // Both, but nothing is submitted: for who writes a unary frame together with something else.
  // What `out->flight` answers is for them to ask. A frame, or an atomic frame's batch, that is
  // refused has its error in the flight's result. Blocks.
  absl::Status Prepare(const SharedBytes& frame, PreparedFrame* out);

  // Features granted to the open frame, for the first answer.
  const std::vector<std::string>& granted_features() const { return granted_features_; }

 private:
  // Of the frame begun.
  absl::Status PrepareBegun(PreparedFrame* out);
  // Stream rules and limits of the frame in frame_.
  absl::Status CheckFrame(size_t bytes);
  absl::Status CheckLimits(size_t bytes) const;
  absl::Status CheckEvents() const;
  absl::Status CheckScheduled() const;
  absl::Status CheckAtomic() const;
  absl::Status Open(const PublishOpenView& open);
  // Adds the batches' appends to `out`, and each batch's error to `result`. Not OK: an event is
  // malformed.
  absl::Status PrepareBatches(PreparedAppends* out, v1::FrameResult* result);
  absl::Status PrepareBatch(uint32_t sticky, int32_t number, PreparedAppends* out);
  // How many partitions the topic of the batch in hand has, if that is news to the client.
  void TellPartitions(v1::FrameResult* result);
  absl::Status FindTopic(absl::string_view name);
  // What is kept beside a batch that this caused.
  absl::StatusOr<SharedBytes> ContextCausedBy(const CausedByView& cause);
  Level FrameLevel() const;
  void Submit(PreparedFrame prepared);

  const Deps deps_;
  const Caller caller_;
  const bool stream_;
  const uint64_t number_;  // Of the session, in this process.
  bool framed_ = false;    // A frame came before.
  bool opened_ = false;
  uint64_t last_frame_id_ = 0;
  std::string open_topic_;
  int32_t open_level_ = 0;
  v1::BatchContext producer_;  // And the causation of all.
  SharedBytes context_;        // The same, encoded.
  uint32_t next_sticky_;
  std::vector<std::string> granted_features_;
  absl::flat_hash_map<TopicId, int32_t> told_partitions_;

  // Of the frame in hand; kept between frames for its memory.
  SharedBytes bytes_;
  PublishFrameView frame_;
  BatchPreparer preparer_;
  TopicPtr topic_;                                       // Of the batch before, null at first.
  TopicPtr told_topic_;                                  // The same, once it is told.
  std::map<CausedByView, SharedBytes> caused_contexts_;  // Of the frame in hand.
  Level topics_level_ = Level::kOs;  // Highest default of the topics written to.
};

}  // namespace acta
