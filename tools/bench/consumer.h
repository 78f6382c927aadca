#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/cpp/subscriber.h"
#include "storage/base/mutex.h"
#include "tools/bench/bed.h"

namespace acta::bench {

// A subscriber on a thread and a connection of its own, from the first event of one topic.
//
// Threads: one, besides its own.
class Consumer {
 public:
  struct Options {
    std::string topic;
    std::string group;       // Empty: none.
    bool until_end = false;  // Stops at what is there at the beginning.
    bool parse = false;      // Every event as an object.
    // Of a group: what was delivered is committed so often, and at Stop(). Zero: never.
    absl::Duration commit_every = absl::ZeroDuration();
    // On the consumer's thread. An error ends it.
    std::function<absl::Status(const client::Delivery&)> on_delivery;
  };

  Consumer(const Bed& bed, Options options);
  ~Consumer();  // Stop().
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  // Events so far.
  int64_t count() const { return count_.load(std::memory_order_acquire); }
  // It goes on no more, by an error or at its end.
  bool ended() const { return ended_; }
  // Errors: the subscription's, DEADLINE_EXCEEDED, DATA_LOSS when there are more than that.
  absl::Status AwaitCount(int64_t count, absl::Duration timeout);
  // The end of a consumer with `until_end`.
  absl::Status AwaitEnd(absl::Duration timeout);
  // All partitions are assigned: what is published now is delivered at once.
  absl::Status AwaitPartitions(size_t partitions, absl::Duration timeout);
  // Answers its first error.
  absl::Status Stop();

 private:
  void Run();
  absl::Status Take(const client::Delivery& delivery);
  absl::Status CommitAll();
  // The first error of the subscription.
  absl::Status status();

  const Options options_;
  client::Subscriber subscriber_;
  std::atomic<int64_t> count_ = 0;
  std::atomic<bool> ended_ = false;
  // Of the thread.
  v1::Event event_;
  int64_t next_commit_ = 0;
  Mutex mu_;  // Leaf.
  absl::Status status_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

// Errors: DEADLINE_EXCEEDED, naming what is waited for.
absl::Status Await(const char* what, absl::Duration timeout, const std::function<bool()>& done);

}  // namespace acta::bench
