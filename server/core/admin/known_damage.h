#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "server/core/topics/topic_registry.h"
#include "storage/base/mutex.h"
#include "storage/log_engine.h"

namespace acta {

// The topic of damage that a scrub found, for people; of the broker's own log, which has no name
// among the topics, `$ledger`. Empty: the topic was deleted meanwhile, with what was damaged.
std::string NameOfDamaged(const TopicRegistry& topics, const ScrubProblem& problem);

// KnownDamage remembers the damaged ranges that scrubs found, of this life of the broker, 10,000 at
// most: until a scrub of everything does not find them again, or what is damaged is gone.
//
// Threads: any. Borrows engine and topics.
class KnownDamage {
 public:
  KnownDamage(const LogEngine& engine, const TopicRegistry& topics)
      : engine_(engine), topics_(topics) {}

  // False: it is gone already. What was not known before is logged.
  bool Note(const ScrubProblem& problem);
  // A scrub of everything begins; it was whole: what it did not find is forgotten.
  void BeginWhole();
  void EndWhole();
  int64_t Count() const;

 private:
  using Range = std::pair<PartitionId, Offset>;  // By its first offset.

  bool IsStored(const Range& range, Offset last) const;

  const LogEngine& engine_;
  const TopicRegistry& topics_;
  mutable Mutex mu_;                                    // Leaf.
  std::map<Range, Offset> known_ ABSL_GUARDED_BY(mu_);  // With its last offset.
  std::set<Range> again_ ABSL_GUARDED_BY(mu_);          // Found since BeginWhole().
};

}  // namespace acta
