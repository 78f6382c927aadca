#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "acta/v1/admin.pb.h"
#include "server/core/admin/known_damage.h"
#include "server/core/topics/topic_registry.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/log_engine.h"

namespace acta {

struct ScrubOptions {
  absl::Duration every;  // Zero: never by itself.
  int64_t bytes_per_second = int64_t{20} << 20;
};

// QuietScrub reads all stored batches again and again, at leisure: damage is found while there is
// still a backup without it. It begins ten minutes after the start, and then whenever `every` has
// passed since the last one began.
//
// Threads:   any; its own reads.
// Ownership: borrows engine, clock and topics.
class QuietScrub {
 public:
  QuietScrub(LogEngine& engine, const Clock& clock, const TopicRegistry& topics,
             ScrubOptions options, absl::Duration first = absl::Minutes(10));
  ~QuietScrub();

  void SetOptions(ScrubOptions options);
  // The one that runs, or the last; not set: there was none.
  std::optional<v1::ScrubRun> run() const;
  // Also of scrubs that were asked for.
  KnownDamage& damage() { return damage_; }
  const KnownDamage& damage() const { return damage_; }
  // Blocks while it reads some MiB.
  void End();

 private:
  void Loop();
  void ScrubAll();
  // True: to its end.
  bool ReadAll();
  // False: it ends. Also woken by other options, and not begun when they came since `seen`.
  bool Sleep(absl::Duration time, uint64_t seen);
  void Note(const ScrubPage& page);

  LogEngine& engine_;
  const Clock& clock_;
  KnownDamage damage_;
  const absl::Duration first_;
  mutable Mutex mu_;  // Leaf.
  CondVar wake_;
  ScrubOptions options_ ABSL_GUARDED_BY(mu_);
  uint64_t changes_ ABSL_GUARDED_BY(mu_) = 0;  // Of the options.
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<v1::ScrubRun> run_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace acta
