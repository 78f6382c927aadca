#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tools/bench/machine.h"
#include "tools/bench/row.h"

namespace acta::bench {

struct Report {
  Machine machine;
  std::vector<Row> limits;  // Of the machine without a broker, in the same run.
  std::vector<Row> rows;
};

// One document: {"machine": {...}, "limits": [...], "rows": [...]}. What is not set is null.
std::string ToJson(const Report& report);
// For people.
std::string ToTable(const Report& report);

// The rows of ToJson(). Errors: DATA_LOSS when it is not that.
absl::StatusOr<std::vector<Row>> RowsOfJson(absl::string_view json);

// "2.31 M", "0.412": three digits.
std::string ShortNumber(double value);
// "1.15 x least, 0.66 x goal, 0.71 x rocksdb_os (least 0.4, goal 0.75)"; what is not set is left
// out.
std::string Ratios(const Row& row);

}  // namespace acta::bench
