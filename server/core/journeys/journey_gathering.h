#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/core/journeys/event_finder.h"

namespace acta {

// JourneyGathering finds the events of one page of a journey: those that were asked for, what is
// around them, which is what shares their correlation and what they caused, and then what caused
// those and what they caused, however far.
//
// What was asked for and what is around it may take many pages: the answer goes on. Of what is
// further away a page has so many events and bytes, and says when that was not all.
//
// For one call. Threads: one; blocks on the disk. Errors: DATA_CORRUPTED: the index cannot be read.
class JourneyGathering {
 public:
  using Place = EventFinder::Place;

  // At most so many events are gathered that are further away, fewer that are large, within the
  // finder's time.
  JourneyGathering(EventFinder& finder, size_t most_further)
      : finder_(finder), left_(most_further) {}

  // A page of a correlation. `first`, `last`: no page is before it, or behind it.
  void StartCorrelation(std::vector<FoundEvent> events, const std::string& correlation, bool first,
                        bool last);
  // Events that were asked for and the first of what is around them, `most` in all but for those
  // that began a journey without an id; where that goes on, if it does.
  absl::StatusOr<std::optional<Place>> StartAround(const std::vector<FoundEvent>& asked_for,
                                                   size_t most);
  // Only of what is around them, from there on.
  absl::StatusOr<std::optional<Place>> GoOnAround(const std::vector<FoundEvent>& asked_for,
                                                  Place from, size_t most);
  // Causes and effects of what is there, again and again until there is nothing new.
  absl::Status Complete();

  // Something that is further away was left out.
  bool truncated() const { return truncated_; }
  // All of them. Causes that nobody knows are among them, MISSING.
  std::vector<FoundEvent> Take();

 private:
  // What belongs to events whose journey takes several pages.
  struct Around {
    absl::flat_hash_map<std::string, TimeWindow> journeys;
    absl::flat_hash_map<std::string, TimeWindow> causes;
    // An event that other pages tell, or told.
    bool Has(const FoundEvent& event) const;
  };

  Around AroundOf(const std::vector<FoundEvent>& asked_for) const;
  absl::StatusOr<std::optional<Place>> AddAround(const Around& around, Place from, size_t most);
  bool Add(FoundEvent event);
  // Of what comes on top of a page.
  bool AddFurther(FoundEvent event);
  // Who began the journey and has no id: by its place, if that is what the journey is named by, and
  // was then.
  void AddNamelessRoot(const std::string& journey, const TimeWindow& when);
  void Learn(const FoundEvent& event, size_t index);
  bool Spent();
  // False: some may have been left out.
  absl::StatusOr<bool> AddFound(absl::Span<const EventFinder::Wanted> wanted);
  absl::StatusOr<bool> AddSomeFound(const std::vector<EventFinder::Wanted>& wanted);
  void TakeFound(FoundEvent event);
  // Causes and effects of those from index `from` on.
  absl::Status AddNeighbours(size_t from);
  // Causes that are places, or nobody's; each with the time of its effect. `all`: what is not there
  // was not found.
  void AddUnfound(const std::vector<std::pair<std::string, int64_t>>& causes, bool all);

  EventFinder& finder_;
  size_t left_;
  size_t bytes_left_ = EventFinder::kMostFoundBytes;  // Of what comes on top.
  Around on_pages_;                                   // Other pages tell what is not there yet.
  absl::btree_set<Place> told_;  // Of those that were asked for; on an earlier page.
  bool truncated_ = false;
  std::vector<FoundEvent> events_;
  absl::btree_map<Place, size_t> places_;  // Index of the event.
  std::vector<size_t> learned_;            // Events that have links now that nobody has looked for.
  absl::flat_hash_set<std::string> names_;       // Also of events on other pages.
  absl::flat_hash_set<std::string> looked_for_;  // Causes.
};

}  // namespace acta
