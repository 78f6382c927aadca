#pragma once

#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "storage/log_engine.h"
#include "storage/visit_rows.h"
#include "tests/support/status_matchers.h"

namespace acta {

// What LogEngine::LoadRows() promises of ranges, for every engine: store RowsForRanges(), then
// CheckRowRanges().
inline std::vector<RowWrite> RowsForRanges() {
  std::vector<RowWrite> rows;
  for (const char* key :
       {"ranges", "ranges/1", "ranges/2", "ranges/3", "ranges/4", "ranges/5", "ranges0", "rangs"}) {
    rows.push_back({Family::kState, key, std::string("of ") + key});
  }
  rows.push_back({Family::kMeta, "ranges/9", "elsewhere"});
  return rows;
}

// The last characters of the keys that a range has.
inline std::string LastOfKeys(const LogEngine& engine, const RowRange& range) {
  const auto rows = engine.LoadRows(range);
  REQUIRE_OK(rows);
  std::string last;
  for (const auto& [key, value] : *rows) {
    CHECK(value == (range.family == Family::kMeta ? "elsewhere" : "of " + key));
    last += key.back();
  }
  return last;
}

inline void CheckRowRanges(const LogEngine& engine) {
  RowRange range;
  range.prefix = "ranges/";
  CHECK(LastOfKeys(engine, range) == "12345");
  range.max_rows = 2;
  CHECK(LastOfKeys(engine, range) == "12");
  range.after = "ranges/2";
  CHECK(LastOfKeys(engine, range) == "34");
  range.after = "ranges/4";
  CHECK(LastOfKeys(engine, range) == "5");
  range.after = "ranges/5";
  CHECK(LastOfKeys(engine, range).empty());
  range.max_rows = 100;
  range.after = "ranges/22";  // There is no such row.
  CHECK(LastOfKeys(engine, range) == "345");
  for (const char* before : {"", "r", "ranges", "ranges/"}) {
    range.after = before;
    CHECK(LastOfKeys(engine, range) == "12345");
  }
  range.after = "ranges0";
  CHECK(LastOfKeys(engine, range).empty());
  range.after = "ranges/1";
  range.max_bytes = 2 * std::string("ranges/2of ranges/2").size();
  CHECK(LastOfKeys(engine, range) == "23");
  --range.max_bytes;
  CHECK(LastOfKeys(engine, range) == "2");
  range.max_bytes = 1;
  CHECK(LastOfKeys(engine, range) == "2");
  range.max_rows = 0;
  CHECK(LastOfKeys(engine, range).empty());
  RowRange meta;
  meta.family = Family::kMeta;
  meta.prefix = "ranges/";
  CHECK(LastOfKeys(engine, meta) == "9");
  CHECK(engine.LoadRows(Family::kState, "ranges")->size() == 7);
}

}  // namespace acta
