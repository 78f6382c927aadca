// Reading what is to be leased, and leasing it.
#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "server/core/queues/group_queue_parts.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

// What a partition gives before others that have something get their turn.
constexpr int64_t kTurnEvents = 256;
constexpr int64_t kScanEvents = 1024;
constexpr size_t kScanBytes = 256 << 10;
// Of its credit a member gets so large a part at once, if it is there: who takes thousands is
// quick, and small frames cost it more than they help the others.
constexpr int64_t kLeastShare = 32;
// Of the partitions that are asked how much they have.
constexpr size_t kPartitionsAsked = 16;
// Then what members got is counted from 0 again, while doubles are exact enough.
constexpr double kMostTurns = 1e6;
// Less of an event comes from adding up.
constexpr double kNothing = 1e-6;

absl::Status NotWholeBatch(Offset first, Offset end) {
  return Error(
      v1::DATA_CORRUPTED,
      absl::StrCat("the events ", first.value(), " to ", end.value() - 1,
                   " are not whole: skip them"),
      {{"first_lost", absl::StrCat(first.value())}, {"last_lost", absl::StrCat(end.value() - 1)}});
}

absl::Status GoesByRetention(Offset first, Offset end) {
  return Error(
      v1::GAP,
      absl::StrCat("the events ", first.value(), " to ", end.value() - 1,
                   " are gone by retention, or about to go"),
      {{"first_lost", absl::StrCat(first.value())}, {"last_lost", absl::StrCat(end.value() - 1)}});
}

}  // namespace

QueueDelivery CutDelivery(const IndexedBatch& batch, PartitionId partition, const LeasedRun& run,
                          Offset* at) {
  const Offset base = batch.batch->base_offset;
  const Offset first = *at;
  *at = std::min(run.first + run.count, batch.batch->end());
  const auto i = static_cast<uint32_t>(Lag(base, first)), j = static_cast<uint32_t>(Lag(base, *at));
  return {partition,        first,          j - i,       run.attempt, run.until_us, batch.batch,
          batch.BeginOf(i), batch.EndOf(j), run.redrives};
}

LeaseBounds GroupQueue::Take(uint64_t session, LeaseBounds most, std::vector<QueueDelivery>* out,
                             std::vector<QueueProblem>* problems) {
  After after;
  LeaseBounds leased;
  {
    MutexLock lock(mu_);
    const auto found = members_.find(session);
    if (found == members_.end()) return leased;
    Member& member = *found->second;
    for (const PartitionId id : still_) {
      if (!member.told.insert(id).second) continue;
      const Partition& partition = *Find(id);
      problems->push_back({id, partition.queue->head(), partition.problem});
    }
    member.credit = most;
    while (!member.fetched.empty()) {
      out->push_back(std::move(member.fetched.front()));
      member.fetched.pop_front();
    }
    leased = {-member.unread.events, -member.unread.bytes};
    member.unread = {};
    AwaitNoMore(session, &member);
    Reprice(&member);
    // Who was not woken comes in its turn too.
    const bool in_turn = std::exchange(member.woken, false) || waiting_.empty() ||
                         member.got <= waiting_.begin()->first;
    const int64_t share = in_turn ? ShareOf(member) : 0;
    const int64_t beyond_share = std::max<int64_t>(0, most.events - share);
    most.events -= beyond_share;
    std::vector<LeasedRun> runs;
    while (!paused_ && most.events > 0 && most.bytes > 0 && !active_.empty()) {
      const PartitionId id = active_.front();
      active_.pop_front();
      Partition* const partition = Find(id);
      if (partition == nullptr) continue;
      partition->active = false;
      const LeaseBounds turn = {std::min(most.events, kTurnEvents), most.bytes};
      runs.clear();
      const LeaseBounds got = LeaseFrom(*partition, session, turn, &runs);
      if (got.events > 0) member.used.insert(id);
      for (const LeasedRun& run : runs) DeliverRun(*partition, session, run, out);
      Touch(*partition);
      most.events -= got.events;
      most.bytes -= got.bytes;
      leased.events += got.events;
      leased.bytes += got.bytes;
      if (got.events >= turn.events || got.bytes >= turn.bytes) Activate(*partition);
    }
    if (leased.events > 0) moved_us_ = NowUs();
    Charge(&member, member.credit.events - beyond_share - most.events);
    member.credit.events = most.events + beyond_share;
    if (member.credit.events > 0 && most.bytes > 0) Await(session, &member);
    after = MakeAfter();
  }
  Run(std::move(after));
  return leased;
}

// So many events as it is ahead of others it stays, by the credit it has now; of what it is behind
// it has a claim to as much as it had credit for meanwhile.
void GroupQueue::Reprice(Member* member) const {
  if (member->credit.events <= 0) return;
  const auto credit = static_cast<double>(member->credit.events);
  const LeaseCharge& charge = member->charge;
  double ahead = member->got - turn_;
  if (ahead > 0) ahead *= std::min(1.0, static_cast<double>(charge.credit) / credit);
  if (ahead < 0) ahead = std::max(ahead, -std::min(1.0, static_cast<double>(charge.left) / credit));
  member->got = turn_ + ahead;
}

// While nobody else waits it is not ahead of anybody for it.
void GroupQueue::Charge(Member* member, int64_t events) {
  const int64_t credit = member->credit.events;
  if (credit > 0) member->charge = {credit, credit - events};
  if (events <= 0) return;
  const double before = member->got;
  member->got += static_cast<double>(events) / static_cast<double>(credit);
  turn_ = std::max(turn_, waiting_.empty() ? member->got : before);
  if (turn_ < kMostTurns) return;
  waiting_.clear();
  for (const auto& [session, other] : members_) {
    other->got -= turn_;
    if (other->waiting) waiting_.emplace(other->got, session);
  }
  turn_ = 0;
}

void GroupQueue::Await(uint64_t session, Member* member) {
  member->waiting = true;
  waiting_.emplace(member->got, session);
}

void GroupQueue::AwaitNoMore(uint64_t session, Member* member) {
  if (!std::exchange(member->waiting, false)) return;
  waiting_.erase({member->got, session});
}

// When others wait too: what there is fills all up to one level of what they got.
int64_t GroupQueue::ShareOf(const Member& member) const {
  if (waiting_.empty() || member.credit.events <= 0) return member.credit.events;
  const int64_t available = Available();
  const auto weight = static_cast<double>(member.credit.events);
  double weights = weight, sum = weight * member.got + static_cast<double>(available);
  for (const auto& [got, session] : waiting_) {
    if (sum <= got * weights) break;
    const auto other = static_cast<double>(members_.at(session)->credit.events);
    weights += other;
    sum += other * got;
  }
  const double share = weight * (sum / weights - member.got);
  return std::max({int64_t{1}, member.credit.events / kLeastShare,
                   static_cast<int64_t>(std::ceil(share - kNothing))});
}

// To be leased, of the first partitions.
int64_t GroupQueue::Available() const {
  int64_t available = 0;
  for (size_t i = 0; i < std::min(active_.size(), kPartitionsAsked); ++i) {
    const auto partition = partitions_.find(active_[i]);
    if (partition == partitions_.end()) continue;
    const PartitionQueue& queue = *partition->second->queue;
    const auto extent = deps_.engine.Extent(partition->first);
    if (extent.ok()) available += std::max<int64_t>(0, Lag(queue.head(), extent->visible_end));
    available += queue.leasable();
  }
  return available;
}

LeaseBounds GroupQueue::LeaseFrom(Partition& partition, uint64_t session, LeaseBounds most,
                                  std::vector<LeasedRun>* runs) {
  const int64_t now_us = NowUs();
  LeaseBounds got;
  while (partition.problem.ok() && !partition.disk.waits) {
    const LeaseBounds left = {most.events - got.events, most.bytes - got.bytes};
    const LeaseBounds more = partition.queue->Lease(session, left, now_us, runs);
    got.events += more.events;
    got.bytes += more.bytes;
    if (got.events >= most.events || got.bytes >= most.bytes || !ScanMore(partition)) break;
  }
  return got;
}

bool GroupQueue::ScanMore(Partition& partition) {
  // When it has room again somebody settled something, and it is looked at again.
  if (partition.reading || partition.queue->Room() == 0) return false;
  const Offset head = partition.queue->head();
  const bool goes = head < partition.gone_below;
  if (const IndexedBatchPtr shelved = goes ? nullptr : partition.shelf.Find(head)) {
    return ScanBatches(partition, {shelved->batch});
  }
  const auto read = deps_.engine.ReadCached(partition.id, head, kScanBytes);
  if (!read.ok()) {
    StandStill(partition, read.status(), head);
    return false;
  }
  if (goes) return false;  // Until TrimEnded().
  if (!read->has_value()) {
    ReadCold(partition);
    return false;
  }
  if ((*read)->empty()) {
    WaitForNews(partition);
    return false;
  }
  return ScanBatches(partition, **read);
}

bool GroupQueue::ScanBatches(Partition& partition, const std::vector<BatchPtr>& batches) {
  const int64_t now_us = NowUs();
  PartitionQueue& queue = *partition.queue;
  int64_t room = std::min(queue.Room(), kScanEvents);
  const int64_t before = room;
  if (queue.head() < partition.gone_below) return false;
  for (const BatchPtr& batch : batches) {
    const Offset head = queue.head();
    // What was read before a reset may be from further on.
    if (room <= 0 || batch->base_offset > head) break;
    if (batch->end() <= head) continue;
    IndexedBatchPtr indexed = partition.shelf.Find(head);
    if (indexed == nullptr) {
      indexed = IndexBatch(batch);
      if (indexed == nullptr) {
        StandStill(partition, NotWholeBatch(batch->base_offset, batch->end()), head);
        break;
      }
      partition.shelf.Put(indexed);
    }
    const auto first = static_cast<uint32_t>(Lag(indexed->batch->base_offset, head));
    const auto end = static_cast<uint32_t>(std::min<int64_t>(indexed->batch->count, first + room));
    queue.Scan(FactsOf(deps_.engine, *indexed, first, end), now_us);
    room -= end - first;
    partition.WasRead({head, queue.head()});
  }
  return room < before;
}

void GroupQueue::WaitForNews(Partition& partition) {
  if (partition.wake != 0) return;
  const auto wake =
      deps_.engine.WhenPast(partition.id, partition.queue->head(),
                            [news = news_, id = partition.id] { News::Add(news, id); });
  if (wake.ok()) {
    partition.wake = *wake;
  } else {
    StandStill(partition, wake.status(), partition.queue->head());
  }
}

void GroupQueue::ReadCold(Partition& partition) {
  partition.reading = true;
  deps_.pool.Post([self = shared_from_this(), id = partition.id, from = partition.queue->head()] {
    self->OnRead(id, from, self->deps_.engine.Read(id, from, kScanBytes));
  });
}

void GroupQueue::OnRead(PartitionId id, Offset from,
                        const absl::StatusOr<std::vector<BatchPtr>>& read) {
  After after;
  {
    MutexLock lock(mu_);
    Partition* const partition = Find(id);
    if (partition == nullptr) return;
    partition->reading = false;
    if (read.ok()) {
      partition->WasRead({from, from + 1});
      ScanBatches(*partition, *read);
    } else if (partition->queue->head() == from) {  // Else it was skipped meanwhile.
      CannotRead(*partition, read.status(), from);
    }
    Touch(*partition);
    Activate(*partition);
    after = MakeAfter();
  }
  Run(std::move(after));
}

absl::Status GroupQueue::ScanThrough(PartitionId id, Offset end) {
  while (true) {
    Offset head;
    {
      MutexLock lock(mu_);
      Partition* const partition = Find(id);
      const bool goes_on = partition != nullptr && partition->problem.ok() &&
                           partition->queue->head() < end && partition->queue->Room() > 0;
      if (!goes_on) return absl::OkStatus();
      head = partition->queue->head();
      if (head < partition->gone_below) return GoesByRetention(head, partition->gone_below);
    }
    const auto read = deps_.engine.Read(id, head, kScanBytes);
    if (!read.ok() || read->empty()) return read.status();
    MutexLock lock(mu_);
    Partition* const partition = Find(id);
    if (partition == nullptr) return absl::OkStatus();
    ScanBatches(*partition, *read);
    Touch(*partition);
  }
}

void GroupQueue::Deliver(Partition& partition, uint64_t session, const LeasedRun& run,
                         std::vector<QueueDelivery>* out) {
  Offset at = run.first;
  const Offset end = run.first + run.count;
  while (at < end) {
    IndexedBatchPtr indexed = partition.shelf.Find(at);
    if (indexed == nullptr) {
      if (!Shelve(partition, at)) {
        LeasedRun rest = run;
        rest.first = at;
        rest.count = static_cast<int32_t>(Lag(at, end));
        return FetchCold(partition, session, rest);
      }
      indexed = partition.shelf.Find(at);
    }
    out->push_back(CutDelivery(*indexed, partition.id, run, &at));
    partition.WasRead({out->back().first, at});
    out->back().redrive = partition.RedriveOf(run);
  }
}

void GroupQueue::DeliverRun(Partition& partition, uint64_t session, LeasedRun run,
                            std::vector<QueueDelivery>* out) {
  while (run.count > 0) {
    const LeasedRun front = FrontOf(partition, run);
    Deliver(partition, session, front, out);
    run.first = run.first + front.count;
    run.count -= front.count;
  }
}

LeasedRun GroupQueue::FrontOf(const Partition& partition, LeasedRun run) {
  if (run.redrives == 0) return run;
  const uint64_t redrive = partition.RedriveOf(run);
  for (int32_t i = 1; i < run.count; ++i) {
    if (partition.RedriveAt(run.first + i) != redrive) {
      run.count = i;
      break;
    }
  }
  return run;
}

bool GroupQueue::Shelve(Partition& partition, Offset offset) {
  const auto read = deps_.engine.ReadCached(partition.id, offset, 1);
  if (!read.ok() || !read->has_value() || (*read)->empty()) return false;
  const IndexedBatchPtr indexed = IndexBatch((*read)->front());
  if (indexed == nullptr) return false;
  partition.shelf.Put(indexed);
  return partition.shelf.Find(offset) != nullptr;
}

// It has the lease already; the events come when they are read, also those before one that cannot
// be.
void GroupQueue::FetchCold(const Partition& partition, uint64_t session, const LeasedRun& run) {
  auto& being_read = members_.at(session)->cold;
  const uint64_t number = being_read.empty() ? 1 : being_read.rbegin()->first + 1;
  ColdRun cold = {number, partition.id, session, run};
  for (int32_t i = 0; i < run.count; ++i) cold.bytes += partition.queue->bytes(run.first + i);
  being_read[number] = cold;
  deps_.pool.Post([self = shared_from_this(), cold] {
    std::vector<IndexedBatchPtr> batches;
    const absl::Status status = self->ReadAll(cold, &batches);
    self->OnFetched(cold, status, batches);
  });
}

absl::Status GroupQueue::ReadAll(const ColdRun& cold, std::vector<IndexedBatchPtr>* batches) const {
  const PartitionId id = cold.partition;
  const Offset end = cold.run.first + cold.run.count;
  for (Offset at = cold.run.first; at < end; at = batches->back()->batch->end()) {
    const auto read = deps_.engine.Read(id, at, std::min(cold.bytes, kScanBytes));
    if (ReasonOf(read.status()) == v1::GAP) {
      ASSIGN_OR_RETURN(IndexedBatchPtr kept, LoadKeptEvent(deps_.engine, group_, id, at));
      batches->push_back(std::move(kept));
      continue;
    }
    RETURN_IF_ERROR(read.status());
    for (const BatchPtr& batch : *read) {
      IndexedBatchPtr indexed = IndexBatch(batch);
      if (indexed == nullptr) return NotWholeBatch(batch->base_offset, batch->end());
      batches->push_back(std::move(indexed));
    }
    if (read->empty()) break;
  }
  return absl::OkStatus();
}

void GroupQueue::GiveBackUnsent(uint64_t session, const Member& member) {
  const auto give_back = [&](PartitionId id, const LeasedRun& run) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    Partition* const partition = Find(id);
    for (int32_t i = 0; partition != nullptr && i < run.count; ++i) {
      const Offset offset = run.first + i;
      const auto held = partition->queue->CanHold(session, offset, run.attempt, run.redrives);
      if (held == SettleOutcome::kDone) partition->queue->Release(session, offset, false);
    }
  };
  for (const auto& [number, cold] : member.cold) give_back(cold.partition, cold.run);
  for (const QueueDelivery& one : member.fetched) {
    const auto count = static_cast<int32_t>(one.count);
    give_back(one.partition, {one.first, count, one.attempt, one.until_us, one.redrives});
  }
}

void GroupQueue::OnFetched(const ColdRun& cold, const absl::Status& status,
                           const std::vector<IndexedBatchPtr>& batches) {
  const PartitionId id = cold.partition;
  const uint64_t session = cold.session;
  const LeasedRun& run = cold.run;
  size_t bytes = cold.bytes;
  After after;
  Wake wake;
  {
    MutexLock lock(mu_);
    const auto member = members_.find(session);
    if (member == members_.end()) return;
    member->second->cold.erase(cold.number);
    // Null: it was taken out meanwhile, and the lease is over. The member's credit is not.
    Partition* const partition = Find(id);
    Offset at = run.first;
    const Offset end = run.first + run.count;
    LeaseBounds& unread = member->second->unread;
    unread.events += run.count;
    for (const IndexedBatchPtr& indexed : batches) {
      const Offset stop = std::min(end, indexed->batch->end());
      if (partition == nullptr || stop <= at) continue;
      if (indexed->batch->base_offset <= at) partition->shelf.Put(indexed);
      for (const LeasedRun& part : partition->StillFor(cold, {at, stop})) {
        Offset from = part.first;
        QueueDelivery& fetched =
            member->second->fetched.emplace_back(CutDelivery(*indexed, id, part, &from));
        fetched.redrive = partition->RedriveOf(part);
        bytes -= std::min(bytes, fetched.end - fetched.begin);
        unread.events -= part.count;
      }
      at = stop;
    }
    if (partition != nullptr) partition->WasRead({run.first, at});
    // What cannot be read is nobody's, and costs no credit, whatever became of it meanwhile. What
    // comes with the disk is no delivery: it may be tried more often than an event is delivered.
    const Offset refused = at;
    const bool delivered = !DetailsOf(status).contains(kIoErrorDetail);
    bool waits = false;
    unread.bytes += static_cast<int64_t>(bytes);
    for (; partition != nullptr && at < end; at = at + 1) {
      PartitionQueue& queue = *partition->queue;
      // Its lease may be over, and the member may have it anew.
      const auto held = queue.CanHold(session, at, run.attempt, run.redrives);
      if (held != SettleOutcome::kDone) continue;
      queue.Release(session, at, delivered);
      waits = true;
    }
    // Else it was skipped meanwhile.
    if (!status.ok() && waits) CannotRead(*partition, status, refused);
    if (partition != nullptr) Touch(*partition);
    // It is told of a partition that stands still.
    const bool news = !member->second->fetched.empty() || unread.events > 0 || !status.ok();
    if (news) wake = member->second->wake;
    after = MakeAfter();
  }
  if (wake != nullptr) wake();
  Run(std::move(after));
}

}  // namespace acta
