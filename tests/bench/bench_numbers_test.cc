// What the load generator makes of what it measured.
#include <catch2/catch.hpp>

#include "tools/bench/latencies.h"
#include "tools/bench/report.h"
#include "tools/bench/row.h"

namespace acta::bench {
namespace {

constexpr int64_t kMicro = 1'000;
constexpr int64_t kMilli = 1'000'000;

Row RowOf(double value, bool lower_is_better, std::optional<double> least) {
  Row row;
  row.value = value;
  row.lower_is_better = lower_is_better;
  row.least = least;
  return row;
}

TEST_CASE("the median is the middle one, or between the two middle ones", "[bench]") {
  CHECK(Median({}) == 0);
  CHECK(Median({7}) == 7);
  CHECK(Median({9, 1, 5}) == 5);
  CHECK(Median({9, 1, 5, 7}) == 6);
}

TEST_CASE("latencies are known to 1.6 percent, from a microsecond to an hour", "[bench]") {
  for (const int64_t nanos : {kMicro, 150 * kMicro, kMilli, 777 * kMilli, 3'600'000 * kMilli}) {
    Latencies latencies;
    latencies.Add(nanos);
    const double millis = static_cast<double>(nanos) / 1e6;
    CHECK(latencies.Millis(0.5) == Approx(millis).epsilon(0.016));
    CHECK(latencies.Millis(0.5) >= millis);  // Never said to be faster.
  }
}

TEST_CASE("a fraction of the latencies did not take longer than what is said", "[bench]") {
  Latencies latencies;
  CHECK(latencies.Millis(0.99) == 0);
  for (int64_t i = 1; i <= 1000; ++i) latencies.Add(i * kMilli);
  CHECK(latencies.count() == 1000);
  CHECK(latencies.Millis(0.5) == Approx(500).epsilon(0.02));
  CHECK(latencies.Millis(0.99) == Approx(990).epsilon(0.02));
  CHECK(latencies.Millis(1) == Approx(1000).epsilon(0.02));
  Latencies others;
  for (int64_t i = 0; i < 9000; ++i) others.Add(kMilli);
  latencies.Add(others);
  CHECK(latencies.Millis(0.9) == Approx(1).epsilon(0.02));
}

TEST_CASE("a figure holds its least when it is as good, which may be lower or higher", "[bench]") {
  CHECK(HoldsLeast(RowOf(5, false, std::nullopt)));
  CHECK(HoldsLeast(RowOf(5, false, 5)));
  CHECK_FALSE(HoldsLeast(RowOf(4.9, false, 5)));
  CHECK(HoldsLeast(RowOf(5, true, 5)));
  CHECK_FALSE(HoldsLeast(RowOf(5.1, true, 5)));
}

TEST_CASE("a figure is held against the limit of the machine in the same minutes", "[bench]") {
  Row row = RowOf(30, false, 10);
  row.least_of_limit = 0.4;
  row.goal_of_limit = 0.75;
  CHECK(HoldsLeast(row));  // The limit was not taken.
  row.limit = 100;
  row.limit_name = "rocksdb_os";
  CHECK_FALSE(HoldsLeast(row));
  CHECK(Ratios(row) == "3.00 x least, 0.30 x rocksdb_os (least 0.4, goal 0.75)");
  row.limit = 75;
  CHECK(HoldsLeast(row));
}

}  // namespace
}  // namespace acta::bench
