#include "storage/log/slice_keeper.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "acta/storage/v1/records.pb.h"
#include "storage/base/log.h"
#include "storage/base/status_macros.h"
#include "storage/layout/engine_rows.h"

namespace acta {
namespace {

// So many families below the limit are near it.
constexpr size_t kNearLimit = 8;

// Where a partition's first offset has to be.
struct NewFirst {
  PartitionPtr partition;
  Offset first;
  uint64_t bytes = 0;
  int64_t time_us = 0;
  int64_t trimmed_before_us = 0;  // All that goes was appended before.
};

// What retention keeps of a partition.
struct Kept {
  int64_t since_us;
  uint64_t above_bytes;  // Of its payload bytes.
};

// By whole pieces, as slices' directories have them: keeps too much by a slice at most, and reads
// nothing, so that damage does not keep a partition for ever.
NewFirst FirstKeptPiece(const PartitionPtr& partition, const PartitionExtent& extent,
                        const Kept& kept) {
  for (const PartitionLog::Piece& piece : partition->Pieces()) {
    const PartitionSpan& span = piece.span;
    if (span.last < extent.first) continue;
    if (span.first >= extent.visible_end) break;
    if (span.last_time_us >= kept.since_us && span.end_bytes > kept.above_bytes) {
      return {partition, span.first, span.begin_bytes, span.first_time_us, 0};
    }
  }
  return {partition, extent.visible_end, extent.visible_end_bytes, 0, 0};
}

NewFirst FirstKept(const LogReader& reader, const PartitionPtr& partition,
                   const PartitionExtent& extent, const Kept& kept) {
  const auto header = reader.FindFirst(*partition, [&kept](const BatchHeader& batch) {
    return batch.append_time_us >= kept.since_us &&
           batch.end_bytes - batch.payload_len >= kept.above_bytes;
  });
  if (!header.ok()) return FirstKeptPiece(partition, extent, kept);
  if (!header->has_value()) return {partition, extent.visible_end, extent.visible_end_bytes, 0, 0};
  const BatchHeader& first = **header;
  return {partition, first.base_offset, first.end_bytes - first.payload_len, first.append_time_us,
          0};
}

std::optional<NewFirst> FindNewFirst(const LogReader& reader, const PartitionPtr& partition,
                                     const TopicSettings& settings, absl::Time now,
                                     SliceKeeper::Precision precision) {
  const PartitionExtent extent = partition->Extent();
  if (extent.first == extent.visible_end) return std::nullopt;
  const int64_t cutoff_us = absl::ToUnixMicros(now - settings.retention);
  const int64_t held = static_cast<int64_t>(extent.visible_end_bytes - extent.first_bytes);
  const bool exact = precision == SliceKeeper::Precision::kExact;
  const absl::Duration late =
      exact ? absl::ZeroDuration() : std::min(settings.retention / 100, absl::Minutes(1));
  const int64_t more = exact ? 0 : settings.retention_bytes / 100;
  const bool by_age = extent.first_time_us < cutoff_us - absl::ToInt64Microseconds(late);
  const bool by_size = settings.retention_bytes > 0 && held > settings.retention_bytes + more;
  if (!by_age && !by_size) return std::nullopt;
  const uint64_t above_bytes =
      by_size ? extent.visible_end_bytes - static_cast<uint64_t>(settings.retention_bytes) : 0;
  NewFirst result = FirstKept(reader, partition, extent, {cutoff_us, above_bytes});
  if (result.first < extent.first) return std::nullopt;
  result.trimmed_before_us = !by_size              ? cutoff_us
                             : result.time_us != 0 ? result.time_us
                                                   : extent.last_time_us + 1;
  return result;
}

// As its row keeps it.
RowWrite RowOf(const NewFirst& first) {
  PartitionStart row;
  row.first = first.first;
  row.first_bytes = first.bytes;
  row.first_time_us = first.time_us;
  row.trimmed_before_us = std::max(first.trimmed_before_us, first.partition->trimmed_before_us());
  row.incarnations = first.partition->incarnations();
  return {Family::kMeta, PartitionRow(first.partition->id()), EncodePartitionRecord(row)};
}

}  // namespace

absl::Status SliceKeeper::Trim(absl::Time now, Precision precision) {
  std::vector<std::pair<TopicLogPtr, NewFirst>> raised;
  std::map<PartitionPtr, Offset> passed;
  for (const TopicLogPtr& topic : table_.All()) {
    const TopicSettings settings = topic->settings();
    for (const PartitionPtr& partition : topic->partitions()) {
      const auto first = FindNewFirst(reader_, partition, settings, now, precision);
      if (!first.has_value()) continue;
      if (first->first == partition->Extent().first) {
        // It stays; a start knew its time no better than its slice does.
        partition->RaiseFirst(first->first, first->bytes, first->time_us, 0);
      } else if (MayTrim(*partition, first->first)) {
        passed.emplace(partition, first->first);
        raised.emplace_back(topic, *first);
      }
    }
  }
  if (raised.empty()) return absl::OkStatus();
  const absl::Cleanup ended = [&] {
    if (options_.after_trim == nullptr) return;
    std::vector<PartitionId> partitions;
    for (const auto& [partition, first] : passed) {
      partition->EndTrim();
      partitions.push_back(partition->id());
    }
    options_.after_trim(partitions);
  };
  // A start reads sequences from the headers behind their row: those that go now have to be in it.
  RETURN_IF_ERROR(queue_.SaveProducers(passed));
  std::erase_if(raised, [](const auto& one) { return one.second.partition->dropped(); });
  Transaction transaction;
  for (const auto& [topic, first] : raised) transaction.rows.push_back(RowOf(first));
  RETURN_IF_ERROR(queue_.SubmitAndWait(std::move(transaction), CommitQueue::Urgency::kFreesDisk));
  for (const auto& [topic, first] : raised) {
    topic->ids.MissesBefore(first.trimmed_before_us);
    first.partition->RaiseFirst(first.first, first.bytes, first.time_us, first.trimmed_before_us);
  }
  return absl::OkStatus();
}

bool SliceKeeper::MayTrim(PartitionLog& partition, Offset first) const {
  if (options_.before_trim == nullptr) return true;
  partition.BeginTrim(first);  // For groups that come between this and the end.
  const absl::Status status = options_.before_trim(partition.id(), first);
  if (status.ok()) return true;
  partition.EndTrim();
  if (options_.after_trim != nullptr) options_.after_trim({partition.id()});
  LogWarn("events whose retention is over stay, because they could not be copied for a group",
          {{"cause", status.message()}});
  return false;
}

bool SliceKeeper::Due(const Slice& slice, absl::Time now, int64_t log_bytes, bool crowded) const {
  const int64_t bytes = slice.bytes.load();
  if (bytes == 0) return false;  // An empty slice is as good as a new one.
  if (bytes > std::max(options_.slice_bytes, log_bytes / 32)) return true;
  absl::Duration age = options_.slice_age > absl::ZeroDuration() ? options_.slice_age
                                                                 : SliceAge(slice.class_seconds);
  if (crowded) age *= 2;
  return now - absl::FromUnixMicros(slice.created_us) >= age;
}

absl::Status SliceKeeper::Renew(const std::vector<int64_t>& classes, absl::Time now) {
  ASSIGN_OR_RETURN(const std::vector<SlicePtr> replaced,
                   slices_.Rotate(classes, absl::ToUnixMicros(now),
                                  [this] { return std::make_unique<CommitQueue::Pause>(queue_); }));
  for (const SlicePtr& slice : replaced) RETURN_IF_ERROR(Close(slice, now));
  return absl::OkStatus();
}

absl::Status SliceKeeper::Rotate(absl::Time now) {
  const std::vector<SlicePtr> all = slices_.All();
  int64_t log_bytes = 0;
  std::map<int64_t, size_t> slices_of_class;
  for (const SlicePtr& slice : all) {
    log_bytes += slice->bytes.load();
    ++slices_of_class[slice->class_seconds];
  }
  size_t largest = 0;
  for (const auto& [seconds, slices] : slices_of_class) largest = std::max(largest, slices);
  // Families are few: near the limit slices of the class with most live twice as long. At the limit
  // only a class gets one that has no other: without, its events would never leave the disk.
  const auto most = static_cast<size_t>(options_.max_slices);
  const size_t families = slices_.families();
  const size_t each = families > all.size() ? 2 : 1;  // Where slices have an index.
  const bool near = families + kNearLimit >= most;
  std::vector<int64_t> classes;
  for (const SlicePtr& slice : all) {
    const size_t slices = slices_of_class[slice->class_seconds];
    if (slices > 1 && families + classes.size() * each >= most) continue;
    if (!slice->closed && Due(*slice, now, log_bytes, near && slices == largest)) {
      classes.push_back(slice->class_seconds);
    }
  }
  return classes.empty() ? absl::OkStatus() : Renew(classes, now);
}

absl::Status SliceKeeper::Close(const SlicePtr& slice, absl::Time now) {
  RETURN_IF_ERROR(store_.Flush(slice->family));
  storage::v1::SliceRecord record;
  record.set_slice_id(slice->id);
  record.set_class_seconds(slice->class_seconds);
  record.set_created_us(slice->created_us);
  record.set_closed_us(absl::ToUnixMicros(now));
  ASSIGN_OR_RETURN(const TableExtents extents, store_.ReadFamilyExtents(slice->family));
  for (const auto& [partition, span] : extents.spans) {
    storage::v1::SlicePartition* out = record.add_partitions();
    out->set_partition_id(partition.value());
    out->set_first_offset(span.first.value());
    out->set_last_offset(span.last.value());
    out->set_begin_bytes(span.begin_bytes);
    out->set_end_bytes(span.end_bytes);
    out->set_first_time_us(span.first_time_us);
    out->set_last_time_us(span.last_time_us);
  }
  Transaction transaction;
  transaction.rows.push_back({Family::kMeta, SliceRow(slice->id), record.SerializeAsString()});
  return queue_.SubmitAndWait(std::move(transaction), CommitQueue::Urgency::kFreesDisk);
}

absl::Status SliceKeeper::DropUnused(const Needed& needed) {
  std::set<uint64_t> used;
  // Asked before the table: a topic is in it before its partitions count as opened.
  for (const SlicePtr& slice : slices_.All()) {
    if (needed(slice->id)) used.insert(slice->id);
  }
  for (const TopicLogPtr& topic : table_.All()) {
    for (const PartitionPtr& partition : topic->partitions()) {
      const Offset first = partition->Extent().first;
      for (const PartitionLog::Piece& piece : partition->Pieces()) {
        if (piece.span.last >= first) used.insert(piece.slice->id);
      }
    }
  }
  std::vector<SlicePtr> unused;
  for (const SlicePtr& slice : slices_.All()) {
    if (slice->closed && !used.contains(slice->id)) unused.push_back(slice);
  }
  return unused.empty() ? absl::OkStatus() : Drop(unused);
}

absl::Status SliceKeeper::Drop(const std::vector<SlicePtr>& slices) {
  Transaction transaction;
  for (const SlicePtr& slice : slices) {
    for (const TopicLogPtr& topic : table_.All()) {
      for (const PartitionPtr& partition : topic->partitions()) partition->ForgetSlice(slice->id);
    }
    transaction.rows.push_back({Family::kMeta, SliceRow(slice->id), std::nullopt});
  }
  // A slice's record came after its last event. Once it is in a table file, a start finds a group
  // there that the log goes on from.
  RETURN_IF_ERROR(store_.Flush(store_.meta()));
  RETURN_IF_ERROR(slices_.Drop(slices));
  RETURN_IF_ERROR(queue_.SubmitAndWait(std::move(transaction), CommitQueue::Urgency::kFreesDisk));
  for (const SlicePtr& slice : slices) {
    LogInfo("slice dropped", {{"slice", slice->id}, {"bytes", slice->bytes.load()}});
  }
  return absl::OkStatus();
}

}  // namespace acta
