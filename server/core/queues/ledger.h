#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "acta/storage/v1/records.pb.h"
#include "server/core/delivery/queue_types.h"
#include "server/core/topics/topic_registry.h"
#include "storage/log_engine.h"

namespace acta {

// The ledger is what groups did with events: records in the broker's own log, written with the rows
// of what they tell of.

// Consecutive events that a member processed.
struct ProcessedRun {
  Offset first;
  int64_t count = 0;
  uint32_t member = 0;       // Index in the record's members from 1; 0: not known.
  int64_t delivered_us = 0;  // The first of them; 0: not known.
};

// Who decided something that no member did, and why.
struct LedgerNote {
  std::string by;
  std::string why;
};

// Fills `processed`, in any order, and time_us.
void PutProcessed(std::vector<ProcessedRun> runs, int64_t time_us,
                  storage::v1::LedgerRecord* record);
// Calls `visit` for every run; one that cannot be read ends it.
void VisitProcessed(const storage::v1::LedgerRecord& record,
                    absl::FunctionRef<void(const ProcessedRun&)> visit);

storage::v1::LedgerEntry LedgerEntryOf(storage::v1::LedgerEntry::Kind kind, OffsetRun run,
                                       const LedgerNote& note = {});

// That a STREAM group committed behind a range; its member, if it has one, is the record's first.
storage::v1::LedgerRecord PassedRecord(GroupId group, PartitionId partition, OffsetRun range,
                                       int64_t time_us);
// Of one decision.
storage::v1::LedgerRecord DecisionRecord(GroupId group, PartitionId partition, int64_t time_us,
                                         storage::v1::LedgerEntry entry);

// What a transaction gets so that the record is appended with it.
RowWrite LedgerRow(const storage::v1::LedgerRecord& record);
// The record in an encoded acta.v1.Event of the ledger. False: it is none.
bool ParseLedgerRecord(absl::string_view event, storage::v1::LedgerRecord* record);

// Whether it is kept what groups do with the partition. `topics` null: of none.
bool KeepsLedger(const TopicRegistry* topics, PartitionId partition);

}  // namespace acta
