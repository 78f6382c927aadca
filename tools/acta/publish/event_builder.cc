#include "tools/acta/publish/event_builder.h"

#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/acta/commands/topic_options.h"
#include "tools/acta/events/cloud_event.h"
#include "tools/acta/events/json_line.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

using Json = nlohmann::json;

absl::StatusOr<EventBuilder::Format> ParseFormat(const std::string& text) {
  if (text == "text") return EventBuilder::Format::kText;
  if (text == "jsonl") return EventBuilder::Format::kJsonLines;
  if (text == "cloudevents") return EventBuilder::Format::kCloudEvents;
  return UsageError(absl::StrCat("--format: '", text, "' is not text, jsonl or cloudevents"));
}

}  // namespace

absl::StatusOr<EventBuilder> EventBuilder::Make(const Args& args, absl::Time now) {
  EventBuilder builder;
  ASSIGN_OR_RETURN(builder.format_, ParseFormat(args.GetOr("--format", "text")));
  for (const std::string& option : FieldMapping::FieldOptions()) {
    if (args.Has(option)) RETURN_IF_ERROR(builder.mapping_.Add(option, args.Get(option), now));
  }
  for (const std::string& one : args.All("--affected")) {
    RETURN_IF_ERROR(builder.mapping_.AddAffected(one));
  }
  if (builder.format_ == Format::kText && builder.mapping_.needs_document()) {
    return UsageError("a JSON pointer needs --format jsonl or cloudevents");
  }
  v1::Event& prototype = builder.prototype_;
  RETURN_IF_ERROR(ReadPairs(args, "--attribute", prototype.mutable_attributes()));
  if (builder.format_ == Format::kCloudEvents) return builder;
  prototype.set_type("acta.cli");
  prototype.set_source("/acta/cli");
  prototype.set_content_type(builder.format_ == Format::kText ? "text/plain" : "application/json");
  return builder;
}

absl::StatusOr<v1::Event> EventBuilder::Build(absl::string_view line) {
  v1::Event event = prototype_;
  if (format_ == Format::kText) {
    event.set_data(std::string(line));
    RETURN_IF_ERROR(mapping_.Fill(nullptr, &event));
    return event;
  }
  RETURN_IF_ERROR(BuildJson(line, &event));
  return event;
}

absl::Status EventBuilder::BuildJson(absl::string_view line, v1::Event* event) {
  if (format_ == Format::kCloudEvents) {
    RETURN_IF_ERROR(ParseCloudEvent(line, event));
  } else {
    event->set_data(std::string(line));
  }
  if (mapping_.needs_document()) {
    const Json document = ParseJson(line);
    if (document.is_discarded()) return absl::InvalidArgumentError("not JSON");
    return mapping_.Fill(&document, event);
  }
  if (format_ == Format::kJsonLines && !IsJson(line)) {
    return absl::InvalidArgumentError("not JSON");
  }
  return mapping_.Fill(nullptr, event);
}

bool EventBuilder::Skips(absl::string_view line) const {
  return format_ != Format::kText && absl::StripAsciiWhitespace(line).empty();
}

}  // namespace acta::cli
