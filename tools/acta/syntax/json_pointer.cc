#include "tools/acta/syntax/json_pointer.h"

#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

bool Unescape(absl::string_view step, std::string* out) {
  for (size_t i = 0; i < step.size(); ++i) {
    if (step[i] != '~') {
      out->push_back(step[i]);
      continue;
    }
    if (++i == step.size() || (step[i] != '0' && step[i] != '1')) return false;
    out->push_back(step[i] == '0' ? '~' : '/');
  }
  return true;
}

const nlohmann::json* Step(const nlohmann::json& value, const std::string& step) {
  if (value.is_object()) {
    const auto found = value.find(step);
    return found == value.end() ? nullptr : &*found;
  }
  uint64_t index = 0;
  if (value.is_array() && absl::SimpleAtoi(step, &index) && index < value.size()) {
    return &value[index];
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<JsonPointer> JsonPointer::Parse(absl::string_view text) {
  JsonPointer pointer;
  pointer.text_ = std::string(text);
  if (text.empty()) return pointer;
  const absl::Status bad = UsageError(absl::StrCat(
      "'", text, "' is not a JSON pointer; write @/name/of/field (and @@ for a literal @)"));
  if (text[0] != '/') return bad;
  for (const absl::string_view step : absl::StrSplit(text.substr(1), '/')) {
    std::string unescaped;
    if (!Unescape(step, &unescaped)) return bad;
    pointer.steps_.push_back(unescaped);
  }
  return pointer;
}

const nlohmann::json* JsonPointer::Find(const nlohmann::json& document) const {
  const nlohmann::json* value = &document;
  for (const std::string& step : steps_) {
    value = Step(*value, step);
    if (value == nullptr) return nullptr;
  }
  return value;
}

}  // namespace acta::cli
