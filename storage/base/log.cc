#include "storage/base/log.h"

#include <unistd.h>

#include <atomic>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"

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

// As a JSON string. Bytes that are not UTF-8 text become \u00XX: a line is always valid JSON.
std::string Quoted(absl::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      absl::StrAppendFormat(&out, "\\u%04x", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
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
    const bool plain = field.value.find_first_of(" \"\n\t") == std::string::npos;
    absl::StrAppend(&line, " ", field.name, "=", plain ? field.value : Quoted(field.value));
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

}  // namespace acta
