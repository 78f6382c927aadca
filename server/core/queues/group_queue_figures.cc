// Numbers of the whole group, for a scrape.
#include <algorithm>
#include <iterator>
#include <utility>

#include "server/core/queues/group_queue_parts.h"

namespace acta {
namespace {

// Runs of expired events that a group remembers.
constexpr size_t kMostExpired = 1'000;

// `runs` rise.
bool IsIn(const std::vector<OffsetRun>& runs, Offset offset) {
  const auto behind =
      std::upper_bound(runs.begin(), runs.end(), offset,
                       [](Offset at, const OffsetRun& run) { return at < run.first; });
  return behind != runs.begin() && offset < std::prev(behind)->end;
}

void AddStates(const PartitionQueue::States& from, PartitionQueue::States* to) {
  to->ready += from.ready;
  to->leased += from.leased;
  to->retry_wait += from.retry_wait;
  to->blocked_by_key += from.blocked_by_key;
  to->held += from.held;
}

}  // namespace

void GroupQueue::NoteExpired(Partition& partition) {
  for (const OffsetRun& run : partition.queue->TakeExpired()) {
    NoteSettled(partition, run);
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
  if (it == partitions_.end()) {
    // It is being changed: what the disk says of it holds.
    for (Standing& standing : standings) standing.unwritten = true;
    return standings;
  }
  const std::vector<OffsetRun> unwritten = UnwrittenOf(*it->second);
  for (size_t i = 0; i < offsets.size(); ++i) {
    standings[i].event = it->second->queue->StandingOf(offsets[i]);
    standings[i].unwritten =
        standings[i].event.where == EventStanding::Where::kSettled && IsIn(unwritten, offsets[i]);
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

GroupQueue::Figures GroupQueue::Measure() const {
  Figures figures;
  MutexLock lock(mu_);
  figures.dead_letters = budget_.dead_letters;
  figures.max_dead_letters = budget_.max_dead_letters;
  figures.tally = budget_.tally;
  figures.refused = refused_;
  figures.places.reserve(partitions_.size());
  for (const auto& [id, partition] : partitions_) {
    AddStates(partition->queue->states(), &figures.states);
    const PartitionQueue& queue = *partition->queue;
    figures.places.push_back({id, queue.head(), queue.oldest(), queue.CountDoneAhead()});
  }
  return figures;
}

}  // namespace acta
