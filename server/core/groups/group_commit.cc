#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "server/core/groups/group.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"

namespace acta {
namespace {

absl::Status CheckOffset(const LogEngine& engine, PartitionId partition, uint64_t handle,
                         Offset offset) {
  if (offset < Offset(0)) {
    return Error(v1::OFFSET_OUT_OF_RANGE,
                 absl::StrCat("commit of offset ", offset.value(), ": it is below 0"),
                 {{"offset", absl::StrCat(offset.value())}, {"first", "0"}});
  }
  ASSIGN_OR_RETURN(const PartitionExtent extent, engine.Extent(partition));
  if (offset <= extent.visible_end) return absl::OkStatus();
  return Error(v1::OFFSET_BEYOND_END,
               absl::StrCat("commit of offset ", offset.value(), " under assignment ", handle,
                            ": the end is ", extent.visible_end.value()),
               {{"offset", absl::StrCat(offset.value())},
                {"end", absl::StrCat(extent.visible_end.value())}});
}

}  // namespace

absl::Status Group::FencedHandle(uint64_t handle) const {
  return Error(v1::FENCED,
               absl::StrCat("assignment ", handle, " of group '", name_,
                            "' is not current: drop what was delivered under it and wait for a "
                            "new assignment"),
               {{"assignment", absl::StrCat(handle)}, {"group", name_}});
}

RowWrite Group::MakeRow(const Position& position, int64_t offset, int64_t commit_time_us) const {
  storage::v1::PositionRecord record = position.committed;
  if (offset != record.offset()) record.set_incarnation(deps_.engine.incarnation().value());
  record.set_offset(offset);
  record.set_commit_time_us(commit_time_us);
  const PartitionId partition = position.topic->partition(position.number);
  return {Family::kState, PositionRow(id_, partition), record.SerializeAsString()};
}

void Group::PutPassed(const Position& position, const Session& member, int64_t from, int64_t to,
                      int64_t time_us, std::vector<RowWrite>* rows) const {
  const PartitionId partition = position.topic->partition(position.number);
  if (from >= to || !KeepsLedger(deps_.topics, partition)) return;
  storage::v1::LedgerRecord record =
      PassedRecord(id_, partition, {Offset(from), Offset(to)}, time_us);
  storage::v1::LedgerMember* const named = record.add_members();
  named->set_member_id(member.member_id);
  if (const auto it = members_.find(member.member_id); it != members_.end()) {
    named->set_app(it->second.app());
    named->set_app_version(it->second.app_version());
  }
  rows->push_back(LedgerRow(record));
}

std::optional<PartitionId> Group::HeldBy(const SessionPtr& session, uint64_t handle,
                                         bool waited) const {
  const auto it = handles_.find(handle);
  if (it == handles_.end() || it->second.session != session) return std::nullopt;
  if (it->second.released && !waited) return std::nullopt;
  return it->second.partition;
}

void Group::Commit(const SessionPtr& session, uint64_t handle, Offset offset,
                   Membership::CommitDone done, bool waited) {
  std::optional<PartitionId> held;
  Offset from;
  Incarnation taken_in;
  {
    MutexLock lock(mu_);
    held = HeldBy(session, handle, waited);
    if (held.has_value()) {
      const storage::v1::PositionRecord& committed = positions_[*held].committed;
      from = Offset(committed.offset());
      taken_in = Incarnation(committed.incarnation());
    }
  }
  if (!held.has_value()) return done(FencedHandle(handle), false);
  const PartitionId partition = *held;
  absl::Status status = CheckOffset(deps_.engine, partition, handle, offset);
  // Nothing is delivered where the log was cut: it is of before, and other events have come since.
  if (status.ok() && offset > from) {
    status = deps_.engine.CheckPosition(partition, taken_in, from);
  }
  if (!status.ok()) return done(status, false);
  const int64_t time_us = absl::ToUnixMicros(deps_.engine.Now());
  bool current = false, newer = false;
  {
    MutexLock lock(mu_);
    current = HeldBy(session, handle, waited).has_value();
    Position* position = current ? &positions_[partition] : nullptr;
    const bool busy = current && (position->step_end > 0 || !position->waiting.empty());
    if (busy && !waited) {
      return Wait(
          {partition}, false,
          [self = shared_from_this(), session, handle, offset, done = std::move(done)]() mutable {
            self->Commit(session, handle, offset, std::move(done), true);
          });
    }
    newer = current && offset.value() > position->committed.offset();
    if (newer) QueueCommit(session, partition, handle, offset, time_us, done);
  }
  if (newer) return Flush();
  if (current) return done(absl::OkStatus(), false);
  done(FencedHandle(handle), false);
}

void Group::QueueCommit(const SessionPtr& session, PartitionId partition, uint64_t handle,
                        Offset offset, int64_t time_us, Membership::CommitDone& done) {
  Position& position = positions_[partition];
  // A lower commit than one in flight waits for it by writing the higher again.
  const bool highest = offset.value() > position.submitted;
  position.submitted = std::max(position.submitted, offset.value());
  ++position.in_flight;
  std::vector<RowWrite> rows;
  rows.push_back(MakeRow(position, position.submitted, time_us));
  // From what is durable on: what is in flight may fail.
  PutPassed(position, *session, position.committed.offset(), position.submitted, time_us, &rows);
  QueueRows(std::move(rows), Level::kFsync,
            [self = shared_from_this(), partition, handle, row_offset = position.submitted, time_us,
             highest, done = std::move(done)](const TransactionResult& result) mutable {
              const absl::Status status =
                  self->Committed(partition, handle, row_offset, time_us, result);
              done(status, status.ok() && highest);
            });
}

absl::Status Group::Committed(PartitionId partition, uint64_t handle, int64_t offset,
                              int64_t time_us, const TransactionResult& result) {
  const absl::Duration now = deps_.clock.SinceBoot();
  MutexLock lock(mu_);
  const auto it = positions_.find(partition);
  if (it == positions_.end()) return result.status;
  Position& position = it->second;
  --position.in_flight;
  if (result.status.ok() && offset > position.committed.offset()) {
    position.committed.set_offset(offset);
    position.committed.set_commit_time_us(time_us);
    position.committed.set_incarnation(result.incarnation.value());
  }
  // An owner that came since started below this commit and gets the same events again.
  const bool fenced = position.handle != 0 && position.handle != handle;
  const absl::Status status = result.status.ok() && fenced ? FencedHandle(handle) : result.status;
  if (position.in_flight == 0) CommitsEnded(partition, position, now);
  return status;
}

void Group::CommitsEnded(PartitionId partition, Position& position, absl::Duration now) {
  position.submitted = position.committed.offset();
  GoOn(partition, position, now);
}

void Group::Wait(std::vector<PartitionId> partitions, bool is_step, Action again) {
  auto waiter = std::make_shared<Waiter>();
  waiter->partitions = std::move(partitions);
  waiter->is_step = is_step;
  waiter->again = std::move(again);
  for (const PartitionId partition : waiter->partitions) {
    positions_[partition].waiting.push_back(waiter);
  }
}

bool Group::MayGoOn(const Waiter& waiter) const {
  const auto is_free = [&](PartitionId partition) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    const auto it = positions_.find(partition);
    if (it == positions_.end()) return true;
    const Position& position = it->second;
    if (position.waiting.empty() || position.waiting.front().get() != &waiter) return false;
    return waiter.is_step ? position.in_flight == 0 : position.step_end == 0;
  };
  return std::all_of(waiter.partitions.begin(), waiter.partitions.end(), is_free);
}

void Group::Call(const WaiterPtr& waiter) {
  if (std::exchange(waiter->called, true)) return;
  queues_[kCalls].actions.push_back([self = shared_from_this(), waiter] {
    waiter->again();
    self->Tried(waiter);
  });
}

void Group::Tried(const WaiterPtr& waiter) {
  const absl::Duration now = deps_.clock.SinceBoot();
  {
    MutexLock lock(mu_);
    for (const PartitionId partition : waiter->partitions) {
      const auto it = positions_.find(partition);
      if (it != positions_.end()) std::erase(it->second.waiting, waiter);
    }
    for (const PartitionId partition : waiter->partitions) {
      const auto it = positions_.find(partition);
      if (it != positions_.end()) GoOn(partition, it->second, now);
    }
  }
  Flush();
}

void Group::GoOn(PartitionId partition, Position& position, absl::Duration now) {
  if (position.waiting.empty()) return ReleaseWhenDone(partition, position, now);
  if (const WaiterPtr first = position.waiting.front(); MayGoOn(*first)) Call(first);
}

void Group::ReleaseWhenDone(PartitionId partition, Position& position, absl::Duration now) {
  if (position.releasing == 0 || position.in_flight > 0) return;
  DropHandle(position.handle);  // Of who gave it back, if it is still there.
  AssignmentDecisions decisions;
  assignment_.Release(std::exchange(position.releasing, 0), partition, now, &decisions);
  Apply(std::move(decisions), now);
}

absl::Status Group::Released(const SessionPtr& session, uint64_t handle) {
  const absl::Duration now = deps_.clock.SinceBoot();
  {
    MutexLock lock(mu_);
    const auto it = handles_.find(handle);
    if (!HeldBy(session, handle, false).has_value()) return FencedHandle(handle);
    const PartitionId partition = it->second.partition;
    if (!assignment_.revoking(partition)) {
      return Error(v1::FENCED,
                   absl::StrCat("assignment ", handle, " of group '", name_,
                                "' is not being revoked: there is nothing to release"),
                   {{"assignment", absl::StrCat(handle)}, {"group", name_}});
    }
    Position& position = positions_[partition];
    // What waits is still to be written under the handle.
    const bool waits = !position.waiting.empty();
    it->second.released = true;
    if (!waits) DropHandle(handle);
    if (waits || position.in_flight > 0) {
      position.releasing = session->number;  // The next owner starts behind these commits.
      return absl::OkStatus();
    }
    AssignmentDecisions decisions;
    assignment_.Release(session->number, partition, now, &decisions);
    Apply(std::move(decisions), now);
  }
  Flush();
  return absl::OkStatus();
}

void Group::QueueRows(std::vector<RowWrite> rows, Level level,
                      absl::AnyInvocable<void(const TransactionResult&)> done, uint64_t number) {
  Transaction transaction;
  transaction.rows = std::move(rows);
  transaction.level = level;
  QueueWrite(std::move(transaction), std::move(done), number);
}

void Group::QueueWrite(Transaction transaction,
                       absl::AnyInvocable<void(const TransactionResult&)> done, uint64_t number) {
  if (number == 0) number = ++last_row_;
  rows_queued_.insert(number);
  auto shared =
      std::make_shared<absl::AnyInvocable<void(const TransactionResult&)>>(std::move(done));
  queues_[kRows].actions.push_back(
      [self = shared_from_this(), transaction = std::move(transaction), number, shared]() mutable {
        // Rows of one group are written in the order queued.
        transaction.source = uint64_t{1} << 62 | self->id_.value();
        transaction.done = [self, number, shared](TransactionResult result) {
          (*shared)(result);
          self->RowsDone(number);
        };
        TransactionResult refused;
        refused.status = self->deps_.engine.Submit(std::move(transaction));
        if (refused.status.ok()) return;
        (*shared)(refused);  // The engine dropped `done`.
        self->RowsDone(number);
      });
}

// On the sync thread nothing may be submitted and no listener should run: the pool goes on.
void Group::RowsDone(uint64_t number) {
  bool pending;
  {
    MutexLock lock(mu_);
    pending = !queues_[kRows].actions.empty() || !queues_[kCalls].actions.empty();
    rows_queued_.erase(rows_queued_.find(number));  // One of them.
    quiet_.SignalAll();
  }
  if (pending) Flush(false);
}

}  // namespace acta
