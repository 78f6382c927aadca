#include "tools/acta/events/json_line.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/wire.h"

namespace acta::cli {
namespace {

using Json = nlohmann::json;

std::string Quoted(absl::string_view text) {
  return Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

// What the parser takes and others do not: to it a zero byte is the end of the text, whatever comes
// behind it, and a byte order mark is nothing.
bool IsNoJsonToOthers(absl::string_view text) {
  return text.find('\0') != absl::string_view::npos || absl::StartsWith(text, kByteOrderMark);
}

// Of what may be JSON.
bool NestsTooDeep(absl::string_view json) {
  constexpr int kMostNested = 500;
  int depth = 0;
  bool in_string = false;
  for (size_t at = 0; at < json.size(); ++at) {
    const char c = json[at];
    if (c == '"') in_string = !in_string;
    if (in_string) {
      if (c == '\\') ++at;
    } else if (c == '[' || c == '{') {
      if (++depth > kMostNested) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

bool IsJson(absl::string_view text) {
  return !IsNoJsonToOthers(text) && Json::accept(text.begin(), text.end());
}

Json ParseJson(absl::string_view text) {
  if (IsNoJsonToOthers(text) || NestsTooDeep(text)) return Json(Json::value_t::discarded);
  return Json::parse(text.begin(), text.end(), nullptr, false);
}

std::optional<std::string> MemberText(absl::string_view object, absl::string_view name) {
  std::optional<std::string> found;
  // As they are written: of the member the key, and its key or behind the colon its value so far.
  std::string key, part;
  const auto end_member = [&] {
    if (Json::parse(key, nullptr, false) == Json(std::string(name))) found = part;
    part.clear();
  };
  int depth = 0;
  bool in_string = false;
  for (size_t at = 0; at < object.size(); ++at) {
    const char c = object[at];
    if (c == '"') in_string = !in_string;
    if (in_string) {
      part += c;
      if (c == '\\' && at + 1 < object.size()) part += object[++at];
      continue;
    }
    if (IsBlank(c)) continue;
    if (c == ']' || c == '}') --depth;
    if (depth == 1 && c == ':') {
      key = std::exchange(part, {});
    } else if ((depth == 1 && c == ',') || (depth == 0 && c == '}')) {
      end_member();
    } else if (depth > 0) {
      part += c;
    }
    if (c == '[' || c == '{') ++depth;
  }
  return found;
}

std::string TimeText(int64_t unix_micros) {
  return absl::FormatTime("%E4Y-%m-%dT%H:%M:%E*SZ", absl::FromUnixMicros(unix_micros),
                          absl::UTCTimeZone());
}

void JsonLine::Text(absl::string_view name, absl::string_view value) {
  Name(name);
  out_ += Quoted(value);
}

void JsonLine::TextIfAny(absl::string_view name, absl::string_view value) {
  if (!value.empty()) Text(name, value);
}

void JsonLine::Bytes(absl::string_view name, absl::string_view value) {
  if (IsUtf8(value)) return Text(name, value);
  Text(absl::StrCat(name, "_base64"), absl::Base64Escape(value));
}

void JsonLine::Number(absl::string_view name, int64_t value) {
  Name(name);
  absl::StrAppend(&out_, value);
}

void JsonLine::Raw(absl::string_view name, absl::string_view json) {
  Name(name);
  // A raw line break in valid JSON is white space between tokens.
  for (const char c : json) out_ += c == '\n' || c == '\r' ? ' ' : c;
}

void JsonLine::JsonOrBase64(absl::string_view name, absl::string_view value) {
  if (IsJson(value)) return Raw(name, value);
  Text(absl::StrCat(name, "_base64"), absl::Base64Escape(value));
}

std::string JsonLine::Finish() {
  out_ += '}';
  return std::move(out_);
}

void JsonLine::Name(absl::string_view name) {
  if (out_.size() > 1) out_ += ',';
  absl::StrAppend(&out_, Quoted(name), ":");
}

}  // namespace acta::cli
