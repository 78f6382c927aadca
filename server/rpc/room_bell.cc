#include "server/rpc/room_bell.h"

#include <utility>

namespace acta {

void RoomBell::Await(const PublishSession::Deps& publish, const void* who,
                     std::function<void()> wake) {
  {
    MutexLock lock(mu_);
    waiting_[who] = std::move(wake);
    if (std::exchange(asked_, true)) return;
  }
  publish.engine.WhenRoom([self = shared_from_this()] { self->Ring(); });
}

void RoomBell::Forget(const void* who) {
  std::function<void()> dropped;  // Destroyed after the lock.
  MutexLock lock(mu_);
  const auto found = waiting_.find(who);
  if (found == waiting_.end()) return;
  dropped = std::move(found->second);
  waiting_.erase(found);
}

void RoomBell::Ring() {
  absl::flat_hash_map<const void*, std::function<void()>> woken;
  {
    MutexLock lock(mu_);
    asked_ = false;
    woken.swap(waiting_);
  }
  for (const auto& [who, wake] : woken) wake();
}

}  // namespace acta
