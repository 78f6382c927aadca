#include "server/core/journeys/link_matcher.h"

#include <algorithm>

#include "proto/support/error.h"
#include "proto/support/wire.h"
#include "server/core/queues/indexed_batch.h"

namespace acta {

LinkMatcher::LinkMatcher(const std::vector<WantedLink>& wanted) {
  for (const WantedLink& one : wanted) TextsOf(one.kind)[one.text] = &one;
}

LinkMatcher::Texts& LinkMatcher::TextsOf(LinkKind kind) {
  switch (kind) {
    case LinkKind::kId:
      return ids_;
    case LinkKind::kCorrelation:
      return correlations_;
    case LinkKind::kCause:
      return causes_;
    default:
      return affected_;
  }
}

bool LinkMatcher::Names(const Texts& texts, absl::string_view text, const StoredBatch& batch) {
  const auto at = texts.find(text);
  return at != texts.end() && at->second->when.Has(batch.append_time_us);
}

bool LinkMatcher::Matches(const EventLinks& links, const StoredBatch& batch,
                          const v1::BatchContext& context) const {
  if (const auto id = ids_.find(links.id); id != ids_.end()) {
    const std::string& source = id->second->source;
    if (source.empty() || source == links.source) return true;
  }
  return Names(correlations_, OwnOr(links.correlation_id, context.correlation_id()), batch) ||
         Names(causes_, OwnOr(links.causation_id, context.causation_id()), batch) ||
         IsAffected(links);
}

bool LinkMatcher::IsAffected(const EventLinks& links) const {
  if (affected_.empty()) return false;
  return std::any_of(links.affected.begin(), links.affected.end(), [this](const auto affected) {
    const auto [kind, id] = ReadAffected(affected);
    return affected_.contains(AffectedText(kind, id));
  });
}

v1::JourneyEventState StateOf(const absl::Status& status) {
  switch (ReasonOf(status)) {
    case v1::GAP:
      return v1::JOURNEY_EVENT_STATE_TRIMMED;
    case v1::DATA_CORRUPTED:
      return DetailsOf(status).contains(kIoErrorDetail) ? v1::JOURNEY_EVENT_STATE_NOT_GIVEN
                                                        : v1::JOURNEY_EVENT_STATE_UNREADABLE;
    default:  // Beyond the end, or of a topic that is gone.
      return v1::JOURNEY_EVENT_STATE_MISSING;
  }
}

LookedAt LookAt(const LogEngine& engine, const LinkMatcher& matcher, IndexPlace place,
                IndexPlace from, BatchPtr kept) {
  LookedAt looked{std::move(kept), v1::JOURNEY_EVENT_STATE_STORED, {}};
  if (looked.batch == nullptr) {
    auto read = ReadBatchAt(engine, place.partition, place.offset);
    looked.state = StateOf(read.status());
    if (read.ok()) looked.batch = *std::move(read);
  }
  if (looked.batch == nullptr) return looked;
  const StoredBatch& batch = *looked.batch;
  const v1::BatchContext context = ContextOfBatch(batch);
  const auto index = static_cast<uint32_t>(Lag(batch.base_offset, place.offset));
  EventElements elements(EventElements::Cut(batch.payload.view(), index, batch.count));
  EventLinks links;
  absl::string_view event;
  for (Offset at = place.offset; elements.Next(&event); at = at + 1) {
    if (IndexPlace{batch.partition, at} < from) continue;
    ReadEventLinks(event, &links);
    if (matcher.Matches(links, batch, context)) looked.matches.emplace_back(at, event);
  }
  return looked;
}

}  // namespace acta
