#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "acta/v1/event.pb.h"
#include "tools/acta/app/args.h"

namespace acta::cli {

// How events are printed: their data alone, with everything around it, as CloudEvents 1.0, or as
// rows of a table.
enum class EventFormat { kData, kJson, kCloudEvents, kCsv };

// Where an event stands in the log.
struct EventPlace {
  std::string topic;
  int32_t partition = 0;
  int64_t offset = 0;
  int64_t append_time_us = 0;
  std::string cause;  // As what causes others (CauseText()); empty: not asked for.
};

// "data", "json", "cloudevents" or "csv". Errors: usage.
absl::StatusOr<EventFormat> ParseEventFormat(absl::string_view text);
// Of a command that shows events: --format, or else json or csv when --output asks for it. Errors:
// usage.
absl::StatusOr<EventFormat> ReadEventFormat(const Args& args);

// What stands above the first event, with its line break; of most formats nothing.
std::string EventHeading(EventFormat format);
// One line with its line break. Data that is JSON is shown as JSON, else as data_base64;
// a CloudEvent of another media type has its text as a text. Of CSV a row, with line breaks in it
// where the event has some; data and keys that are no text are in columns of base64.
std::string EventText(EventFormat format, const v1::Event& event, const EventPlace& place);

// Who is affected, as a JSON list of kind and id each.
std::string AffectedJson(const v1::Event& event);

// As JSON, of an event that is not stored: without partition, offset and append time.
std::string UnstoredEventText(const v1::Event& event, absl::string_view topic);

}  // namespace acta::cli
