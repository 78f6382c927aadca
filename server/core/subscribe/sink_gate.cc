#include "server/core/subscribe/sink_gate.h"

#include <utility>

namespace acta {

bool SinkGate::Enter(bool last) {
  MutexLock lock(mu_);
  if (closed_) return false;
  closed_ = last;
  inside_ = std::this_thread::get_id();
  return true;
}

void SinkGate::Leave() {
  MutexLock lock(mu_);
  inside_ = std::thread::id();
  left_.SignalAll();
}

bool SinkGate::Send(OutgoingFrame frame) {
  if (!Enter(false)) return false;
  sink_.Send(std::move(frame));
  Leave();
  return true;
}

void SinkGate::Finish(const absl::Status& status) {
  if (!Enter(true)) return;
  sink_.Finish(status);
  Leave();
}

void SinkGate::Close() {
  MutexLock lock(mu_);
  closed_ = true;
  while (inside_ != std::thread::id() && inside_ != std::this_thread::get_id()) left_.Wait(mu_);
}

}  // namespace acta
