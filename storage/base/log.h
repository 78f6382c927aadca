#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace acta {

// Log lines: ids and sizes only, never payload, keys or attributes of events.
//
// Threads: any. A line is written to stderr with one write().
enum class LogLevel { kDebug, kInfo, kWarn, kError };
enum class LogFormat { kText, kJson };

struct LogField {
  template <typename T>
  LogField(absl::string_view name, const T& value) : name(name), value(absl::StrCat(value)) {}
  absl::string_view name;
  std::string value;
};

void SetLogFormat(LogFormat format);
void SetLogLevel(LogLevel least);
LogLevel CurrentLogLevel();
bool LogEnabled(LogLevel level);

// `event` is a stable sentence; what varies goes into fields.
void Log(LogLevel level, absl::string_view event, absl::Span<const LogField> fields = {});
inline void LogInfo(absl::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kInfo, event, fields);
}
inline void LogWarn(absl::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kWarn, event, fields);
}
inline void LogError(absl::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kError, event, fields);
}

// The last line of a process that ends with this code, as LogError would write it. Allocates
// nothing: of one that has no memory.
void LogEnd(const char* event, int exit_code);

}  // namespace acta
