#include "server/core/queues/group_queue.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "server/core/queues/group_queue_parts.h"
#include "server/core/queues/offset_detail.h"
#include "storage/base/log.h"

namespace acta {
namespace {

constexpr int64_t kNoTimer = std::numeric_limits<int64_t>::max();
// A timer counts on while the machine is suspended, or when a jump of its clock is accepted, as if
// nothing had happened: the time is asked so often.
constexpr absl::Duration kAskTimeEvery = absl::Seconds(5);
// A disk that does not answer is asked again so soon, and for so long.
constexpr absl::Duration kReadAgain = absl::Seconds(1);
constexpr absl::Duration kReadPatience = absl::Minutes(5);

}  // namespace

std::shared_ptr<GroupQueue> GroupQueue::Make(const Deps& deps, GroupId group,
                                             const QueuePolicy& policy, const QueueBudget& budget) {
  std::shared_ptr<GroupQueue> queue(new GroupQueue(deps, group, policy, budget));
  queue->news_->queue = queue;
  return queue;
}

GroupQueue::GroupQueue(const Deps& deps, GroupId group, const QueuePolicy& policy,
                       const QueueBudget& budget)
    : deps_(deps),
      group_(group),
      news_(std::make_shared<News>(deps.pool)),
      policy_(policy),
      budget_(budget),
      seed_(group.value()),
      armed_us_(kNoTimer) {}

GroupQueue::~GroupQueue() {
  MutexLock lock(mu_);
  for (auto& [id, partition] : partitions_) Forget(*partition);
  partitions_.clear();  // Before the budget that they share.
}

int64_t GroupQueue::NowUs() const { return absl::ToUnixMicros(deps_.engine.Now()); }

GroupQueue::Partition* GroupQueue::Find(PartitionId partition) {
  const auto it = partitions_.find(partition);
  return it == partitions_.end() ? nullptr : it->second.get();
}

void GroupQueue::Add(const Start& start) {
  const PartitionId id = start.partition;
  const int64_t now_us = NowUs();
  After after;
  {
    MutexLock lock(mu_);
    auto& slot = partitions_[id];
    if (slot != nullptr) return;
    slot = std::make_unique<Partition>(deps_.shelves);
    Partition& partition = *slot;
    partition.id = id;
    partition.keeps_ledger = KeepsLedger(deps_.topics, id);
    partition.record = start.record;
    seed_ += static_cast<uint64_t>(now_us) ^ id.value();
    partition.queue = std::make_unique<PartitionQueue>(policy_, budget_, seed_);
    std::vector<ParkedEvent> events;
    for (const StoredParked& one : start.parked) {
      events.push_back(one.event);
      if (!one.before.empty()) partition.redriven[one.event.offset] = one.before;
    }
    const QueuePosition position = PositionFrom(start.record);
    const auto extent = deps_.engine.Extent(id);
    // What it was before may have made copies, and have ended before they were needed.
    partition.copied_below = position.head;
    if (start.restarted) partition.seen_below = position.head;
    std::optional<Offset> may_hold;
    if (start.restarted && extent.ok()) may_hold = extent->visible_end;
    if (extent.ok()) partition.gone_below = extent->going_below;
    partition.queue->Load(position, events, may_hold, now_us);
    const absl::Status same = deps_.engine.CheckPosition(
        id, Incarnation(static_cast<uint32_t>(start.record.incarnation())), position.head);
    if (!same.ok()) StandStill(partition, same, position.head);
    Touch(partition);
    Activate(partition);
    after = MakeAfter();
  }
  Run(std::move(after));
}

void GroupQueue::BeginGrace() {
  const int64_t now_us = NowUs();
  After after;
  {
    MutexLock lock(mu_);
    for (auto& [id, partition] : partitions_) {
      partition->queue->BeginGrace(now_us);
      Touch(*partition);
    }
    after = MakeAfter();
  }
  Run(std::move(after));
}

// Of the engine and of what is due; the caller erases it.
void GroupQueue::Forget(Partition& partition) {
  if (partition.wake != 0) deps_.engine.CancelWake(partition.id, std::exchange(partition.wake, 0));
  if (partition.due_us.has_value()) due_.erase({*partition.due_us, partition.id});
  partition.due_us.reset();
  dirty_.erase(partition.id);
  still_.erase(partition.id);
}

void GroupQueue::Remove(PartitionId id) {
  Partition* const partition = Find(id);
  if (partition == nullptr) return;
  Forget(*partition);
  partitions_.erase(id);
}

std::optional<GroupQueue::Start> GroupQueue::Detach(PartitionId id) {
  {
    MutexLock lock(mu_);
    Partition* const leaving = Find(id);
    if (leaving == nullptr) return std::nullopt;
    leaving->leaving = true;
  }
  AwaitSteps(id);  // What they settled does not come back.
  Start start;
  After after;
  {
    MutexLock lock(mu_);
    Partition* const partition = Find(id);
    if (partition == nullptr) return std::nullopt;
    CollectRowsOf(*partition);
    start.partition = id;
    start.record = partition->record;
    PutPosition(partition->queue->position(), &start.record);
    for (const ParkedEvent& event : partition->queue->AllParked()) {
      start.parked.push_back({id, event, partition->RoundsBefore(event.offset)});
    }
    Remove(id);
    after = MakeAfter();
  }
  Run(std::move(after));
  return start;
}

// Members may go on settling all the time: nobody waits for what came later.
absl::Status GroupQueue::WaitQuiet(bool patient) {
  // The write, and the step, that have what changed so far: steps are written some at a time.
  std::optional<uint64_t> last;
  uint64_t last_step = 0;
  while (true) {
    Flush();
    MutexLock lock(mu_);
    if (!stopped_.ok()) return stopped_;
    const bool waits = !dirty_.empty() || !rows_.empty() || !steps_.empty();
    if (!last.has_value()) {
      last = begun_ + (waits ? 1 : 0);
      last_step = last_step_;
    }
    const bool written = written_ >= *last && ended_step_ >= last_step;
    if (written || (!writing_ && !waits)) return absl::OkStatus();
    if (writing_) {
      quiet_.Wait(mu_);
    } else if (trying_again_) {
      if (!patient && deps_.engine.disk_state() == DiskState::kHard) {
        return Error(v1::DISK_FULL, "the disk is full: free some, and try again");
      }
      AwaitTry();
    }
  }
}

void GroupQueue::Join(uint64_t session, QueueMemberFacts facts, Wake wake) {
  MutexLock lock(mu_);
  auto member = std::make_unique<Member>();
  member->facts = std::move(facts);
  member->wake = std::move(wake);
  member->got = turn_;
  members_[session] = std::move(member);
}

void GroupQueue::Leave(uint64_t session, bool cleanly) {
  const int64_t now_us = NowUs();
  After after;
  {
    MutexLock lock(mu_);
    if (!members_.contains(session)) return;
    GiveBackUnsent(session, *members_[session]);
    for (const PartitionId id : members_[session]->used) {
      Partition* const partition = Find(id);
      if (partition == nullptr) continue;
      partition->queue->MemberGone(session, cleanly, now_us);
      Touch(*partition);
      Activate(*partition);
    }
    CollectRows();  // While it is known who it was.
    AwaitNoMore(session, members_[session].get());
    members_.erase(session);
    after = MakeAfter();
  }
  Run(std::move(after));
}

std::vector<SettleFailure> GroupQueue::Settle(uint64_t session,
                                              absl::Span<const QueueSettlement> settlements,
                                              Done done) {
  const int64_t now_us = NowUs();
  std::vector<SettleFailure> failures;
  After after;
  {
    MutexLock lock(mu_);
    const bool member = members_.contains(session);
    for (size_t i = 0; i < settlements.size(); ++i) {
      const QueueSettlement& settlement = settlements[i];
      Partition* const partition = member ? Find(settlement.partition) : nullptr;
      for (int32_t n = 0; n < settlement.count; ++n) {
        const Offset offset = settlement.offset + n;
        const bool acks = partition != nullptr && settlement.kind == QueueSettlement::Kind::kAck;
        const int64_t leased_us = acks ? LeasedAt(*partition, session, offset) : 0;
        const SettleOutcome outcome = partition == nullptr ? SettleOutcome::kLeaseLost
                                                           : SettleOne(*partition->queue, session,
                                                                       offset, settlement, now_us);
        if (outcome == SettleOutcome::kDone) {
          moved_us_ = now_us;
          if (acks) NoteAck(*partition, session, offset, leased_us);
          if (acks || !partition->queue->IsOutstanding(offset)) {
            NoteSettled(*partition, {offset, offset + 1});
          }
          continue;
        }
        ++refused_[static_cast<size_t>(outcome)];
        const bool goes_on = !failures.empty() && failures.back().index == i &&
                             failures.back().outcome == outcome &&
                             failures.back().first + failures.back().count == offset;
        if (!goes_on) failures.push_back({i, offset, 0, outcome});
        ++failures.back().count;
      }
      if (partition == nullptr) continue;
      Touch(*partition);
      Activate(*partition);
    }
    answers_.push_back(std::move(done));
    after = MakeAfter();
  }
  Run(std::move(after));
  return failures;
}

SettleOutcome GroupQueue::SettleOne(PartitionQueue& queue, uint64_t session, Offset offset,
                                    const QueueSettlement& settlement, int64_t now_us) {
  using Kind = QueueSettlement::Kind;
  switch (settlement.kind) {
    case Kind::kAck:
      return queue.Ack(session, offset);
    case Kind::kNack:
      return queue.Fail(session, offset, {settlement.delay, settlement.reason, settlement.text},
                        now_us);
    case Kind::kReject:
      return queue.Reject(session, offset, {std::nullopt, settlement.reason, settlement.text},
                          now_us);
    case Kind::kExtend:
      return queue.Extend(session, offset, settlement.delay.value_or(policy_.lease), now_us);
    case Kind::kRelease:
      return queue.Release(session, offset, settlement.delivered);
  }
  return SettleOutcome::kLeaseLost;
}

int64_t GroupQueue::Generation(PartitionId id) const {
  MutexLock lock(mu_);
  const auto it = partitions_.find(id);
  return it == partitions_.end() ? 0 : it->second->record.generation();
}

int64_t GroupQueue::Present(uint64_t session, PartitionId id, OffsetRun run, int64_t generation) {
  const int64_t now_us = NowUs();
  int64_t kept = 0;
  After after;
  {
    MutexLock lock(mu_);
    Partition* const partition = Find(id);
    const auto member = members_.find(session);
    if (partition == nullptr || member == members_.end()) return 0;
    if (partition->record.generation() != generation) return 0;
    member->second->used.insert(id);
    for (Offset offset = run.first; offset < run.end; offset = offset + 1) {
      kept += partition->queue->Present(session, offset, now_us);
    }
    Touch(*partition);
    after = MakeAfter();
  }
  Run(std::move(after));
  return kept;
}

void GroupQueue::SetPaused(bool paused) {
  After after;
  {
    MutexLock lock(mu_);
    paused_ = paused;
    for (auto& [id, partition] : partitions_) Activate(*partition);
    after = MakeAfter();
  }
  Run(std::move(after));
}

std::optional<GroupQueue::View> GroupQueue::Look(PartitionId id) const {
  MutexLock lock(mu_);
  const auto it = partitions_.find(id);
  if (it == partitions_.end()) return std::nullopt;
  const Partition& partition = *it->second;
  View view;
  view.record = partition.record;
  PutPosition(partition.queue->position(), &view.record);
  view.counts = partition.queue->Count();
  view.head = partition.queue->head();
  view.grace_until_us = partition.queue->grace_until_us();
  view.grace_end = partition.queue->grace_end();
  view.oldest = partition.queue->oldest();
  view.done_ahead = partition.queue->CountDoneAhead();
  view.room = partition.queue->Room();
  view.dead_letters = budget_.dead_letters;
  view.max_dead_letters = budget_.max_dead_letters;
  view.problem = partition.problem;
  view.lost = partition.lost;
  if (const DiskRefusal* const refused = partition.LongestRefused(NowUs()); refused != nullptr) {
    view.refused = {refused->at, refused->status,
                    refused->since_us + absl::ToInt64Microseconds(kReadPatience)};
  }
  view.wanted = !waiting_.empty();
  view.moved_us = moved_us_;
  return view;
}

void GroupQueue::Touch(Partition& partition) {
  if (partition.queue->changed()) dirty_.insert(partition.id);
  std::optional<int64_t> next = partition.queue->next_us();
  // Leases that end meanwhile are looked at then, too.
  if (partition.disk.waits) next = partition.disk.again_us;
  if (next == partition.due_us) return;
  if (partition.due_us.has_value()) due_.erase({*partition.due_us, partition.id});
  if (next.has_value()) due_.emplace(*next, partition.id);
  partition.due_us = next;
}

void GroupQueue::Activate(Partition& partition) {
  if (partition.active || partition.disk.waits || !partition.problem.ok()) return;
  partition.active = true;
  active_.push_back(partition.id);
}

void GroupQueue::ActivateStopped() {
  const bool parked = budget_.parked >= budget_.max_parked;
  const bool letters = budget_.dead_letters >= budget_.max_dead_letters;
  const bool again = (parked_full_ && !parked) || (letters_full_ && !letters);
  parked_full_ = parked;
  letters_full_ = letters;
  if (!again) return;
  for (auto& [id, partition] : partitions_) Activate(*partition);
}

void GroupQueue::StandStill(Partition& partition, const absl::Status& status, Offset at) {
  const bool cut = ReasonOf(status) == v1::LOG_TRUNCATED;
  const Offset first = OffsetDetail(status, cut ? "offset" : "first_lost", at);
  const Offset named = cut ? at + -1 : OffsetDetail(status, "last_lost", first);
  const Offset last = std::max(first, named);
  // Members are told the same.
  partition.problem = WithDetails(status, {{"first_lost", absl::StrCat(first.value())},
                                           {"last_lost", absl::StrCat(last.value())}});
  partition.lost = {first, last + 1};
  still_.insert(partition.id);
}

void GroupQueue::CannotRead(Partition& partition, const absl::Status& status, Offset at) {
  if (!DetailsOf(status).contains(kIoErrorDetail)) return StandStill(partition, status, at);
  const int64_t now_us = NowUs();
  DiskWait& disk = partition.disk;
  // The first of those that were asked for at once: the others need not look.
  if (!disk.waits) {
    absl::erase_if(disk.refused,
                   [&](const auto& one) { return !partition.IsWaitedFor(one.second, now_us); });
  }
  DiskRefusal& refused =
      disk.refused.try_emplace(at, DiskRefusal{at, status, now_us}).first->second;
  refused.last_us = now_us;
  if (disk.refused.size() == 1 && refused.since_us == now_us) {
    LogWarn("an event cannot be read for a group: tried again",
            {{"group_id", group_.value()},
             {"topic_id", partition.id.topic().value()},
             {"partition", partition.id.partition()},
             {"offset", at.value()},
             {"cause", status.message()}});
  }
  if (now_us - refused.since_us >= absl::ToInt64Microseconds(kReadPatience)) {
    disk = DiskWait();
    return StandStill(partition, status, at);
  }
  disk.again_us = now_us + absl::ToInt64Microseconds(kReadAgain);
  disk.waits = true;
}

void GroupQueue::OnNews(const std::vector<PartitionId>& partitions) {
  After after;
  {
    MutexLock lock(mu_);
    for (const PartitionId id : partitions) {
      Partition* const partition = Find(id);
      if (partition == nullptr) continue;
      partition->wake = 0;
      Activate(*partition);
    }
    after = MakeAfter();
  }
  Run(std::move(after));
}

void GroupQueue::OnTimer(uint64_t number) {
  const int64_t now_us = NowUs();
  After after;
  {
    MutexLock lock(mu_);
    if (number != timer_) return;  // An earlier one took its place.
    armed_us_ = kNoTimer;
    while (!due_.empty() && due_.begin()->first <= now_us) {
      Partition& partition = *Find(due_.begin()->second);
      partition.queue->Tick(now_us);
      DiskWait& disk = partition.disk;
      if (disk.waits && disk.again_us <= now_us) disk.waits = false;
      // What it still names is for Lease(): nothing is done for it before somebody asks.
      due_.erase(due_.begin());
      partition.due_us.reset();
      const std::optional<int64_t> next = partition.queue->next_us();
      if (disk.waits || (next.has_value() && *next > now_us)) Touch(partition);
      if (partition.queue->changed()) dirty_.insert(partition.id);
      Activate(partition);
    }
    after = MakeAfter();
  }
  Run(std::move(after));
}

GroupQueue::After GroupQueue::MakeAfter() {
  ActivateStopped();
  After after;
  after.flush = !writing_ && !trying_again_ &&
                (!dirty_.empty() || !rows_.empty() || !answers_.empty() || !steps_.empty());
  // One at a time: who was woken wakes the next when it leaves something.
  if (!paused_ && !active_.empty()) {
    const auto sleeps = [&](const auto& waiting) ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return !members_[waiting.second]->woken;
    };
    const auto next = std::find_if(waiting_.begin(), waiting_.end(), sleeps);
    if (next != waiting_.end()) {
      Member& member = *members_[next->second];
      member.woken = true;
      after.wake = member.wake;
    }
  }
  if (!due_.empty() && due_.begin()->first < armed_us_) {
    const int64_t now_us = NowUs();
    armed_us_ = std::min(due_.begin()->first, now_us + absl::ToInt64Microseconds(kAskTimeEvery));
    after.timer = std::max(absl::Microseconds(armed_us_ - now_us), absl::ZeroDuration());
    after.timer_number = ++timer_;
  }
  return after;
}

void GroupQueue::StartTimer(absl::Duration delay, uint64_t number) {
  uint64_t over = deps_.timer.After(delay, [weak = weak_from_this(), number] {
    if (const auto self = weak.lock()) self->OnTimer(number);
  });
  {
    MutexLock lock(mu_);
    if (number == timer_) std::swap(over, running_timer_);
  }
  if (over != 0) deps_.timer.Cancel(over);
}

void GroupQueue::Run(After after) {
  if (after.timer.has_value()) StartTimer(*after.timer, after.timer_number);
  if (after.wake != nullptr) after.wake();
  if (after.flush) Flush();
}

}  // namespace acta
