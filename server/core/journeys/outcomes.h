#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "acta/v1/journeys.pb.h"
#include "server/core/access/authorizer.h"
#include "server/core/groups/group_registry.h"
#include "server/core/journeys/found_event.h"
#include "server/core/journeys/journey_indexer.h"
#include "storage/base/clock.h"
#include "storage/log_engine.h"

namespace acta {

// What groups did with events, from the ledger, and where they are just now.
//
// Threads: any; blocks on the disk.
class Outcomes {
 public:
  struct Deps {
    const LogEngine& engine;
    Executor& pool;  // Helps with reads.
    const Clock& clock;
    const Authorizer& authorizer;
    const GroupRegistry& groups;
    JourneyIndexer& indexer;
  };
  explicit Outcomes(Deps deps) : deps_(deps) {}

  using OfEvent = std::vector<v1::GroupOutcome>;
  struct Told {
    // In the order of the events, each by group, with its newest attempts.
    std::vector<OfEvent> of_events;
    bool too_much = false;   // To read in time: only where events are just now is told.
    bool too_large = false;  // `too_much`, of fewer events maybe not.
    bool behind = false;     // Of the ledger not all is indexed.
    bool damaged = false;    // A part of the ledger cannot be read.
    bool not_given = false;  // The disk did not give a part of it, which may pass.
    bool no_ledger = false;  // It is not kept.
    // What the ledger had and has no more, or never had, was done before this time (in
    // microseconds).
    int64_t trimmed_before_us = 0;
  };
  // What became of each event in each group that reads its topic or did something with it and that
  // the caller may observe, until then (since boot). Nothing for events without a place. Errors:
  // DATA_CORRUPTED: the index cannot be read.
  absl::StatusOr<Told> Find(const Caller& caller, const std::vector<const FoundEvent*>& events,
                            absl::Duration until) const;

 private:
  bool MayObserve(const Caller& caller, absl::string_view group) const;
  // Of a group that the ledger speaks of, and that does not read the topic now. False: it is not
  // told.
  bool NameOther(const Caller& caller, GroupId group, v1::GroupOutcome* outcome) const;

  const Deps deps_;
};

}  // namespace acta
