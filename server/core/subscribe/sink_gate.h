#pragma once

#include <thread>

#include "absl/status/status.h"
#include "server/core/subscribe/event_sink.h"
#include "storage/base/mutex.h"

namespace acta {

// The way to a sink that may go away: once Close() has returned the sink is not called any more.
//
// Threads: Send() and Finish() by one at a time; Close() any.
class SinkGate {
 public:
  explicit SinkGate(EventSink& sink) : sink_(sink) {}
  SinkGate(const SinkGate&) = delete;
  SinkGate& operator=(const SinkGate&) = delete;

  // False: closed, the frame is dropped.
  bool Send(OutgoingFrame frame);
  // The last call the sink gets.
  void Finish(const absl::Status& status);
  // Waits for a call that is running, unless it comes from inside of it.
  void Close();

 private:
  bool Enter(bool last);
  void Leave();

  EventSink& sink_;
  Mutex mu_;  // Leaf.
  CondVar left_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  std::thread::id inside_ ABSL_GUARDED_BY(mu_);  // Who is calling the sink; none: nobody.
};

}  // namespace acta
