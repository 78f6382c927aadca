#include "server/config/property_value.h"

#include "proto/support/error.h"
#include "tests/support/status_matchers.h"

namespace acta {
namespace {

TEST_CASE("bytes are read with binary and decimal units", "[config]") {
  CHECK(ParseBytes("0").value() == 0);
  CHECK(ParseBytes("1500").value() == 1500);
  CHECK(ParseBytes("64KiB").value() == 65536);
  CHECK(ParseBytes("64MiB").value() == int64_t{64} << 20);
  CHECK(ParseBytes("10GiB").value() == int64_t{10} << 30);
  CHECK(ParseBytes("5MB").value() == 5'000'000);
  CHECK(ParseBytes("2k").value() == 2000);
}

TEST_CASE("what is no size is refused", "[config]") {
  for (const char* text : {"", "KiB", "-1", "1.5MiB", "3 MiB", "3XiB", "3MiBB", "9999999TiB"}) {
    INFO(text);
    CHECK(ReasonOf(ParseBytes(text).status()) == v1::INVALID_ARGUMENT);
  }
}

TEST_CASE("durations are sums of numbers with units", "[config]") {
  CHECK(ParseDurationText("0").value() == absl::ZeroDuration());
  CHECK(ParseDurationText("10m").value() == absl::Minutes(10));
  CHECK(ParseDurationText("7d").value() == absl::Hours(24 * 7));
  CHECK(ParseDurationText("2w").value() == absl::Hours(24 * 14));
  CHECK(ParseDurationText("1h30m").value() == absl::Minutes(90));
  CHECK(ParseDurationText("250ms").value() == absl::Milliseconds(250));
}

TEST_CASE("what is no duration is refused", "[config]") {
  for (const char* text : {"", "10", "m", "-5s", "5x", "1h30", "999999999999999d", "400000000d"}) {
    INFO(text);
    CHECK(ReasonOf(ParseDurationText(text).status()) == v1::INVALID_ARGUMENT);
  }
}

TEST_CASE("switches take the usual words", "[config]") {
  for (const char* text : {"true", "on", "yes", "1", "TRUE"}) CHECK(ParseSwitch(text).value());
  for (const char* text : {"false", "off", "no", "0"}) CHECK_FALSE(ParseSwitch(text).value());
  CHECK_FALSE(ParseSwitch("perhaps").ok());
}

TEST_CASE("what is written is read as the same value", "[config]") {
  for (const int64_t bytes : {int64_t{0}, int64_t{1}, int64_t{1000}, int64_t{1536},
                              int64_t{17} << 20, int64_t{4} << 30, int64_t{1} << 42}) {
    CHECK(ParseBytes(FormatBytes(bytes)).value() == bytes);
  }
  for (const absl::Duration duration :
       {absl::ZeroDuration(), absl::Microseconds(7), absl::Milliseconds(1500), absl::Minutes(90),
        absl::Hours(24 * 7), absl::Hours(25)}) {
    CHECK(ParseDurationText(FormatDurationText(duration)).value() == duration);
  }
  for (const double number : {0.0, 0.925, 0.123456789, 1e300, -2.5, 1234567.0}) {
    CHECK(ParseNumber(FormatNumber(number)).value() == number);
  }
  CHECK(FormatNumber(0.925) == "0.925");
  CHECK(FormatBytes(int64_t{64} << 20) == "64MiB");
  CHECK(FormatBytes(int64_t{17} << 20) == "17MiB");
  CHECK(FormatDurationText(absl::Hours(24 * 7)) == "7d");
  CHECK(FormatDurationText(absl::Minutes(90)) == "1h30m");
}

}  // namespace
}  // namespace acta
