#pragma once

#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "acta/v1/journeys.pb.h"
#include "server/core/access/authorizer.h"
#include "server/core/groups/group_registry.h"
#include "server/core/journeys/found_event.h"
#include "server/core/journeys/journey_indexer.h"
#include "storage/log_engine.h"

namespace acta {

// What groups did with events, from the ledger, and where they are just now.
//
// Threads: any; blocks on the disk.
class Outcomes {
 public:
  struct Deps {
    const LogEngine& engine;
    const Authorizer& authorizer;
    const GroupRegistry& groups;
    const JourneyIndexer& indexer;
  };
  explicit Outcomes(Deps deps) : deps_(deps) {}

  // For each event, in their order, what became of it in each group that reads its topic or did
  // something with it and that the caller may observe; by group. Nothing for events without a
  // place. Errors: DATA_CORRUPTED: the index cannot be read.
  using OfEvent = std::vector<v1::GroupOutcome>;
  absl::StatusOr<std::vector<OfEvent>> Find(const Caller& caller,
                                            const std::vector<const FoundEvent*>& events) const;

 private:
  const Deps deps_;
};

}  // namespace acta
