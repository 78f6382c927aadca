#include "tests/support/memory_log_engine.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

absl::Status NotFound() { return Error(v1::PARTITION_NOT_FOUND, "the partition is not there"); }

absl::Status Lost(v1::ErrorReason reason, Offset first, Offset last, absl::string_view why) {
  return Error(
      reason, absl::StrCat("events ", first.value(), " to ", last.value(), " ", why),
      {{"first_lost", absl::StrCat(first.value())}, {"last_lost", absl::StrCat(last.value())}});
}

}  // namespace

MemoryLogEngine::MemoryLogEngine(absl::Time now) : now_(now) {
  stats_.disk_free_bytes = int64_t{50} << 30;
  stats_.disk_total_bytes = int64_t{100} << 30;
  stats_.commit_queue_limit_bytes = int64_t{64} << 20;
}

std::unique_ptr<MemoryLogEngine> MemoryLogEngine::Restart() const {
  MutexLock lock(mu_);
  auto next = std::make_unique<MemoryLogEngine>(now_);
  MutexLock next_lock(next->mu_);  // Nobody else knows it yet.
  next->partitions_ = partitions_;
  for (auto& [id, partition] : next->partitions_) partition.visible_end = partition.end;
  next->rows_ = rows_;
  next->index_ = index_;
  next->incarnation_ = incarnation_;
  next->stats_.last_group = next->stats_.synced_group = stats_.last_group;
  return next;
}

void MemoryLogEngine::LoseTail(PartitionId id, Offset end) {
  MutexLock lock(mu_);
  incarnation_ = Incarnation(incarnation_.value() + 1);
  for (auto& [other, partition] : partitions_) {
    if (other == id) {
      while (!partition.batches.empty() && partition.batches.back()->end() > end) {
        partition.end_bytes = partition.batches.back()->begin_bytes();
        partition.end = partition.batches.back()->base_offset;
        partition.batches.pop_back();
      }
      partition.visible_end = std::min(partition.visible_end, partition.end);
      ForgetFrom(partition.end, &partition);
    }
    partition.lives.emplace_back(incarnation_, partition.end);
  }
}

void MemoryLogEngine::ForgetFrom(Offset end, Partition* partition) {
  std::erase_if(partition->ids, [end](const auto& entry) { return entry.second.offset >= end; });
  const auto producers = partition->producers.producers();
  for (const auto& [id, state] : producers) {
    ProducerState left = state;
    while (!left.batches.empty() && left.batches.back().base_offset >= end) {
      left.batches.pop_back();
    }
    partition->producers.Restore(
        id, left.batches.empty() ? std::nullopt : std::optional<ProducerState>(left));
  }
}

void MemoryLogEngine::SetNow(absl::Time now) {
  MutexLock lock(mu_);
  now_ = now;
}

void MemoryLogEngine::Advance(absl::Duration by) {
  MutexLock lock(mu_);
  now_ += by;
}

void MemoryLogEngine::SetClockJump(absl::Duration jump) {
  MutexLock lock(mu_);
  clock_jump_ = jump;
}

void MemoryLogEngine::SetDiskState(DiskState state) {
  MutexLock lock(mu_);
  disk_ = state;
}

void MemoryLogEngine::HoldDone() {
  MutexLock lock(mu_);
  holding_ = true;
}

void MemoryLogEngine::ReleaseDone() {
  std::vector<Held> ready;
  {
    MutexLock lock(mu_);
    holding_ = false;
    ready.swap(held_);
  }
  for (Held& held : ready) Finish(std::move(held));
}

void MemoryLogEngine::ReleaseOne() {
  std::optional<Held> first;
  {
    MutexLock lock(mu_);
    if (held_.empty()) return;
    first = std::move(held_.front());
    held_.erase(held_.begin());
  }
  Finish(*std::move(first));
}

size_t MemoryLogEngine::held() const {
  MutexLock lock(mu_);
  return held_.size();
}

void MemoryLogEngine::FailNextSubmit(absl::Status status) {
  MutexLock lock(mu_);
  fail_submit_ = std::move(status);
}

void MemoryLogEngine::FailNextWrite(absl::Status status) {
  MutexLock lock(mu_);
  fail_write_ = std::move(status);
}

void MemoryLogEngine::FailNextRead(absl::Status status) {
  MutexLock lock(mu_);
  fail_read_ = std::move(status);
}

void MemoryLogEngine::FailNextRows(absl::Status status) {
  MutexLock lock(mu_);
  fail_rows_ = std::move(status);
}

void MemoryLogEngine::FailReadsAt(PartitionId id, Offset offset, absl::Status status) {
  MutexLock lock(mu_);
  Partition& partition = partitions_[id];
  const auto at = BatchAt(partition, offset);
  if (at != partition.batches.end()) partition.refused[(*at)->base_offset] = std::move(status);
}

void MemoryLogEngine::SetRoom(bool room) {
  std::vector<Wake> due;
  {
    MutexLock lock(mu_);
    room_ = room;
    if (room) due.swap(room_wakes_);
  }
  for (Wake& wake : due) std::move(wake)();
}

void MemoryLogEngine::TrimTo(PartitionId id, Offset first) {
  const auto going = [&](Offset below) {
    MutexLock lock(mu_);
    partitions_[id].going_below = below;
  };
  going(first);
  const bool may = before_trim == nullptr || before_trim(id, first).ok();
  if (may) RaiseFirst(id, first);
  going(Offset(0));
  if (after_trim != nullptr) after_trim({id});
}

void MemoryLogEngine::RaiseFirst(PartitionId id, Offset first) {
  MutexLock lock(mu_);
  Partition& partition = partitions_[id];
  if (first <= partition.first || first > partition.visible_end) return;
  const auto at = BatchAt(partition, first);
  partition.first_bytes = at == partition.batches.end()
                              ? partition.end_bytes
                              : (*at)->begin_bytes() + ElementBytes((*at)->payload.view(),
                                                                    Lag((*at)->base_offset, first));
  partition.trimmed_before_us = (*BatchAt(partition, first + -1))->append_time_us + 1;
  partition.first = first;
  partition.batches.erase(partition.batches.begin(), at);
}

void MemoryLogEngine::SetCachedReads(bool cached) {
  MutexLock lock(mu_);
  cached_reads_ = cached;
}

void MemoryLogEngine::CorruptBatch(PartitionId id, Offset offset) {
  MutexLock lock(mu_);
  Partition& partition = partitions_[id];
  const auto at = BatchAt(partition, offset);
  if (at != partition.batches.end()) partition.corrupted.insert((*at)->base_offset);
}

void MemoryLogEngine::SetScrubPage(int64_t batches) {
  MutexLock lock(mu_);
  scrub_page_ = batches;
}

absl::Duration MemoryLogEngine::last_scrub_budget() const {
  MutexLock lock(mu_);
  return scrub_budget_;
}

absl::Status MemoryLogEngine::OpenTopic(TopicId topic, int32_t partitions,
                                        const TopicSettings& settings) {
  MutexLock lock(mu_);
  OpenedTopic& opened = topics_[topic];
  opened.settings = settings;
  opened.partitions = std::max(opened.partitions, partitions);
  for (int32_t number = 0; number < opened.partitions; ++number) {
    partitions_.try_emplace(PartitionId(topic, number));
  }
  return absl::OkStatus();
}

void MemoryLogEngine::DropTopic(TopicId topic) {
  Due due;
  {
    MutexLock lock(mu_);
    topics_.erase(topic);
    std::erase_if(partitions_, [topic](const auto& entry) { return entry.first.topic() == topic; });
    for (auto& [id, waiting] : waiting_) {
      if (id.topic() != topic) continue;
      for (Waiting& one : waiting) due.emplace_back(one.number, std::move(one.wake));
      waiting.clear();
    }
    for (const auto& [number, wake] : due) running_wakes_[number] = std::this_thread::get_id();
  }
  RunWakes(std::move(due));
}

absl::StatusOr<const MemoryLogEngine::Partition*> MemoryLogEngine::Find(PartitionId id) const {
  const auto topic = topics_.find(id.topic());
  if (topic == topics_.end() || id.partition() >= topic->second.partitions) return NotFound();
  return &partitions_.at(id);
}

MemoryLogEngine::Partition* MemoryLogEngine::FindOpen(PartitionId id) {
  return Find(id).ok() ? &partitions_.at(id) : nullptr;
}

absl::Status MemoryLogEngine::CheckReadable(const Partition& partition, Offset from) {
  if (from < Offset(0) || from > partition.visible_end) {
    return Error(v1::OFFSET_OUT_OF_RANGE,
                 absl::StrCat("offset ", from.value(), " is not between the first offset ",
                              partition.first.value(), " and the end offset ",
                              partition.visible_end.value()),
                 {{"first_offset", absl::StrCat(partition.first.value())},
                  {"end_offset", absl::StrCat(partition.visible_end.value())}});
  }
  if (from >= partition.first) return absl::OkStatus();
  return Lost(v1::GAP, from, partition.first + -1, "were removed by retention");
}

std::vector<BatchPtr>::const_iterator MemoryLogEngine::BatchAt(const Partition& partition,
                                                               Offset offset) {
  return std::partition_point(partition.batches.begin(), partition.batches.end(),
                              [offset](const BatchPtr& batch) { return batch->end() <= offset; });
}

bool MemoryLogEngine::HasRoom() const {
  MutexLock lock(mu_);
  return room_;
}

size_t MemoryLogEngine::waiting_for_events() const {
  MutexLock lock(mu_);
  size_t waiting = 0;
  for (const auto& [partition, wakes] : waiting_) waiting += wakes.size();
  return waiting;
}

void MemoryLogEngine::WhenRoom(absl::AnyInvocable<void()> wake) {
  {
    MutexLock lock(mu_);
    if (!room_) {
      room_wakes_.push_back(std::move(wake));
      return;
    }
  }
  std::move(wake)();
}

absl::StatusOr<PartitionExtent> MemoryLogEngine::Extent(PartitionId id) const {
  MutexLock lock(mu_);
  ASSIGN_OR_RETURN(const Partition* partition, Find(id));
  PartitionExtent extent;
  extent.first = partition->first;
  extent.going_below = std::max(partition->first, partition->going_below);
  extent.visible_end = partition->visible_end;
  extent.end = partition->end;
  extent.first_bytes = extent.visible_end_bytes = partition->first_bytes;
  extent.trimmed_before_us = partition->trimmed_before_us;
  for (const BatchPtr& batch : partition->batches) {
    if (batch->end() > partition->visible_end) break;
    if (extent.first_time_us == 0) extent.first_time_us = batch->append_time_us;
    extent.visible_end_bytes = batch->end_bytes;
    extent.last_time_us = batch->append_time_us;
  }
  extent.effective_dedupe_window = topics_.at(id.topic()).settings.dedupe_window;
  extent.written_before_us = absl::ToUnixMicros(group_time_.value_or(now_));
  return extent;
}

absl::StatusOr<std::optional<std::vector<BatchPtr>>> MemoryLogEngine::ReadCached(
    PartitionId id, Offset from, size_t max_bytes) const {
  MutexLock lock(mu_);
  ASSIGN_OR_RETURN(const Partition* partition, Find(id));
  RETURN_IF_ERROR(CheckReadable(*partition, from));
  ++stats_.cache_reads;
  std::vector<BatchPtr> batches;
  if (from == partition->visible_end) return std::optional(std::move(batches));
  if (!cached_reads_) return std::optional<std::vector<BatchPtr>>();
  size_t bytes = 0;
  for (auto at = BatchAt(*partition, from); at != partition->batches.end(); ++at) {
    const StoredBatch& batch = **at;
    if (batch.end() > partition->visible_end || partition->corrupted.contains(batch.base_offset) ||
        (!batches.empty() && bytes + batch.payload.size() > max_bytes)) {
      break;
    }
    bytes += batch.payload.size();
    batches.push_back(*at);
  }
  if (batches.empty()) return std::optional<std::vector<BatchPtr>>();
  return std::optional(std::move(batches));
}

absl::StatusOr<std::vector<BatchPtr>> MemoryLogEngine::Read(PartitionId id, Offset from,
                                                            size_t max_bytes) const {
  MutexLock lock(mu_);
  ASSIGN_OR_RETURN(const Partition* partition, Find(id));
  RETURN_IF_ERROR(CheckReadable(*partition, from));
  ++stats_.cold_reads;
  RETURN_IF_ERROR(std::exchange(fail_read_, absl::OkStatus()));
  std::vector<BatchPtr> batches;
  size_t bytes = 0;
  for (auto at = BatchAt(*partition, from); at != partition->batches.end(); ++at) {
    const StoredBatch& batch = **at;
    if (batch.end() > partition->visible_end) break;
    if (!batches.empty() && bytes + batch.payload.size() > max_bytes) break;
    const auto refused = partition->refused.find(batch.base_offset);
    if (refused != partition->refused.end() && !refused->second.ok()) {
      if (batches.empty()) return refused->second;
      break;
    }
    if (partition->corrupted.contains(batch.base_offset)) {
      // What comes before a damaged batch is given first, the error next time.
      if (!batches.empty()) break;
      return Lost(v1::DATA_CORRUPTED, batch.base_offset, batch.end() + -1, "fail their checksum");
    }
    bytes += batch.payload.size();
    batches.push_back(*at);
  }
  return batches;
}

absl::StatusOr<uint64_t> MemoryLogEngine::WhenPast(PartitionId id, Offset offset,
                                                   absl::AnyInvocable<void()> wake) {
  {
    MutexLock lock(mu_);
    ASSIGN_OR_RETURN(const Partition* partition, Find(id));
    if (partition->visible_end <= offset) {
      waiting_[id].push_back({next_wake_, offset, std::move(wake)});
      return next_wake_++;
    }
  }
  std::move(wake)();
  return uint64_t{0};
}

void MemoryLogEngine::CancelWake(PartitionId id, uint64_t number) {
  Wake dropped;  // Destroyed after the lock.
  MutexLock lock(mu_);
  std::vector<Waiting>& waiting = waiting_[id];
  for (auto at = waiting.begin(); at != waiting.end(); ++at) {
    if (at->number != number) continue;
    dropped = std::move(at->wake);
    waiting.erase(at);
    return;
  }
  for (;;) {
    const auto running = running_wakes_.find(number);
    // A wake may cancel itself.
    if (running == running_wakes_.end() || running->second == std::this_thread::get_id()) return;
    wakes_ran_.Wait(mu_);
  }
}

absl::StatusOr<Offset> MemoryLogEngine::FindOffset(PartitionId id, int64_t time_us) const {
  MutexLock lock(mu_);
  ASSIGN_OR_RETURN(const Partition* partition, Find(id));
  for (const BatchPtr& batch : partition->batches) {
    if (batch->end() > partition->visible_end) break;
    if (batch->append_time_us >= time_us) return std::max(partition->first, batch->base_offset);
  }
  return partition->visible_end;
}

absl::StatusOr<OffsetInfo> MemoryLogEngine::Locate(PartitionId id, Offset offset) const {
  MutexLock lock(mu_);
  ASSIGN_OR_RETURN(const Partition* partition, Find(id));
  RETURN_IF_ERROR(CheckReadable(*partition, offset));
  const auto at = BatchAt(*partition, offset);
  if (at == partition->batches.end()) return OffsetInfo{partition->end_bytes, 0};
  const StoredBatch& batch = **at;
  if (offset == partition->visible_end) return OffsetInfo{batch.begin_bytes(), 0};
  if (partition->corrupted.contains(batch.base_offset)) {
    return Lost(v1::DATA_CORRUPTED, batch.base_offset, batch.end() + -1, "fail their checksum");
  }
  const int64_t before = Lag(batch.base_offset, offset);
  return OffsetInfo{batch.begin_bytes() + ElementBytes(batch.payload.view(), before),
                    batch.append_time_us};
}

absl::Status MemoryLogEngine::CheckPosition(PartitionId id, Incarnation incarnation,
                                            Offset offset) const {
  MutexLock lock(mu_);
  ASSIGN_OR_RETURN(const Partition* partition, Find(id));
  if (incarnation == Incarnation() || incarnation == incarnation_) return absl::OkStatus();
  for (const auto& [life, start] : partition->lives) {
    if (life <= incarnation || offset <= start) continue;
    return Error(
        v1::LOG_TRUNCATED,
        absl::StrCat("the log was cut at offset ", start.value(), " in incarnation ", life.value()),
        {{"incarnation", absl::StrCat(life.value())}, {"offset", absl::StrCat(start.value())}});
  }
  return absl::OkStatus();
}

void MemoryLogEngine::FailNextIndex(absl::Status status) {
  MutexLock lock(mu_);
  fail_index_ = std::move(status);
}

absl::Status MemoryLogEngine::AddToIndex(absl::Span<const IndexEntry> entries) {
  MutexLock lock(mu_);
  if (!fail_index_.ok()) return std::exchange(fail_index_, absl::OkStatus());
  for (IndexEntry entry : entries) {
    entry.hash = IndexedHash(entry.hash);
    index_.insert(entry);
  }
  return absl::OkStatus();
}

void MemoryLogEngine::BreakIndex(absl::Status status) {
  MutexLock lock(mu_);
  broken_index_ = std::move(status);
}

absl::Status MemoryLogEngine::FindInIndex(std::vector<uint64_t> hashes, IndexPlaces* out) const {
  MutexLock lock(mu_);
  RETURN_IF_ERROR(broken_index_);
  for (const uint64_t hash : hashes) {
    const uint64_t wanted = IndexedHash(hash);
    for (auto at = index_.lower_bound({wanted, {}, {}}); at != index_.end() && at->hash == wanted;
         ++at) {
      out->Add(PlaceOf(*at));
    }
  }
  return absl::OkStatus();
}

IndexSize MemoryLogEngine::SizeOfIndex() const {
  MutexLock lock(mu_);
  return {static_cast<int64_t>(index_.size() * sizeof(IndexEntry)), index_.empty() ? 0 : 1};
}

absl::Status MemoryLogEngine::DropIndex() {
  MutexLock lock(mu_);
  index_.clear();
  broken_index_ = absl::OkStatus();
  return absl::OkStatus();
}

absl::StatusOr<RowList> MemoryLogEngine::LoadRows(const RowRange& range) const {
  MutexLock lock(mu_);
  RETURN_IF_ERROR(std::exchange(fail_rows_, absl::OkStatus()));
  const bool begins = range.after.empty() || range.after < range.prefix;
  auto at = begins ? rows_.lower_bound({range.family, range.prefix})
                   : rows_.upper_bound({range.family, range.after});
  RowList found;
  size_t bytes = 0;
  for (; at != rows_.end() && at->first.first == range.family &&
         absl::StartsWith(at->first.second, range.prefix);
       ++at) {
    bytes += at->first.second.size() + at->second.size();
    const bool full = found.size() >= range.max_rows || (!found.empty() && bytes > range.max_bytes);
    if (full) break;
    found.emplace_back(at->first.second, at->second);
  }
  rows_loaded_.fetch_add(static_cast<int64_t>(found.size()), std::memory_order_relaxed);
  return found;
}

}  // namespace acta
