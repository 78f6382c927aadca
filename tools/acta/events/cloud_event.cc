#include "tools/acta/events/cloud_event.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "storage/base/status_macros.h"
#include "tools/acta/events/json_line.h"
#include "tools/acta/syntax/quantities.h"

namespace acta::cli {
namespace {

using Json = nlohmann::json;

// That mean something else than an attribute.
constexpr absl::string_view kMembers[] = {
    "specversion",     "id",         "source",       "type",          "subject",     "time",
    "datacontenttype", "dataschema", "partitionkey", "correlationid", "causationid", "traceparent",
    "process",         "expiresat",  "affected",     "data",          "data_base64"};
constexpr absl::string_view kAttribute = "attribute";  // In front of what is called as a member.

// Also with kAttribute in front, as often as may be: so each name comes back as it went.
bool IsCalledAsMember(absl::string_view name) {
  while (absl::ConsumePrefix(&name, kAttribute)) continue;
  return std::find(std::begin(kMembers), std::end(kMembers), name) != std::end(kMembers);
}

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("not a CloudEvent: ", what));
}

std::string* TextField(absl::string_view name, v1::Event* event) {
  if (name == "id") return event->mutable_id();
  if (name == "source") return event->mutable_source();
  if (name == "type") return event->mutable_type();
  if (name == "subject") return event->mutable_subject();
  if (name == "partitionkey") return event->mutable_key();
  if (name == "correlationid") return event->mutable_correlation_id();
  if (name == "causationid") return event->mutable_causation_id();
  if (name == "dataschema") return event->mutable_schema();
  if (name == "datacontenttype") return event->mutable_content_type();
  if (name == "traceparent") return event->mutable_traceparent();
  if (name == "process") return event->mutable_process();
  return nullptr;
}

absl::Status SetTime(const std::string& name, const Json& value, v1::Event* event) {
  const auto* text = value.get_ptr<const std::string*>();
  absl::Time time;
  if (text == nullptr || !ParseRfc3339(*text, &time)) {
    return Bad(absl::StrCat("'", name, "' is not an RFC 3339 time"));
  }
  if (name == "time") {
    event->set_time_us(absl::ToUnixMicros(time));
  } else {
    event->set_expires_at_us(absl::ToUnixMicros(time));
  }
  return absl::OkStatus();
}

absl::Status SetBase64(const Json& value, v1::Event* event) {
  const auto* text = value.get_ptr<const std::string*>();
  if (text == nullptr || !absl::Base64Unescape(*text, event->mutable_data())) {
    return Bad("'data_base64' is not base64");
  }
  return absl::OkStatus();
}

const std::string* TextAt(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : found->get_ptr<const std::string*>();
}

// The list itself or, as extensions are to be, a text that it is in.
absl::Status SetAffected(const Json& value, v1::Event* event) {
  const absl::Status bad = Bad("'affected' is not a list of kind and id each");
  const auto* text = value.get_ptr<const std::string*>();
  const Json list = text != nullptr ? ParseJson(*text) : value;
  if (!list.is_array()) return bad;
  for (const Json& one : list) {
    const std::string* kind = TextAt(one, "kind");
    const std::string* id = TextAt(one, "id");
    if (kind == nullptr || id == nullptr) return bad;
    v1::Affected* const affected = event->add_affected();
    affected->set_kind(*kind);
    affected->set_id(*id);
  }
  return absl::OkStatus();
}

absl::Status SetField(const std::string& name, const Json& value, v1::Event* event) {
  if (name == "specversion" || name == "data" || value.is_null()) return absl::OkStatus();
  if (name == "data_base64") return SetBase64(value, event);
  if (name == "time" || name == "expiresat") return SetTime(name, value, event);
  if (name == "affected") return SetAffected(value, event);
  const auto* text = value.get_ptr<const std::string*>();
  if (std::string* field = TextField(name, event)) {
    if (text == nullptr) return Bad(absl::StrCat("'", name, "' is not a text"));
    *field = *text;
    return absl::OkStatus();
  }
  if (value.is_structured())
    return Bad(absl::StrCat("extension '", name, "' is not a plain value"));
  absl::string_view attribute = name;
  if (IsCalledAsMember(name)) absl::ConsumePrefix(&attribute, kAttribute);
  (*event->mutable_attributes())[std::string(attribute)] = text != nullptr ? *text : value.dump();
  return absl::OkStatus();
}

bool IsJsonMediaType(absl::string_view type) {
  return type.empty() || absl::StrContains(type, "json");
}

// JSON data is kept as it is written in the line; a text under another media type is that text.
void SetData(const Json& document, absl::string_view line, v1::Event* event) {
  const auto data = document.find("data");
  if (data == document.end() || data->is_null()) return;
  const auto* text = data->get_ptr<const std::string*>();
  if (text != nullptr && !IsJsonMediaType(event->content_type())) {
    event->set_data(*text);
  } else {
    event->set_data(MemberText(line, "data").value_or(""));
  }
  if (event->content_type().empty()) event->set_content_type("application/json");
}

std::string IdOf(const v1::Event& event, const EventPlace& place) {
  if (!event.id().empty()) return event.id();
  return absl::StrCat(place.topic, "/", place.partition, "/", place.offset);
}

}  // namespace

absl::Status ParseCloudEvent(absl::string_view line, v1::Event* event) {
  const Json document = ParseJson(line);
  if (!document.is_object()) return Bad("not a JSON object");
  const auto version = document.find("specversion");
  if (version == document.end() || *version != "1.0") return Bad("'specversion' is not \"1.0\"");
  for (const auto& [name, value] : document.items()) {
    RETURN_IF_ERROR(SetField(name, value, event));
  }
  SetData(document, line, event);
  return absl::OkStatus();
}

std::string CloudEventText(const v1::Event& event, const EventPlace& place) {
  JsonLine line;
  line.Text("specversion", "1.0");
  line.Text("id", IdOf(event, place));
  line.Text("source",
            event.source().empty() ? absl::StrCat("/default/", place.topic) : event.source());
  line.Text("type", event.type().empty() ? "acta.untyped" : event.type());
  line.TextIfAny("subject", event.subject());
  if (event.time_us() != 0) line.Text("time", TimeText(event.time_us()));
  line.TextIfAny("datacontenttype", event.content_type());
  line.TextIfAny("dataschema", event.schema());
  line.TextIfAny("partitionkey", event.key());
  line.TextIfAny("correlationid", event.correlation_id());
  line.TextIfAny("causationid", event.causation_id());
  line.TextIfAny("traceparent", event.traceparent());
  line.TextIfAny("process", event.process());
  if (event.expires_at_us() != 0) line.Text("expiresat", TimeText(event.expires_at_us()));
  if (event.affected_size() > 0) line.Text("affected", AffectedJson(event));
  const std::map<std::string, std::string> sorted(event.attributes().begin(),
                                                  event.attributes().end());
  for (const auto& [name, value] : sorted) {
    line.Text(absl::StrCat(IsCalledAsMember(name) ? kAttribute : "", name), value);
  }
  if (IsJsonMediaType(event.content_type())) {
    if (!event.data().empty()) line.JsonOrBase64("data", event.data());
  } else if (!event.data().empty()) {
    // A text that looks like JSON stays a text: ParseCloudEvent() takes its quotes off.
    line.Bytes("data", event.data());
  }
  return line.Finish() + "\n";
}

}  // namespace acta::cli
