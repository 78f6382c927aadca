#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "tools/bench/bed.h"
#include "tools/bench/event_form.h"
#include "tools/bench/position_check.h"
#include "tools/bench/soak/flow.h"

namespace acta::bench {

// A group that is away for a while, comes back as a new member, reads what it missed from the disk,
// follows for a while and leaves, again and again. It checks what it reads.
//
// Threads: one, and one of its own.
class LaggingReader {
 public:
  // Borrows the flow, which it reads the topic of. `away`: so long at a time.
  LaggingReader(const Bed& bed, const EventForm& form, const Flow& flow, absl::Duration away);
  ~LaggingReader();  // Ends at once.
  LaggingReader(const LaggingReader&) = delete;
  LaggingReader& operator=(const LaggingReader&) = delete;

  // It failed.
  bool ended() const { return ended_; }
  int64_t count() const { return count_; }
  // How often it had caught up.
  int32_t returns() const { return returns_; }
  // Comes back for the last time, until it has committed all of `published`.
  absl::Status Finish(int64_t published);

  std::string group() const { return flow_.topic() + "-lags"; }
  // After Finish().
  int64_t compared() const { return check_.compared(); }

 private:
  void Run();
  // From joining to leaving: until `enough` and for `then`.
  absl::Status Visit(const std::function<bool()>& enough, absl::Duration then);
  // Until the time is over, or Finish() is called.
  void Pause(absl::Duration time) const;

  const Bed& bed_;
  const Flow& flow_;
  const absl::Duration away_;
  PositionCheck check_;  // Of the consumer there is.
  std::atomic<int64_t> count_ = 0;
  std::atomic<int32_t> returns_ = 0;
  std::atomic<bool> finishing_ = false;
  std::atomic<bool> ended_ = false;
  absl::Status status_;  // Of the thread, until it is joined.
  std::thread thread_;
};

}  // namespace acta::bench
