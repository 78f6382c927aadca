#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace acta::cli {

// What some programs write in front of UTF-8. In front of JSON it is not allowed.
inline constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

// True for exactly one JSON value, with any white space around it.
bool IsJson(absl::string_view text);

// Discarded unless it is exactly one JSON value of at most 500 levels: to write it again takes
// stack for each.
nlohmann::json ParseJson(absl::string_view text);

// What `object`, a JSON object, has under `name`, as it is written there but for blanks between its
// parts: a parsed number has lost its spelling and may have lost digits. Of several the last, as
// ParseJson() takes it.
std::optional<std::string> MemberText(absl::string_view object, absl::string_view name);

// "2018-02-04T12:00:00.25Z": UTC, as many fraction digits as needed, at most 6.
std::string TimeText(int64_t unix_micros);

// Writes one JSON object into one line, field by field.
class JsonLine {
 public:
  // Bytes that are not UTF-8 are replaced; use Bytes() for what may hold any bytes.
  void Text(absl::string_view name, absl::string_view value);
  // Text() unless `value` is empty.
  void TextIfAny(absl::string_view name, absl::string_view value);
  // Text() when `value` is UTF-8, else NAME_base64.
  void Bytes(absl::string_view name, absl::string_view value);
  void Number(absl::string_view name, int64_t value);
  // `json` must be JSON; numbers keep their spelling, line breaks become blanks.
  void Raw(absl::string_view name, absl::string_view json);
  // `value` as JSON when it is JSON, else NAME_base64.
  void JsonOrBase64(absl::string_view name, absl::string_view value);
  // The object, closed, without a line break. Call it once.
  std::string Finish();

 private:
  void Name(absl::string_view name);
  std::string out_ = "{";
};

}  // namespace acta::cli
