#include "storage/base/log.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdio>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "absl/time/civil_time.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace acta {
namespace {

std::atomic<LogFormat> format{LogFormat::kText};
std::atomic<LogLevel> least{LogLevel::kInfo};

constexpr absl::string_view Name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "info";
}

// The length of the character that `text` begins with, when it may be shown as it is. 0: it is a
// control, which a terminal would obey, or is not UTF-8. (The scanner has these ranges too, inlined
// in its loop; neither room may know the other.)
size_t ShownSize(absl::string_view text) {
  const auto follows = [text](size_t at, unsigned char low, unsigned char high) {
    if (at >= text.size()) return false;
    const auto byte = static_cast<unsigned char>(text[at]);
    return byte >= low && byte <= high;
  };
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return lead >= 0x20 && lead != 0x7f ? 1 : 0;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  if (lead < 0xe0) return follows(1, lead == 0xc2 ? 0xa0 : 0x80, 0xbf) ? 2 : 0;  // Below: controls.
  if (lead < 0xf0) {
    const unsigned char low = lead == 0xe0 ? 0xa0 : 0x80;   // Below: overlong.
    const unsigned char high = lead == 0xed ? 0x9f : 0xbf;  // Above: surrogates.
    return follows(1, low, high) && follows(2, 0x80, 0xbf) ? 3 : 0;
  }
  const unsigned char low = lead == 0xf0 ? 0x90 : 0x80;   // Below: overlong.
  const unsigned char high = lead == 0xf4 ? 0x8f : 0xbf;  // Above: beyond U+10FFFF.
  return follows(1, low, high) && follows(2, 0x80, 0xbf) && follows(3, 0x80, 0xbf) ? 4 : 0;
}

// As a JSON string. Bytes of controls, and those that are not UTF-8 text, become \u00XX: a line is
// always valid JSON.
std::string Quoted(absl::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const size_t shown = ShownSize(text);
    if (shown == 0) {
      absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned char>(text[0]));
      text.remove_prefix(1);
      continue;
    }
    if (text[0] == '"' || text[0] == '\\') out += '\\';
    absl::StrAppend(&out, text.substr(0, shown));
    text.remove_prefix(shown);
  }
  return out + '"';
}

// Needs no quotes in a line of text.
bool IsPlain(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char byte) { return byte > ' ' && byte < 0x7f && byte != '"'; });
}

std::string Line(LogLevel level, absl::string_view event, absl::Span<const LogField> fields) {
  const std::string time =
      absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone());
  std::string line;
  if (format.load(std::memory_order_relaxed) == LogFormat::kJson) {
    absl::StrAppend(&line, "{\"time\":\"", time, "\",\"level\":\"", Name(level),
                    "\",\"event\":", Quoted(event));
    for (const LogField& field : fields) {
      absl::StrAppend(&line, ",", Quoted(field.name), ":", Quoted(field.value));
    }
    return line + "}\n";
  }
  absl::StrAppend(&line, time, " ", Name(level), " ", event);
  for (const LogField& field : fields) {
    absl::StrAppend(&line, " ", field.name, "=",
                    IsPlain(field.value) ? field.value : Quoted(field.value));
  }
  return line + "\n";
}

}  // namespace

void SetLogFormat(LogFormat value) { format = value; }
void SetLogLevel(LogLevel level) { least = level; }
LogLevel CurrentLogLevel() { return least.load(std::memory_order_relaxed); }
bool LogEnabled(LogLevel level) { return level >= least.load(std::memory_order_relaxed); }

void Log(LogLevel level, absl::string_view event, absl::Span<const LogField> fields) {
  if (!LogEnabled(level)) return;
  const std::string line = Line(level, event, fields);
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

void LogEnd(const char* event, int exit_code) {
  constexpr char kText[] = "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ error %s exit=%d\n";
  constexpr char kJson[] =
      "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\",\"level\":\"error\",\"event\":\"%s\","
      "\"exit\":\"%d\"}\n";
  const absl::Time now = absl::Now();
  // Of UTC, without a time zone: the first use of one allocates.
  const absl::CivilSecond at = absl::CivilSecond(1970) + absl::ToUnixSeconds(now);
  char line[256];
  const int size = std::snprintf(
      line, sizeof(line),
      format.load(std::memory_order_relaxed) == LogFormat::kJson ? kJson : kText,
      static_cast<int>(at.year()), at.month(), at.day(), at.hour(), at.minute(), at.second(),
      static_cast<int>(absl::ToUnixMillis(now) % 1000), event, exit_code);
  if (size <= 0) return;
  const size_t shown = std::min(static_cast<size_t>(size), sizeof(line) - 1);
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line, shown);
}

}  // namespace acta
