#include "server/telemetry/metric_table.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace acta {
namespace {

#define ACTA_METRIC_ROW(id, name, type, label, help) {name, MetricType::type, label, help},
constexpr MetricRow kRows[] = {ACTA_METRICS(ACTA_METRIC_ROW)};
#undef ACTA_METRIC_ROW

}  // namespace

absl::string_view Name(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kHistogram:
      return "histogram";
  }
  return "untyped";
}

const MetricRow& RowOf(Metric metric) { return kRows[static_cast<size_t>(metric)]; }

std::string MetricsAsMarkdown() {
  std::string out = R"(# Metrics

Made by `actad --generate-reference metrics`; do not edit
(`tools/checks/stale_docs.py --write --actad build/release/bin/actad` renews it).

`http://HOST:7451/metrics` answers in the text format of Prometheus. Counters begin at 0 when the
daemon starts.

| metric | type | labels | what it says |
|---|---|---|---|
)";
  for (const MetricRow& row : kRows) {
    absl::StrAppend(&out, "| `", row.name, "` | ", Name(row.type), " | ",
                    absl::StrReplaceAll(row.label, {{",", ", "}}), " | ", row.help, " |\n");
  }
  return out;
}

}  // namespace acta
