#include "tests/crash/history_mutants.h"

#include <set>
#include <string>
#include <utility>

#include "storage/base/fatal.h"

namespace acta {
namespace {

// The newest batch of a producer: nothing has removed it, and it may be sent again.
HistoryPart& NewestPart(History* history) {
  std::set<uint64_t> later;
  for (auto at = history->transactions.rbegin(); at != history->transactions.rend(); ++at) {
    for (auto part = at->parts.rbegin(); part != at->parts.rend(); ++part) {
      if (part->producer == 0 || !later.insert(part->producer).second) continue;
      if (part->count > 0 && part->count == part->sequences) return *part;
    }
  }
  CheckFailed(__FILE__, __LINE__, "the load stored a batch with a sequence");
}

// A row that is there at the end.
RowWrite& NewestRow(History* history) {
  std::set<std::string> later;
  for (auto at = history->transactions.rbegin(); at != history->transactions.rend(); ++at) {
    for (auto row = at->rows.rbegin(); row != at->rows.rend(); ++row) {
      if (row->family != Family::kState || !later.insert(row->key).second) continue;
      if (row->value.has_value()) return *row;
    }
  }
  CheckFailed(__FILE__, __LINE__, "the load wrote a row");
}

}  // namespace

std::vector<HistoryMutant> MutantsOf(const History& history) {
  std::vector<HistoryMutant> mutants;
  const auto add = [&](std::string problem) -> History* {
    mutants.push_back({std::move(problem), history});
    return &mutants.back().history;
  };
  NewestPart(add("wrong-bytes")).crc32c ^= 1;
  // A batch that was acknowledged with more events than are there.
  ++NewestPart(add("inconsistent-offsets")).count;
  NewestPart(add("sequence")).first_sequence += 7;
  *NewestRow(add("wrong-row")).value += "x";

  History* lost = add("lost-write");
  HistoryTransaction acknowledged = lost->transactions.back();
  acknowledged.marked = true;
  acknowledged.level = Level::kFsync;
  acknowledged.parts.clear();
  lost->transactions.push_back(std::move(acknowledged));

  History* retention = add("retention");
  ACTA_CHECK(!retention->seen.empty());
  HistorySeen& kept = retention->seen.back();
  kept.first = kept.first + 1'000'000;

  History* vanished = add("vanished");
  HistorySeen& shown = vanished->seen.back();
  shown.end = shown.end + 1'000'000;

  RowWrite* found = nullptr;
  History* ledger = add("wrong-ledger");
  for (HistoryTransaction& transaction : ledger->transactions) {
    // The newest counts: retention may have taken the others.
    for (RowWrite& row : transaction.rows) {
      if (row.family == Family::kLedger) found = &row;
    }
  }
  ACTA_CHECK(found != nullptr);
  found->value->back() = static_cast<char>(found->value->back() ^ 1);

  History* index = add("lost-index");
  ACTA_CHECK(!index->indexed.empty());
  for (HistoryIndexed& one : index->indexed) one.hash ^= uint64_t{1} << 63;
  return mutants;
}

}  // namespace acta
