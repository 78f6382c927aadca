#pragma once

#include <cstdint>
#include <vector>

#include "server/core/delivery/queue_types.h"
#include "storage/log_engine.h"

namespace acta {

// How the ledger is found by what it speaks of: offsets of a partition in aligned blocks of 2^8,
// 2^16, 2^24 and 2^32. A record is under the largest blocks that lie within its ranges, and under
// the smallest at their ends: few, however long a range is.

// Appends the hashes of the blocks that cover a range.
void PutLedgerHashes(const LogEngine& engine, PartitionId partition, OffsetRun range,
                     std::vector<uint64_t>* out);
// The hashes under which records of an event may be.
std::vector<uint64_t> LedgerHashesOf(const LogEngine& engine, PartitionId partition, Offset offset);

// Appends what the index gets of a batch of the ledger.
void CollectLedgerEntries(const LogEngine& engine, const StoredBatch& batch,
                          std::vector<IndexEntry>* out);

}  // namespace acta
