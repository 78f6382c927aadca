#include "server/core/journeys/event_finder.h"

#include <algorithm>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "proto/support/error.h"
#include "proto/support/wire.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

// What is wanted, by kind.
class Matcher {
 public:
  explicit Matcher(const std::vector<EventFinder::Wanted>& wanted) {
    for (const EventFinder::Wanted& one : wanted) TextsOf(one.kind)[one.text] = one.source;
  }

  bool Matches(const EventLinks& links, const v1::BatchContext& context) const {
    const auto own = [](absl::string_view text, const std::string& otherwise) {
      return text.empty() ? absl::string_view(otherwise) : text;
    };
    if (const auto id = ids_.find(links.id); id != ids_.end()) {
      if (id->second.empty() || id->second == links.source) return true;
    }
    return correlations_.contains(own(links.correlation_id, context.correlation_id())) ||
           causes_.contains(own(links.causation_id, context.causation_id())) || IsAffected(links);
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

v1::BatchContext ContextOfBatch(const StoredBatch& batch) {
  v1::BatchContext context;
  const absl::string_view bytes = batch.context.view();
  (void)context.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  return context;
}

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
      if (at < first || EventFinder::Place(batch.partition, at) < from) continue;
      ReadEventLinks(event, &links);
      if (!matcher.Matches(links, context)) continue;
      if (found.size() >= most) {
        next = EventFinder::Place(batch.partition, at);
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
    gone.partition = place.first;
    gone.offset = place.second;
    found.push_back(std::move(gone));
  }
};

}  // namespace

std::string PlaceText(absl::string_view topic, int32_t partition, Offset offset) {
  return absl::StrCat(topic, "/", partition, "/", offset.value());
}

std::optional<PlaceName> ParsePlace(absl::string_view text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  PlaceName place;
  int64_t offset = 0;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[1], &place.partition) ||
      !absl::SimpleAtoi(parts[2], &offset)) {
    return std::nullopt;
  }
  place.topic = parts[0];
  place.offset = Offset(offset);
  return place;
}

std::string FoundEvent::place() const {
  return topic == nullptr ? std::string() : PlaceText(topic->name(), partition.partition(), offset);
}

BatchPtr EventFinder::BatchAt(PartitionId partition, Offset offset, v1::JourneyEventState* state) {
  auto& known = batches_[partition];
  const auto at = known.lower_bound(offset);
  if (at != known.end() && at->second->base_offset <= offset) return at->second;
  absl::StatusOr<std::vector<BatchPtr>> read = std::vector<BatchPtr>();
  const auto cached = engine_.ReadCached(partition, offset, 1);
  if (cached.ok() && cached->has_value()) {
    read = **cached;
  } else {
    read = engine_.Read(partition, offset, 1);
  }
  *state = ReasonOf(read.status()) == v1::GAP ? v1::JOURNEY_EVENT_STATE_TRIMMED
           : read.ok()                        ? v1::JOURNEY_EVENT_STATE_MISSING
                                              : v1::JOURNEY_EVENT_STATE_UNREADABLE;
  if (!read.ok() || read->empty()) return nullptr;
  const BatchPtr& batch = read->front();
  if (batch->base_offset > offset || batch->end() <= offset) return nullptr;
  known[batch->end() + -1] = batch;
  return batch;
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
  ASSIGN_OR_RETURN(const std::vector<IndexEntry> entries, indexer_.Find(hashes));
  std::map<Place, TopicPtr> places;
  for (const IndexEntry& entry : entries) {
    const TopicPtr topic = topics_.FindById(entry.partition.topic());
    if (topic == nullptr || topic->tenant != tenant_) continue;
    places.emplace(Place(entry.partition, entry.offset), topic);
  }
  Search search{Matcher{wanted}, from, most, {}, std::nullopt};
  Place done{PartitionId(), Offset(-1)};  // Everything up to it was looked at.
  for (const auto& [place, topic] : places) {
    if (search.next.has_value()) break;
    if (place.first == done.first && place.second <= done.second) continue;
    v1::JourneyEventState state = v1::JOURNEY_EVENT_STATE_STORED;
    const BatchPtr batch = BatchAt(place.first, place.second, &state);
    if (batch == nullptr) {
      search.Pass(topic, place, state);
      continue;
    }
    done = {place.first, batch->end() + -1};
    if (done >= from) search.LookInto(topic, *batch, place.second);
  }
  *next = search.next;
  return std::move(search.found);
}

}  // namespace acta
