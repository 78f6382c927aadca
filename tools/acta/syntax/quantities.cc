#include "tools/acta/syntax/quantities.h"

#include <limits>
#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

constexpr size_t kMostDecimals = 6;  // Of a duration.

struct DurationUnit {
  absl::string_view name;
  absl::Duration length;
};

std::optional<absl::Duration> UnitOf(absl::string_view name) {
  const DurationUnit units[] = {{"w", absl::Hours(24 * 7)},   {"d", absl::Hours(24)},
                                {"h", absl::Hours(1)},        {"m", absl::Minutes(1)},
                                {"s", absl::Seconds(1)},      {"ms", absl::Milliseconds(1)},
                                {"us", absl::Microseconds(1)}};
  for (const DurationUnit& unit : units) {
    if (unit.name == name) return unit.length;
  }
  return std::nullopt;
}

std::optional<int64_t> SizeUnitOf(absl::string_view name) {
  constexpr absl::string_view kLetters = "KMGT";
  if (name.empty() || name == "B") return 1;
  const size_t power = kLetters.find(absl::ascii_toupper(name[0]));
  if (power == absl::string_view::npos) return std::nullopt;
  const absl::string_view rest = name.substr(1);
  const bool binary = rest == "iB" || rest == "i";
  if (!binary && rest != "B" && !rest.empty()) return std::nullopt;
  int64_t unit = 1;
  for (size_t i = 0; i <= power; ++i) unit *= binary ? 1024 : 1000;
  return unit;
}

// Takes the characters at the front of `text` that `wanted` accepts.
template <typename Wanted>
absl::string_view TakeWhile(absl::string_view* text, Wanted wanted) {
  size_t size = 0;
  while (size < text->size() && wanted((*text)[size])) ++size;
  const absl::string_view taken = text->substr(0, size);
  text->remove_prefix(size);
  return taken;
}

bool IsDigit(char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }
bool IsLetter(char c) { return absl::ascii_isalpha(static_cast<unsigned char>(c)); }

}  // namespace

absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text) {
  const absl::Status bad =
      UsageError(absl::StrCat("'", text, "' is not a duration; write 7d, 12h, 10m, 1h30m, 30s"));
  absl::Duration sum;
  absl::string_view rest = text;
  if (rest.empty()) return bad;
  while (!rest.empty()) {
    int64_t number = 0, fraction = 0, one = 1;
    if (!absl::SimpleAtoi(TakeWhile(&rest, IsDigit), &number)) return bad;
    if (absl::ConsumePrefix(&rest, ".")) {
      const absl::string_view digits = TakeWhile(&rest, IsDigit);
      if (digits.size() > kMostDecimals || !absl::SimpleAtoi(digits, &fraction)) return bad;
      for (size_t i = 0; i < digits.size(); ++i) one *= 10;
    }
    const std::optional<absl::Duration> unit = UnitOf(TakeWhile(&rest, IsLetter));
    if (!unit) return bad;
    sum += number * *unit + fraction * *unit / one;
  }
  if (sum > absl::Hours(24 * 366 * 1000)) return bad;
  return sum;
}

absl::StatusOr<int64_t> ParseSize(absl::string_view text) {
  absl::string_view rest = text;
  int64_t number = 0;
  const bool has_number = absl::SimpleAtoi(TakeWhile(&rest, IsDigit), &number);
  const std::optional<int64_t> unit = SizeUnitOf(rest);
  if (!has_number || !unit || number > std::numeric_limits<int64_t>::max() / *unit) {
    return UsageError(absl::StrCat("'", text, "' is not a size; write 10GiB, 64KiB, 5MB or bytes"));
  }
  return number * *unit;
}

bool ParseRfc3339(absl::string_view text, absl::Time* time) {
  // Abseil also takes years of any length, white space and words for infinity.
  constexpr size_t kYearDigits = 4;
  absl::string_view rest = text;
  if (TakeWhile(&rest, IsDigit).size() != kYearDigits) return false;
  std::string error;
  return absl::ParseTime(absl::RFC3339_full, text, time, &error);
}

absl::StatusOr<absl::Time> ParseTime(absl::string_view text, absl::Time now) {
  if (absl::string_view ago = text; absl::ConsumePrefix(&ago, "-")) {
    const absl::StatusOr<absl::Duration> duration = ParseDuration(ago);
    if (duration.ok()) return now - *duration;
  } else if (absl::Time time; ParseRfc3339(text, &time)) {
    return time;
  }
  return UsageError(absl::StrCat("'", text,
                                 "' is not a time; write 2018-02-04T12:00:00Z, or -15m for 15 "
                                 "minutes ago"));
}

bool LooksLikeTime(absl::string_view text) {
  if (absl::ConsumePrefix(&text, "-")) {
    return !text.empty() && IsDigit(text[0]) && IsLetter(text.back());
  }
  return text.size() > 8 && IsDigit(text[0]) && text[4] == '-';
}

}  // namespace acta::cli
