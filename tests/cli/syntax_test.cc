#include <limits>
#include <string>

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tests/support/status_matchers.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/syntax/address.h"
#include "tools/acta/syntax/field_mapping.h"
#include "tools/acta/syntax/json_pointer.h"
#include "tools/acta/syntax/position.h"
#include "tools/acta/syntax/quantities.h"

namespace acta::cli {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'000'000);

TEST_CASE("an address is a host with a port or without, and no URL", "[cli]") {
  for (const char* good :
       {"h", "h:1", "broker.example.com:7450", "127.0.0.1:65535", "::1", "[::1]", "[::1]:7450"}) {
    INFO(good);
    CHECK_OK(CheckAddress(good));
  }
  for (const char* bad : {"", ":", ":7450", "h:", "h:0", "h:65536", "h:99999", "h:x", "[::1]:99999",
                          "http://h", "http://h:7450", "h:7450/", "ann@h", "h h", "h:7450 "}) {
    INFO(bad);
    CHECK(ExitStatusOf(CheckAddress(bad)) == kExitUsage);
  }
  CHECK(
      CheckAddress("http://h:7450").message() ==
      "'http://h:7450' is no address of a broker; write HOST:PORT, as in broker.example.com:7450");
}

TEST_CASE("durations add up their units", "[cli]") {
  CHECK(*ParseDuration("7d") == absl::Hours(168));
  CHECK(*ParseDuration("1h30m") == absl::Minutes(90));
  CHECK(*ParseDuration("250ms") == absl::Milliseconds(250));
  CHECK(*ParseDuration("2w") == absl::Hours(336));
  CHECK(*ParseDuration("1.5h") == absl::Minutes(90));
  CHECK(*ParseDuration("1m2.25s") == absl::Milliseconds(62'250));
  CHECK(*ParseDuration("12.008ms") == absl::Microseconds(12'008));
  for (const char* bad : {"", "7", "d", "7x", "-7d", "1h 2m", "1.h", ".5h", "1.5.5s", "1.5",
                          "1.0000001s", "99999999999w"}) {
    INFO(bad);
    CHECK(ExitStatusOf(ParseDuration(bad).status()) == kExitUsage);
  }
}

TEST_CASE("sizes know binary and decimal units", "[cli]") {
  CHECK(*ParseSize("1000") == 1000);
  CHECK(*ParseSize("64KiB") == 65536);
  CHECK(*ParseSize("5MB") == 5'000'000);
  CHECK(*ParseSize("10GiB") == int64_t{10} << 30);
  for (const char* bad : {"", "GiB", "10XiB", "-1", "9223372036854775807KiB", "1 KiB"}) {
    INFO(bad);
    CHECK(ExitStatusOf(ParseSize(bad).status()) == kExitUsage);
  }
}

TEST_CASE("a time is RFC 3339 or so long ago", "[cli]") {
  CHECK(*ParseTime("1970-01-01T00:00:01.5Z", kNow) == absl::FromUnixMillis(1500));
  CHECK(*ParseTime("1970-01-01T01:00:00+01:00", kNow) == absl::UnixEpoch());
  CHECK(*ParseTime("-15m", kNow) == kNow - absl::Minutes(15));
  CHECK(ExitStatusOf(ParseTime("yesterday", kNow).status()) == kExitUsage);
}

TEST_CASE("what only resembles RFC 3339 is no time", "[cli]") {
  for (const char* text :
       {"infinite-future", "infinite-past", " 2018-02-04T12:00:00Z", "9999999-01-01T00:00:00Z",
        "18-02-04T12:00:00Z", "-0001-02-04T12:00:00Z"}) {
    INFO(text);
    CHECK_FALSE(ParseTime(text, absl::UnixEpoch()).ok());
  }
}

TEST_CASE("a bare number is an offset and never a time", "[cli]") {
  const Position position = *ParsePosition("2018", kNow);
  CHECK(position.kind == Position::Kind::kOffset);
  CHECK(ToStartPosition(position).offset() == 2018);
}

TEST_CASE("positions are words, offsets, times and offsets of one partition", "[cli]") {
  CHECK(ToStartPosition(*ParsePosition("earliest", kNow)).earliest());
  CHECK(ToStartPosition(*ParsePosition("latest", kNow)).latest());
  CHECK(ToStartPosition(*ParsePosition("-1s", kNow)).time_us() == 999'999'000'000);
  CHECK(ToStartPosition(*ParsePosition("1970-01-01T00:00:00.000007Z", kNow)).time_us() == 7);
  const Position one = *ParsePosition("3:1200", kNow);
  CHECK(one.kind == Position::Kind::kPartitionOffset);
  CHECK(one.partition == 3);
  CHECK(one.offset == 1200);
  for (const char* bad : {"", "-5", "first", "1:", ":1", "1:-1", "a:1", "70000:1"}) {
    INFO(bad);
    CHECK(ExitStatusOf(ParsePosition(bad, kNow).status()) == kExitUsage);
  }
}

TEST_CASE("a JSON pointer walks objects and arrays and unescapes", "[cli]") {
  const auto document = nlohmann::json::parse(R"({"a": {"b/c": [1, {"d~": "x"}]}})");
  CHECK(*JsonPointer::Parse("/a/b~1c/1/d~0")->Find(document) == "x");
  CHECK(*JsonPointer::Parse("")->Find(document) == document);
  CHECK(JsonPointer::Parse("/a/b~1c/2")->Find(document) == nullptr);
  CHECK(JsonPointer::Parse("/a/x/y")->Find(document) == nullptr);
  CHECK(ExitStatusOf(JsonPointer::Parse("a").status()) == kExitUsage);
  CHECK(ExitStatusOf(JsonPointer::Parse("/a~2").status()) == kExitUsage);
}

TEST_CASE("fields are literals or places in the event", "[cli]") {
  const auto document = nlohmann::json::parse(
      R"({"id": 7, "net": "uw", "none": null, "list": [], "yes": true, "t": 1517363399650})");
  FieldMapping mapping;
  REQUIRE_OK(mapping.Add("--id", "@/id", kNow));
  REQUIRE_OK(mapping.Add("--key", "@/net", kNow));
  REQUIRE_OK(mapping.Add("--subject", "@@home", kNow));
  REQUIRE_OK(mapping.Add("--correlation", "@/yes", kNow));
  REQUIRE_OK(mapping.Add("--causation", "@/none", kNow));
  REQUIRE_OK(mapping.Add("--source", "@/list", kNow));
  REQUIRE_OK(mapping.Add("--time", "@/t:ms", kNow));
  CHECK(mapping.needs_document());
  v1::Event event;
  REQUIRE_OK(mapping.Fill(&document, &event));
  CHECK(event.id() == "7");
  CHECK(event.key() == "uw");
  CHECK(event.subject() == "@home");
  CHECK(event.correlation_id() == "true");
  CHECK(event.causation_id().empty());
  CHECK(event.time_us() == 1517363399650000);
  CHECK(mapping.missing() == std::map<std::string, int64_t>{{"--causation", 1}, {"--source", 1}});
}

// Ids that became equal would be one event, and the others its duplicates.
TEST_CASE("a number with more digits than are kept of it is no field", "[cli]") {
  const auto filled = [](const char* value) {
    const auto document = nlohmann::json::parse(absl::StrCat("{\"n\":", value, "}"));
    FieldMapping mapping;
    REQUIRE_OK(mapping.Add("--id", "@/n", kNow));
    v1::Event event;
    const absl::Status status = mapping.Fill(&document, &event);
    return status.ok() ? event.id() : std::string(status.message());
  };
  for (const char* kept : {"18446744073709551615", "-9223372036854775808", "1.5", "\"1e300\""}) {
    CHECK(filled(kept) == absl::StripSuffix(absl::StripPrefix(kept, "\""), "\""));
  }
  for (const char* rounded : {"12345678901234567890123", "18446744073709551616",
                              "9007199254740993.0", "-9223372036854775809", "1e300"}) {
    INFO(rounded);
    CHECK(absl::StartsWith(filled(rounded), "--id @/n has a number of which only "));
  }

  const auto document = nlohmann::json::parse(R"({"n": 12345678901234567890123})");
  FieldMapping mapping;
  REQUIRE_OK(mapping.AddAffected("user:@/n"));
  v1::Event event;
  CHECK(mapping.Fill(&document, &event).code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("literals need no document", "[cli]") {
  FieldMapping mapping;
  REQUIRE_OK(mapping.Add("--type", "flight.flown", kNow));
  REQUIRE_OK(mapping.Add("--time", "-1h", kNow));
  CHECK_FALSE(mapping.needs_document());
  v1::Event event;
  REQUIRE_OK(mapping.Fill(nullptr, &event));
  CHECK(event.type() == "flight.flown");
  CHECK(event.time_us() == absl::ToUnixMicros(kNow - absl::Hours(1)));
}

TEST_CASE("a number that is no time is not taken for another", "[cli]") {
  const auto source = TimeSource::Parse("@/t:us", absl::UnixEpoch());
  REQUIRE_OK(source);
  const auto at = [&](const char* json) {
    const nlohmann::json document = nlohmann::json::parse(json);
    return source->TakeMicros(&document);
  };
  CHECK_FALSE(at("{\"t\": 18446744073709551615}").ok());
  CHECK_FALSE(at("{\"t\": 9223372036854775808}").ok());
  CHECK(at("{\"t\": 9223372036854775807}").value() == std::numeric_limits<int64_t>::max());
}

TEST_CASE("a time that is missing or of another form is an error", "[cli]") {
  const auto document = nlohmann::json::parse(R"({"s": "soon", "n": 12, "r": "1970-01-01T00:00:01Z",
                                                  "f": 1.5, "big": 9223372036854775807})");
  struct Case {
    const char* source;
    int64_t micros;  // -1: an error.
  };
  for (const Case& one : {Case{"@/r", 1'000'000}, Case{"@/n:s", 12'000'000}, Case{"@/n:us", 12},
                          Case{"@/f:s", 1'500'000}, Case{"@/gone:s", -1}, Case{"@/s", -1},
                          Case{"@/n", -1}, Case{"@/s:ms", -1}, Case{"@/big:s", -1}}) {
    INFO(one.source);
    const auto micros = TimeSource::Parse(one.source, kNow)->TakeMicros(&document);
    CHECK((micros.ok() ? *micros : -1) == one.micros);
  }
}

}  // namespace
}  // namespace acta::cli
