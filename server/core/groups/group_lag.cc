#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/proto_time.h"
#include "server/core/access/names.h"
#include "server/core/groups/group_state.h"
#include "server/core/groups/group_text.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

void FillStates(const PartitionQueue::States& states, v1::QueueLag* out) {
  out->set_ready(states.ready);
  out->set_leased(states.leased);
  out->set_retry_wait(states.retry_wait);
  out->set_blocked_by_key(states.blocked_by_key);
  out->set_held(states.held);
}

// Exact when everything up to the end was looked at.
void FillQueueLag(const GroupQueue::View& queue, const PartitionExtent& extent,
                  v1::PartitionLag* lag) {
  v1::QueueLag* const out = lag->mutable_queue();
  FillStates(queue.counts, out);
  out->set_not_scanned(NotScanned(queue, extent.visible_end));
  out->set_dead_letters(queue.dead_letters);
  lag->set_lag_events(OutstandingOf(queue, extent.visible_end));
  lag->set_exact(out->not_scanned() == 0);
}

// Since it was appended, now that the log may be without it. Nothing: that is not known.
void FillAge(const LogEngine& engine, GroupId group, PartitionId partition, Offset offset,
             const PartitionExtent& extent, google::protobuf::Duration* age) {
  if (offset >= extent.visible_end) return;
  int64_t time_us = 0;
  if (offset < extent.first) {
    const auto kept = LoadKeptEvent(engine, group, partition, offset);
    time_us = kept.ok() ? (*kept)->batch->append_time_us : extent.first_time_us;
  } else if (const auto located = engine.Locate(partition, offset); located.ok()) {
    time_us = located->append_time_us;
  }
  if (time_us == 0) return;
  const int64_t now_us = absl::ToUnixMicros(engine.Now());
  SetDuration(absl::Microseconds(std::max<int64_t>(0, now_us - time_us)), age);
}

// Bytes and seconds count from the oldest event that still exists: what retention removed is told
// as gap_events. Where the next event cannot be read they count from the oldest there is: at most
// that far behind.
absl::Status FillLag(const LogEngine& engine, GroupId group, const Group::PositionView& view,
                     const std::optional<GroupQueue::View>& queue, v1::PartitionLag* lag) {
  ASSIGN_OR_RETURN(const PartitionExtent extent, engine.Extent(view.id()));
  const Offset committed(view.position.offset());
  lag->set_topic(view.topic->name());
  lag->set_partition(view.number);
  lag->set_committed_offset(committed.value());
  lag->set_first_offset(extent.first.value());
  lag->set_end_offset(extent.visible_end.value());
  lag->set_lag_events(std::max<int64_t>(0, Lag(committed, extent.visible_end)));
  lag->set_gap_events(std::max<int64_t>(0, Lag(committed, extent.first)));
  lag->set_exact(true);
  lag->set_member_id(view.member_id);
  lag->mutable_behind();
  if (view.position.commit_time_us() > 0) {
    SetTimeUs(view.position.commit_time_us(), lag->mutable_commit_time());
  }
  Offset next = std::max(committed, extent.first);
  const bool is_copy = queue.has_value() && queue->oldest < extent.first;
  if (queue.has_value()) {
    FillQueueLag(*queue, extent, lag);
    next = std::max(queue->oldest, extent.first);
    FillAge(engine, group, view.id(), queue->counts.oldest_new.value_or(queue->head), extent,
            lag->mutable_queue()->mutable_behind_never_delivered());
    if (is_copy) FillAge(engine, group, view.id(), queue->oldest, extent, lag->mutable_behind());
  }
  if (next >= extent.visible_end) return absl::OkStatus();
  const auto located = engine.Locate(view.id(), next);
  OffsetInfo info{extent.first_bytes, extent.first_time_us};
  if (located.ok()) {
    info = *located;
  } else if (ReasonOf(located.status()) == v1::DATA_CORRUPTED) {
    lag->set_exact(false);
  } else if (ReasonOf(located.status()) != v1::GAP) {  // Retention may have come in between.
    return located.status();
  }
  const uint64_t end_bytes = extent.visible_end_bytes;
  lag->set_lag_bytes(static_cast<int64_t>(end_bytes - std::min(info.bytes_below, end_bytes)));
  const int64_t now_us = absl::ToUnixMicros(engine.Now());
  if (info.append_time_us > 0 && !is_copy) {
    SetDuration(absl::Microseconds(std::max<int64_t>(0, now_us - info.append_time_us)),
                lag->mutable_behind());
  }
  return absl::OkStatus();
}

// Sets what a scrape is told of the group, but for its lag, and answers what that is measured by.
LagMeter::GroupPlaces PlacesOf(const Group& group, GroupRegistry::Figures* figures) {
  const v1::Group described = group.record().group();
  figures->tenant = group.tenant();
  figures->group = group.name();
  figures->paused = described.has_pause();
  figures->topics.assign(described.topics().begin(), described.topics().end());
  figures->members = static_cast<int64_t>(group.connected());
  LagMeter::GroupPlaces places{group.id(), 0, {}};
  absl::flat_hash_map<PartitionId, GroupQueue::Place> queue_places;
  if (group.queue() != nullptr) {
    figures->queue = group.queue()->Measure();
    const PartitionQueue::States& states = figures->queue->states;
    figures->processed_events = figures->queue->tally.acked;
    places.outstanding =
        states.ready + states.leased + states.retry_wait + states.blocked_by_key + states.held;
    for (const GroupQueue::Place& place : figures->queue->places) {
      queue_places[place.partition] = place;
    }
  }
  // Where a queue is says Measure(): looking at each event would keep members waiting.
  for (const Group::PositionView& view : group.StreamPositions()) {
    Offset next(view.position.offset());
    Offset head = next;
    int64_t done_ahead = 0;
    if (group.queue() == nullptr) figures->processed_events += next.value();
    if (const auto place = queue_places.find(view.id()); place != queue_places.end()) {
      next = place->second.oldest;
      head = place->second.head;
      done_ahead = place->second.done_ahead;
    }
    places.places.push_back({view.id(), next, head, view.topic->settings.retention, done_ahead});
  }
  return places;
}

void FillQueueFigures(const GroupQueue::Figures& queue, int64_t not_scanned,
                      v1::GroupFigures* out) {
  v1::QueueLag* const lag = out->mutable_queue();
  FillStates(queue.states, lag);
  lag->set_not_scanned(not_scanned);
  lag->set_dead_letters(queue.dead_letters);
  const auto& failed = queue.tally.failed;
  const auto& dead = queue.tally.dead_lettered;
  out->set_max_dead_letters(queue.max_dead_letters);
  out->set_failed_attempts(std::accumulate(failed.begin(), failed.end(), int64_t{0}));
  out->set_redelivered_events(queue.tally.redelivered);
  out->set_dead_lettered_events(std::accumulate(dead.begin(), dead.end(), int64_t{0}));
}

void FillFigures(const GroupRegistry::Figures& figures, v1::GroupFigures* out) {
  const LagMeter::Lag& lag = figures.lag;
  out->set_group(figures.group);
  out->set_mode(figures.queue.has_value() ? v1::GROUP_MODE_QUEUE : v1::GROUP_MODE_STREAM);
  out->set_paused(figures.paused);
  out->set_members(figures.members);
  out->set_lag_events(figures.lag_events);
  if (lag.bytes.has_value()) out->set_lag_bytes(*lag.bytes);
  if (lag.age.has_value()) SetDuration(*lag.age, out->mutable_behind());
  if (lag.headroom.has_value()) SetDuration(*lag.headroom, out->mutable_headroom());
  if (lag.drain.has_value()) SetDuration(*lag.drain, out->mutable_drain());
  out->set_lost_events(lag.lost_events);
  out->set_processed_events(figures.processed_events);
  if (figures.queue.has_value()) FillQueueFigures(*figures.queue, lag.ahead_events, out);
}

}  // namespace

std::vector<GroupRegistry::Figures> GroupRegistry::Measure() const {
  MutexLock lock(state_->measure_mu);
  std::vector<Figures> all;
  std::vector<LagMeter::GroupPlaces> places;
  for (const GroupPtr& group : state_->All()) {
    places.push_back(PlacesOf(*group, &all.emplace_back()));
  }
  const std::vector<LagMeter::Lag> lags = state_->lag_meter->Measure(places);
  for (size_t i = 0; i < all.size(); ++i) {
    all[i].lag = lags[i];
    all[i].lag_events = places[i].outstanding + lags[i].ahead_events;
  }
  return all;
}

absl::StatusOr<v1::MeasureGroupsResponse> GroupRegistry::Measure(
    const Caller& caller, const v1::MeasureGroupsRequest& request) const {
  RETURN_IF_ERROR(CheckTenant(caller, request.tenant()));
  v1::MeasureGroupsResponse response;
  for (const Figures& figures : Measure()) {
    if (figures.tenant != caller.tenant) continue;
    const bool allowed =
        std::all_of(figures.topics.begin(), figures.topics.end(), [&](const std::string& topic) {
          return state_->AllowTopic(caller, Verb::kObserve, topic).ok();
        });
    if (allowed) FillFigures(figures, response.add_groups());
  }
  return response;
}

absl::StatusOr<v1::GetLagResponse> GroupRegistry::GetLag(const Caller& caller,
                                                         const v1::GetLagRequest& request) const {
  ASSIGN_OR_RETURN(const GroupPtr group, state_->Get(caller, request.tenant(), request.group()));
  RETURN_IF_ERROR(state_->AllowTopicsOf(caller, Verb::kObserve, *group, request.topic()));
  v1::GetLagResponse response;
  bool found = request.topic().empty();
  for (const Group::PositionView& view : group->Positions()) {
    if (!request.topic().empty() && view.topic->name() != request.topic()) continue;
    found = true;
    v1::PartitionLag lag;
    std::optional<GroupQueue::View> queue;
    if (group->queue() != nullptr) queue = group->queue()->Look(view.id());
    const absl::Status status = FillLag(state_->deps.engine, group->id(), view, queue, &lag);
    if (ReasonOf(status) == v1::PARTITION_NOT_FOUND) continue;  // The topic is being deleted.
    RETURN_IF_ERROR(status);
    *response.add_partitions() = std::move(lag);
  }
  if (found) return response;
  return TopicNotReadByGroup(group->name(), request.topic());
}

}  // namespace acta
