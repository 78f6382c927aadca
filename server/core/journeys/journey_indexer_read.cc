// What JourneyIndexer reads, and what it does with what cannot be read.
#include <algorithm>
#include <utility>

#include "proto/support/error.h"
#include "server/core/journeys/batch_entries.h"
#include "server/core/journeys/journey_indexer.h"
#include "server/core/journeys/ledger_index.h"
#include "server/core/queues/offset_detail.h"
#include "storage/base/log.h"
#include "storage/layout/engine_rows.h"

namespace acta {
namespace {

constexpr size_t kReadBytes = size_t{4} << 20;

}  // namespace

bool JourneyIndexer::ReadSome(PartitionId partition) {
  Offset next;
  v1::JourneyMode mode;
  {
    MutexLock lock(mu_);
    const auto at = followed_.find(partition);
    if (at == followed_.end()) return true;
    next = at->second.next;
    mode = at->second.mode;
  }
  auto cached = engine_.ReadCached(partition, next, kReadBytes);
  if (cached.ok() && cached->has_value() && (*cached)->empty()) {
    Await(partition, next);
    return true;
  }
  if (!cached.ok()) return PassOver(partition, next, cached.status());
  auto batches = cached->has_value() ? absl::StatusOr<std::vector<BatchPtr>>(*std::move(*cached))
                                     : engine_.Read(partition, next, kReadBytes);
  if (!batches.ok()) return PassOver(partition, next, batches.status());
  Collect(partition, mode, *batches);
  Offset end = next;
  absl::Time read_until = absl::InfinitePast();
  for (const BatchPtr& batch : *batches) {
    if (observer_ != nullptr) observer_->OnBatch(*batch);
    end = batch->end();
    read_until = absl::FromUnixMicros(batch->append_time_us);
  }
  MutexLock lock(mu_);
  indexed_ += Lag(next, end);
  const auto at = followed_.find(partition);
  // Else more is to be found meanwhile than what was collected: it is read again.
  if (at != followed_.end() && at->second.mode == mode) Move(partition, next, end, read_until);
  return false;
}

void JourneyIndexer::Collect(PartitionId partition, v1::JourneyMode mode,
                             const std::vector<BatchPtr>& batches) {
  read_.clear();
  for (const BatchPtr& batch : batches) {
    if (partition == kLedgerPartition) {
      CollectLedgerEntries(engine_, *batch, &read_);
    } else {
      CollectEntries(engine_, *batch, mode, &read_);
    }
    log_bytes_ += static_cast<int64_t>(batch->payload.size());
  }
  MutexLock lock(buffer_mu_);
  buffer_.Add(read_);
}

void JourneyIndexer::TryMissed() {
  std::vector<std::pair<PartitionId, Followed>> due;
  {
    const absl::Duration now = clock_.SinceBoot();
    MutexLock lock(mu_);
    for (const auto& [partition, followed] : followed_) {
      const bool wait = followed.missed.empty() || now < followed.missed_until;
      if (!wait) due.emplace_back(partition, followed);
    }
  }
  for (const auto& [partition, before] : due) {
    // What is read again counts as what is new: without room for a file it waits.
    if (NeedsFile() && !WriteFile()) return;
    const auto first = ReadMissed(partition, before.mode, before.missed);
    MutexLock lock(mu_);
    const auto at = followed_.find(partition);
    // It may have begun anew.
    if (at == followed_.end() || at->second.missed != before.missed) continue;
    if (first.has_value()) at->second.missed.first = *first;
    if (!first.has_value()) at->second.missed_until = clock_.SinceBoot() + limits_.missed_pause;
    if (at->second.missed.empty()) at->second.missed = {};
  }
}

std::optional<Offset> JourneyIndexer::ReadMissed(PartitionId partition, v1::JourneyMode mode,
                                                 const Missed& missed) {
  const auto batches = engine_.Read(partition, missed.first, kReadBytes);
  if (batches.ok()) {
    Collect(partition, mode, *batches);
    return batches->empty() ? missed.end : batches->back()->end();
  }
  const v1::ErrorReason reason = ReasonOf(batches.status());
  const bool lost = reason == v1::GAP || (reason == v1::DATA_CORRUPTED &&
                                          !DetailsOf(batches.status()).contains(kIoErrorDetail));
  if (!lost) return std::nullopt;
  const Offset last =
      std::max(missed.first, OffsetDetail(batches.status(), "last_lost", missed.first));
  MutexLock lock(mu_);
  if (reason == v1::DATA_CORRUPTED) NoteDamage(partition, last + 1);
  return last + 1;
}

void JourneyIndexer::Move(PartitionId partition, Offset from, Offset to, absl::Time read_until) {
  const auto at = followed_.find(partition);
  if (at == followed_.end() || at->second.next != from) return;
  at->second.next = to;
  at->second.refused_since = absl::InfiniteDuration();
  // What is left came behind what was read: under load there is always something.
  at->second.behind_since = std::max(at->second.behind_since, read_until);
}

void JourneyIndexer::Miss(PartitionId partition, Offset from, Offset to) {
  const auto at = followed_.find(partition);
  if (at == followed_.end() || at->second.next != from) return;
  Missed& missed = at->second.missed;
  missed = {missed.empty() ? from : missed.first, to};
  at->second.missed_until = clock_.SinceBoot() + limits_.missed_pause;
}

void JourneyIndexer::NoteDamage(PartitionId partition, Offset end) {
  const auto at = followed_.find(partition);
  if (at == followed_.end()) return;
  at->second.damaged_end = std::max(at->second.damaged_end, end);
  at->second.damaged_until_us = absl::ToUnixMicros(engine_.Now());
}

bool JourneyIndexer::MayPass(PartitionId partition, const absl::Status& status) {
  if (!DetailsOf(status).contains(kIoErrorDetail)) return false;
  const absl::Duration now = clock_.SinceBoot();
  MutexLock lock(mu_);
  const auto at = followed_.find(partition);
  if (at == followed_.end()) return true;
  at->second.refused_since = std::min(at->second.refused_since, now);
  return now - at->second.refused_since < limits_.io_patience;
}

bool JourneyIndexer::PassOver(PartitionId partition, Offset next, const absl::Status& status) {
  const v1::ErrorReason reason = ReasonOf(status);
  const bool damaged = reason == v1::DATA_CORRUPTED && !MayPass(partition, status);
  if (reason == v1::GAP || damaged) {
    const Offset last = std::max(next, OffsetDetail(status, "last_lost", next));
    if (observer_ != nullptr) observer_->OnPassed(partition, last + 1);
    MutexLock lock(mu_);
    const bool may_come = DetailsOf(status).contains(kIoErrorDetail);
    if (damaged && may_come) Miss(partition, next, last + 1);
    if (damaged && !may_come) NoteDamage(partition, last + 1);
    Move(partition, next, last + 1);
    if (damaged) unreadable_ += Lag(next, last + 1);
    return false;
  }
  // The topic is gone or the engine stops, which Refresh() or Stop() see to; or it is tried again.
  if (reason == v1::PARTITION_NOT_FOUND) return true;
  MutexLock lock(mu_);
  if (later_.insert(partition).second) {
    LogWarn("events cannot be read for the index of journeys: tried again",
            {{"topic_id", partition.topic().value()},
             {"partition", partition.partition()},
             {"offset", next.value()},
             {"cause", status.message()}});
  }
  return true;
}

// The wake may come inside the call.
void JourneyIndexer::Await(PartitionId partition, Offset next) {
  uint64_t unwanted = 0;
  {
    MutexLock lock(mu_);
    const auto at = followed_.find(partition);
    if (at != followed_.end()) {
      at->second.behind_since = absl::InfiniteFuture();
      unwanted = std::exchange(at->second.wake, 0);  // Of before it began anew.
    }
  }
  if (unwanted != 0) engine_.CancelWake(partition, unwanted);
  const auto wake = engine_.WhenPast(partition, next, [this, partition] { AddNews(partition); });
  if (!wake.ok()) return;
  {
    MutexLock lock(mu_);
    const auto at = followed_.find(partition);
    const bool waits = at != followed_.end() && !news_.contains(partition);
    unwanted = *wake;
    if (waits) at->second.wake = std::exchange(unwanted, 0);
  }
  if (unwanted != 0) engine_.CancelWake(partition, unwanted);
}

}  // namespace acta
