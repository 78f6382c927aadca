#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "proto/support/wire.h"
#include "server/core/queues/ledger.h"
#include "server/core/traces/trace_context.h"
#include "storage/base/bytes.h"
#include "storage/base/fatal.h"
#include "storage/layout/index_block.h"
#include "tests/fuzz/fuzz_targets.h"

namespace acta {
namespace {

constexpr size_t kMostPlaces = 1'000;

std::vector<IndexPlace> PlacesOf(IndexPlaces* found) {
  std::vector<IndexPlace> places = found->Take();
  ACTA_CHECK(places.size() <= kMostPlaces);
  return places;
}

// Entry by entry, none stepped over. False: it cannot be read.
bool FindOneByOne(absl::string_view block, uint32_t wanted, IndexPlaces* out) {
  while (!block.empty()) {
    WireReader reader(block);
    uint32_t stored = 0;
    uint64_t partition = 0, offset = 0;
    if (reader.ReadFixed32(&stored) != WireFault::kNone ||
        reader.ReadVarint(&partition) != WireFault::kNone ||
        reader.ReadVarint(&offset) != WireFault::kNone) {
      return false;
    }
    block.remove_prefix(static_cast<size_t>(reader.position() - block.data()));
    if (stored == wanted) {
      out->Add({PartitionId(partition), Offset(static_cast<int64_t>(offset))});
    }
  }
  return true;
}

}  // namespace

int FuzzIndexBlock(absl::string_view bytes) {
  if (bytes.size() < sizeof(uint32_t)) return 0;
  const uint32_t wanted = GetLittle<uint32_t>(bytes.data());
  bytes.remove_prefix(sizeof(uint32_t));
  const uint64_t hash = uint64_t{wanted} << (64 - kIndexHashBits);
  IndexPlaces quick({}, kMostPlaces), slow({}, kMostPlaces);
  const bool read = FindInIndexBlock(bytes, hash, &quick).ok();
  if (!FindOneByOne(bytes, wanted, &slow)) return 0;
  ACTA_CHECK(read);
  ACTA_CHECK(PlacesOf(&quick) == PlacesOf(&slow));
  // What is added behind it is found, too.
  std::string longer(bytes);
  const IndexPlace least{PartitionId(std::numeric_limits<uint64_t>::max()),
                         Offset(std::numeric_limits<int64_t>::max())};
  AppendToIndexBlock({hash, least.partition, least.offset}, &longer);
  IndexPlaces added(least, kMostPlaces);
  ACTA_CHECK(FindInIndexBlock(longer, hash, &added).ok());
  ACTA_CHECK(PlacesOf(&added) == std::vector<IndexPlace>{least});
  return 0;
}

int FuzzLedger(absl::string_view bytes) {
  storage::v1::LedgerRecord record;
  if (!ParseLedgerRecord(bytes, &record)) return 0;
  std::vector<ProcessedRun> runs;
  Offset end;
  bool any_empty = false;  // They have no order.
  VisitProcessed(record, [&](const ProcessedRun& run) {
    ACTA_CHECK(run.first >= end && run.count >= 0);
    ACTA_CHECK(run.count <= std::numeric_limits<int64_t>::max() - run.first.value());
    end = run.first + run.count;
    any_empty = any_empty || run.count == 0;
    runs.push_back(run);
  });
  if (any_empty) return 0;
  storage::v1::LedgerRecord again;
  PutProcessed(runs, record.time_us(), &again);
  size_t next = 0;
  VisitProcessed(again, [&](const ProcessedRun& run) {
    ACTA_CHECK(run.first == runs[next].first && run.count == runs[next].count);
    ACTA_CHECK(run.member == runs[next].member);
    ACTA_CHECK(run.delivered_us == runs[next].delivered_us);
    ++next;
  });
  ACTA_CHECK(next == runs.size());
  return 0;
}

int FuzzTraceparent(absl::string_view bytes) {
  const auto context = ParseTraceparent(bytes);
  if (context.has_value()) {
    ACTA_CHECK(context->trace_id.size() == 16 && context->parent_id.size() == 8);
    ACTA_CHECK(context->trace_id != std::string(16, '\0'));
    ACTA_CHECK(context->parent_id != std::string(8, '\0'));
  }
  const absl::string_view found = FindTraceparent(bytes);
  ACTA_CHECK(found.empty() || (found.data() >= bytes.data() &&
                               found.data() + found.size() <= bytes.data() + bytes.size()));
  return 0;
}

}  // namespace acta
