#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "acta/v1/context.pb.h"
#include "acta/v1/journeys.pb.h"
#include "server/core/journeys/event_links.h"
#include "storage/layout/index_block.h"
#include "storage/log_engine.h"

namespace acta {

// What is looked for: events that have this.
struct WantedLink {
  LinkKind kind = LinkKind::kId;
  std::string text;
  std::string source;  // Of kId; empty: any.
};

// LinkMatcher tells whether an event is one of those that are wanted. It must not outlive them.
// Threads: any.
class LinkMatcher {
 public:
  explicit LinkMatcher(const std::vector<WantedLink>& wanted);
  bool Matches(const EventLinks& links, const v1::BatchContext& context) const;

 private:
  using Texts = absl::flat_hash_map<absl::string_view, absl::string_view>;  // With the source.

  Texts& TextsOf(LinkKind kind);
  bool IsAffected(const EventLinks& links) const;

  Texts ids_, correlations_, causes_, affected_;
};

// The batch at a place of the index.
struct LookedAt {
  BatchPtr batch;  // Null: it cannot be read, `state` says why.
  v1::JourneyEventState state = v1::JOURNEY_EVENT_STATE_STORED;
  // Its events from the place on that match; views of the batch.
  std::vector<std::pair<Offset, absl::string_view>> matches;
};

// None before `from` matches. `kept`: the batch, if it was read already. Blocks. Threads: any.
LookedAt LookAt(const LogEngine& engine, const LinkMatcher& matcher, IndexPlace place,
                IndexPlace from, BatchPtr kept);

// Of an event that was not read.
v1::JourneyEventState StateOf(const absl::Status& status);

}  // namespace acta
