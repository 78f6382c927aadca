#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace acta::cli {

// A JSON pointer (RFC 6901), as in "@/properties/net" without the "@".
class JsonPointer {
 public:
  // Errors: a usage error when `text` is neither empty nor begins with a slash, or has a "~" that
  // is not "~0" or "~1".
  static absl::StatusOr<JsonPointer> Parse(absl::string_view text);

  // Null when the document has no such place. Borrows from `document`.
  const nlohmann::json* Find(const nlohmann::json& document) const;
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::vector<std::string> steps_;
};

}  // namespace acta::cli
