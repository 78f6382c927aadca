#include "server/core/groups/lag_meter.h"

#include <algorithm>

#include "server/core/queues/group_queue.h"

namespace acta {
namespace {

constexpr absl::Duration kLeastBetweenLooks = absl::Seconds(5);
constexpr absl::Duration kDrainWindow = absl::Minutes(1);
// Of one call. The others are for the next.
constexpr size_t kMostRead = 256;

}  // namespace

std::optional<absl::Duration> DrainEstimate::Look(absl::Time now, int64_t lag) {
  while (looks_.size() > 1 && now - looks_[1].first >= kDrainWindow) looks_.pop_front();
  std::optional<absl::Duration> drain;
  if (lag == 0) {
    drain = absl::ZeroDuration();
  } else if (!looks_.empty() && now > looks_.front().first && looks_.front().second > lag) {
    const auto gone = static_cast<double>(looks_.front().second - lag);
    drain = (now - looks_.front().first) * (static_cast<double>(lag) / gone);
  }
  if (looks_.empty() || now - looks_.back().first >= kLeastBetweenLooks) {
    looks_.emplace_back(now, lag);
  }
  return drain;
}

struct LagMeter::Look {
  int64_t now_us = 0;
  absl::flat_hash_map<Key, ReadEvent> known;   // As it was.
  absl::flat_hash_map<Key, ReadEvent> needed;  // Of it.
  std::vector<Unknown> unknown;
  bool waits = false;  // In the group at hand.
};

std::vector<LagMeter::Lag> LagMeter::Measure(const std::vector<GroupPlaces>& groups) {
  Look look;
  const absl::Time now = engine_.Now();
  look.now_us = absl::ToUnixMicros(now);
  {
    MutexLock lock(mu_);
    look.known = read_;
  }
  std::vector<Lag> lags;
  absl::flat_hash_map<GroupId, DrainEstimate> drains;
  for (const GroupPlaces& group : groups) {
    Lag& lag = lags.emplace_back();
    lag.bytes = 0;
    look.waits = false;
    for (const Place& place : group.places) MeasurePlace(group.group, place, look, &lag);
    if (!look.waits) lag.age = absl::ZeroDuration();
    DrainEstimate& drain = drains[group.group];
    drain = std::move(drains_[group.group]);
    lag.drain = drain.Look(now, group.lag_events);
  }
  drains_ = std::move(drains);
  {
    MutexLock lock(mu_);
    read_ = std::move(look.needed);
    if (reading_) look.unknown.clear();
    reading_ |= !look.unknown.empty();
  }
  ReadLater(std::move(look.unknown));
  return lags;
}

void LagMeter::MeasurePlace(GroupId group, const Place& place, Look& look, Lag* lag) const {
  const auto extent = engine_.Extent(place.partition);
  if (!extent.ok()) return;  // The topic is being deleted.
  lag->lost_events += std::max<int64_t>(0, ::acta::Lag(place.head, extent->first));
  if (place.next >= extent->visible_end) return;
  look.waits = true;
  MeasureHeadroom(group, place, *extent, look, lag);
  const std::optional<Facts> facts = FactsOf({group, place.partition, Of::kNext}, place.next, look);
  if (!facts.has_value()) {
    lag->bytes.reset();
    return;
  }
  const uint64_t end = extent->visible_end_bytes;
  if (lag->bytes.has_value()) {
    *lag->bytes += static_cast<int64_t>(end - std::min(facts->bytes_below, end));
  }
  if (facts->time_us == 0) return;
  const absl::Duration age = absl::Microseconds(std::max<int64_t>(0, look.now_us - facts->time_us));
  lag->age = std::max(lag->age.value_or(age), age);
}

void LagMeter::MeasureHeadroom(GroupId group, const Place& place, const PartitionExtent& extent,
                               Look& look, Lag* lag) const {
  if (place.head >= extent.visible_end || place.retention <= absl::ZeroDuration()) return;
  const Key key(group, place.partition, place.head == place.next ? Of::kNext : Of::kHead);
  const std::optional<Facts> facts = FactsOf(key, place.head, look);
  if (!facts.has_value() || facts->time_us == 0) return;
  const absl::Duration age = absl::Microseconds(look.now_us - facts->time_us);
  const absl::Duration left = std::max(absl::ZeroDuration(), place.retention - age);
  lag->headroom = std::min(lag->headroom.value_or(left), left);
}

std::optional<LagMeter::Facts> LagMeter::FactsOf(const Key& key, Offset offset, Look& look) const {
  const auto read = engine_.ReadCached(std::get<PartitionId>(key), offset, 1);
  if (read.ok() && read->has_value() && !(*read)->empty()) {
    const StoredBatch& batch = *(*read)->front();
    return Facts{batch.append_time_us, batch.begin_bytes()};
  }
  const auto known = look.known.find(key);
  if (known != look.known.end()) look.needed.insert(*known);
  if (known == look.known.end() || known->second.offset != offset) {
    if (look.unknown.size() < kMostRead) look.unknown.push_back({key, offset});
  }
  if (known == look.known.end()) return std::nullopt;
  return known->second.facts;
}

void LagMeter::ReadLater(std::vector<Unknown> unknown) {
  if (unknown.empty()) return;
  pool_.Post([self = shared_from_this(), unknown = std::move(unknown)] { self->ReadAll(unknown); });
}

void LagMeter::ReadAll(const std::vector<Unknown>& unknown) {
  for (const Unknown& event : unknown) {
    const Facts facts = ReadOne(event);
    MutexLock lock(mu_);
    read_[event.key] = {event.offset, facts};
  }
  MutexLock lock(mu_);
  reading_ = false;
}

// Of one that cannot be read what is known of the oldest that is there: it waits since then at
// most.
LagMeter::Facts LagMeter::ReadOne(const Unknown& event) const {
  const PartitionId partition = std::get<PartitionId>(event.key);
  const auto extent = engine_.Extent(partition);
  if (!extent.ok()) return {};
  if (const auto located = engine_.Locate(partition, event.offset); located.ok()) {
    return {located->append_time_us, located->bytes_below};
  }
  const auto kept = LoadKeptEvent(engine_, std::get<GroupId>(event.key), partition, event.offset);
  if (kept.ok()) return {(*kept)->batch->append_time_us, extent->first_bytes};
  return {extent->first_time_us, extent->first_bytes};
}

}  // namespace acta
