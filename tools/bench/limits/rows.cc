#include "absl/strings/str_cat.h"
#include "tools/bench/latencies.h"
#include "tools/bench/limits/limit.h"

namespace acta::bench {
namespace {

Row LatencyRow(const std::string& name, double millis) {
  Row row;
  row.measure = name;
  row.unit = "ms";
  row.value = millis;
  row.runs = {millis};
  row.lower_is_better = true;
  return row;
}

}  // namespace

Row RateRow(const char* name, double bytes, double seconds) {
  Row row;
  row.measure = name;
  row.unit = "MB/s";
  row.value = bytes / seconds / 1e6;
  row.runs = {row.value};
  return row;
}

std::vector<Row> LatencyRows(const std::string& name, const Latencies& latencies) {
  return {LatencyRow(name, latencies.Millis(0.5)),
          LatencyRow(absl::StrCat(name, ".p99"), latencies.Millis(0.99))};
}

}  // namespace acta::bench
