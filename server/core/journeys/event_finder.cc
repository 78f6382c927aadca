#include "server/core/journeys/event_finder.h"

#include <algorithm>
#include <atomic>
#include <iterator>

#include "proto/support/error.h"
#include "proto/support/proto_time.h"
#include "proto/support/wire.h"
#include "server/core/journeys/event_links.h"
#include "server/core/journeys/link_matcher.h"
#include "server/core/journeys/pool_help.h"
#include "server/core/queues/indexed_batch.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

constexpr int64_t kMostKnownBytes = int64_t{64} << 20;
constexpr int64_t kMostInBatch = 65'536;  // Events.
// Of batches that are read at once.
constexpr int64_t kMostAhead = 64;
constexpr int64_t kMostBytesAhead = int64_t{8} << 20;

using Place = EventFinder::Place;

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
  delete found.event.release_data();  // clear_data() would keep its memory.
  found.event.clear_attributes();
  if (found.event.correlation_id().empty()) {
    found.event.set_correlation_id(found.context.correlation_id());
  }
  found.begins_journey = found.event.correlation_id().empty();
  if (found.begins_journey) found.event.set_correlation_id(found.name());
  if (found.event.causation_id().empty()) {
    found.event.set_causation_id(found.context.causation_id());
  }
  return found;
}

int64_t MadeUs(const Topic& topic) { return absl::ToUnixMicros(ToTime(topic.proto.create_time())); }

void SetLink(const WantedLink& link, v1::Event* event) {
  switch (link.kind) {
    case LinkKind::kId:
      event->set_id(link.text);
      if (!link.source.empty()) event->set_source(link.source);
      return;
    case LinkKind::kCorrelation:
      return event->set_correlation_id(link.text);
    case LinkKind::kCause:
      return event->set_causation_id(link.text);
    default:
      return;
  }
}

// What one call of Find() found.
struct Findings {
  const Place from;
  const size_t most;
  std::vector<FoundEvent> found;
  std::optional<Place> next;  // Set: `found` is full.
  size_t bytes = 0;           // Of `found`.

  void Add(const TopicPtr& topic, const LookedAt& looked, Place place) {
    if (looked.batch == nullptr) return Pass(topic, place, looked.state);
    for (const auto& [offset, event] : looked.matches) {
      if (IsFull({place.partition, offset})) return;
      Put(TellEvent(topic, *looked.batch, offset, event));
    }
  }

 private:
  void Put(FoundEvent event) {
    bytes += event.bytes();
    found.push_back(std::move(event));
  }
  bool IsFull(Place place) {
    if (found.size() >= most || bytes > EventFinder::kMostFoundBytes) next = place;
    return next.has_value();
  }
  // What cannot be read may be what is looked for.
  void Pass(const TopicPtr& topic, Place place, v1::JourneyEventState state) {
    if (state == v1::JOURNEY_EVENT_STATE_MISSING || place < from || IsFull(place)) return;
    FoundEvent gone;
    gone.state = state;
    gone.topic = topic;
    gone.partition = place.partition;
    gone.offset = place.offset;
    Put(std::move(gone));
  }
};

}  // namespace

std::string FoundEvent::place() const {
  return topic == nullptr ? std::string() : PlaceText(topic->name(), partition.partition(), offset);
}

TimeWindow FoundEvent::named_within() const {
  TimeWindow within;
  if (topic != nullptr && event.id().empty()) within.from_us = MadeUs(*topic);
  return within;
}

size_t FoundEvent::bytes() const { return event.SpaceUsedLong() + context.SpaceUsedLong(); }

TopicPtr EventFinder::TopicOf(PartitionId partition) const {
  TopicPtr topic = topics_.FindById(partition.topic());
  return topic != nullptr && topic->tenant == tenant_ ? topic : nullptr;
}

BatchPtr EventFinder::KeptAt(Place place) const {
  const auto of = batches_.find(place.partition);
  if (of == batches_.end()) return nullptr;
  const auto at = of->second.lower_bound(place.offset);
  const bool holds = at != of->second.end() && at->second->base_offset <= place.offset;
  return holds ? at->second : nullptr;
}

// Neighbours are asked for next; a journey over many large batches is not kept whole.
void EventFinder::Keep(const BatchPtr& batch) {
  last_bytes_ = static_cast<int64_t>(batch->payload.size());
  last_count_ = batch->count;
  if (KeptAt({batch->partition, batch->base_offset}) != nullptr) return;
  if (kept_.bytes() + last_bytes_ > kMostKnownBytes || !kept_.Grow(last_bytes_)) {
    batches_.clear();
    kept_.Resize(last_bytes_);  // It is in memory as it is.
  }
  batches_[batch->partition][batch->end() + -1] = batch;
}

BatchPtr EventFinder::BatchAt(PartitionId partition, Offset offset, v1::JourneyEventState* state) {
  if (BatchPtr kept = KeptAt({partition, offset}); kept != nullptr) return kept;
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

TimeWindow EventFinder::WindowOf(absl::string_view name, int64_t us) const {
  TimeWindow window;
  const auto place = ParsePlace(name);
  const TopicPtr topic = place.has_value() ? topics_.Find(tenant_, place->topic) : nullptr;
  if (topic == nullptr || us == 0) return window;
  const int64_t made_us = MadeUs(*topic);
  if (us < made_us) {
    window.until_us = made_us;
  } else {
    window.from_us = made_us;
  }
  return window;
}

// Looks at places of the index one behind the other, with help ahead of them.
class EventFinder::Lookout {
 public:
  Lookout(EventFinder& finder, const LinkMatcher& matcher, Place from)
      : finder_(finder), matcher_(matcher), from_(from) {}

  // At the first of `places`.
  LookedAt Next(absl::Span<const Place> places) {
    if (ahead_to_ < places.front()) LookAhead(places);
    const auto at = ahead_.find(places.front());
    LookedAt looked = at != ahead_.end() ? std::move(at->second)
                                         : LookAt(finder_.engine_, matcher_, places.front(), from_,
                                                  finder_.KeptAt(places.front()));
    if (looked.batch != nullptr) finder_.Keep(looked.batch);
    return looked;
  }

 private:
  void LookAhead(absl::Span<const Place> places) {
    // Batches are mostly like the one before.
    const int64_t bytes = finder_.last_bytes_;
    const int64_t most =
        bytes == 0 ? 1 : std::clamp<int64_t>(kMostBytesAhead / bytes, 1, kMostAhead);
    std::vector<Place> next;
    for (const Place& place : places) {
      if (static_cast<int64_t>(next.size()) == most) break;
      const bool mostly_same = !next.empty() && next.back().partition == place.partition &&
                               place.offset < next.back().offset + finder_.last_count_;
      if (!mostly_same && finder_.TopicOf(place.partition) != nullptr) next.push_back(place);
    }
    ahead_.clear();
    ahead_lease_.reset();
    if (next.size() < 2) return;
    ahead_lease_ = finder_.memory_->Take(kMostBytesAhead);
    if (!ahead_lease_.has_value()) return;
    ahead_to_ = next.back();
    std::vector<std::optional<LookedAt>> looked(next.size());
    std::vector<BatchPtr> kept;
    for (const Place& place : next) kept.push_back(finder_.KeptAt(place));
    // They may be larger than the one before: what is too much is looked at in its turn.
    std::atomic<int64_t> read_bytes = 0;
    RunWithHelp(finder_.pool_, next.size(), [&](size_t i) {
      if (read_bytes >= kMostBytesAhead) return;
      const bool reads = kept[i] == nullptr;
      looked[i] = LookAt(finder_.engine_, matcher_, next[i], from_, kept[i]);
      if (reads && looked[i]->batch != nullptr) {
        read_bytes += static_cast<int64_t>(looked[i]->batch->payload.size());
      }
    });
    ahead_lease_->Resize(read_bytes);
    for (size_t i = 0; i < next.size(); ++i) {
      if (looked[i].has_value()) ahead_[next[i]] = *std::move(looked[i]);
    }
  }

  EventFinder& finder_;
  const LinkMatcher& matcher_;
  const Place from_;
  Place ahead_to_{PartitionId(), Offset(-1)};
  absl::btree_map<Place, LookedAt> ahead_;
  std::optional<ByteBudget::Lease> ahead_lease_;  // What was read for it.
};

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
  const LinkMatcher matcher(wanted);
  Lookout lookout(*this, matcher, from);
  Findings findings{from, most, {}, std::nullopt, 0};
  auto at = std::upper_bound(places.begin(), places.end(), from);
  if (at != places.begin() && std::prev(at)->partition == from.partition) --at;
  Place done{PartitionId(), Offset(-1)};  // Everything up to it was looked at.
  for (bool first = true; at != places.end() && !findings.next.has_value(); ++at, first = false) {
    if (at->partition == done.partition && at->offset <= done.offset) continue;
    const bool over = !first && clock_.SinceBoot() >= until_;
    if (over) findings.next = *at;
    if (over) continue;
    const TopicPtr topic = TopicOf(at->partition);
    if (topic == nullptr) continue;
    const auto index = static_cast<size_t>(at - places.begin());
    const LookedAt looked = lookout.Next(absl::MakeConstSpan(places).subspan(index));
    if (looked.batch != nullptr) done = {at->partition, looked.batch->end() + -1};
    findings.Add(topic, looked, *at);
  }
  if (!findings.next.has_value() && found.cut()) {
    // Its batch was looked at to the end.
    const Place last = std::max(places.back(), done);
    findings.next = Place{last.partition, last.offset + 1};
  }
  *next = findings.next;
  RETURN_IF_ERROR(NameUnread(wanted, most + kMostInBatch, &findings.found));
  return std::move(findings.found);
}

absl::Status EventFinder::NameUnread(const std::vector<Wanted>& wanted, size_t most,
                                     std::vector<FoundEvent>* found) {
  absl::btree_map<Place, FoundEvent*> unread;
  for (FoundEvent& event : *found) {
    const bool known = event.state == v1::JOURNEY_EVENT_STATE_STORED;
    if (!known) unread.emplace(Place{event.partition, event.offset}, &event);
  }
  if (unread.empty()) return absl::OkStatus();
  // Each of them by itself: together they would not say which of them it is.
  const Place least = unread.begin()->first;
  std::vector<absl::Status> status(wanted.size());
  std::vector<std::vector<Place>> places(wanted.size());
  RunWithHelp(pool_, wanted.size(), [&](size_t i) {
    if (is_over()) return;
    IndexPlaces all(least, most);
    status[i] = indexer_.Find({LinkHash(engine_, wanted[i].kind, wanted[i].text)}, &all);
    for (const Place& place : all.Take()) {
      if (unread.contains(place)) places[i].push_back(place);
    }
  });
  for (size_t i = 0; i < wanted.size(); ++i) {
    RETURN_IF_ERROR(status[i]);
    for (const Place& place : places[i]) {
      SetLink(wanted[i], &unread.at(place)->event);
    }
  }
  return absl::OkStatus();
}

}  // namespace acta
