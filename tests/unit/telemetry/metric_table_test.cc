#include "server/telemetry/metric_table.h"

#include <set>
#include <string>

#include <catch2/catch.hpp>

#include "absl/strings/match.h"

namespace acta {
namespace {

TEST_CASE("metric names follow the rule and differ", "[telemetry]") {
  std::set<std::string> seen;
  for (size_t i = 0; i < kMetricCount; ++i) {
    const MetricRow& row = RowOf(static_cast<Metric>(i));
    INFO(row.name);
    CHECK(absl::StartsWith(row.name, "acta_"));
    CHECK(row.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == absl::string_view::npos);
    CHECK(absl::EndsWith(row.name, "_total") == (row.type == MetricType::kCounter));
    CHECK(absl::EndsWith(row.help, "."));
    CHECK(seen.insert(std::string(row.name)).second);
  }
}

TEST_CASE("the reference page has every metric", "[telemetry]") {
  const std::string page = MetricsAsMarkdown();
  for (size_t i = 0; i < kMetricCount; ++i) {
    CHECK_THAT(page, Catch::Contains("| `" + std::string(RowOf(static_cast<Metric>(i)).name)));
  }
}

}  // namespace
}  // namespace acta
