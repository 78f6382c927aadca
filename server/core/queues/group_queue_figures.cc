// Numbers of the whole group, for a scrape.
#include <algorithm>
#include <utility>

#include "server/core/queues/group_queue_parts.h"

namespace acta {
namespace {

// Runs of expired events that a group remembers.
constexpr size_t kMostExpired = 1'000;

// Of one call. The others are for the next.
constexpr size_t kMostTimesRead = 256;

void AddStates(const PartitionQueue::States& from, PartitionQueue::States* to) {
  to->ready += from.ready;
  to->leased += from.leased;
  to->retry_wait += from.retry_wait;
  to->blocked_by_key += from.blocked_by_key;
  to->held += from.held;
}

// nullopt: it is not in memory.
std::optional<int64_t> TimeInMemory(const LogEngine& engine, PartitionId partition, Offset offset) {
  const auto read = engine.ReadCached(partition, offset, 1);
  if (!read.ok() || !read->has_value() || (*read)->empty()) return std::nullopt;
  return (*read)->front()->append_time_us;
}

}  // namespace

void GroupQueue::NoteExpired(Partition& partition) {
  for (const OffsetRun& run : partition.queue->TakeExpired()) {
    expired_.push_back({partition.id, run, NowUs()});
    PutEntry(partition, LedgerEntryOf(storage::v1::LedgerEntry::EXPIRED, run));
    if (expired_.size() > kMostExpired) expired_.pop_front();
  }
}

GroupQueue::ExpiredList GroupQueue::ListExpired() const {
  MutexLock lock(mu_);
  return {budget_.tally.expired, {expired_.rbegin(), expired_.rend()}};
}

std::vector<GroupQueue::Standing> GroupQueue::StandingsOf(PartitionId id,
                                                          absl::Span<const Offset> offsets) const {
  std::vector<Standing> standings(offsets.size());
  MutexLock lock(mu_);
  const auto it = partitions_.find(id);
  if (it == partitions_.end()) return standings;
  for (size_t i = 0; i < offsets.size(); ++i) {
    standings[i].event = it->second->queue->StandingOf(offsets[i]);
    const QueueMemberFacts* const facts = MemberFactsOf(standings[i].event.holder);
    if (facts != nullptr) standings[i].member = *facts;
  }
  return standings;
}

std::vector<KeyStandstill> GroupQueue::Standstills(PartitionId id, size_t most) const {
  MutexLock lock(mu_);
  const auto it = partitions_.find(id);
  if (it == partitions_.end()) return {};
  return it->second->queue->Standstills(most);
}

GroupQueue::Figures GroupQueue::Measure() {
  Figures figures;
  std::vector<Oldest> partitions;
  {
    MutexLock lock(mu_);
    figures.dead_letters = budget_.dead_letters;
    figures.max_dead_letters = budget_.max_dead_letters;
    figures.tally = budget_.tally;
    figures.refused = refused_;
    partitions.reserve(partitions_.size());
    for (const auto& [id, partition] : partitions_) {
      AddStates(partition->queue->states(), &figures.states);
      partitions.push_back({id, partition->queue->head(), partition->queue->oldest()});
    }
  }
  MeasureAge(partitions, &figures);
  return figures;
}

void GroupQueue::MeasureAge(const std::vector<Oldest>& partitions, Figures* figures) {
  bool waits = false;
  std::optional<int64_t> oldest_us;
  const auto older = [&](int64_t time_us) {
    oldest_us = std::min(oldest_us.value_or(time_us), time_us);
  };
  std::vector<Oldest> on_disk;
  for (const Oldest& one : partitions) {
    const auto extent = deps_.engine.Extent(one.partition);
    if (!extent.ok()) continue;  // The topic is being deleted.
    figures->not_scanned += std::max<int64_t>(0, Lag(one.head, extent->visible_end));
    if (one.offset >= extent->visible_end) continue;
    waits = true;
    if (const auto time_us = TimeInMemory(deps_.engine, one.partition, one.offset)) {
      older(*time_us);
    } else {
      on_disk.push_back(one);
    }
  }
  std::vector<Oldest> unknown;
  {
    MutexLock lock(times_mu_);
    absl::flat_hash_map<PartitionId, ReadEvent> still_needed;
    for (const Oldest& one : on_disk) {
      const auto known = times_.find(one.partition);
      if (known != times_.end()) still_needed.insert(*known);
      if (known == times_.end() || known->second.offset != one.offset) unknown.push_back(one);
      if (known != times_.end() && known->second.time_us > 0) older(known->second.time_us);
    }
    times_ = std::move(still_needed);
    if (unknown.size() > kMostTimesRead) unknown.resize(kMostTimesRead);
    if (reading_times_) unknown.clear();
    reading_times_ |= !unknown.empty();
  }
  if (!unknown.empty()) {
    deps_.pool.Post([self = shared_from_this(), unknown] { self->ReadTimes(unknown); });
  }
  if (!waits) figures->oldest = absl::ZeroDuration();
  if (!oldest_us.has_value()) return;
  figures->oldest = std::max(absl::Microseconds(NowUs() - *oldest_us), absl::ZeroDuration());
}

void GroupQueue::ReadTimes(const std::vector<Oldest>& partitions) {
  for (const Oldest& one : partitions) {
    const int64_t time_us = ReadTime(one.partition, one.offset);
    MutexLock lock(times_mu_);
    times_[one.partition] = {one.offset, time_us};
  }
  MutexLock lock(times_mu_);
  reading_times_ = false;
}

// Of one that cannot be read the time of the oldest that is there: it waits since then at most.
int64_t GroupQueue::ReadTime(PartitionId partition, Offset offset) const {
  const auto located = deps_.engine.Locate(partition, offset);
  if (located.ok()) return located->append_time_us;
  const auto kept = LoadKeptEvent(deps_.engine, group_, partition, offset);
  if (kept.ok()) return (*kept)->batch->append_time_us;
  const auto extent = deps_.engine.Extent(partition);
  return extent.ok() ? extent->first_time_us : 0;
}

}  // namespace acta
