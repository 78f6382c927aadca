#include "tools/acta/events/json_line.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace acta::cli {
namespace {

using Json = nlohmann::json;

std::string Quoted(absl::string_view text) {
  return Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

// The number of bytes that `lead` begins, 0 when it begins none.
size_t Utf8Size(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  if (lead >= 0xF0 && lead < 0xF5) return 4;
  return 0;
}

// Overlong forms and surrogates of 3 and 4 bytes differ in the second byte only.
bool IsBadSecond(unsigned char lead, unsigned char second) {
  return (lead == 0xE0 && second < 0xA0) || (lead == 0xED && second >= 0xA0) ||
         (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second >= 0x90);
}

bool IsUtf8(absl::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const size_t size = Utf8Size(lead);
    if (size == 0 || at + size > text.size()) return false;
    for (size_t i = 1; i < size; ++i) {
      const auto next = static_cast<unsigned char>(text[at + i]);
      if ((next & 0xC0) != 0x80 || (i == 1 && IsBadSecond(lead, next))) return false;
    }
    at += size;
  }
  return true;
}

// To the parser a zero byte is the end of the text, whatever comes behind it.
bool HasZero(absl::string_view text) { return text.find('\0') != absl::string_view::npos; }

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

}  // namespace

bool IsJson(absl::string_view text) {
  return !HasZero(text) && Json::accept(text.begin(), text.end());
}

Json ParseJson(absl::string_view text) {
  if (HasZero(text) || NestsTooDeep(text)) return Json(Json::value_t::discarded);
  return Json::parse(text.begin(), text.end(), nullptr, false);
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
