#include "tests/crash/journey_check.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/wire.h"
#include "storage/layout/engine_rows.h"

namespace acta {
namespace {

// Elements of the batch against those expected from its base offset on; the first that differs, or
// the end.
Offset FirstDifferent(const StoredBatch& batch, const std::vector<std::string>& expected) {
  EventElements elements(batch.payload.view());
  absl::string_view bytes;
  size_t begin = 0;
  for (Offset at = batch.base_offset; at < batch.end(); at = at + 1) {
    if (!elements.Next(&bytes)) return at;
    const absl::string_view element = batch.payload.view().substr(begin, elements.offset() - begin);
    begin = elements.offset();
    if (element != expected[static_cast<size_t>(at.value())]) return at;
  }
  return batch.end();
}

}  // namespace

std::string FindLedgerProblem(const LogEngine& engine, const History& history, size_t present) {
  std::vector<std::string> expected;
  for (size_t i = 0; i < present; ++i) {
    for (const RowWrite& row : history.transactions[i].rows) {
      if (row.family == Family::kLedger) expected.push_back(*row.value);
    }
  }
  const auto extent = engine.Extent(kLedgerPartition);
  if (!extent.ok()) return std::string(extent.status().message());
  if (extent->end != Offset(static_cast<int64_t>(expected.size()))) {
    return absl::StrCat("it ends at ", extent->end.value(), ", not ", expected.size());
  }
  for (Offset next = extent->first; next < extent->end;) {
    const auto page = engine.Read(kLedgerPartition, next, 64 << 10);
    if (!page.ok() || page->empty()) {
      return absl::StrCat("offset ", next.value(), ": ", page.status().message());
    }
    for (const BatchPtr& batch : *page) {
      const Offset at = FirstDifferent(*batch, expected);
      if (at != batch->end()) return absl::StrCat("offset ", at.value(), " is another");
      next = batch->end();
    }
  }
  return "";
}

std::string FindIndexProblem(const LogEngine& engine, const History& history, size_t operations,
                             const std::map<PartitionId, PartitionExtent>& extents) {
  constexpr size_t kAsked = 400;  // The newest, and as many of the others.
  size_t others = 0;
  for (size_t i = 0; i < history.indexed.size(); ++i) {
    const HistoryIndexed& one = history.indexed[i];
    const auto extent = extents.find(one.partition);
    const bool there = one.operations <= operations && extent != extents.end() &&
                       one.offset >= extent->second.first && one.offset < extent->second.end;
    const bool newest = i + kAsked > history.indexed.size();
    if (!there || (!newest && others++ > kAsked)) continue;
    IndexPlaces places({PartitionId(), Offset(0)}, 10);
    const absl::Status found = engine.FindInIndex({one.hash}, &places);
    if (!found.ok()) return std::string(found.message());
    const std::vector<IndexPlace> got = places.Take();
    const IndexPlace place{one.partition, one.offset};
    if (got.empty() ||
        std::any_of(got.begin(), got.end(), [&](const IndexPlace& at) { return at != place; })) {
      return absl::StrCat("offset ", one.offset.value(), " of partition ", one.partition.value(),
                          ": ", got.size(), " places under its hash");
    }
  }
  return "";
}

}  // namespace acta
