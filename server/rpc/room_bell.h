#pragma once

#include <functional>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "server/core/publish/publish_session.h"
#include "storage/base/mutex.h"

namespace acta {

// Wakes those that wait for room in the engine's queue: the engine is asked once for all of them,
// so that streams that come and go while there is none leave nothing behind there.
//
// Threads:   any.
// Ownership: the engine may keep it longer than its owner does.
class RoomBell : public std::enable_shared_from_this<RoomBell> {
 public:
  // Calls `wake` once there is room in the engine of `publish`, perhaps at once; outside of locks.
  // Once for each call, unless Forget(who) comes first. One at a time for each `who`.
  void Await(const PublishSession::Deps& publish, const void* who, std::function<void()> wake);
  void Forget(const void* who);

 private:
  void Ring();

  Mutex mu_;  // Leaf.
  bool asked_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_map<const void*, std::function<void()>> waiting_ ABSL_GUARDED_BY(mu_);
};

}  // namespace acta
