// Copies of events whose slices go, while a group still needs them.
#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "server/core/queues/group_queue_parts.h"
#include "server/core/queues/offset_detail.h"
#include "storage/base/crc32c.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"

namespace acta {
namespace {

constexpr size_t kCopyReadBytes = 256 << 10;
// Of one write.
constexpr size_t kCopyWriteBytes = 4 << 20;
// An event that is to be copied, and that the disk does not give, keeps retention waiting for so
// long.
constexpr absl::Duration kCopyPatience = absl::Minutes(5);

absl::StatusOr<storage::v1::KeptRecord> CopyOf(const LogEngine& engine, PartitionId partition,
                                               Offset offset, IndexedBatchPtr* at) {
  if (*at == nullptr || offset < (*at)->batch->base_offset || offset >= (*at)->batch->end()) {
    ASSIGN_OR_RETURN(const std::vector<BatchPtr> read,
                     engine.Read(partition, offset, kCopyReadBytes));
    *at = read.empty() ? nullptr : IndexBatch(read.front());
  }
  if (*at == nullptr) {
    return Error(v1::DATA_CORRUPTED, absl::StrCat("event ", offset.value(), " cannot be read"));
  }
  const IndexedBatch& batch = **at;
  const auto index = static_cast<uint32_t>(Lag(batch.batch->base_offset, offset));
  const size_t begin = batch.BeginOf(index), end = batch.EndOf(index + 1);
  storage::v1::KeptRecord record;
  record.set_element(std::string(batch.batch->payload.view().substr(begin, end - begin)));
  record.set_context(std::string(batch.batch->context.view()));
  record.set_append_time_us(batch.batch->append_time_us);
  record.set_incarnation(batch.batch->incarnation.value());
  return record;
}

}  // namespace

absl::StatusOr<std::vector<Offset>> GroupQueue::StoredIn(const char* kind, PartitionId partition,
                                                         OffsetRun run) const {
  RowRange range;
  range.prefix = QueueRows(kind, group_, partition);
  if (run.first > Offset(0)) {
    range.after = QueueRow(kind, group_, partition, Offset(run.first.value() - 1));
  }
  range.max_rows = 1000;
  range.max_bytes = 1 << 20;
  std::vector<Offset> offsets;
  while (true) {
    ASSIGN_OR_RETURN(RowList rows, deps_.engine.LoadRows(range));
    if (rows.empty()) return offsets;
    for (const auto& [key, value] : rows) {
      ASSIGN_OR_RETURN(const auto place, PlaceOfRow(kind, key));
      if (place.second >= run.end) return offsets;  // There may be many of those.
      offsets.push_back(place.second);
    }
    range.after = std::move(rows.back().first);
  }
}

// What waits until a full disk has room is in memory alone: a start would have it as it was before.
absl::Status GroupQueue::AddUnsettled(PartitionId id, OffsetRun run, std::vector<Offset>* offsets) {
  ASSIGN_OR_RETURN(const RowList rows,
                   deps_.engine.LoadRows(Family::kState, PositionRow(group_, id)));
  storage::v1::PositionRecord record;
  if (!rows.empty() && !record.ParseFromString(rows.front().second)) {
    return Error(v1::DATA_CORRUPTED, "the position of a group cannot be read");
  }
  QueuePosition stored = PositionFrom(record);
  {
    MutexLock lock(mu_);
    // What nobody looked at is no business of the group.
    if (const Partition* const partition = Find(id); partition != nullptr) {
      stored.outstanding.push_back({stored.head, partition->queue->head()});
    }
  }
  for (const OffsetRun& one : stored.outstanding) {
    const Offset first = std::max(one.first, run.first);
    if (first < std::min(one.end, run.end)) offsets->push_back(first);
  }
  ASSIGN_OR_RETURN(const std::vector<Offset> parked, StoredIn(kParkedRows, id, run));
  offsets->insert(offsets->end(), parked.begin(), parked.end());
  return absl::OkStatus();
}

absl::Status GroupQueue::KeepCopies(PartitionId id, Offset first) {
  const absl::Status status = CopyBelow(id, first);
  MutexLock lock(mu_);
  if (Partition* const partition = Find(id)) {
    partition->forgotten.reset();
    partition->died.clear();
  }
  return status;
}

void GroupQueue::TrimEnded(const std::vector<PartitionId>& partitions) {
  After after;
  {
    MutexLock lock(mu_);
    bool waited = false;
    for (const PartitionId id : partitions) {
      Partition* const partition = Find(id);
      if (partition == nullptr) continue;
      const auto extent = deps_.engine.Extent(id);
      if (!extent.ok()) continue;
      const bool waits = partition->queue->head() < partition->gone_below;
      partition->gone_below = extent->first;
      if (!waits) continue;
      waited = true;
      Activate(*partition);
    }
    if (!waited) return;
    after = MakeAfter();
  }
  Run(std::move(after));
}

absl::Status GroupQueue::CopyBelow(PartitionId id, Offset first) {
  ASSIGN_OR_RETURN(const PartitionExtent extent, deps_.engine.Extent(id));
  Offset seen;
  {
    MutexLock lock(mu_);
    if (const Partition* const partition = Find(id)) seen = std::min(first, partition->seen_below);
  }
  // What was leased before a restart is due again, also when nobody has come for it since. Of what
  // cannot be read there is no copy.
  ScanThrough(id, seen).IgnoreError();
  std::vector<Offset> offsets;
  {
    MutexLock lock(mu_);
    Partition* const partition = Find(id);
    // A change of the group has taken it out, and may give it back.
    if (partition == nullptr) return absl::UnavailableError("the group is being changed");
    partition->copied_below = std::max(partition->copied_below, first);
    partition->gone_below = std::max(partition->gone_below, first);
    partition->forgotten.emplace();
    partition->queue->ParkBelow(first);
    offsets = partition->queue->OutstandingBelow(first);
    Touch(*partition);
    Activate(*partition);  // Its window has room for others.
  }
  const absl::Status quiet = WaitQuiet(false);  // What became a dead letter is on the disk.
  const bool full = ReasonOf(quiet) == v1::DISK_FULL;
  if (!full) RETURN_IF_ERROR(quiet);
  ASSIGN_OR_RETURN(const std::vector<Offset> letters,
                   StoredIn(kDeadLetterRows, id, {extent.first, first}));
  if (full) RETURN_IF_ERROR(AddUnsettled(id, {extent.first, first}, &offsets));
  offsets.insert(offsets.end(), letters.begin(), letters.end());
  {
    MutexLock lock(mu_);
    Partition* const partition = Find(id);
    if (partition == nullptr) return absl::UnavailableError("the group is being changed");
    // Those that were redriven meanwhile, and those that died again since.
    const std::vector<Offset> again = partition->queue->OutstandingBelow(first);
    offsets.insert(offsets.end(), again.begin(), again.end());
    CollectRowsOf(*partition);
    for (const Offset offset : partition->died) {
      if (offset < first) offsets.push_back(offset);
    }
  }
  std::sort(offsets.begin(), offsets.end());
  offsets.erase(std::unique(offsets.begin(), offsets.end()), offsets.end());
  // Those before have a copy.
  offsets.erase(offsets.begin(), std::lower_bound(offsets.begin(), offsets.end(), extent.first));
  if (full && !offsets.empty()) return quiet;
  return CopyAll(id, offsets);
}

absl::Status GroupQueue::CopyAll(PartitionId id, const std::vector<Offset>& offsets) {
  CopyTries tries;
  {
    MutexLock lock(mu_);
    Partition* const partition = Find(id);
    if (partition == nullptr) return absl::UnavailableError("the group is being changed");
    tries = std::exchange(partition->copies, {});
  }
  tries.KeepOnly(offsets);
  const absl::Status status = CopyAll(id, offsets, &tries);
  MutexLock lock(mu_);
  Partition* const partition = Find(id);
  // Of one that began anew there are no copies.
  const bool same = partition != nullptr && partition->forgotten.has_value();
  if (same) partition->copies = std::move(tries);
  return status;
}

// What the disk does not give keeps others neither from being copied nor from being waited for.
absl::Status GroupQueue::CopyAll(PartitionId id, const std::vector<Offset>& offsets,
                                 CopyTries* tries) {
  const int64_t now_us = NowUs();
  IndexedBatchPtr at;
  Copies copies;
  size_t bytes = 0;
  absl::Status refused, waits;
  Offset refused_end;  // The disk refused those before in one answer.
  for (const Offset offset : offsets) {
    if (tries->copied.contains(offset)) continue;
    const absl::StatusOr<storage::v1::KeptRecord> record =
        offset < refused_end ? refused : CopyOf(deps_.engine, id, offset, &at);
    const absl::Status status = record.status();
    if (DetailsOf(status).contains(kIoErrorDetail)) {
      refused = status;
      refused_end = std::max(offset, OffsetDetail(status, "last_lost", offset)) + 1;
      const int64_t since_us = tries->refused_us.try_emplace(offset, now_us).first->second;
      const bool may_come = now_us - since_us < absl::ToInt64Microseconds(kCopyPatience);
      if (may_come) waits = status;
      continue;
    }
    tries->refused_us.erase(offset);
    // What cannot be read, or is a hole of the log, does not keep its slice for ever.
    const v1::ErrorReason reason = ReasonOf(status);
    if (reason == v1::DATA_CORRUPTED || reason == v1::GAP) continue;
    RETURN_IF_ERROR(status);
    copies.emplace_back(offset, record->SerializeAsString());
    bytes += record->element().size();
    if (bytes < kCopyWriteBytes) continue;
    RETURN_IF_ERROR(PutCopies(id, &copies, tries));
    bytes = 0;
  }
  RETURN_IF_ERROR(PutCopies(id, &copies, tries));
  return waits;
}

// In the order of the group's other rows: what is settled later takes its copy with it.
absl::Status GroupQueue::PutCopies(PartitionId id, Copies* copies, CopyTries* tries) {
  {
    MutexLock lock(mu_);
    const Partition* const partition = Find(id);
    if (partition == nullptr) return absl::UnavailableError("the group is being changed");
    if (!partition->forgotten.has_value()) {
      return absl::UnavailableError("the group began anew meanwhile");
    }
    for (auto& [offset, record] : *copies) {
      if (partition->forgotten->contains(offset)) continue;
      rows_.push_back({Family::kState, QueueRow(kKeptRows, group_, id, offset), std::move(record)});
    }
  }
  if (copies->empty()) return absl::OkStatus();
  RETURN_IF_ERROR(WaitQuiet(false));
  for (const auto& [offset, record] : *copies) tries->copied.insert(offset);
  copies->clear();
  return absl::OkStatus();
}

namespace {

absl::StatusOr<BatchPtr> LoadKept(const LogEngine& engine, GroupId group, PartitionId partition,
                                  Offset offset) {
  const std::string key = QueueRow(kKeptRows, group, partition, offset);
  const auto rows = engine.LoadRows(Family::kState, key);
  const ErrorDetails lost = {{"first_lost", absl::StrCat(offset.value())},
                             {"last_lost", absl::StrCat(offset.value())}};
  if (!rows.ok()) return WithDetails(rows.status(), lost);
  storage::v1::KeptRecord record;
  if (rows->empty() || !record.ParseFromString(rows->front().second)) {
    return Error(v1::GAP,
                 absl::StrCat("event ", offset.value(),
                              " is gone by retention, and no copy of it "
                              "was kept"),
                 lost);
  }
  auto batch = std::make_shared<StoredBatch>();
  batch->partition = partition;
  batch->base_offset = offset;
  batch->count = 1;
  batch->incarnation = Incarnation(record.incarnation());
  batch->append_time_us = record.append_time_us();
  batch->payload_crc32c = Crc32c(record.element());
  batch->payload = SharedBytes(record.element());
  batch->context = SharedBytes(record.context());
  return batch;
}

}  // namespace

absl::StatusOr<BatchPtr> LoadBatchOf(const LogEngine& engine, GroupId group, PartitionId partition,
                                     Offset offset) {
  const auto holds = [offset](const std::vector<BatchPtr>& batches) {
    return !batches.empty() && batches.front()->base_offset <= offset &&
           offset < batches.front()->end();
  };
  const auto cached = engine.ReadCached(partition, offset, 1);
  if (cached.ok() && cached->has_value() && holds(**cached)) return (*cached)->front();
  const auto read = engine.Read(partition, offset, 1);
  if (read.ok() && holds(*read)) return read->front();
  return LoadKept(engine, group, partition, offset);
}

absl::StatusOr<IndexedBatchPtr> LoadKeptEvent(const LogEngine& engine, GroupId group,
                                              PartitionId partition, Offset offset) {
  ASSIGN_OR_RETURN(BatchPtr batch, LoadKept(engine, group, partition, offset));
  IndexedBatchPtr indexed = IndexBatch(std::move(batch));
  if (indexed == nullptr) {
    return Error(v1::DATA_CORRUPTED,
                 absl::StrCat("the copy of event ", offset.value(), " is not whole"),
                 {{"first_lost", absl::StrCat(offset.value())},
                  {"last_lost", absl::StrCat(offset.value())}});
  }
  return indexed;
}

absl::StatusOr<IndexedBatchPtr> LoadEvent(const LogEngine& engine, GroupId group,
                                          PartitionId partition, Offset offset) {
  ASSIGN_OR_RETURN(const BatchPtr batch, LoadBatchOf(engine, group, partition, offset));
  if (IndexedBatchPtr indexed = IndexBatch(batch); indexed != nullptr) return indexed;
  return LoadKeptEvent(engine, group, partition, offset);
}

}  // namespace acta
