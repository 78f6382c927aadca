#include "storage/log/partition_log.h"

#include <catch2/catch.hpp>
#include <utility>
#include <vector>

#include "proto/support/error.h"
#include "tests/support/status_matchers.h"

namespace acta {
namespace {

PartitionLog LogOf(std::vector<IncarnationStartAt> lives) {
  PartitionStart start;
  start.incarnations = std::move(lives);
  return PartitionLog(PartitionId(TopicId(1), 0), std::move(start));
}

TEST_CASE("a position of another restore of the backup is told where the logs part", "[storage]") {
  constexpr Incarnation kOther(3 * kLivesLeftOut);
  constexpr Incarnation kCurrent(kLivesLeftOut + 701);
  // Power cuts before the backup and after this restore.
  const PartitionLog log = LogOf({{Incarnation(2), Offset(40)},
                                  {Incarnation(kLivesLeftOut + 700), Offset(100)},
                                  {kCurrent, Offset(150)}});
  CHECK_OK(log.CheckPosition(kOther, Offset(100), kCurrent));
  const absl::Status beyond = log.CheckPosition(kOther, Offset(101), kCurrent);
  CHECK(ReasonOf(beyond) == v1::LOG_TRUNCATED);
  CHECK(DetailsOf(beyond).at("offset") == "100");
}

TEST_CASE("a position of a life that nobody knows is one of this log", "[storage]") {
  const PartitionLog log = LogOf({{Incarnation(2), Offset(40)}});
  CHECK_OK(log.CheckPosition(Incarnation(9), Offset(101), Incarnation(2)));
}

}  // namespace
}  // namespace acta
