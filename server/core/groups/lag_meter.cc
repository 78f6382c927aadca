#include "server/core/groups/lag_meter.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
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
  absl::flat_hash_map<Key, ReadEvent> known;  // As it was.
  // Only on the disk, with where they are now: of nothing that is known, and of another event.
  absl::flat_hash_map<Key, Offset> unknown;
  absl::flat_hash_map<Key, Offset> stale;
  absl::flat_hash_set<Key> needed;
  bool waits = false;   // In the group at hand.
  bool unsure = false;  // In the group at hand: of something that waits nothing is known.
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
    look.waits = look.unsure = false;
    for (const Place& place : group.places) MeasurePlace(group.group, place, look, &lag);
    if (!look.waits) lag.age = absl::ZeroDuration();
    if (look.unsure) {
      lag.age.reset();
      lag.bytes.reset();
    }
    DrainEstimate& drain = drains[group.group];
    drain = std::move(drains_[group.group]);
    lag.drain = drain.Look(now, group.outstanding + lag.ahead_events);
  }
  drains_ = std::move(drains);
  ReadLater(look);
  return lags;
}

void LagMeter::MeasurePlace(GroupId group, const Place& place, Look& look, Lag* lag) const {
  const auto extent = engine_.Extent(place.partition);
  if (!extent.ok()) return;  // The topic is being deleted.
  const int64_t ahead = ::acta::Lag(place.head, extent->visible_end) - place.done_ahead;
  lag->ahead_events += std::max<int64_t>(0, ahead);
  lag->lost_events += std::max<int64_t>(0, ::acta::Lag(place.head, extent->first));
  MeasureHeadroom(group, place, *extent, look, lag);
  // Of a STREAM group what is lost has no age.
  const Offset next = place.next == place.head ? std::max(place.next, extent->first) : place.next;
  if (next >= extent->visible_end) return;
  look.waits = true;
  const std::optional<Facts> facts = FactsOf({group, place.partition, Of::kNext}, next, look);
  if (!facts.has_value()) {
    look.unsure = true;
    return;
  }
  const uint64_t end = extent->visible_end_bytes;
  const uint64_t below = std::max(facts->bytes_below, extent->first_bytes);
  *lag->bytes += static_cast<int64_t>(end - std::min(below, end));
  if (facts->time_us == 0) return;
  const absl::Duration age = absl::Microseconds(std::max<int64_t>(0, look.now_us - facts->time_us));
  lag->age = std::max(lag->age.value_or(age), age);
}

void LagMeter::MeasureHeadroom(GroupId group, const Place& place, const PartitionExtent& extent,
                               Look& look, Lag* lag) const {
  const Offset head = std::max(place.head, extent.first);
  if (head >= extent.visible_end || place.retention <= absl::ZeroDuration()) return;
  const Key key(group, place.partition, place.head == place.next ? Of::kNext : Of::kHead);
  const std::optional<Facts> facts = FactsOf(key, head, look);
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
  look.needed.insert(key);
  if (known == look.known.end()) {
    look.unknown[key] = offset;
    return std::nullopt;
  }
  if (known->second.offset != offset) look.stale[key] = offset;
  return known->second.facts;
}

// What nothing is known of comes first. Those that move are renewed by turns: a map has no order
// that would leave the same ones out each time, but for as long as it is one.
void LagMeter::ReadLater(const Look& look) {
  std::vector<Unknown> wanted;
  const auto want = [&](const absl::flat_hash_map<Key, Offset>& events, size_t skipped) {
    for (const auto& [key, offset] : events) {
      if (wanted.size() == kMostRead) return;
      if (skipped > 0) {
        --skipped;
      } else {
        wanted.push_back({key, offset});
      }
    }
  };
  want(look.unknown, 0);
  if (look.stale.size() > kMostRead) turn_ = (turn_ + kMostRead) % look.stale.size();
  want(look.stale, look.stale.size() > kMostRead ? turn_ : 0);
  {
    MutexLock lock(mu_);
    absl::erase_if(read_, [&](const auto& one) { return !look.needed.contains(one.first); });
    if (reading_ || wanted.empty()) return;
    reading_ = true;
  }
  pool_.Post([self = shared_from_this(), wanted = std::move(wanted)] { self->ReadAll(wanted); });
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
