#include "server/core/journeys/journey_tree.h"

#include <catch2/catch.hpp>

#include "storage/base/clock.h"

namespace acta {
namespace {

FoundEvent Made(int64_t time, const std::string& id, const std::string& cause) {
  FoundEvent event;
  event.append_time_us = time;
  event.offset = Offset(time);
  event.event.set_id(id);
  event.event.set_causation_id(cause);
  return event;
}

// "id" or "cause>id", and "*" where it is among its own causes.
std::vector<std::string> Edges(const std::vector<FoundEvent>& events) {
  const std::vector<TreeNode> tree = MakeTree(events);
  std::vector<std::string> edges;
  for (size_t i = 0; i < tree.size(); ++i) {
    const TreeNode& node = tree[i];
    std::string edge;
    if (node.cause.has_value()) {
      REQUIRE(*node.cause < i);
      edge = tree[*node.cause].event.event.id() + ">";
    }
    edges.push_back(edge + node.event.event.id() + (node.in_cycle ? "*" : ""));
  }
  return edges;
}

using Strings = std::vector<std::string>;

TEST_CASE("effects stand behind their causes, whatever order they came in") {
  CHECK(Edges({Made(4, "d", "b"), Made(3, "c", "a"), Made(1, "a", ""), Made(2, "b", "a")}) ==
        Strings{"a", "a>b", "b>d", "a>c"});
  CHECK(Edges({}).empty());
}

TEST_CASE("an effect that is older than its cause by the clocks stands behind it all the same") {
  CHECK(Edges({Made(1, "b", "a"), Made(2, "a", "")}) == Strings{"a", "a>b"});
}

TEST_CASE("of several events of one name the newest before the effect is its cause") {
  const std::vector<TreeNode> tree = MakeTree(
      {Made(1, "a", ""), Made(2, "a", ""), Made(3, "b", "a"), Made(4, "a", ""), Made(5, "c", "a")});
  for (const TreeNode& node : tree) {
    if (node.event.event.id() == "b") CHECK(tree[*node.cause].event.append_time_us == 2);
    if (node.event.event.id() == "c") CHECK(tree[*node.cause].event.append_time_us == 4);
  }
}

TEST_CASE("a circle of causes is cut before its oldest event") {
  CHECK(Edges({Made(1, "a", "c"), Made(2, "b", "a"), Made(3, "c", "b"), Made(4, "d", "b")}) ==
        Strings{"a*", "a>b*", "b>c*", "b>d"});
  CHECK(Edges({Made(1, "self", "self")}) == Strings{"self*"});
  CHECK(Edges({Made(1, "x", "y"), Made(2, "y", "x"), Made(3, "u", "v"), Made(4, "v", "u")}) ==
        Strings{"x*", "x>y*", "u*", "u>v*"});
}

TEST_CASE("a hundred thousand events of one name, each caused by that name, are told in time") {
  std::vector<FoundEvent> events;
  for (int i = 0; i < 100'000; ++i) events.push_back(Made(i, "a", "a"));
  const SystemClock clock;
  const absl::Duration begin = clock.SinceBoot();
  const std::vector<TreeNode> tree = MakeTree(std::move(events));
  CHECK(clock.SinceBoot() - begin < absl::Seconds(5));
  REQUIRE(tree.size() == 100'000);
  for (size_t i = 1; i < tree.size(); ++i) REQUIRE(tree[i].cause == i - 1);
  CHECK(tree[0].in_cycle);
}

TEST_CASE("a chain of a hundred thousand is told without a deep stack") {
  std::vector<FoundEvent> chain;
  for (int i = 0; i < 100'000; ++i) {
    chain.push_back(Made(i, std::to_string(i), i == 0 ? "" : std::to_string(i - 1)));
  }
  const std::vector<TreeNode> tree = MakeTree(std::move(chain));
  REQUIRE(tree.size() == 100'000);
  for (size_t i = 1; i < tree.size(); ++i) REQUIRE(tree[i].cause == i - 1);
}

}  // namespace
}  // namespace acta
