#include "server/core/subscribe/open_streams.h"

#include <chrono>
#include <utility>

namespace acta {

bool OpenStreams::Add(const std::shared_ptr<LiveSubscription>& stream) {
  MutexLock lock(mu_);
  streams_.emplace(stream.get(), stream);
  return !stopping_;
}

void OpenStreams::Remove(LiveSubscription* stream) {
  MutexLock lock(mu_);
  streams_.erase(stream);
  if (streams_.empty()) removed_.SignalAll();
}

int64_t OpenStreams::count() const {
  MutexLock lock(mu_);
  return static_cast<int64_t>(streams_.size());
}

std::vector<std::shared_ptr<LiveSubscription>> OpenStreams::Stop() {
  std::vector<std::shared_ptr<LiveSubscription>> open;
  MutexLock lock(mu_);
  stopping_ = true;
  for (const auto& [key, weak] : streams_) {
    if (auto stream = weak.lock()) open.push_back(std::move(stream));
  }
  return open;
}

void OpenStreams::WaitEmpty(absl::Duration grace) {
  const auto until = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(grace);
  MutexLock lock(mu_);
  while (!streams_.empty()) {
    const auto left = absl::FromChrono(until - std::chrono::steady_clock::now());
    if (left <= absl::ZeroDuration()) return;
    removed_.WaitFor(mu_, left);
  }
}

}  // namespace acta
