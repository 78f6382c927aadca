#include <algorithm>

#include "absl/hash/hash.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "proto/support/error.h"
#include "storage/base/crc32c.h"
#include "storage/base/status_macros.h"
#include "storage/layout/engine_rows.h"
#include "tests/support/memory_log_engine.h"

// Writing, and what is not reading.

namespace acta {
namespace {

// Bytes of the element (tag, length, bytes) that `payload` begins with; all of it when that is not
// an element.
size_t ElementSize(absl::string_view payload) {
  uint64_t length = 0;
  for (size_t i = 1; i < payload.size() && i <= 10; ++i) {
    const auto byte = static_cast<uint8_t>(payload[i]);
    length |= static_cast<uint64_t>(byte & 0x7f) << (7 * (i - 1));
    if (byte >= 0x80) continue;
    return static_cast<size_t>(std::min<uint64_t>(payload.size(), i + 1 + length));
  }
  return payload.size();
}

SharedBytes WithoutEvents(absl::string_view payload,
                          const std::vector<DuplicateEvent>& duplicates) {
  std::string kept;
  auto skip = duplicates.begin();
  for (uint32_t index = 0; !payload.empty(); ++index) {
    const size_t size = ElementSize(payload);
    if (skip != duplicates.end() && skip->index == index) {
      ++skip;
    } else {
      absl::StrAppend(&kept, payload.substr(0, size));
    }
    payload.remove_prefix(size);
  }
  return SharedBytes(std::move(kept));
}

}  // namespace

size_t MemoryLogEngine::ElementBytes(absl::string_view payload, int64_t count) {
  size_t bytes = 0;
  for (; count > 0 && bytes < payload.size(); --count) bytes += ElementSize(payload.substr(bytes));
  return bytes;
}

absl::Status MemoryLogEngine::Admit(const Transaction& transaction) {
  if (stopping_) return Error(v1::SERVER_STOPPING, "the server is stopping");
  if (!fail_submit_.ok()) return std::exchange(fail_submit_, absl::OkStatus());
  const bool appends = !transaction.appends.empty();
  if (disk_ == DiskState::kHard || (appends && disk_ == DiskState::kSoft)) {
    return Error(v1::DISK_FULL, "free disk is below the watermark");
  }
  if (appends && !room_) return Error(v1::PUBLISH_QUEUE_FULL, "the commit queue is full");
  return absl::OkStatus();
}

absl::Status MemoryLogEngine::Submit(Transaction transaction) {
  Held held;
  Due due;
  bool wait = false;
  {
    MutexLock lock(mu_);
    RETURN_IF_ERROR(Admit(transaction));
    const size_t asked = transaction.appends.size();
    TakeLedger(&transaction);
    held.result.level = transaction.level;
    held.result.incarnation = incarnation_;
    if (!fail_write_.ok()) {
      held.result.status = std::exchange(fail_write_, absl::OkStatus());
    } else {
      Decide(transaction, &held);
    }
    if (held.result.appends.size() > asked) held.result.appends.resize(asked);
    held.done = std::move(transaction.done);
    for (const PartitionId id : held.written) {
      if (topics_.at(id.topic()).settings.visible_at == Level::kOs) Show(id, &due);
    }
    wait = holding_;
    if (wait) held_.push_back(std::move(held));
  }
  RunWakes(std::move(due));
  if (!wait) Finish(std::move(held));
  return absl::OkStatus();
}

void MemoryLogEngine::TakeLedger(Transaction* transaction) {
  std::string payload;
  Append append;
  append.partition = kLedgerPartition;
  for (const RowWrite& row : transaction->rows) {
    if (row.family != Family::kLedger) continue;
    payload += *row.value;
    ++append.count;
  }
  std::erase_if(transaction->rows, [](const auto& row) { return row.family == Family::kLedger; });
  if (append.count == 0 || FindOpen(kLedgerPartition) == nullptr) return;
  append.payload = SharedBytes(std::move(payload));
  transaction->appends.push_back(std::move(append));
}

void MemoryLogEngine::Decide(Transaction& transaction, Held* held) {
  stats_.last_group = GroupNumber(stats_.last_group.value() + 1);
  held->group = stats_.last_group;
  held->result.appends.resize(transaction.appends.size());
  if (transaction.atomic) {
    DecideAtomic(transaction, held);
    return;
  }
  for (size_t i = 0; i < transaction.appends.size(); ++i) {
    std::vector<Undo> undo;
    Accept(transaction.appends[i], &held->result.appends[i], &undo);
    if (!undo.empty() && undo.back().stored) held->written.push_back(undo.back().partition);
  }
  WriteRows(transaction.rows);
}

void MemoryLogEngine::DecideAtomic(Transaction& transaction, Held* held) {
  std::vector<AppendResult>& results = held->result.appends;
  std::vector<Undo> undo;
  bool failed = false;
  for (size_t i = 0; i < transaction.appends.size() && !failed; ++i) {
    Accept(transaction.appends[i], &results[i], &undo);
    failed = !results[i].status.ok();
  }
  for (const Undo& one : undo) {
    if (one.stored) held->written.push_back(one.partition);
  }
  // A repetition of the whole call is answered as one; of a part of it, refused.
  const bool partly_repeated =
      !failed && (!held->written.empty() || transaction.rows_are_new) &&
      !transaction.leave_out_duplicates &&
      std::any_of(results.begin(), results.end(),
                  [](const AppendResult& result) { return !result.duplicates.empty(); });
  if (!failed && !partly_repeated) {
    const bool repeated = held->written.empty() && !transaction.appends.empty();
    if (!repeated || transaction.leave_out_duplicates) WriteRows(transaction.rows);
    return;
  }
  for (auto one = undo.rbegin(); one != undo.rend(); ++one) TakeBack(*one);
  held->written.clear();
  for (AppendResult& result : results) {
    if (!result.status.ok()) continue;
    result = AppendResult();
    result.status = Error(v1::ATOMIC_ABORTED,
                          partly_repeated ? "some events of this atomic call were published before"
                                          : "another batch of this atomic call failed");
  }
}

void MemoryLogEngine::Accept(const Append& append, AppendResult* result, std::vector<Undo>* undo) {
  Partition* partition = FindOpen(append.partition);
  if (partition == nullptr) {
    result->status = Error(v1::PARTITION_NOT_FOUND, "the topic was deleted");
    return;
  }
  const TopicSettings& settings = topics_.at(append.partition.topic()).settings;
  const bool sequenced = append.producer_id != 0 && settings.dedupe != Dedupe::kOff;
  if (sequenced && AnswerSequence(append, *partition, result)) return;
  Undo change;
  change.partition = append.partition;
  change.end = partition->end;
  change.end_bytes = partition->end_bytes;
  change.last_time_us = partition->last_time_us;
  if (settings.dedupe == Dedupe::kIds) {
    FindDuplicates(append, settings, partition, result, &change);
  }
  result->count = append.count - static_cast<uint32_t>(result->duplicates.size());
  if (result->count > 0 && append.expected_end.has_value() &&
      *append.expected_end != partition->end) {
    TakeBack(change);
    *result = AppendResult();
    result->status = Error(v1::WRONG_EXPECTED_OFFSET,
                           absl::StrCat("the end offset is ", partition->end.value(), ", not ",
                                        append.expected_end->value()),
                           {{"end_offset", absl::StrCat(partition->end.value())}});
    return;
  }
  result->base_offset = partition->end;
  const absl::Time now = group_time_.value_or(now_);
  result->append_time_us = std::max(absl::ToUnixMicros(now), partition->last_time_us);
  stats_.duplicates += static_cast<int64_t>(result->duplicates.size());
  if (sequenced) {
    change.producer_id = append.producer_id;
    change.producer = partition->producers.Find(append.producer_id);
    partition->producers.Record(append.producer_id, append.producer_epoch,
                                {append.first_sequence, append.count, result->count, partition->end,
                                 incarnation_, result->append_time_us});
  }
  if (result->count > 0) Store(append, partition, result);
  change.stored = result->count > 0;
  undo->push_back(std::move(change));
}

bool MemoryLogEngine::AnswerSequence(const Append& append, const Partition& partition,
                                     AppendResult* result) const {
  const auto known = partition.producers.Check(append.producer_id, append.producer_epoch,
                                               append.first_sequence, append.count);
  if (!known.ok()) {
    result->status = known.status();
    return true;
  }
  if (!known->has_value()) return false;
  const SequencedBatch& batch = **known;
  stats_.duplicates += append.count;
  result->base_offset = batch.base_offset;
  result->append_time_us = batch.append_time_us;
  if (batch.stored == append.count) {
    for (uint32_t i = 0; i < append.count; ++i) {
      result->duplicates.push_back({i, batch.base_offset + i, batch.incarnation});
    }
    return true;
  }
  // Some of its events were duplicates even then: their ids tell where each one is.
  for (const IdentifiedEvent& event : append.ids) {
    const auto at = partition.ids.find({event.id.low, event.id.high});
    if (at == partition.ids.end()) break;
    result->duplicates.push_back({event.index, at->second.offset, at->second.incarnation});
  }
  if (result->duplicates.size() == append.count) return true;
  *result = AppendResult();
  result->status = Error(v1::DUPLICATE_SEQUENCE_FORGOTTEN, "the offsets are not known any more");
  return true;
}

void MemoryLogEngine::FindDuplicates(const Append& append, const TopicSettings& settings,
                                     Partition* partition, AppendResult* result, Undo* undo) {
  const int64_t now_us = absl::ToUnixMicros(now_);
  const int64_t oldest_us = now_us - absl::ToInt64Microseconds(settings.dedupe_window);
  for (const IdentifiedEvent& event : append.ids) {
    const IdKey key{event.id.low, event.id.high};
    const auto at = partition->ids.find(key);
    if (at != partition->ids.end() && at->second.time_us >= oldest_us) {
      result->duplicates.push_back({event.index, at->second.offset, at->second.incarnation});
      continue;
    }
    undo->ids.emplace_back(
        key, at == partition->ids.end() ? std::nullopt : std::optional<IdPosition>(at->second));
    const auto skipped = static_cast<int64_t>(result->duplicates.size());
    partition->ids[key] = {partition->end + (event.index - skipped), incarnation_, now_us};
  }
}

void MemoryLogEngine::Store(const Append& append, Partition* partition, AppendResult* result) {
  auto batch = std::make_shared<StoredBatch>();
  batch->payload = append.payload;
  batch->payload_crc32c = append.payload_crc32c;
  if (!result->duplicates.empty()) {
    batch->payload = WithoutEvents(append.payload.view(), result->duplicates);
    batch->payload_crc32c = Crc32c(batch->payload.view());
  }
  batch->partition = append.partition;
  batch->base_offset = partition->end;
  batch->count = result->count;
  batch->incarnation = incarnation_;
  batch->append_time_us = result->append_time_us;
  batch->end_bytes = partition->end_bytes + batch->payload.size();
  batch->producer_id = append.producer_id;
  batch->producer_epoch = append.producer_epoch;
  batch->first_sequence = append.first_sequence;
  batch->context = append.context;
  partition->end = batch->end();
  partition->end_bytes = batch->end_bytes;
  partition->last_time_us = batch->append_time_us;
  stats_.events_appended += batch->count;
  stats_.bytes_appended += static_cast<int64_t>(batch->payload.size());
  partition->batches.push_back(std::move(batch));
}

void MemoryLogEngine::TakeBack(Undo& undo) {
  Partition& partition = partitions_.at(undo.partition);
  if (undo.stored) {
    stats_.events_appended -= partition.batches.back()->count;
    stats_.bytes_appended -= static_cast<int64_t>(partition.batches.back()->payload.size());
    partition.batches.pop_back();
  }
  partition.end = undo.end;
  partition.end_bytes = undo.end_bytes;
  partition.last_time_us = undo.last_time_us;
  if (undo.producer_id != 0) {
    partition.producers.Restore(undo.producer_id, std::move(undo.producer));
  }
  for (const auto& [key, before] : undo.ids) {
    if (before.has_value()) {
      partition.ids[key] = *before;
    } else {
      partition.ids.erase(key);
    }
  }
}

void MemoryLogEngine::WriteRows(const std::vector<RowWrite>& rows) {
  for (const RowWrite& row : rows) {
    if (row.value.has_value()) {
      rows_[{row.family, row.key}] = *row.value;
    } else {
      rows_.erase({row.family, row.key});
    }
  }
}

void MemoryLogEngine::Show(PartitionId id, Due* due) {
  Partition* partition = FindOpen(id);
  if (partition == nullptr) return;
  partition->visible_end = partition->end;
  std::vector<Waiting> still;
  for (Waiting& waiting : waiting_[id]) {
    if (waiting.past >= partition->visible_end) {
      still.push_back(std::move(waiting));
    } else {
      running_wakes_[waiting.number] = std::this_thread::get_id();
      due->emplace_back(waiting.number, std::move(waiting.wake));
    }
  }
  waiting_[id] = std::move(still);
}

void MemoryLogEngine::RunWakes(Due due) {
  for (auto& [number, wake] : due) {
    std::move(wake)();
    MutexLock lock(mu_);
    running_wakes_.erase(number);
    wakes_ran_.SignalAll();
  }
}

void MemoryLogEngine::Finish(Held held) {
  Due due;
  {
    MutexLock lock(mu_);
    for (const PartitionId id : held.written) Show(id, &due);
    stats_.synced_group = std::max(stats_.synced_group, held.group);
    ++stats_.syncs;
  }
  RunWakes(std::move(due));
  if (held.done) std::move(held.done)(std::move(held.result));
}

Incarnation MemoryLogEngine::incarnation() const {
  MutexLock lock(mu_);
  return incarnation_;
}

EventIdHash MemoryLogEngine::HashEventId(absl::string_view source, absl::string_view id) const {
  return {absl::HashOf(source, id), absl::HashOf(id, source, 1)};
}

absl::Time MemoryLogEngine::Now() const {
  MutexLock lock(mu_);
  return now_;
}

absl::Duration MemoryLogEngine::ClockJump() const {
  MutexLock lock(mu_);
  return clock_jump_;
}

absl::Duration MemoryLogEngine::AcceptClock() {
  MutexLock lock(mu_);
  now_ += clock_jump_;
  return std::exchange(clock_jump_, absl::ZeroDuration());
}

DiskState MemoryLogEngine::disk_state() const {
  MutexLock lock(mu_);
  return disk_;
}

EngineStats MemoryLogEngine::Stats() const {
  MutexLock lock(mu_);
  EngineStats stats = stats_;
  stats.log_bytes = stats.bytes_appended;
  stats.slices = partitions_.empty() ? 0 : 1;
  for (const auto& [id, partition] : partitions_) {
    stats.dedupe_ids += static_cast<int64_t>(partition.ids.size());
  }
  return stats;
}

absl::StatusOr<ScrubPage> MemoryLogEngine::Scrub(const ScrubOrder& order) {
  MutexLock lock(mu_);
  scrub_budget_ = order.budget;
  uint64_t from = 0;
  int64_t offset = 0;
  const std::vector<std::string> parts = absl::StrSplit(std::string(order.token), ':');
  if (!order.token.empty() && (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &from) ||
                               !absl::SimpleAtoi(parts[1], &offset))) {
    return Error(v1::INVALID_ARGUMENT, "the token is not one that Scrub answered");
  }
  ScrubPage page;
  for (const auto& [id, partition] : partitions_) {
    if (id < PartitionId(from) || !Find(id).ok()) continue;
    for (const BatchPtr& batch : partition.batches) {
      if (id == PartitionId(from) && batch->base_offset < Offset(offset)) continue;
      const bool over = page.batches > 0 && order.go_on && !order.go_on();
      if (over || page.batches == scrub_page_) {
        page.next_token = absl::StrCat(id.value(), ":", batch->base_offset.value());
        return page;
      }
      ++page.batches;
      page.bytes += static_cast<int64_t>(batch->payload.size());
      if (partition.corrupted.contains(batch->base_offset)) {
        page.problems.push_back({id, batch->base_offset, batch->end() + -1, "checksum"});
      }
    }
  }
  return page;
}

void MemoryLogEngine::Stop() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
  }
  ReleaseDone();
}

}  // namespace acta
