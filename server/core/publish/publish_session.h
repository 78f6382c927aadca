#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "acta/v1/publisher.pb.h"
#include "server/core/access/authorizer.h"
#include "server/core/topics/topic_registry.h"
#include "storage/base/bytes.h"
#include "storage/log_engine.h"

namespace acta {

struct PublishLimits {
  int32_t max_frame_bytes = 17 << 20;
  int32_t max_batches = 1000;
  int32_t max_batch_events = 65536;
  int32_t max_key_bytes = 1024;
  int32_t max_attributes = 64;
  int32_t max_attribute_bytes = 8192;
  int32_t max_atomic_events = 1000;
  int32_t max_atomic_bytes = 16 << 20;
};

// PublishSession turns the frames of one publish stream, or the one frame of a unary call, into
// transactions: it validates the bytes, authorizes, finds topics, splits batches by partition and
// puts the engine's results together again.
//
// Threads:   OnFrame() by one thread at a time; `done` runs on the engine's threads or inside
//            OnFrame() and must not block.
// Ownership: borrows everything; results in flight keep what they need alive, so the session may
//            go before its results come.
class PublishSession {
 public:
  // A frame's answer, exactly once a frame. In order of the frames for one partition.
  using Done = absl::AnyInvocable<void(v1::FrameResult)>;

  struct Deps {
    LogEngine& engine;
    const TopicRegistry& topics;
    const Authorizer& authorizer;
    PublishLimits limits;
  };

  // `stream`: the first frame must open it and frame ids must rise. Else one frame is expected.
  PublishSession(const Deps& deps, Caller caller, bool stream);

  // `frame` is an encoded acta.v1.PublishFrame. Not OK: the stream must end with this status (a
  // malformed frame, a first frame that does not open) and `done` is not called; every other
  // failure is an answer. `frame.size()` counts as in flight until `done`.
  absl::Status OnFrame(SharedBytes frame, Done done);

  // Features granted to the open frame, for the first answer.
  const std::vector<std::string>& granted_features() const { return granted_features_; }

 private:
  const Deps deps_;
  const Caller caller_;
  const bool stream_;
  bool opened_ = false;
  uint64_t last_frame_id_ = 0;
  v1::PublishOpen open_;
  SharedBytes context_;
  uint64_t source_ = 0;
  std::vector<std::string> granted_features_;
};

}  // namespace acta
