#include "server/core/journeys/event_finder.h"

#include <algorithm>
#include <iterator>

#include "proto/support/error.h"
#include "proto/support/wire.h"
#include "server/core/journeys/event_links.h"
#include "server/core/journeys/pool_help.h"
#include "server/core/queues/indexed_batch.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

constexpr int64_t kMostKnownBytes = int64_t{64} << 20;
constexpr int64_t kMostInBatch = 65'536;  // Events.
// Of batches that are read at once.
constexpr int64_t kMostAhead = 16;
constexpr int64_t kMostBytesAhead = int64_t{4} << 20;

// What is wanted, by kind.
class Matcher {
 public:
  explicit Matcher(const std::vector<EventFinder::Wanted>& wanted) {
    for (const EventFinder::Wanted& one : wanted) TextsOf(one.kind)[one.text] = one.source;
  }

  bool Matches(const EventLinks& links, const v1::BatchContext& context) const {
    if (const auto id = ids_.find(links.id); id != ids_.end()) {
      if (id->second.empty() || id->second == links.source) return true;
    }
    return correlations_.contains(OwnOr(links.correlation_id, context.correlation_id())) ||
           causes_.contains(OwnOr(links.causation_id, context.causation_id())) || IsAffected(links);
  }

 private:
  using Texts = absl::flat_hash_map<absl::string_view, absl::string_view>;  // With the source.

  Texts& TextsOf(LinkKind kind) {
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
  bool IsAffected(const EventLinks& links) const {
    if (affected_.empty()) return false;
    return std::any_of(links.affected.begin(), links.affected.end(), [this](const auto affected) {
      const auto [kind, id] = ReadAffected(affected);
      return affected_.contains(AffectedText(kind, id));
    });
  }

  Texts ids_, correlations_, causes_, affected_;
};

FoundEvent TellEvent(const TopicPtr& topic, const StoredBatch& batch, Offset offset,
                     absl::string_view event) {
  FoundEvent found;
  found.topic = topic;
  found.partition = batch.partition;
  found.offset = offset;
  found.incarnation = batch.incarnation;
  found.append_time_us = batch.append_time_us;
  found.context = ContextOfBatch(batch);
  if (!found.event.ParseFromArray(event.data(), static_cast<int>(event.size()))) {
    found.state = v1::JOURNEY_EVENT_STATE_UNREADABLE;
    return found;
  }
  found.data_bytes = static_cast<int64_t>(found.event.data().size());
  found.event.clear_data();
  found.event.clear_attributes();
  if (found.event.correlation_id().empty()) {
    found.event.set_correlation_id(found.context.correlation_id());
  }
  if (found.event.correlation_id().empty()) found.event.set_correlation_id(found.name());
  if (found.event.causation_id().empty()) {
    found.event.set_causation_id(found.context.causation_id());
  }
  return found;
}

// One call of Find().
struct Search {
  const Matcher matcher;
  const EventFinder::Place from;
  const size_t most;
  std::vector<FoundEvent> found;
  std::optional<EventFinder::Place> next;  // Set: `found` is full.

  // What of the batch matches, from `first` on.
  void LookInto(const TopicPtr& topic, const StoredBatch& batch, Offset first) {
    const v1::BatchContext context = ContextOfBatch(batch);
    EventElements elements(batch.payload.view());
    EventLinks links;
    absl::string_view event;
    for (Offset at = batch.base_offset; elements.Next(&event); at = at + 1) {
      if (at < first || EventFinder::Place{batch.partition, at} < from) continue;
      ReadEventLinks(event, &links);
      if (!matcher.Matches(links, context)) continue;
      if (found.size() >= most) {
        next = EventFinder::Place{batch.partition, at};
        return;
      }
      found.push_back(TellEvent(topic, batch, at, event));
    }
  }
  // What cannot be read may be what is looked for.
  void Pass(const TopicPtr& topic, EventFinder::Place place, v1::JourneyEventState state) {
    if (state == v1::JOURNEY_EVENT_STATE_MISSING || place < from) return;
    if (found.size() >= most) {
      next = place;
      return;
    }
    FoundEvent gone;
    gone.state = state;
    gone.topic = topic;
    gone.partition = place.partition;
    gone.offset = place.offset;
    found.push_back(std::move(gone));
  }
};

// Of an event that was not read.
v1::JourneyEventState StateOf(const absl::Status& status) {
  switch (ReasonOf(status)) {
    case v1::GAP:
      return v1::JOURNEY_EVENT_STATE_TRIMMED;
    case v1::DATA_CORRUPTED:
      return v1::JOURNEY_EVENT_STATE_UNREADABLE;
    default:  // Beyond the end, or of a topic that is gone.
      return v1::JOURNEY_EVENT_STATE_MISSING;
  }
}

}  // namespace

std::string FoundEvent::place() const {
  return topic == nullptr ? std::string() : PlaceText(topic->name(), partition.partition(), offset);
}

TopicPtr EventFinder::TopicOf(PartitionId partition) const {
  TopicPtr topic = topics_.FindById(partition.topic());
  return topic != nullptr && topic->tenant == tenant_ ? topic : nullptr;
}

BatchPtr EventFinder::KeptAt(PartitionId partition, Offset offset) const {
  const auto of = batches_.find(partition);
  if (of == batches_.end()) return nullptr;
  const auto at = of->second.lower_bound(offset);
  const bool holds = at != of->second.end() && at->second->base_offset <= offset;
  return holds ? at->second : nullptr;
}

// Neighbours are asked for next; a journey over many large batches is not kept whole.
void EventFinder::Keep(const BatchPtr& batch) {
  last_bytes_ = static_cast<int64_t>(batch->payload.size());
  last_count_ = batch->count;
  if (known_bytes_ + last_bytes_ > kMostKnownBytes) {
    batches_.clear();
    known_bytes_ = 0;
  }
  known_bytes_ += last_bytes_;
  batches_[batch->partition][batch->end() + -1] = batch;
}

EventFinder::Place EventFinder::ReadAhead(absl::Span<const Place> places) {
  // Batches are mostly like the one before.
  const int64_t most =
      last_bytes_ == 0 ? 1 : std::clamp<int64_t>(kMostBytesAhead / last_bytes_, 1, kMostAhead);
  std::vector<Place> unread;
  for (const Place& place : places) {
    if (static_cast<int64_t>(unread.size()) == most) break;
    const bool mostly_same = !unread.empty() && unread.back().partition == place.partition &&
                             place.offset < unread.back().offset + last_count_;
    const bool skipped = mostly_same || TopicOf(place.partition) == nullptr ||
                         KeptAt(place.partition, place.offset) != nullptr;
    if (!skipped) unread.push_back(place);
  }
  if (unread.size() < 2) return places.front();
  for (const BatchPtr& batch : ReadBatches(engine_, pool_, unread)) {
    if (batch != nullptr) Keep(batch);
  }
  return unread.back();
}

BatchPtr EventFinder::BatchAt(PartitionId partition, Offset offset, v1::JourneyEventState* state) {
  if (BatchPtr kept = KeptAt(partition, offset); kept != nullptr) return kept;
  const absl::StatusOr<BatchPtr> read = ReadBatchAt(engine_, partition, offset);
  *state = StateOf(read.status());
  if (!read.ok() || *read == nullptr) return nullptr;
  Keep(*read);
  return *read;
}

FoundEvent EventFinder::ReadAt(const TopicPtr& topic, PartitionId partition, Offset offset) {
  FoundEvent found;
  found.topic = topic;
  found.partition = partition;
  found.offset = offset;
  const BatchPtr batch = BatchAt(partition, offset, &found.state);
  if (batch == nullptr) return found;
  const auto index = static_cast<uint32_t>(Lag(batch->base_offset, offset));
  EventElements elements(EventElements::Cut(batch->payload.view(), index, index + 1));
  absl::string_view event;
  if (elements.Next(&event)) return TellEvent(topic, *batch, offset, event);
  found.state = v1::JOURNEY_EVENT_STATE_UNREADABLE;
  return found;
}

std::optional<FoundEvent> EventFinder::FindPlace(absl::string_view text) {
  const auto place = ParsePlace(text);
  if (!place.has_value()) return std::nullopt;
  const TopicPtr topic = topics_.Find(tenant_, place->topic);
  if (topic == nullptr || place->partition < 0 || place->partition >= topic->partitions()) {
    return std::nullopt;
  }
  FoundEvent found = ReadAt(topic, topic->partition(place->partition), place->offset);
  if (found.state == v1::JOURNEY_EVENT_STATE_MISSING) return std::nullopt;
  return found;
}

absl::StatusOr<std::vector<FoundEvent>> EventFinder::Find(const std::vector<Wanted>& wanted,
                                                          Place from, size_t most,
                                                          std::optional<Place>* next) {
  std::vector<uint64_t> hashes;
  for (const Wanted& one : wanted) hashes.push_back(LinkHash(engine_, one.kind, one.text));
  // The batch that holds `from` may be known by an earlier event of it.
  const Place least{from.partition,
                    Offset(std::max<int64_t>(0, from.offset.value() - kMostInBatch))};
  ASSIGN_OR_RETURN(IndexPlaces found,
                   FindPlaces(indexer_, pool_, std::move(hashes), least, most + kMostInBatch));
  const std::vector<Place> places = found.Take();
  Search search{Matcher{wanted}, from, most, {}, std::nullopt};
  auto at = std::upper_bound(places.begin(), places.end(), from);
  if (at != places.begin() && std::prev(at)->partition == from.partition) --at;
  Place done{PartitionId(), Offset(-1)};     // Everything up to it was looked at.
  Place read_to{PartitionId(), Offset(-1)};  // So far it was read ahead.
  for (bool first = true; at != places.end() && !search.next.has_value(); ++at, first = false) {
    const bool over = !first && clock_.SinceBoot() >= until_;
    if (over) search.next = *at;
    if (over || (at->partition == done.partition && at->offset <= done.offset)) continue;
    const TopicPtr topic = TopicOf(at->partition);
    if (topic == nullptr) continue;
    // Once: what cannot be read is not tried again for each of them.
    if (read_to < *at && KeptAt(at->partition, at->offset) == nullptr) {
      const auto index = static_cast<size_t>(at - places.begin());
      read_to = ReadAhead(absl::MakeConstSpan(places).subspan(index));
    }
    v1::JourneyEventState state = v1::JOURNEY_EVENT_STATE_STORED;
    const BatchPtr batch = BatchAt(at->partition, at->offset, &state);
    if (batch == nullptr) {
      search.Pass(topic, *at, state);
      continue;
    }
    done = {at->partition, batch->end() + -1};
    if (done >= from) search.LookInto(topic, *batch, at->offset);
  }
  if (!search.next.has_value() && found.cut()) {
    search.next = Place{places.back().partition, places.back().offset + 1};
  }
  *next = search.next;
  return std::move(search.found);
}

}  // namespace acta
