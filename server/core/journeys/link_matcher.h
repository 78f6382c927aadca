#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
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

// When events were appended, in microseconds.
struct TimeWindow {
  int64_t from_us = 0;
  int64_t until_us = std::numeric_limits<int64_t>::max();

  // 0: nobody knows when, it may have been then.
  bool Has(int64_t us) const { return us == 0 || (from_us <= us && us < until_us); }
  bool is_over() const { return until_us != std::numeric_limits<int64_t>::max(); }
  void Join(const TimeWindow& other) {
    from_us = std::min(from_us, other.from_us);
    until_us = std::max(until_us, other.until_us);
  }
};

// What is looked for: events that have this.
struct WantedLink {
  LinkKind kind = LinkKind::kId;
  std::string text;
  std::string source;  // Of kId; empty: any.
  TimeWindow when;     // Of kCause and kCorrelation; at other times the name was another's.
};

// LinkMatcher tells whether an event is one of those that are wanted. It must not outlive them.
// Threads: any.
class LinkMatcher {
 public:
  explicit LinkMatcher(const std::vector<WantedLink>& wanted);
  bool Matches(const EventLinks& links, const StoredBatch& batch,
               const v1::BatchContext& context) const;

 private:
  using Texts = absl::flat_hash_map<absl::string_view, const WantedLink*>;

  static bool Names(const Texts& texts, absl::string_view text, const StoredBatch& batch);
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
