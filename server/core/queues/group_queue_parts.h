#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "server/core/queues/group_queue.h"

namespace acta {

// What a full disk refused is tried again so soon.
constexpr absl::Duration kTryAgain = absl::Seconds(1);

// Consecutive events that a member acked, on their way to the ledger.
struct LedgerAck {
  uint64_t session = 0;
  Offset first;
  Offset end;
  int64_t leased_us = 0;
};

// Consecutive events that were settled, and the number of the write that says so.
struct SettledRun {
  uint64_t write = 0;
  OffsetRun run;
};

// What was refused, and not asked for longer than this since, was not refused all the time.
constexpr absl::Duration kReadForgotten = absl::Minutes(1);

// What the disk did not give.
struct DiskRefusal {
  Offset at;
  absl::Status status;  // What it said first.
  int64_t since_us = 0;
  int64_t last_us = 0;

  bool WasForgotten(int64_t now_us) const {
    return now_us > last_us + absl::ToInt64Microseconds(kReadForgotten);
  }
};
// That may pass: what is to be read is tried again.
struct DiskWait {
  // By offset, each by itself: one may have been refused for a moment only. What was read since is
  // not in it.
  absl::btree_map<Offset, DiskRefusal> refused;
  int64_t again_us = 0;  // The next try; it is kept when that has begun.
  bool waits = false;    // Until then nothing is leased.
};

// What came of making copies, while retention waits for some of them.
struct GroupQueue::CopyTries {
  absl::flat_hash_set<Offset> copied;  // They are not read again.
  // Since when the disk refuses them, each by itself: others are copied meanwhile, or settled.
  absl::flat_hash_map<Offset, int64_t> refused_us;

  // `offsets` in their order.
  void KeepOnly(absl::Span<const Offset> offsets) {
    const auto wanted = [offsets](Offset offset) {
      return std::binary_search(offsets.begin(), offsets.end(), offset);
    };
    absl::erase_if(copied, [&](Offset offset) { return !wanted(offset); });
    absl::erase_if(refused_us, [&](const auto& one) { return !wanted(one.first); });
  }
};

// What is leased to a member and read from the disk for it.
struct GroupQueue::ColdRun {
  uint64_t number = 0;
  PartitionId partition;
  uint64_t session = 0;
  LeasedRun run;
  size_t bytes = 0;
};

struct GroupQueue::Partition {
  explicit Partition(std::shared_ptr<ShelfBudget> shelves) : shelf(std::move(shelves)) {}

  // What is in `redriven`; else nothing.
  AttemptsBefore RoundsBefore(Offset offset) const {
    const auto found = redriven.find(offset);
    return found == redriven.end() ? AttemptsBefore() : found->second;
  }
  AttemptsBefore TakeRounds(Offset offset) {
    const auto found = redriven.extract(offset);
    return found.empty() ? AttemptsBefore() : std::move(found.mapped());
  }

  // As AttemptsBefore::redrive.
  uint64_t RedriveAt(Offset offset) const {
    const auto found = redriven.find(offset);
    return found == redriven.end() ? 0 : found->second.redrive;
  }
  // Of a run whose events have the same.
  uint64_t RedriveOf(const LeasedRun& run) const {
    return run.redrives == 0 ? 0 : RedriveAt(run.first);
  }

  // Nobody waits for the disk to give these any more.
  void WasRead(OffsetRun run) {
    auto& refused = disk.refused;
    refused.erase(refused.lower_bound(run.first), refused.lower_bound(run.end));
  }
  // It is still to come, and was asked for just before.
  bool IsWaitedFor(const DiskRefusal& one, int64_t now_us) const {
    const bool comes = one.at >= queue->head() || queue->IsOutstanding(one.at);
    return comes && !one.WasForgotten(now_us);
  }
  // What the disk has refused for longest of what is waited for. Null: nothing.
  const DiskRefusal* LongestRefused(int64_t now_us) const {
    const DiskRefusal* longest = nullptr;
    for (const auto& [offset, one] : disk.refused) {
      const bool longer = longest == nullptr || one.since_us < longest->since_us;
      if (longer && IsWaitedFor(one, now_us)) longest = &one;
    }
    return longest;
  }

  // Of events that were read for a member: without those that are settled, or that somebody was
  // leased since. Where the lease is over and nobody was, a late ack counts.
  std::vector<LeasedRun> StillFor(const ColdRun& cold, OffsetRun read) const {
    std::vector<LeasedRun> runs;
    for (Offset at = read.first; at < read.end; at = at + 1) {
      const auto held = queue->CanHold(cold.session, at, cold.run.attempt, cold.run.redrives);
      const bool nobodys = queue->IsOutstanding(at) && queue->holder(at) == 0;
      if (held != SettleOutcome::kDone && !nobodys) continue;
      if (runs.empty() || runs.back().first + runs.back().count != at) {
        runs.push_back(cold.run);
        runs.back().first = at;
        runs.back().count = 0;
      }
      ++runs.back().count;
    }
    return runs;
  }

  PartitionId id;
  storage::v1::PositionRecord record;  // As it was written last, or is about to be.
  std::unique_ptr<PartitionQueue> queue;
  BatchShelf shelf;
  // What is below is gone from the log, or about to go, and is not looked at: a batch that is in
  // memory may have it still, but no copy would be there when it is needed again.
  Offset gone_below;
  Offset copied_below;  // Events below it may have a copy although the log has them still.
  Offset seen_below;    // The former life of the broker had looked at what is below.
  // While copies are made: what needs none any more.
  std::optional<absl::flat_hash_set<Offset>> forgotten;
  std::vector<Offset> died;  // While copies are made: what became a dead letter.
  DiskWait disk;
  CopyTries copies;  // Not while copies are made.
  // As they came; the writes of some have ended.
  std::vector<SettledRun> settled;
  absl::flat_hash_map<Offset, AttemptsBefore> redriven;  // Of outstanding events.
  absl::Status problem;                                  // Not OK: it stands still.
  OffsetRun lost;                 // What cannot be read, when it stands still.
  std::optional<int64_t> due_us;  // Its place in due_.
  uint64_t wake = 0;              // The engine's number while it waits for news.
  bool keeps_ledger = false;      // What becomes of its events is kept.
  std::vector<LedgerAck> acked;   // Since the rows were collected last, for that.
  bool active = false;            // In active_.
  bool leaving = false;           // About to be detached: no step takes its events.
  bool reading = false;           // What follows its head, on the pool.
};

// Credit for events when a member took some, and what was left.
struct LeaseCharge {
  int64_t credit = 0;
  int64_t left = 0;
};

struct GroupQueue::Member {
  QueueMemberFacts facts;
  Wake wake;
  LeaseBounds credit;                     // That is left, by what it said last.
  LeaseBounds unread;                     // Leased once and not delivered after all.
  double got = 0;                         // Sum of what it took / its credit then; as turn_.
  LeaseCharge charge;                     // Of the last time.
  bool waiting = false;                   // In waiting_, by what it got.
  bool woken = false;                     // And has not asked since.
  std::deque<QueueDelivery> fetched;      // Read from the disk for it.
  absl::flat_hash_set<PartitionId> told;  // That stand still.
  absl::flat_hash_set<PartitionId> used;  // Where it got a lease.
  // Being read, by number.
  absl::btree_map<uint64_t, ColdRun> cold;
};

// Partitions with news, filled by the engine's threads.
struct GroupQueue::News {
  explicit News(Executor& to) : pool(to) {}

  static void Add(const std::shared_ptr<News>& news, PartitionId partition) {
    {
      MutexLock lock(news->mu);
      news->partitions.push_back(partition);
      if (news->partitions.size() > 1) return;
    }
    news->pool.Post([news] {
      std::vector<PartitionId> partitions;
      {
        MutexLock lock(news->mu);
        partitions.swap(news->partitions);
      }
      if (const auto queue = news->queue.lock()) queue->OnNews(partitions);
    });
  }

  Executor& pool;
  std::weak_ptr<GroupQueue> queue;  // Set before anything else.
  Mutex mu;                         // Leaf.
  std::vector<PartitionId> partitions ABSL_GUARDED_BY(mu);
};

// One write, and what follows it.
struct GroupQueue::Pending {
  std::vector<RowWrite> rows;
  std::vector<std::pair<PartitionId, Offset>> going;
  std::vector<Done> answers;
  absl::btree_map<PartitionId, std::vector<KeyTurn>> turns;
  std::vector<HeldStep> steps;
  std::vector<RowWrite> step_rows;
};

struct GroupQueue::After {
  bool flush = false;
  std::optional<absl::Duration> timer;
  uint64_t timer_number = 0;
  Wake wake;
};

}  // namespace acta
