#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/base/status_macros.h"
#include "storage/log_engine.h"

namespace acta {

// Calls `visit` with every row of the range, by key, and keeps a bounded part of them in memory at
// a time: 1,000 rows or 1 MiB, or one row that is larger; the bounds of the range are not looked
// at. Rows that are written or deleted meanwhile may be visited or not.
//
// Threads: the caller's, which may wait for the disk.
// Errors:  the first of `visit`, which ends it; DATA_CORRUPTED.
inline absl::Status VisitRows(
    const LogEngine& engine, RowRange range,
    absl::FunctionRef<absl::Status(absl::string_view key, absl::string_view value)> visit) {
  range.max_rows = 1000;
  range.max_bytes = 1 << 20;
  while (true) {
    ASSIGN_OR_RETURN(RowList rows, engine.LoadRows(range));
    if (rows.empty()) return absl::OkStatus();
    for (const auto& [key, value] : rows) RETURN_IF_ERROR(visit(key, value));
    range.after = std::move(rows.back().first);
  }
}

inline absl::Status VisitRows(
    const LogEngine& engine, Family family, absl::string_view prefix,
    absl::FunctionRef<absl::Status(absl::string_view key, absl::string_view value)> visit) {
  RowRange all;
  all.family = family;
  all.prefix = std::string(prefix);
  return VisitRows(engine, std::move(all), visit);
}

// How many rows VisitRows() visits.
inline absl::StatusOr<int64_t> CountRows(const LogEngine& engine, Family family,
                                         absl::string_view prefix) {
  int64_t rows = 0;
  RETURN_IF_ERROR(VisitRows(engine, family, prefix, [&rows](absl::string_view, absl::string_view) {
    ++rows;
    return absl::OkStatus();
  }));
  return rows;
}

}  // namespace acta
