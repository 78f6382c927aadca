#include "tools/acta/app/for_each_name.h"

#include <string>
#include <vector>

#include "proto/support/error.h"
#include "tests/support/status_matchers.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

// What comes of these names when one of a letter fails with its error.
absl::Status CreateEach(const std::vector<std::string>& names, std::vector<std::string>* created) {
  return ForEachName(names, "topic", "created", [created](const std::string& name) {
    if (name == "x") return Error(v1::TOPIC_ALREADY_EXISTS, "topic 'x' already exists");
    if (name == "?") return Error(v1::INVALID_NAME, "topic name '?' has '?'");
    if (name == "away") return absl::UnavailableError("nobody answers");
    if (name == "bad") return UsageError("no");
    created->push_back(name);
    return absl::OkStatus();
  });
}

TEST_CASE("each of several names is done, and those that fail are told", "[cli]") {
  std::vector<std::string> created;
  CHECK_OK(CreateEach({"a", "b"}, &created));
  CHECK(created == std::vector<std::string>{"a", "b"});

  created.clear();
  const absl::Status partly = CreateEach({"x", "a", "?", "b"}, &created);
  CHECK(created == std::vector<std::string>{"a", "b"});
  CHECK(ExitStatusOf(partly) == kExitPartlyDone);
  CHECK(DescribeError(partly) ==
        "2 of 4 topics were not created\n"
        "  x: topic 'x' already exists [TOPIC_ALREADY_EXISTS]\n"
        "  ?: topic name '?' has '?' [INVALID_NAME]");
  CHECK(DescribeError(CreateEach({"a", "x"}, &created)) ==
        "1 of 2 topics was not created\n"
        "  x: topic 'x' already exists [TOPIC_ALREADY_EXISTS]");
}

TEST_CASE("one name has its own error, several that all fail the code of the first", "[cli]") {
  std::vector<std::string> created;
  const absl::Status one = CreateEach({"x"}, &created);
  CHECK(DescribeError(one) == "topic 'x' already exists [TOPIC_ALREADY_EXISTS]");
  CHECK(ReasonOf(one) == v1::TOPIC_ALREADY_EXISTS);

  const absl::Status refused = CreateEach({"x", "?"}, &created);
  CHECK(ExitStatusOf(refused) == kExitRefused);
  CHECK(DescribeError(refused) ==
        "2 of 2 topics were not created\n"
        "  x: topic 'x' already exists [TOPIC_ALREADY_EXISTS]\n"
        "  ?: topic name '?' has '?' [INVALID_NAME]");
  CHECK(ExitStatusOf(CreateEach({"?", "x"}, &created)) == kExitUsage);
  CHECK(ExitStatusOf(CreateEach({"bad", "x"}, &created)) == kExitUsage);
  CHECK(created.empty());
}

TEST_CASE("what is left is not tried when nobody answers", "[cli]") {
  std::vector<std::string> created;
  const absl::Status partly = CreateEach({"a", "away", "b"}, &created);
  CHECK(ExitStatusOf(partly) == kExitPartlyDone);
  CHECK(DescribeError(partly) ==
        "2 of 3 topics were not created\n"
        "  away: nobody answers [UNAVAILABLE]\n"
        "  b: was not tried");
  CHECK(created == std::vector<std::string>{"a"});
  CHECK(ExitStatusOf(CreateEach({"away", "b"}, &created)) == kExitUnavailable);
}

}  // namespace
}  // namespace acta::cli
