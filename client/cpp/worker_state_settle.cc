// What the caller of a worker says of the events it has.
#include <algorithm>
#include <iterator>
#include <limits>

#include "absl/strings/str_cat.h"
#include "client/cpp/worker_state.h"
#include "proto/support/error.h"

namespace acta::client {

void WorkerState::Hold(const WorkItem& item) {
  Partition* const partition = &partitions_[Key(item.topic(), item.partition())];
  int64_t events = item.count();
  auto bytes = static_cast<int64_t>(item.payload().size());
  for (const Range& range : item.Runs()) {
    // The lease of one that waited here for long may have run out, and the events have come again.
    Overtake(partition, range);
    const int64_t count = range.second - range.first;
    const int64_t share = bytes * count / events;
    partition->leased[range.first] = {range.second, share, item.lease()};
    events -= count;
    bytes -= share;
  }
}

std::vector<WorkerState::Range> WorkerState::PartsOf(const Partition& partition, Range range,
                                                     uint64_t lease) {
  std::vector<Range> parts;
  auto run = partition.leased.upper_bound(range.first);
  if (run != partition.leased.begin()) --run;
  for (; run != partition.leased.end() && run->first < range.second; ++run) {
    const Range part = {std::max(range.first, run->first), std::min(range.second, run->second.end)};
    if (part.first >= part.second || (lease != 0 && run->second.lease != lease)) continue;
    parts.push_back(part);
  }
  return parts;
}

void WorkerState::TakeOut(Partition* partition, Range part) {
  const auto found = std::prev(partition->leased.upper_bound(part.first));
  const int64_t first = found->first;
  const Run run = found->second;
  partition->leased.erase(found);
  // Bytes are shared out by events; what is left over stays with the last of them.
  const int64_t each = run.bytes / (run.end - first);
  const int64_t before = each * (part.first - first);
  int64_t bytes = run.bytes - before;
  if (first < part.first) partition->leased[first] = {part.first, before, run.lease};
  if (part.second < run.end) {
    bytes = each * (part.second - part.first);
    partition->leased[part.second] = {run.end, run.bytes - before - bytes, run.lease};
  }
  // The credit of streams before went with them.
  if (run.lease >= first_lease_) GiveBack(part.second - part.first, bytes);
}

void WorkerState::Settle(const WorkItem& item, const Verdict& verdict) {
  const Key key(item.topic(), item.partition());
  const absl::Status words = CheckWords(verdict);
  bool any = false;
  for (const Range& range : item.Runs()) {
    if (!words.ok()) Tell(key, range, verdict.kind, words);
    any |= words.ok() && !SettleRange(key, range, item.lease(), verdict).empty();
  }
  if (any || !words.ok()) return;
  for (const Range& range : item.Runs()) TellLost(key, range, verdict.kind);
}

void WorkerState::Forget(const WorkItem& item, bool lost) {
  const auto found = partitions_.find(Key(item.topic(), item.partition()));
  if (found == partitions_.end()) return;
  Partition* const partition = &found->second;
  const bool kept = lost && item.lease() < first_lease_;
  for (const Range& range : item.Runs()) {
    for (const Range& part : PartsOf(*partition, range, item.lease())) {
      TakeOut(partition, part);
      if (kept) Queue(partition, part, {v1::SETTLE_KIND_RELEASE}, /*quiet=*/true);
    }
  }
}

void WorkerState::Settle(absl::string_view topic, int32_t partition, int64_t offset, int64_t count,
                         const Verdict& verdict) {
  const Key key(topic, partition);
  absl::Status status = CheckWords(verdict);
  if (offset < 0 || count < 1 || offset > std::numeric_limits<int64_t>::max() - count) {
    status = Error(v1::INVALID_ARGUMENT,
                   absl::StrCat("there are no ", count, " events from offset ", offset, " on"));
    count = 0;
  }
  Range rest = {offset, offset + count};
  if (!status.ok()) return Tell(key, rest, verdict.kind, status);
  for (const Range& range : SettleRange(key, rest, 0, verdict)) {
    if (rest.first < range.first) TellLost(key, {rest.first, range.first}, verdict.kind);
    rest.first = range.second;
  }
  if (rest.first < rest.second) TellLost(key, rest, verdict.kind);
}

std::vector<WorkerState::Range> WorkerState::SettleRange(const Key& key, Range range,
                                                         uint64_t lease, const Verdict& verdict) {
  std::vector<Range> settled;
  const auto found = partitions_.find(key);
  if (found == partitions_.end()) return settled;
  Partition* const partition = &found->second;
  for (const Range& part : PartsOf(*partition, range, lease)) {
    if (settled.empty() || settled.back().second != part.first) settled.push_back(part);
    settled.back().second = part.second;
    if (verdict.kind != v1::SETTLE_KIND_EXTEND) TakeOut(partition, part);
  }
  for (const Range& one : settled) Queue(partition, one, verdict);
  return settled;
}

void WorkerState::Queue(Partition* partition, Range range, const Verdict& verdict, bool quiet) {
  if (verdict.kind == v1::SETTLE_KIND_ACK) return QueueAck(partition, range);
  Wait(partition, range, verdict, quiet);
}

void WorkerState::Wait(Partition* partition, Range range, const Verdict& verdict, bool quiet) {
  while (range.first < range.second) {
    const int64_t end = range.first + std::min(range.second - range.first, kMaxSettledEvents);
    waiting_.push_back({partition, {range.first, end}, verdict, ++last_settlement_, false, quiet});
    range.first = end;
  }
}

uint64_t WorkerState::Mark() {
  for (const auto& [key, partition] : std::exchange(with_acks_, {})) {
    for (const Range range : std::exchange(partition->acks, {})) {
      Wait(partition, range, {v1::SETTLE_KIND_ACK}, /*quiet=*/false);
    }
  }
  return last_settlement_;
}

bool WorkerState::Settled(uint64_t through) const {
  for (const Sent& sent : sent_) {
    if (!sent.settlements.empty()) return sent.settlements.front().number > through;
  }
  if (!waiting_.empty()) return waiting_.front().number > through;
  return with_acks_.empty() || through <= last_settlement_;
}

void WorkerState::QueueAck(Partition* partition, Range range) {
  std::map<int64_t, int64_t>& acks = partition->acks;
  auto next = acks.lower_bound(range.first);
  if (next != acks.end() && next->first == range.second) {
    range.second = next->second;
    next = acks.erase(next);
  }
  if (next != acks.begin() && std::prev(next)->second == range.first) {
    std::prev(next)->second = range.second;
  } else {
    acks.insert(range);
  }
  with_acks_[partition->key()] = partition;
}

void WorkerState::Tell(const Key& key, Range range, v1::SettleKind kind,
                       const absl::Status& status) {
  failed_settlement_.Update(status);
  Keep(key, kind, range.second - range.first, status);
  if (!options_.on_settle_error) return;
  errors_.push_back({key.first, key.second, range.first, range.second - range.first, kind, status});
}

void WorkerState::TellSettled(const Settlement& settlement) {
  const int64_t events = settlement.range.second - settlement.range.first - settlement.failed;
  if (settlement.quiet || events <= 0) return;
  Keep(settlement.partition->key(), settlement.verdict.kind, events, absl::OkStatus());
}

void WorkerState::Keep(const Key& key, v1::SettleKind kind, int64_t events,
                       const absl::Status& status) {
  if (!keeps_settled_) return;
  settled_.push_back({ClientKind::kWorker, key.first, key.second, kind, events, status});
}

void WorkerState::TellLost(const Key& key, Range range, v1::SettleKind kind) {
  Tell(key, range, kind,
       Error(v1::LEASE_LOST,
             absl::StrCat("this worker does not have the events from ", range.first, " to ",
                          range.second - 1, " of partition ", key.second, " of topic '", key.first,
                          "' any more: they were settled before, or come again"),
             {{"topic", key.first}, {"partition", absl::StrCat(key.second)}}));
}

void WorkerState::TellOf(const Settlement& settlement, const absl::Status& status) {
  if (settlement.quiet) return;
  Tell(settlement.partition->key(), settlement.range, settlement.verdict.kind, status);
}

void WorkerState::TellLostOf(const Settlement& settlement) {
  if (settlement.quiet) return;
  TellLost(settlement.partition->key(), settlement.range, settlement.verdict.kind);
}

}  // namespace acta::client
