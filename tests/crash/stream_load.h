#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/base/mutex.h"
#include "tests/crash/queue_store.h"
#include "tests/crash/stream_hand.h"
#include "tests/crash/stream_history.h"
#include "tests/support/faulty_disk.h"

namespace acta {

// Members of the STREAM group, beside the rest of a load: they come, leave, break, are asked for
// partitions and give them back or not, commit, also lower than before, and make steps, some of
// which fail. What they lost they try to use, which has to be refused.
class StreamLoad {
 public:
  // Borrows all of it. `steps_fail`: some are refused as they are written.
  StreamLoad(QueueStore& store, const FaultyDisk& disk, StreamHistory& history,
             std::mt19937_64& random, bool steps_fail)
      : store_(store), disk_(disk), history_(history), random_(random), steps_fail_(steps_fail) {}

  // Once, when the topics are there.
  absl::Status Create();
  absl::Status Step();
  // Everybody leaves, and all that was asked is answered.
  absl::Status LeaveAll();
  // Not OK: something never happened, and a run proves nothing of it.
  absl::Status CheckHadAll() const;

 private:
  // Until it is answered; shared with the answer.
  struct Asked {
    Mutex mu;  // Leaf.
    bool done ABSL_GUARDED_BY(mu) = false;
    size_t acked ABSL_GUARDED_BY(mu) = 0;
    absl::Status status ABSL_GUARDED_BY(mu);
    std::vector<size_t> commits;  // In the history.
    int64_t step = -1;
  };
  using AskedPtr = std::shared_ptr<Asked>;

  uint64_t Random(uint64_t below) { return random_() % below; }
  bool OneIn(uint64_t n) { return Random(n) == 0; }
  absl::Status Work(StreamHand& hand);
  absl::Status TryLost(StreamHand& hand);
  absl::Status CommitSome(StreamHand& hand, int32_t partition);
  void Commit(StreamHand& hand, int32_t partition, int64_t offset);
  absl::Status StepSome(StreamHand& hand);
  absl::StatusOr<std::string> Claim(int64_t step);
  absl::StatusOr<int64_t> EndOf(int32_t partition) const;
  void Note(const StreamHand::Held& held, int32_t partition, int64_t offset, Asked* asked);
  static bool IsDone(Asked& asked);
  absl::Status Settle();
  absl::Status TakeAnswer(Asked& asked);

  QueueStore& store_;
  const FaultyDisk& disk_;
  StreamHistory& history_;
  std::mt19937_64& random_;
  const bool steps_fail_;
  static constexpr size_t kStreamHands = 3;
  std::unique_ptr<StreamHand> hands_[kStreamHands];
  std::vector<AskedPtr> asked_;
  int fenced_ = 0;  // Commits and steps that were refused because they are stale.
};

}  // namespace acta
