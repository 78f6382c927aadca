#include "tools/acta/events/event_text.h"

#include <map>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "proto/support/wire.h"
#include "tools/acta/events/cloud_event.h"
#include "tools/acta/events/json_line.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/output.h"

namespace acta::cli {
namespace {

std::string AttributesJson(const v1::Event& event) {
  JsonLine line;
  // Sorted, so that equal events give equal lines.
  const std::map<std::string, std::string> sorted(event.attributes().begin(),
                                                  event.attributes().end());
  for (const auto& [name, value] : sorted) line.Text(name, value);
  return line.Finish();
}

// Adds the event itself to a line that says where it stands.
std::string Finish(JsonLine line, const v1::Event& event) {
  line.TextIfAny("id", event.id());
  line.TextIfAny("source", event.source());
  line.TextIfAny("type", event.type());
  line.TextIfAny("subject", event.subject());
  if (!event.key().empty()) line.Bytes("key", event.key());
  if (event.time_us() != 0) line.Text("time", TimeText(event.time_us()));
  line.TextIfAny("correlationid", event.correlation_id());
  line.TextIfAny("causationid", event.causation_id());
  line.TextIfAny("dataschema", event.schema());
  line.TextIfAny("datacontenttype", event.content_type());
  if (event.affected_size() > 0) line.Raw("affected", AffectedJson(event));
  if (event.attributes_size() > 0) line.Raw("attributes", AttributesJson(event));
  line.TextIfAny("traceparent", event.traceparent());
  line.TextIfAny("process", event.process());
  if (event.expires_at_us() != 0) line.Text("expires_at", TimeText(event.expires_at_us()));
  if (!event.data().empty()) line.JsonOrBase64("data", event.data());
  return line.Finish() + "\n";
}

std::string JsonText(const v1::Event& event, const EventPlace& place) {
  JsonLine line;
  line.Text("topic", place.topic);
  line.Number("partition", place.partition);
  line.Number("offset", place.offset);
  line.Text("append_time", TimeText(place.append_time_us));
  return Finish(std::move(line), event);
}

std::vector<std::string> CsvColumns() {
  return {"topic",    "partition",     "offset",      "append_time", "id",
          "source",   "type",          "subject",     "key",         "key_base64",
          "time",     "correlationid", "causationid", "dataschema",  "datacontenttype",
          "affected", "attributes",    "traceparent", "process",     "expires_at",
          "data",     "data_base64"};
}

// As a text, else as base64 in the column behind it. Readers of CSV stumble over zero bytes.
void AddBytes(const std::string& bytes, std::vector<std::string>* row) {
  const bool text = IsUtf8(bytes) && bytes.find('\0') == std::string::npos;
  row->push_back(text ? bytes : "");
  row->push_back(text ? "" : absl::Base64Escape(bytes));
}

std::string CsvText(const v1::Event& event, const EventPlace& place) {
  const auto time_text = [](int64_t us) { return us == 0 ? "" : TimeText(us); };
  std::vector<std::string> row = {place.topic,
                                  absl::StrCat(place.partition),
                                  absl::StrCat(place.offset),
                                  TimeText(place.append_time_us),
                                  event.id(),
                                  event.source(),
                                  event.type(),
                                  event.subject()};
  AddBytes(event.key(), &row);
  row.insert(row.end(), {time_text(event.time_us()), event.correlation_id(), event.causation_id(),
                         event.schema(), event.content_type(),
                         event.affected_size() > 0 ? AffectedJson(event) : "",
                         event.attributes_size() > 0 ? AttributesJson(event) : "",
                         event.traceparent(), event.process(), time_text(event.expires_at_us())});
  AddBytes(event.data(), &row);
  return CsvLine(row);
}

}  // namespace

absl::StatusOr<EventFormat> ParseEventFormat(absl::string_view text) {
  if (text == "data") return EventFormat::kData;
  if (text == "json") return EventFormat::kJson;
  if (text == "cloudevents") return EventFormat::kCloudEvents;
  if (text == "csv") return EventFormat::kCsv;
  return UsageError(
      absl::StrCat("'", text, "' is not a format of events; use data, json, cloudevents or csv"));
}

absl::StatusOr<EventFormat> ReadEventFormat(const Args& args) {
  if (args.Has("--format")) return ParseEventFormat(args.Get("--format"));
  const std::string output = args.GetOr("--output", "table");
  if (output == "csv") return EventFormat::kCsv;
  return output == "json" ? EventFormat::kJson : EventFormat::kData;
}

std::string EventHeading(EventFormat format) {
  return format == EventFormat::kCsv ? CsvLine(CsvColumns()) : "";
}

std::string EventText(EventFormat format, const v1::Event& event, const EventPlace& place) {
  switch (format) {
    case EventFormat::kJson:
      return JsonText(event, place);
    case EventFormat::kCloudEvents:
      return CloudEventText(event, place);
    case EventFormat::kCsv:
      return CsvText(event, place);
    case EventFormat::kData:
      break;
  }
  return event.data() + "\n";
}

std::string AffectedJson(const v1::Event& event) {
  std::string out = "[";
  for (const v1::Affected& affected : event.affected()) {
    JsonLine line;
    line.Text("kind", affected.kind());
    line.Text("id", affected.id());
    absl::StrAppend(&out, out.size() > 1 ? "," : "", line.Finish());
  }
  return out + "]";
}

std::string UnstoredEventText(const v1::Event& event, absl::string_view topic) {
  JsonLine line;
  line.Text("topic", topic);
  return Finish(std::move(line), event);
}

}  // namespace acta::cli
