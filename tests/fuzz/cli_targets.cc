#include <algorithm>
#include <string>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "storage/base/fatal.h"
#include "tests/fuzz/fuzz_targets.h"
#include "tools/acta/events/cloud_event.h"
#include "tools/acta/events/event_text.h"
#include "tools/acta/events/json_line.h"
#include "tools/acta/publish/event_builder.h"
#include "tools/acta/syntax/json_pointer.h"
#include "tools/acta/syntax/position.h"
#include "tools/acta/syntax/quantities.h"

namespace acta {
namespace {

using Json = nlohmann::json;

const absl::Time kFuzzNow = absl::FromUnixSeconds(1'700'000'000);
const cli::EventPlace kFuzzPlace = {"orders", 2, 41, 1517363399650000};

// A time that has microseconds: what events can say.
void CheckTime(absl::Time time) {
  const int64_t micros = absl::ToUnixMicros(time);
  ACTA_CHECK(time != absl::InfiniteFuture() && time != absl::InfinitePast());
  const auto again = cli::ParseTime(cli::TimeText(micros), kFuzzNow);
  ACTA_CHECK(again.ok() && absl::ToUnixMicros(*again) == micros);
}

// Every place of the document is found by the pointer that names it.
void CheckPlaces(const Json& document) {
  const Json flat = document.flatten();
  if (!flat.is_object()) return;
  int left = 20;
  for (const auto& [text, value] : flat.items()) {
    if (--left < 0) break;
    const auto pointer = cli::JsonPointer::Parse(text);
    ACTA_CHECK(pointer.ok());
    const Json* const found = pointer->Find(document);
    // Empty objects and arrays are flattened to null.
    ACTA_CHECK(found != nullptr && (*found == value || found->empty()));
  }
}

// What was read as a CloudEvent is written as one that reads the same.
void CheckRoundTrip(const v1::Event& event) {
  const std::string text = cli::CloudEventText(event, kFuzzPlace);
  v1::Event again;
  ACTA_CHECK(cli::ParseCloudEvent(text, &again).ok());
  // JSON without a media type is read as application/json, and may be spelled otherwise.
  const bool json_data = cli::IsJson(event.data());
  if (again.data() == event.data() && (!event.content_type().empty() || !json_data)) {
    ACTA_CHECK(cli::CloudEventText(again, kFuzzPlace) == text);
  }
  ACTA_CHECK(again.key() == event.key() && again.subject() == event.subject());
  ACTA_CHECK(again.time_us() == event.time_us());
  ACTA_CHECK(again.expires_at_us() == event.expires_at_us());
  ACTA_CHECK(again.attributes_size() == event.attributes_size());
  for (const auto& [name, value] : event.attributes()) {
    ACTA_CHECK(again.attributes().at(name) == value);
  }
  if (event.content_type().empty() || cli::IsJson(event.data())) {
    // JSON may be spelled otherwise.
    ACTA_CHECK(cli::IsJson(again.data()) == cli::IsJson(event.data()));
  }
  const bool json = event.content_type().find("json") != std::string::npos;
  if (!event.content_type().empty() && !json) ACTA_CHECK(again.data() == event.data());
}

void CheckLine(const std::string& format, absl::string_view line) {
  for (const char* unit : {"", ":ms", ":s"}) {
    cli::Args args;
    args.Add("--format", format);
    args.Add("--key", "@/data/k");
    args.Add("--time", absl::StrCat("@/t", unit));
    auto builder = cli::EventBuilder::Make(args, kFuzzNow);
    ACTA_CHECK(builder.ok());
    const absl::StatusOr<v1::Event> event = builder->Build(line);
    if (!event.ok()) continue;
    const Json at = Json::parse(line.begin(), line.end()).at("t");
    // A time is what the document says: no number is taken for another.
    if (at.is_number_integer() && *unit != '\0') {
      const int64_t one = unit[1] == 'm' ? 1000 : 1000000;
      ACTA_CHECK(event->time_us() % one == 0);
      ACTA_CHECK(Json(event->time_us() / one) == at);
    }
    const std::string shown = cli::EventText(cli::EventFormat::kJson, *event, kFuzzPlace);
    ACTA_CHECK(cli::IsJson(shown) && shown.find('\n') == shown.size() - 1);
  }
}

}  // namespace

int FuzzSyntax(absl::string_view bytes) {
  if (const auto position = cli::ParsePosition(bytes, kFuzzNow); position.ok()) {
    ACTA_CHECK(position->offset >= 0 && position->partition >= 0);
    if (position->kind == cli::Position::Kind::kTime) CheckTime(position->time);
    (void)cli::ToStartPosition(*position);
  }
  if (const auto duration = cli::ParseDuration(bytes); duration.ok()) {
    ACTA_CHECK(*duration >= absl::ZeroDuration() && *duration < absl::InfiniteDuration());
  }
  if (const auto size = cli::ParseSize(bytes); size.ok()) ACTA_CHECK(*size >= 0);
  if (const auto time = cli::ParseTime(bytes, kFuzzNow); time.ok()) CheckTime(*time);
  return 0;
}

int FuzzPointer(absl::string_view bytes) {
  const size_t zero = std::min(bytes.find('\0'), bytes.size());
  const absl::string_view text = bytes.substr(0, zero);
  const absl::string_view json = bytes.substr(std::min(zero + 1, bytes.size()));
  const auto pointer = cli::JsonPointer::Parse(text);
  const Json document = Json::parse(json.begin(), json.end(), nullptr, false);
  if (document.is_discarded()) return 0;
  if (pointer.ok()) (void)pointer->Find(document);
  CheckPlaces(document);
  return 0;
}

int FuzzCloudEvent(absl::string_view bytes) {
  v1::Event event;
  if (cli::ParseCloudEvent(bytes, &event).ok()) CheckRoundTrip(event);
  CheckLine("cloudevents", bytes);
  CheckLine("jsonl", bytes);
  return 0;
}

}  // namespace acta
