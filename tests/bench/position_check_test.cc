#include "tools/bench/position_check.h"

#include <catch2/catch.hpp>

#include <string>

#include "tests/support/status_matchers.h"

namespace acta::bench {
namespace {

constexpr int32_t kPartition = 1;

class CheckedLog {
 public:
  absl::Status Take(int64_t base, int64_t count, const std::string& payload) {
    return check.Take(kPartition, base, base + count, EventElements(payload));
  }
  std::string Batch(int64_t base, uint32_t count) const {
    return form.Batch(kPartition, count, static_cast<uint64_t>(base), 77);
  }

  const EventForm form{100, 3};
  PositionCheck check{form};
};

bool IsLoss(const absl::Status& status) { return absl::IsDataLoss(status); }

TEST_CASE("position check: what is whole and in order passes, and is compared", "[bench]") {
  CheckedLog log;
  REQUIRE_OK(log.Take(0, 5, log.Batch(0, 5)));
  REQUIRE_OK(log.Take(5, 10'000, log.Batch(5, 10'000)));
  CHECK(log.check.compared() == 3);
}

TEST_CASE("position check: names every way to be wrong", "[bench]") {
  CheckedLog log;
  REQUIRE_OK(log.Take(0, 5, log.Batch(0, 5)));
  SECTION("a hole") { CHECK(IsLoss(log.Take(6, 5, log.Batch(6, 5)))); }
  SECTION("once more") { CHECK(IsLoss(log.Take(4, 5, log.Batch(4, 5)))); }
  SECTION("another event in its place") { CHECK(IsLoss(log.Take(5, 5, log.Batch(6, 5)))); }
  SECTION("fewer than said") { CHECK(IsLoss(log.Take(5, 5, log.Batch(5, 4)))); }
  SECTION("more than said") { CHECK(IsLoss(log.Take(5, 5, log.Batch(5, 6)))); }
  SECTION("not whole") {
    const std::string batch = log.Batch(5, 5);
    CHECK(IsLoss(log.Take(5, 5, batch.substr(0, batch.size() - 1))));
  }
}

TEST_CASE("position check: a changed byte of a compared event is found", "[bench]") {
  CheckedLog log;
  std::string batch = log.Batch(0, 2);
  batch[log.form.element_bytes() - 1] ^= 1;
  CHECK(IsLoss(log.Take(0, 2, batch)));
}

}  // namespace
}  // namespace acta::bench
