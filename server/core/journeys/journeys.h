#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "acta/v1/journeys.pb.h"
#include "server/core/access/authorizer.h"
#include "server/core/journeys/event_finder.h"
#include "server/core/journeys/journey_gathering.h"
#include "server/core/journeys/journey_indexer.h"
#include "server/core/journeys/journey_page.h"
#include "server/core/journeys/journey_tree.h"
#include "server/core/journeys/outcomes.h"
#include "server/core/journeys/questions.h"
#include "server/core/topics/topic_registry.h"
#include "storage/base/byte_budget.h"
#include "storage/base/clock.h"
#include "storage/log_engine.h"

namespace acta {

// Journeys answers what happened to events: acta.v1.Journeys.
//
// Threads: any; every method blocks on the disk: half a second at most for the index to catch up,
// 2 s for what is asked, half a second for the cause of an event that questions are about, and what
// one read takes. A page that is too large is made again, smaller, which may take a second more
// each time: half as large at most from the second time on.
class Journeys {
 public:
  struct Deps {
    const LogEngine& engine;
    const Clock& clock;
    const TopicRegistry& topics;
    const Authorizer& authorizer;
    JourneyIndexer& indexer;
    const GroupRegistry& groups;
    Executor& pool;  // Helps with reads.
    int64_t most_batch_bytes = kMaxJourneyBatchBytes;
  };
  explicit Journeys(Deps deps)
      : deps_(deps),
        outcomes_(
            {deps.engine, deps.pool, deps.clock, deps.authorizer, deps.groups, deps.indexer}) {}

  absl::StatusOr<v1::GetJourneyResponse> Get(const Caller& caller,
                                             const v1::GetJourneyRequest& request) const;
  absl::StatusOr<v1::AskQuestionsResponse> Ask(const Caller& caller,
                                               const v1::AskQuestionsRequest& request) const;

 private:
  // What was asked for.
  struct Selected {
    std::vector<FoundEvent> events;
    EventFinder::Place from;                 // Where they were looked for.
    std::optional<EventFinder::Place> next;  // Of the next page.
  };
  absl::StatusOr<Selected> Select(EventFinder& finder, const Caller& caller,
                                  const v1::JourneySelection& selection, EventFinder::Place from,
                                  size_t most) const;
  // The events of one id that the caller may browse.
  struct Copies {
    std::vector<FoundEvent> newest;  // The newest first, as many as are named.
    size_t count = 0;
    bool all = true;   // False: the time was over before the others were looked at.
    bool read = true;  // False: when one of them was published is not known.
  };
  absl::StatusOr<Copies> FindCopies(EventFinder& finder, const Caller& caller,
                                    const v1::JourneySelection& selection) const;
  struct Page {
    v1::GetJourneyResponse response;
    size_t bytes = 0;  // Of the response, at least: it is not whole where groups did too much.
  };
  // One page of that size, however large the answer is; events are looked for until then (since
  // boot).
  absl::StatusOr<Page> GetPage(const Caller& caller, const v1::GetJourneyRequest& request,
                               const JourneyPage& at, size_t page, absl::Duration until) const;
  // The events of that page; where the answer goes on.
  absl::StatusOr<std::optional<JourneyPage>> Gather(EventFinder& finder, const Caller& caller,
                                                    const v1::GetJourneyRequest& request,
                                                    const JourneyPage& at, size_t page,
                                                    JourneyGathering* gathering) const;
  // Of a page that goes on around events, which are found again.
  absl::StatusOr<std::optional<JourneyPage>> GatherAround(EventFinder& finder, const Caller& caller,
                                                          const v1::JourneySelection& selection,
                                                          const JourneyPage& at, size_t page,
                                                          JourneyGathering* gathering) const;
  // Waits a moment for what was published just now. Of topics those that the caller may browse.
  v1::JourneyIndexState LookAtIndex(const Caller& caller) const;
  // Whether the event that is named as its cause is there, and the caller may browse it.
  absl::StatusOr<QuestionFacts::Cause> FindCause(const Caller& caller,
                                                 const FoundEvent& effect) const;
  bool MayBrowse(const Caller& caller, const Topic& topic) const;
  v1::JourneyEvent Tell(const Caller& caller, const TreeNode& node) const;

  EventFinder FinderOf(const Caller& caller, absl::Duration until) const;

  const Deps deps_;
  const Outcomes outcomes_;
  // Of all calls, which answer with less where reading again takes too long.
  const std::shared_ptr<ByteBudget> memory_ = std::make_shared<ByteBudget>(deps_.most_batch_bytes);
};

}  // namespace acta
