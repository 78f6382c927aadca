#include "tools/inspect/print.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "proto/support/wire.h"

namespace acta::inspect {

std::string TimeText(int64_t unix_micros) {
  if (unix_micros == 0) return "";
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", absl::FromUnixMicros(unix_micros),
                          absl::UTCTimeZone());
}

std::string JsonText(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void SetBytes(Json* json, absl::string_view name, absl::string_view value) {
  if (IsUtf8(value)) {
    (*json)[std::string(name)] = std::string(value);
  } else {
    (*json)[absl::StrCat(name, "_base64")] = absl::Base64Escape(value);
  }
}

std::string TableText(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const bool number =
          !row[i].empty() && row[i].find_first_not_of("0123456789-") == std::string::npos;
      const std::string blanks(widths[i] - row[i].size(), ' ');
      absl::StrAppend(&line, i == 0 ? "" : "  ", number ? blanks : "", row[i],
                      number ? "" : blanks);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&text, line, "\n");
  }
  return text;
}

}  // namespace acta::inspect
