#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "storage/base/mutex.h"

namespace acta {

class LiveSubscription;

// The streams of a hub that were started and are not finished.
//
// Threads: any.
class OpenStreams {
 public:
  // False: Stop() was called, the stream has to end.
  bool Add(const std::shared_ptr<LiveSubscription>& stream);
  void Remove(LiveSubscription* stream);
  int64_t count() const;

  // Returns those that are open.
  std::vector<std::shared_ptr<LiveSubscription>> Stop();
  // Until none is open, or `grace` has passed.
  void WaitEmpty(absl::Duration grace);

 private:
  mutable Mutex mu_;  // Leaf.
  CondVar removed_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_map<LiveSubscription*, std::weak_ptr<LiveSubscription>> streams_
      ABSL_GUARDED_BY(mu_);
};

}  // namespace acta
