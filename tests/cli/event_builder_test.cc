#include "tools/acta/publish/event_builder.h"

#include <string>
#include <utility>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tools/acta/events/event_text.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'000'000);

using Options = std::vector<std::pair<std::string, std::string>>;

absl::StatusOr<EventBuilder> Builder(const Options& options) {
  Args args;
  for (const auto& [name, value] : options) args.Add(name, value);
  return EventBuilder::Make(args, kNow);
}

absl::StatusOr<v1::Event> Built(const Options& options, const std::string& line) {
  absl::StatusOr<EventBuilder> builder = Builder(options);
  REQUIRE_OK(builder);
  return builder->Build(line);
}

TEST_CASE("a line of text is the data", "[cli]") {
  const auto event = Built({{"--key", "k"}, {"--attribute", "a=1"}}, "hello");
  REQUIRE_OK(event);
  CHECK(event->data() == "hello");
  CHECK(event->key() == "k");
  CHECK(event->type() == "acta.cli");
  CHECK(event->source() == "/acta/cli");
  CHECK(event->content_type() == "text/plain");
  CHECK(event->attributes().at("a") == "1");
}

TEST_CASE("a line of JSON stays as it is written and fills the fields", "[cli]") {
  const std::string line = R"({"id": 7, "n": 3.0e2})";
  const auto event = Built({{"--format", "jsonl"}, {"--id", "@/id"}, {"--type", "x"}}, line);
  REQUIRE_OK(event);
  CHECK(event->data() == line);
  CHECK(event->id() == "7");
  CHECK(event->type() == "x");
  CHECK(event->content_type() == "application/json");
}

TEST_CASE("options go before what a CloudEvent says", "[cli]") {
  const auto event =
      Built({{"--format", "cloudevents"}, {"--key", "@/data/customer"}, {"--type", "x"}},
            R"({"specversion":"1.0","id":"1","source":"/s","type":"y","data":{"customer":"ann"}})");
  REQUIRE_OK(event);
  CHECK(event->source() == "/s");
  CHECK(event->type() == "x");
  CHECK(event->key() == "ann");
}

TEST_CASE("what is no JSON is refused, with pointers and without", "[cli]") {
  CHECK_FALSE(Built({{"--format", "jsonl"}}, "{\"a\":").ok());
  CHECK_FALSE(Built({{"--format", "jsonl"}, {"--id", "@/a"}}, "{\"a\":").ok());
}

TEST_CASE("empty lines are no events, but for text", "[cli]") {
  CHECK(Builder({{"--format", "jsonl"}})->Skips(" "));
  CHECK_FALSE(Builder({})->Skips(""));
}

TEST_CASE("options that do not fit are usage errors", "[cli]") {
  for (const Options& options :
       {Options{{"--format", "xml"}}, Options{{"--id", "@/id"}},
        Options{{"--attribute", "novalue"}}, Options{{"--time", "yesterday"}}}) {
    INFO(options[0].first);
    CHECK(ExitStatusOf(Builder(options).status()) == kExitUsage);
  }
}

TEST_CASE("an event that is not stored is shown without a place", "[cli]") {
  const auto event = Built({{"--format", "jsonl"}, {"--id", "7"}}, "[1]");
  REQUIRE_OK(event);
  CHECK(UnstoredEventText(*event, "t") ==
        "{\"topic\":\"t\",\"id\":\"7\",\"source\":\"/acta/cli\",\"type\":\"acta.cli\","
        "\"datacontenttype\":\"application/json\",\"data\":[1]}\n");
}

}  // namespace
}  // namespace acta::cli
