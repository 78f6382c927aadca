#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "acta/v1/dead_letters.pb.h"
#include "client/cpp/admin.h"
#include "storage/base/mutex.h"
#include "tests/oracle/load.h"
#include "tests/oracle/queue_records.h"

namespace acta::oracle {

struct QueueGroup;

// Whoever decides of events that hold their keys, in one group: redrives an event the first time,
// and skips it when it is held again. Of some it thinks as long as the longest delay of the load.
//
// Threads: Run() on one of its own; the others any.
class QueueDecider {
 public:
  // Borrows all of it. `calm` stopped: it does not think long any more.
  QueueDecider(const LoadContext& load, const QueueGroup& group, const StopFlag& calm,
               RecordFile& file);

  // An event with a key was leased, and may be held some day.
  void MayBeHeld(int32_t partition, int64_t offset);
  void Settled(int32_t partition, int64_t offset);
  // Until the load is stopped.
  void Run();

 private:
  using Place = std::pair<int32_t, int64_t>;

  void LookAt(const Place& place);
  bool HoldsAny();
  bool IsHeld(const Place& place);
  void Decide(const Place& place);
  v1::DeadLetterRef RefOf(const Place& place) const;

  const LoadContext& load_;
  const QueueGroup& group_;
  const StopFlag& calm_;
  RecordFile& file_;
  client::Admin admin_;
  std::map<Place, absl::Time> due_;  // Of what is held: when it is decided.
  std::set<Place> redriven_;

  Mutex mu_;  // Leaf.
  std::set<Place> candidates_ ABSL_GUARDED_BY(mu_);
};

}  // namespace acta::oracle
