#include "server/core/access/names.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limit_error.h"

namespace acta {
namespace {

bool IsNameByte(char byte) {
  return absl::ascii_isalnum(static_cast<unsigned char>(byte)) || byte == '.' || byte == '_' ||
         byte == '-';
}

// What was sent may be long and need not be text.
std::string Begins(absl::string_view name) {
  std::string shown = absl::CHexEscape(name.substr(0, 64));
  if (name.size() > 64) absl::StrAppend(&shown, "...");
  return shown;
}

absl::Status Invalid(absl::string_view kind, absl::string_view name, absl::string_view rule) {
  const std::string shown = Begins(name);
  return Error(v1::INVALID_NAME, absl::StrCat(kind, " name '", shown, "' ", rule),
               {{"kind", std::string(kind)}, {"name", shown}});
}

absl::Status TooLong(absl::string_view kind, absl::string_view name) {
  const std::string shown = Begins(name);
  const std::string what = absl::StrCat(kind, " name '", shown, "' has bytes:");
  return LimitError{v1::INVALID_NAME, what,          name.size(),
                    "max_name_bytes", kMaxNameBytes, "use 1 to 249 of [a-zA-Z0-9._-]"}
      .Make({{"kind", std::string(kind)}, {"name", shown}});
}

}  // namespace

std::string ShownName(absl::string_view name) {
  return absl::CHexEscape(name.substr(0, kMaxNameBytes));
}

absl::Status ValidateName(absl::string_view kind, absl::string_view name) {
  if (name.empty()) return Invalid(kind, name, "is empty: use 1 to 249 of [a-zA-Z0-9._-]");
  if (name.size() > kMaxNameBytes) return TooLong(kind, name);
  if (name == "." || name == "..") return Invalid(kind, name, "is reserved: choose another");
  if (name[0] == '$') return Invalid(kind, name, "begins with '$', which is for internal names");
  const auto bad = std::find_if_not(name.begin(), name.end(), IsNameByte);
  if (bad == name.end()) return absl::OkStatus();
  return Invalid(kind, name,
                 absl::StrCat("has '", absl::CHexEscape(absl::string_view(&*bad, 1)),
                              "' at position ", bad - name.begin(), ": use only [a-zA-Z0-9._-]"));
}

}  // namespace acta
