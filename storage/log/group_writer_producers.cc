// The rows that tell of producers and their sequences: when each is written, and with what.
#include <algorithm>
#include <iterator>

#include "storage/base/status_macros.h"
#include "storage/layout/batch_header.h"
#include "storage/layout/engine_rows.h"
#include "storage/log/group_writer.h"
#include "storage/log/producer_snapshot.h"

namespace acta {
namespace {

// Rows of producers up to this are written as often as there is something to tell.
constexpr size_t kShortRow = 16 << 10;

// Long rows wait until as much came as they are long: then no more is written for them than for
// events, and a start reads little more behind a row than the row itself.
bool RowIsDue(const PartitionLog& partition) {
  const PartitionLog::WriterState& writer = partition.writer;
  // Of small batches the headers are most of it; of others this is twice what came, at most.
  const auto events = static_cast<uint64_t>(Lag(writer.producers_saved, writer.next));
  const uint64_t came =
      writer.end_bytes - writer.producers_saved_bytes + events * BatchHeader::kSize;
  return writer.producers_row_bytes <= kShortRow || came >= writer.producers_row_bytes ||
         partition.dropped();
}

}  // namespace

void GroupWriter::SnapshotProducers(PartitionLog& partition) {
  PartitionLog::WriterState& writer = partition.writer;
  writer.producers.ForgetSilent(now_us_);
  std::string row = EncodeProducers(writer.producers, writer.next);
  writer.producers_saved = writer.next;
  writer.producers_saved_bytes = writer.end_bytes;
  writer.producers_row_bytes = row.size();
  std::vector<RowWrite> rows{{Family::kState, ProducerRow(partition.id()), std::move(row)}};
  AddRows(rows);
}

void GroupWriter::AddSnapshots() {
  for (const PartitionPtr& partition : untold_producers_) SnapshotProducers(*partition);
  untold_producers_.clear();
  const int64_t interval_us = absl::ToInt64Microseconds(options_.snapshot_interval);
  if (bytes_since_snapshot_ >= options_.snapshot_bytes ||
      now_us_ - snapshot_time_us_ >= interval_us) {
    for (const PartitionPtr& partition : behind_producers_) {
      partition->writer.producers.ForgetSilent(now_us_);
    }
    const auto due =
        std::stable_partition(behind_producers_.begin(), behind_producers_.end(),
                              [](const PartitionPtr& changed) { return !RowIsDue(*changed); });
    due_snapshots_.insert(due_snapshots_.end(), due, behind_producers_.end());
    behind_producers_.erase(due, behind_producers_.end());
    bytes_since_snapshot_ = 0;
    snapshot_time_us_ = now_us_;
  }
  // All at once they would be one group of many megabytes, which everybody waits for.
  const size_t most = group_.size_bytes() + static_cast<size_t>(options_.snapshot_group_bytes);
  while (!due_snapshots_.empty() && group_.size_bytes() < most) {
    const PartitionPtr partition = std::move(due_snapshots_.front());
    due_snapshots_.pop_front();
    PartitionLog::WriterState& writer = partition->writer;
    // Since its row was written there may have been duplicates only, whose sequences it told at
    // once.
    const bool told = writer.producers_saved == writer.next;
    if (!told && !partition->dropped()) SnapshotProducers(*partition);
    writer.producers_behind = false;
  }
  snapshots_wait_.store(!due_snapshots_.empty(), std::memory_order_relaxed);
}

size_t GroupWriter::SaveSoon(const std::map<PartitionPtr, Offset>& below) {
  const auto behind = [&below](const PartitionPtr& partition) {
    const auto at = below.find(partition);
    const PartitionLog::WriterState& writer = partition->writer;
    return at != below.end() && writer.producers_behind && !writer.producers.producers().empty() &&
           writer.producers_saved < at->second;
  };
  const bool any = std::any_of(below.begin(), below.end(),
                               [&behind](const auto& one) { return behind(one.first); });
  if (!any) return 0;
  const auto due =
      std::stable_partition(behind_producers_.begin(), behind_producers_.end(),
                            [&behind](const PartitionPtr& changed) { return !behind(changed); });
  due_snapshots_.insert(due_snapshots_.end(), due, behind_producers_.end());
  behind_producers_.erase(due, behind_producers_.end());
  snapshots_wait_.store(!due_snapshots_.empty(), std::memory_order_relaxed);
  return due_snapshots_.size();
}

void GroupWriter::AddRecovered(const std::vector<PartitionPtr>& partitions) {
  std::copy_if(partitions.begin(), partitions.end(), std::back_inserter(behind_producers_),
               [](const PartitionPtr& partition) { return partition->writer.producers_behind; });
  for (const PartitionPtr& partition : partitions) {
    // Its row tells of what was lost: none of the next batches may come before another one.
    const bool ahead = partition->writer.producers_saved > partition->writer.next;
    if (ahead) untold_producers_.insert(partition);
  }
}

absl::Status GroupWriter::SaveProducers() {
  due_snapshots_.insert(due_snapshots_.end(), behind_producers_.begin(), behind_producers_.end());
  behind_producers_.clear();
  do {
    WrittenGroup nothing_waits;
    RETURN_IF_ERROR(Write({}, &nothing_waits));
  } while (!due_snapshots_.empty());
  return absl::OkStatus();
}

}  // namespace acta
