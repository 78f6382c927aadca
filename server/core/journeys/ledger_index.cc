#include "server/core/journeys/ledger_index.h"

#include <algorithm>
#include <string>

#include "proto/support/wire.h"
#include "server/core/journeys/event_links.h"
#include "server/core/queues/ledger.h"
#include "storage/base/bytes.h"

namespace acta {
namespace {

constexpr int kLevels = 4;
constexpr int BitsOf(int level) { return 8 * (level + 1); }

uint64_t HashOfBlock(const LogEngine& engine, PartitionId partition, int level, int64_t block) {
  std::string key(1, static_cast<char>(level));
  PutBig64(&key, partition.value());
  PutBig64(&key, static_cast<uint64_t>(block));
  return LinkHash(engine, LinkKind::kLedger, key);
}

}  // namespace

void PutLedgerHashes(const LogEngine& engine, PartitionId partition, OffsetRun range,
                     std::vector<uint64_t>* out) {
  int64_t at = range.first.value();
  const int64_t end = range.end.value();
  while (at < end) {
    int level = 0;
    while (level + 1 < kLevels) {
      const int64_t size = int64_t{1} << BitsOf(level + 1);
      if (at % size != 0 || at > end - size) break;
      ++level;
    }
    const int64_t block = at >> BitsOf(level);
    out->push_back(HashOfBlock(engine, partition, level, block));
    at = (block + 1) << BitsOf(level);
  }
}

std::vector<uint64_t> LedgerHashesOf(const LogEngine& engine, PartitionId partition,
                                     Offset offset) {
  std::vector<uint64_t> hashes;
  for (int level = 0; level < kLevels; ++level) {
    hashes.push_back(HashOfBlock(engine, partition, level, offset.value() >> BitsOf(level)));
  }
  return hashes;
}

void CollectLedgerEntries(const LogEngine& engine, const StoredBatch& batch,
                          std::vector<IndexEntry>* out) {
  EventElements elements(batch.payload.view());
  absl::string_view event;
  std::vector<uint64_t> hashes;
  for (Offset at = batch.base_offset; elements.Next(&event); at = at + 1) {
    storage::v1::LedgerRecord record;
    if (!ParseLedgerRecord(event, &record)) continue;
    const PartitionId partition(record.partition_id());
    hashes.clear();
    VisitProcessed(record, [&](const ProcessedRun& run) {
      PutLedgerHashes(engine, partition, {run.first, run.first + run.count}, &hashes);
    });
    for (const storage::v1::LedgerEntry& entry : record.entries()) {
      const Offset first(entry.offset());
      PutLedgerHashes(engine, partition, {first, first + std::max<int64_t>(1, entry.count())},
                      &hashes);
    }
    std::sort(hashes.begin(), hashes.end());
    hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
    for (const uint64_t hash : hashes) out->push_back({hash, batch.partition, at});
  }
}

}  // namespace acta
