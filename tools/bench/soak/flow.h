#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "storage/base/mutex.h"
#include "tools/bench/bed.h"
#include "tools/bench/consumer.h"
#include "tools/bench/event_form.h"
#include "tools/bench/event_pacer.h"
#include "tools/bench/latencies.h"
#include "tools/bench/position_check.h"

namespace acta::bench {

// How groups of the soak read: they commit ten times a second.
Consumer::Options GroupOf(const std::string& topic, const std::string& name);

// A topic of its own, published to at a pace, and a group that follows, commits and checks. Times
// are from when an event was due to when the group has it.
//
// Threads: one, and one of its own.
class Flow {
 public:
  // Borrows the bed and the form.
  Flow(const Bed& bed, const EventForm& form, std::string topic, const Pace& pace);
  ~Flow();  // Waits until the end of Start().
  Flow(const Flow&) = delete;
  Flow& operator=(const Flow&) = delete;

  // Publishes from `begin` to `end` (nanoseconds of NowNanos()). Errors: of the subscription.
  absl::Status Start(int64_t begin, int64_t end);
  // All is published, or something failed.
  bool ended() const { return published_all_ || consumer_->ended(); }
  int64_t acknowledged() const { return pacer_.acknowledged(); }
  int64_t delivered() const { return consumer_->count(); }
  // Those since it was last asked.
  Latencies TakeLatencies();
  // Until the group has everything and has committed it. Errors: the first of all.
  absl::Status Finish();

  const std::string& topic() const { return topic_; }
  const Pace& pace() const { return pace_; }
  std::string group() const { return topic_ + "-follows"; }
  // After Finish().
  int64_t published() const { return pacer_.count(); }
  int64_t compared() const { return check_.compared(); }

 private:
  absl::Status Take(const client::Delivery& delivery);

  const Bed& bed_;
  const EventForm& form_;
  const std::string topic_;
  const Pace pace_;
  EventPacer pacer_;
  PositionCheck check_;  // Of the consumer's thread, while that runs.
  Mutex mu_;             // Leaf.
  Latencies latencies_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<Consumer> consumer_;
  std::atomic<bool> published_all_ = false;
  absl::Status publish_status_;  // Of the publisher, until it is joined.
  std::thread publisher_;
};

}  // namespace acta::bench
