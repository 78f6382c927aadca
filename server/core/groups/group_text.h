#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/support/error.h"

namespace acta {

// `what` needs a reason of 1 to 1,000 characters, as people count them. Errors: INVALID_ARGUMENT.
inline absl::Status CheckReason(absl::string_view what, absl::string_view reason) {
  constexpr size_t kMaxCharacters = 1000;
  size_t characters = 0;
  for (const char c : reason) characters += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  if (characters >= 1 && characters <= kMaxCharacters) return absl::OkStatus();
  return Error(v1::INVALID_ARGUMENT,
               absl::StrCat("reason: ", what, " needs a reason of 1 to ", kMaxCharacters,
                            " characters, not ", characters),
               {{"field", "reason"}});
}

inline absl::Status NotAQueue(absl::string_view name) {
  return Error(v1::WRONG_GROUP_MODE,
               absl::StrCat("group '", name,
                            "' is of mode STREAM, and only groups of mode QUEUE "
                            "have this"),
               {{"group", std::string(name)}});
}

inline absl::Status GroupNotFound(absl::string_view name) {
  return Error(v1::GROUP_NOT_FOUND,
               absl::StrCat("there is no group '", name,
                            "': create it with `acta group create`, or correct the name"),
               {{"group", std::string(name)}});
}

}  // namespace acta
