#include "server/config/property_value.h"

#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace acta {
namespace {

struct DurationUnit {
  absl::string_view name;
  int64_t micros;
};
// Largest first: the order of formatting.
constexpr DurationUnit kDurationUnits[] = {{"d", int64_t{86'400'000'000}},
                                           {"h", int64_t{3'600'000'000}},
                                           {"m", 60'000'000},
                                           {"s", 1'000'000},
                                           {"ms", 1'000},
                                           {"us", 1}};
constexpr int64_t kMostDurationMicros = int64_t{86'400'000'000} * 366 * 1000;

absl::Status Not(absl::string_view text, absl::string_view what) {
  return Error(v1::INVALID_ARGUMENT, absl::StrCat("'", text, "' is not ", what));
}

bool IsDigit(char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }
bool IsLetter(char c) { return absl::ascii_isalpha(static_cast<unsigned char>(c)); }

// Takes the characters at the front of `text` that `wanted` accepts.
absl::string_view TakeWhile(absl::string_view* text, bool (*wanted)(char)) {
  size_t size = 0;
  while (size < text->size() && wanted((*text)[size])) ++size;
  const absl::string_view taken = text->substr(0, size);
  text->remove_prefix(size);
  return taken;
}

std::optional<int64_t> MicrosOf(absl::string_view unit) {
  for (const DurationUnit& known : kDurationUnits) {
    if (known.name == unit) return known.micros;
  }
  if (unit == "w") return kDurationUnits[0].micros * 7;
  return std::nullopt;
}

std::optional<int64_t> BytesOf(absl::string_view unit) {
  constexpr absl::string_view kLetters = "KMGT";
  if (unit.empty() || unit == "B") return 1;
  const size_t power = kLetters.find(absl::ascii_toupper(static_cast<unsigned char>(unit[0])));
  if (power == absl::string_view::npos) return std::nullopt;
  const absl::string_view rest = unit.substr(1);
  const bool binary = rest == "iB" || rest == "i";
  if (!binary && rest != "B" && !rest.empty()) return std::nullopt;
  int64_t bytes = 1;
  for (size_t i = 0; i <= power; ++i) bytes *= binary ? 1024 : 1000;
  return bytes;
}

}  // namespace

absl::StatusOr<int64_t> ParseInteger(absl::string_view text) {
  int64_t value = 0;
  if (!absl::SimpleAtoi(text, &value)) return Not(text, "a whole number");
  return value;
}

absl::StatusOr<double> ParseNumber(absl::string_view text) {
  double value = 0;
  if (!absl::SimpleAtod(text, &value) || !std::isfinite(value)) return Not(text, "a number");
  return value;
}

absl::StatusOr<int64_t> ParseBytes(absl::string_view text) {
  absl::string_view rest = text;
  int64_t number = 0;
  const bool has_number = absl::SimpleAtoi(TakeWhile(&rest, IsDigit), &number);
  const std::optional<int64_t> unit = BytesOf(rest);
  if (!has_number || !unit || number > std::numeric_limits<int64_t>::max() / *unit) {
    return Not(text, "a size; write 10GiB, 64KiB, 5MB or bytes");
  }
  return number * *unit;
}

absl::StatusOr<absl::Duration> ParseDurationText(absl::string_view text) {
  if (text == "0") return absl::ZeroDuration();
  const absl::Status bad = Not(text, "a duration; write 7d, 12h, 10m, 1h30m, 30s or 100ms");
  int64_t sum = 0;
  absl::string_view rest = text;
  if (rest.empty()) return bad;
  while (!rest.empty()) {
    int64_t number = 0;
    if (!absl::SimpleAtoi(TakeWhile(&rest, IsDigit), &number)) return bad;
    const std::optional<int64_t> unit = MicrosOf(TakeWhile(&rest, IsLetter));
    if (!unit || number > (kMostDurationMicros - sum) / *unit) return bad;
    sum += number * *unit;
  }
  return absl::Microseconds(sum);
}

absl::StatusOr<bool> ParseSwitch(absl::string_view text) {
  for (const absl::string_view word : {"true", "on", "yes", "1"}) {
    if (absl::EqualsIgnoreCase(text, word)) return true;
  }
  for (const absl::string_view word : {"false", "off", "no", "0"}) {
    if (absl::EqualsIgnoreCase(text, word)) return false;
  }
  return Not(text, "true or false");
}

std::string FormatNumber(double value) {
  char text[32];  // The shortest that is read as the same number has at most 24.
  const std::to_chars_result end = std::to_chars(std::begin(text), std::end(text), value);
  return std::string(std::begin(text), end.ptr);
}

std::string FormatBytes(int64_t value) {
  constexpr absl::string_view kUnits[] = {"", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  while (value != 0 && value % 1024 == 0 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return absl::StrCat(value, kUnits[unit]);
}

std::string FormatDurationText(absl::Duration value) {
  int64_t left = absl::ToInt64Microseconds(value);
  if (left == 0) return "0";
  std::string text;
  for (const DurationUnit& unit : kDurationUnits) {
    if (left < unit.micros) continue;
    absl::StrAppend(&text, left / unit.micros, unit.name);
    left %= unit.micros;
  }
  return text;
}

std::string FormatSwitch(bool value) { return value ? "true" : "false"; }

}  // namespace acta
