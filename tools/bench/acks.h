#pragma once

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "client/cpp/publisher.h"
#include "storage/base/mutex.h"

namespace acta::bench {

// What became of prepared batches. Must outlive their publisher.
//
// Threads: any.
class Acks {
 public:
  client::Publisher::BatchDone Count() {
    return [this](const client::BatchOutcome& outcome) { Take(outcome); };
  }
  int64_t stored() const { return stored_.load(std::memory_order_acquire); }
  // The first failure; a duplicate is one, too: every event is new.
  absl::Status status() const {
    MutexLock lock(mu_);
    return status_;
  }

 private:
  void Take(const client::BatchOutcome& outcome) {
    stored_.fetch_add(outcome.stored, std::memory_order_release);
    if (outcome.status.ok() && outcome.duplicates == 0) return;
    MutexLock lock(mu_);
    if (!status_.ok()) return;
    status_ = outcome.status.ok() ? absl::InternalError("a new event was called a duplicate")
                                  : outcome.status;
  }

  std::atomic<int64_t> stored_ = 0;
  mutable Mutex mu_;  // Leaf.
  absl::Status status_ ABSL_GUARDED_BY(mu_);
};

// As measures publish: what fails, fails soon.
inline client::PublisherOptions BenchPublisher(v1::AckLevel level) {
  client::PublisherOptions options;
  options.level = level;
  options.app = "acta-bench";
  options.retry_for = absl::Seconds(5);
  return options;
}

}  // namespace acta::bench
