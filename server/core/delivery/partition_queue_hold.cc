// Settling an event together with something else, which may fail.
#include <algorithm>
#include <utility>

#include "server/core/delivery/partition_queue.h"

namespace acta {

SettleOutcome PartitionQueue::CanHold(uint64_t member, Offset offset, int32_t attempt,
                                      int32_t redrives) const {
  const SettleOutcome outcome = OutcomeWithLease(offset, member);
  if (outcome != SettleOutcome::kDone) return outcome;
  const Entry& entry = *Find(offset);
  const bool current = entry.attempts + 1 == attempt && entry.redrives == redrives;
  return current ? SettleOutcome::kDone : SettleOutcome::kLeaseLost;
}

SettleOutcome PartitionQueue::Hold(uint64_t member, Offset offset, int32_t attempt,
                                   int32_t redrives) {
  const SettleOutcome outcome = CanHold(member, offset, attempt, redrives);
  if (outcome == SettleOutcome::kDone) SetState(Find(offset), State::kSettling);
  return outcome;
}

bool PartitionQueue::InStep(uint64_t member, Offset offset) const {
  if (!in_steps()) return false;
  const Entry* const entry = Find(offset);
  return entry != nullptr && entry->state == State::kSettling && entry->holder == member;
}

bool PartitionQueue::Confirm(Offset offset, const Failure* failure) {
  Entry* const entry = Find(offset);
  if (entry == nullptr || entry->state != State::kSettling) return false;
  const bool moved = moved_;
  rows_.erase(offset);
  const size_t rows = rows_.size();
  QueueChanges others = std::exchange(changes_, {});
  if (failure == nullptr) {
    ++budget_.tally.acked;
    Settle(offset, entry);
  } else {
    Apply(*failure);
  }
  const QueueChanges written = std::exchange(changes_, std::move(others));
  rows_.erase(offset);
  // Others of its key may have been parked because of it.
  moved_ = moved || rows_.size() > rows;
  PassTurns(written.turns);
  return true;
}

void PartitionQueue::Unhold(Offset offset, std::optional<int64_t> anew_us) {
  Entry* const entry = Find(offset);
  if (entry == nullptr || entry->state != State::kSettling) return;
  if (!anew_us.has_value()) {
    DropLease(entry);
    entry->holder = 0;
    MakeReady(offset, entry);
    return;
  }
  SetState(entry, State::kLeased);
  if (leases_.Has(entry->run)) return;
  entry->run = leases_.Open({offset, offset + 1}, *anew_us);
}

QueuePosition PartitionQueue::PositionWithout(absl::Span<const Offset> held) const {
  QueuePosition position = this->position();
  std::vector<OffsetRun> left;
  auto at = held.begin();
  for (OffsetRun run : position.outstanding) {
    for (; at != held.end() && *at < run.end; ++at) {
      if (*at < run.first) continue;
      if (run.first < *at) left.push_back({run.first, *at});
      run.first = *at + 1;
    }
    if (run.first < run.end) left.push_back(run);
  }
  position.outstanding = std::move(left);
  position.floor = head_;
  if (!position.outstanding.empty()) {
    position.floor = std::min(head_, position.outstanding.front().first);
  }
  return position;
}

}  // namespace acta
