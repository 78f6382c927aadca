#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "absl/status/status.h"
#include "server/core/subscribe/outbox.h"

namespace acta {

// Control frames on their way: each is settled when what it asked for is done or refused, and told
// to the client in the order the frames came.
class Settlements {
 public:
  explicit Settlements(Outbox& outbox) : outbox_(outbox) {}

  // `frame_id` is above all before. `quiet`: it needs no answer of its own.
  void Begin(uint64_t frame_id, bool quiet);
  // Parts of the frame that failed, to be named in `errors` once it is settled. Before that.
  void Fail(uint64_t frame_id, std::vector<v1::ControlError> parts);
  // Once a frame. Not OK: the frame is named in `errors`.
  void Settle(uint64_t frame_id, const absl::Status& status);

  bool empty() const { return frames_.empty(); }
  size_t size() const { return frames_.size(); }
  // Failed parts that wait for their frames, or for those before them.
  size_t failed_parts() const { return failed_parts_; }

 private:
  struct Frame {
    uint64_t id = 0;
    bool quiet = false;
    bool settled = false;
    absl::Status status;
    std::vector<v1::ControlError> parts;
  };

  Frame& Find(uint64_t frame_id);

  Outbox& outbox_;
  std::deque<Frame> frames_;
  size_t failed_parts_ = 0;
};

}  // namespace acta
