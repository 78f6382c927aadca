#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "acta/v1/event.pb.h"
#include "tools/acta/events/event_text.h"

namespace acta::cli {

// CloudEvents 1.0, structured JSON, one object a line. Acta's own fields are extensions:
// partitionkey, correlationid, causationid, traceparent, process, expiresat, and affected, a list
// as JSON in a text; every other extension is an attribute. An attribute that is called as another
// member has "attribute" in front of its name: "attributeid".

// Errors: not a JSON object, no specversion 1.0, a field of another type than its own.
absl::Status ParseCloudEvent(absl::string_view line, v1::Event* event);

// With its line break. What CloudEvents require and the event lacks is filled in: the type
// acta.untyped, the source /default/TOPIC, the position as the id.
std::string CloudEventText(const v1::Event& event, const EventPlace& place);

}  // namespace acta::cli
