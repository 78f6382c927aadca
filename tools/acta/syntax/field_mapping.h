#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "acta/v1/event.pb.h"
#include "tools/acta/syntax/json_pointer.h"

namespace acta::cli {

// What --id, --key and their like say: the same text for every event ("orders"; "@@home" for
// "@home") or a place in the event's JSON ("@/properties/net").
class FieldSource {
 public:
  static absl::StatusOr<FieldSource> Parse(absl::string_view text);

  bool is_pointer() const { return pointer_.has_value(); }
  // The text, or what the document has at the pointer: strings as they are, numbers and booleans
  // as JSON writes them. Nothing for null, absent, objects and arrays. Errors: a number with more
  // digits than are kept of it, which several others would be equal to.
  absl::StatusOr<std::optional<std::string>> Take(const nlohmann::json* document) const;

 private:
  std::string literal_;
  std::optional<JsonPointer> pointer_;
};

// What --time says: an RFC 3339 text or "-15m" for every event, or a place with an RFC 3339 text
// ("@/when") or a number in a unit ("@/when:ms", ":s", ":us").
class TimeSource {
 public:
  static absl::StatusOr<TimeSource> Parse(absl::string_view text, absl::Time now);

  bool is_pointer() const { return pointer_.has_value(); }
  // Errors: what the document has there is not a time of that form.
  absl::StatusOr<int64_t> TakeMicros(const nlohmann::json* document) const;

 private:
  absl::StatusOr<int64_t> NumberToMicros(const nlohmann::json& value) const;

  int64_t literal_us_ = 0;
  std::optional<JsonPointer> pointer_;
  int64_t unit_us_ = 0;  // 0: text.
};

// Fills the envelope of events from the options of `acta publish`. Add fields first, then Fill
// each event.
class FieldMapping {
 public:
  // `option` is one of FieldOptions(). Errors: usage.
  absl::Status Add(absl::string_view option, absl::string_view text, absl::Time now);
  // "KIND:FIELD": whom the event is about. Errors: usage.
  absl::Status AddAffected(absl::string_view text);
  // The options Add knows: --id --key --type --source --subject --correlation --causation --process
  // --schema --traceparent --time.
  static const std::vector<std::string>& FieldOptions();

  // Some field reads the event's JSON: Fill then needs the document.
  bool needs_document() const { return needs_document_; }
  // Leaves fields alone that no option names. A pointer to nothing leaves its field empty and
  // counts, but a missing time is an error. Errors: also a number with too many digits.
  absl::Status Fill(const nlohmann::json* document, v1::Event* event);
  // How often a field's pointer led to nothing, by option.
  const std::map<std::string, int64_t>& missing() const { return missing_; }

 private:
  struct Field {
    std::string option;
    FieldSource source;
  };
  struct Affected {
    std::string kind;
    FieldSource id;
  };
  std::vector<Field> fields_;
  std::vector<Affected> affected_;
  std::optional<TimeSource> time_;
  bool needs_document_ = false;
  std::map<std::string, int64_t> missing_;
};

}  // namespace acta::cli
