#include "tests/oracle/value.h"

#include <cinttypes>
#include <cstdio>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "storage/base/crc32c.h"

namespace acta::oracle {

std::string EncodeValue(const Value& value, size_t padding) {
  std::string text = absl::StrCat(value.process, ".", value.counter, ".");
  text.append(padding, kPad);
  absl::StrAppend(&text, ".", absl::Hex(Crc32c(text), absl::kZeroPad8));
  return text;
}

std::optional<Value> DecodeValue(absl::string_view data) {
  const size_t dot = data.rfind('.');
  if (dot == absl::string_view::npos) return std::nullopt;
  const absl::string_view body = data.substr(0, dot);
  if (data.substr(dot + 1) != absl::StrCat(absl::Hex(Crc32c(body), absl::kZeroPad8))) {
    return std::nullopt;
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(body, '.');
  Value value;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[0], &value.process) ||
      !absl::SimpleAtoi(parts[1], &value.counter)) {
    return std::nullopt;
  }
  return value;
}

}  // namespace acta::oracle
