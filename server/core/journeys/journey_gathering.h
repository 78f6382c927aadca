#pragma once

#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "server/core/journeys/event_finder.h"
#include "storage/base/clock.h"

namespace acta {

// JourneyGathering finds the events of one page of a journey: those that were asked for, and with
// them what shares their correlation, what caused them and what they caused.
//
// For one call. Threads: one; blocks on the disk.
class JourneyGathering {
 public:
  // At most so many events are gathered around those that were asked for, and until then (since
  // boot).
  JourneyGathering(EventFinder& finder, const Clock& clock, size_t most_around,
                   absl::Duration until)
      : finder_(finder), clock_(clock), left_(most_around), until_(until) {}

  // Those that were asked for.
  void Start(std::vector<FoundEvent> events);
  // Whole correlations of what is there, then causes and effects, again and again until there is
  // nothing new. Errors: DATA_CORRUPTED: the index cannot be read.
  absl::Status Complete(bool correlations);

  // Something was left out.
  bool truncated() const { return truncated_; }
  // All of them. Causes that nobody knows are among them, MISSING.
  std::vector<FoundEvent> Take();

 private:
  bool Add(FoundEvent event);
  bool Spent();
  absl::Status AddFound(const std::vector<EventFinder::Wanted>& wanted);
  absl::Status AddCorrelations();
  // Of those from index `from` on.
  absl::Status AddEffects(size_t from);
  absl::Status AddCauses(size_t from);

  EventFinder& finder_;
  const Clock& clock_;
  size_t left_;
  const absl::Duration until_;
  bool truncated_ = false;
  std::vector<FoundEvent> events_;
  absl::btree_set<EventFinder::Place> places_;
  absl::flat_hash_set<std::string> names_;
  absl::flat_hash_set<std::string> looked_for_;  // Causes.
};

}  // namespace acta
