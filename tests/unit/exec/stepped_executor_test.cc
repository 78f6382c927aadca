#include "tests/support/stepped_executor.h"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace acta {
namespace {

TEST_CASE("a stepped executor runs one task, or all with what they post", "[exec]") {
  SteppedExecutor executor;
  std::string order;
  executor.Post([&] {
    order += "a";
    executor.Post([&] { order += "c"; });
  });
  executor.Post([&] { order += "b"; });
  CHECK(executor.pending() == 2);
  CHECK(executor.RunOne());
  CHECK(order == "a");
  CHECK(executor.RunAll() == 2);
  CHECK(order == "abc");
  CHECK_FALSE(executor.RunOne());
}

TEST_CASE("a stepped timer runs what is due, at its own moment", "[exec]") {
  SteppedTimer timer;
  std::vector<int> order;
  timer.After(absl::Seconds(2), [&] { order.push_back(2); });
  timer.After(absl::Seconds(1), [&] {
    order.push_back(1);
    timer.After(absl::Seconds(2), [&] { order.push_back(3); });
    timer.After(absl::Seconds(5), [&] { order.push_back(6); });
  });
  const uint64_t never = timer.After(absl::Seconds(3), [&] { order.push_back(0); });
  timer.Cancel(never);
  timer.Advance(absl::Milliseconds(999));
  CHECK(order.empty());
  timer.Advance(absl::Seconds(3));
  CHECK(order == std::vector<int>{1, 2, 3});
  CHECK(timer.waiting() == 1);
  timer.Advance(absl::Seconds(3));
  CHECK(order == std::vector<int>{1, 2, 3, 6});
}

TEST_CASE("a stepped timer posts to its executor", "[exec]") {
  SteppedExecutor executor;
  SteppedTimer timer(executor);
  bool ran = false;
  timer.After(absl::Seconds(1), [&] { ran = true; });
  timer.Advance(absl::Seconds(1));
  CHECK_FALSE(ran);
  executor.RunAll();
  CHECK(ran);
}

}  // namespace
}  // namespace acta
