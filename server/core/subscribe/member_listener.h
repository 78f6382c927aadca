#pragma once

#include <functional>
#include <utility>

#include "server/core/groups/group_registry.h"
#include "server/core/subscribe/live_subscription.h"

namespace acta {

// Brings what a group says to the turns of the member's stream.
class LiveSubscription::Listener final : public MemberListener {
 public:
  // The stream is used inside of posted tasks only: there it lives.
  Listener(LiveSubscription* stream, Post post) : stream_(stream), post_(std::move(post)) {}

  void OnAssigned(const MemberAssignment& assignment) override {
    Tell([stream = stream_, assignment] { stream->OnAssigned(assignment); });
  }
  void OnRevoking(uint64_t handle, absl::Duration deadline) override {
    Tell([stream = stream_, handle, deadline] { stream->OnRevoking(handle, deadline); });
  }
  void OnRevoked(uint64_t handle) override {
    Tell([stream = stream_, handle] { stream->OnRevoked(handle); });
  }
  void OnPaused(bool paused) override {
    Tell([stream = stream_, paused] { stream->OnPaused(paused); });
  }
  void OnQueued() override {
    Tell([stream = stream_] { stream->OnQueued(); });
  }
  void OnEnded(const absl::Status& status) override {
    Tell([stream = stream_, status] { stream->End(status); });
  }

 private:
  void Tell(Turns::Task task) {
    post_([stream = stream_, task = std::move(task)]() mutable {
      stream->WhenJoined(std::move(task));
    });
  }

  LiveSubscription* const stream_;
  const Post post_;
};

}  // namespace acta
