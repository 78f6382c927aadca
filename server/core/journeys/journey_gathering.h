#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/core/journeys/event_finder.h"

namespace acta {

// JourneyGathering finds the events of one page of a journey: those that were asked for, and with
// them what shares their correlation, what caused them and what they caused.
//
// For one call. Threads: one; blocks on the disk.
class JourneyGathering {
 public:
  // At most so many events are gathered around those that were asked for, within the finder's time.
  // `paged`: of this correlation other pages tell the rest; empty: of none.
  JourneyGathering(EventFinder& finder, size_t most_around, std::string paged)
      : finder_(finder), left_(most_around), paged_(std::move(paged)) {}

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
  void Learn(const FoundEvent& event, size_t index);
  bool Spent();
  // False: some may have been left out.
  absl::StatusOr<bool> AddFound(const std::vector<EventFinder::Wanted>& wanted);
  absl::Status AddCorrelations();
  // Causes and effects of those from index `from` on.
  absl::Status AddNeighbours(size_t from);
  // Causes that are places, or nobody's; each with the time of its effect. `all`: what is not there
  // was not found.
  void AddUnfound(const std::vector<std::pair<std::string, int64_t>>& causes, bool all);

  EventFinder& finder_;
  size_t left_;
  const std::string paged_;
  bool truncated_ = false;
  std::vector<FoundEvent> events_;
  absl::btree_map<EventFinder::Place, size_t> places_;  // Index of the event.
  std::vector<size_t> learned_;  // Events that have links now that nobody has looked for.
  absl::flat_hash_set<std::string> names_;       // Also of events on other pages.
  absl::flat_hash_set<std::string> looked_for_;  // Causes.
};

}  // namespace acta
