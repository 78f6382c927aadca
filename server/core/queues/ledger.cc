#include "server/core/queues/ledger.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "acta/v1/publisher.pb.h"

namespace acta {

void PutProcessed(std::vector<ProcessedRun> runs, int64_t time_us,
                  storage::v1::LedgerRecord* record) {
  record->set_time_us(time_us);
  std::sort(runs.begin(), runs.end(),
            [](const auto& one, const auto& other) { return one.first < other.first; });
  Offset end;
  for (const ProcessedRun& run : runs) {
    const bool known = run.delivered_us > 0 && run.delivered_us <= time_us;
    record->add_processed(static_cast<uint64_t>(std::max<int64_t>(0, Lag(end, run.first))));
    record->add_processed(static_cast<uint64_t>(run.count));
    record->add_processed(run.member);
    record->add_processed(known ? static_cast<uint64_t>(time_us - run.delivered_us) : 0);
    end = run.first + run.count;
  }
}

void VisitProcessed(const storage::v1::LedgerRecord& record,
                    absl::FunctionRef<void(const ProcessedRun&)> visit) {
  const auto most_before = static_cast<uint64_t>(std::max<int64_t>(0, record.time_us()));
  Offset end;
  for (int i = 0; i + 3 < record.processed_size(); i += 4) {
    const uint64_t gap = record.processed(i), count = record.processed(i + 1);
    const uint64_t before = record.processed(i + 3);
    const auto room = static_cast<uint64_t>(std::numeric_limits<int64_t>::max() - end.value());
    if (gap > room || count > room - gap || before > most_before) return;
    ProcessedRun run;
    run.first = end + static_cast<int64_t>(gap);
    run.count = static_cast<int64_t>(count);
    run.member = static_cast<uint32_t>(record.processed(i + 2));
    if (before > 0) run.delivered_us = record.time_us() - static_cast<int64_t>(before);
    visit(run);
    end = run.first + run.count;
  }
}

storage::v1::LedgerEntry LedgerEntryOf(storage::v1::LedgerEntry::Kind kind, OffsetRun run,
                                       const LedgerNote& note) {
  storage::v1::LedgerEntry entry;
  entry.set_kind(kind);
  entry.set_offset(run.first.value());
  if (const int64_t count = Lag(run.first, run.end); count != 1) entry.set_count(count);
  entry.set_by(note.by);
  entry.set_why(note.why);
  return entry;
}

storage::v1::LedgerRecord PassedRecord(GroupId group, PartitionId partition, OffsetRun range,
                                       int64_t time_us) {
  storage::v1::LedgerRecord record;
  record.set_group_id(group.value());
  record.set_partition_id(partition.value());
  PutProcessed({{range.first, Lag(range.first, range.end), 1, 0}}, time_us, &record);
  return record;
}

storage::v1::LedgerRecord DecisionRecord(GroupId group, PartitionId partition, int64_t time_us,
                                         storage::v1::LedgerEntry entry) {
  storage::v1::LedgerRecord record;
  record.set_group_id(group.value());
  record.set_partition_id(partition.value());
  record.set_time_us(time_us);
  *record.add_entries() = std::move(entry);
  return record;
}

RowWrite LedgerRow(const storage::v1::LedgerRecord& record) {
  v1::PartitionBatch element;  // Its `events` are those of a stored batch.
  element.add_events()->set_data(record.SerializeAsString());
  return {Family::kLedger, "", element.SerializeAsString()};
}

bool ParseLedgerRecord(absl::string_view event, storage::v1::LedgerRecord* record) {
  v1::Event parsed;
  return parsed.ParseFromArray(event.data(), static_cast<int>(event.size())) &&
         record->ParseFromString(parsed.data());
}

bool KeepsLedger(const TopicRegistry* topics, PartitionId partition) {
  if (topics == nullptr) return false;
  const TopicPtr topic = topics->FindById(partition.topic());
  return topic != nullptr && topic->proto.journey() != v1::JOURNEY_MODE_OFF;
}

}  // namespace acta
