#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace acta {

inline constexpr size_t kMaxNameBytes = 249;
// Application, version and instance: they are stored with every batch of a producer, and shown with
// the members of a group.
inline constexpr size_t kMaxAppNameBytes = 256;

// Whether users may call something so: 1 to 249 of [a-zA-Z0-9._-], but not "." or "..". A leading
// '$' is kept for internal names. `kind` is the noun for the message: "topic", "group",
// "member_id".
// Errors: INVALID_NAME naming the rule.
absl::Status ValidateName(absl::string_view kind, absl::string_view name);

// A name as an error shows it: what was sent may be long and need not be text, and an error that is
// larger than the metadata of a call loses its reason.
std::string ShownName(absl::string_view name);

}  // namespace acta
