#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "acta/v1/event.pb.h"
#include "tools/acta/app/args.h"
#include "tools/acta/syntax/field_mapping.h"

namespace acta::cli {

// Makes an event of each line, as the options of `acta publish` say.
//
// Threads: one.
class EventBuilder {
 public:
  enum class Format { kText, kJsonLines, kCloudEvents };

  // Errors: usage.
  static absl::StatusOr<EventBuilder> Make(const Args& args, absl::Time now);

  // Errors: the line is not what the format says, or its time is missing.
  absl::StatusOr<v1::Event> Build(absl::string_view line);
  // A line that is no event: an empty one between JSON documents.
  bool Skips(absl::string_view line) const;
  const FieldMapping& mapping() const { return mapping_; }

 private:
  absl::Status BuildJson(absl::string_view line, v1::Event* event);

  Format format_ = Format::kText;
  FieldMapping mapping_;
  // What every event starts from.
  v1::Event prototype_;
};

}  // namespace acta::cli
