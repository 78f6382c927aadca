#include "tools/acta/syntax/field_mapping.h"

#include <cmath>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "storage/base/status_macros.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/syntax/quantities.h"

namespace acta::cli {
namespace {

using Json = nlohmann::json;

void Set(v1::Event* event, const std::string& option, std::string value) {
  if (option == "--id")
    event->set_id(std::move(value));
  else if (option == "--key")
    event->set_key(std::move(value));
  else if (option == "--type")
    event->set_type(std::move(value));
  else if (option == "--source")
    event->set_source(std::move(value));
  else if (option == "--subject")
    event->set_subject(std::move(value));
  else if (option == "--correlation")
    event->set_correlation_id(std::move(value));
  else if (option == "--causation")
    event->set_causation_id(std::move(value));
  else if (option == "--process")
    event->set_process(std::move(value));
  else if (option == "--schema")
    event->set_schema(std::move(value));
  else if (option == "--traceparent")
    event->set_traceparent(std::move(value));
}

// From here on there are integers that a number with a fraction or an exponent, or one that 64 bits
// do not hold, is rounded to.
constexpr double kMostExact = 9007199254740992.0;

absl::Status OfOption(absl::string_view option, const absl::Status& error) {
  return absl::InvalidArgumentError(absl::StrCat(option, " ", error.message()));
}

absl::Status TimeError(const JsonPointer& pointer, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat("--time @", pointer.text(), ": ", problem));
}

}  // namespace

absl::StatusOr<FieldSource> FieldSource::Parse(absl::string_view text) {
  FieldSource source;
  if (absl::StartsWith(text, "@@")) {
    source.literal_ = std::string(text.substr(1));
  } else if (absl::ConsumePrefix(&text, "@")) {
    ASSIGN_OR_RETURN(source.pointer_, JsonPointer::Parse(text));
  } else {
    source.literal_ = std::string(text);
  }
  return source;
}

absl::StatusOr<std::optional<std::string>> FieldSource::Take(const Json* document) const {
  if (!pointer_) return literal_;
  const Json* value = document == nullptr ? nullptr : pointer_->Find(*document);
  if (value == nullptr || value->is_null() || value->is_structured()) return std::nullopt;
  if (const auto* text = value->get_ptr<const Json::string_t*>()) return *text;
  if (value->is_number_float() && std::abs(value->get<double>()) >= kMostExact) {
    return absl::InvalidArgumentError(absl::StrCat("@", pointer_->text(),
                                                   " has a number of which only ", value->dump(),
                                                   " is kept; write it in quotes"));
  }
  return value->dump();
}

absl::StatusOr<TimeSource> TimeSource::Parse(absl::string_view text, absl::Time now) {
  TimeSource source;
  if (!absl::ConsumePrefix(&text, "@")) {
    ASSIGN_OR_RETURN(const absl::Time time, ParseTime(text, now));
    source.literal_us_ = absl::ToUnixMicros(time);
    return source;
  }
  if (absl::ConsumeSuffix(&text, ":ms"))
    source.unit_us_ = 1000;
  else if (absl::ConsumeSuffix(&text, ":us"))
    source.unit_us_ = 1;
  else if (absl::ConsumeSuffix(&text, ":s"))
    source.unit_us_ = 1000000;
  ASSIGN_OR_RETURN(source.pointer_, JsonPointer::Parse(text));
  return source;
}

absl::StatusOr<int64_t> TimeSource::TakeMicros(const Json* document) const {
  if (!pointer_) return literal_us_;
  const Json* value = document == nullptr ? nullptr : pointer_->Find(*document);
  if (value == nullptr || value->is_null()) return TimeError(*pointer_, "is missing");
  if (unit_us_ != 0) return NumberToMicros(*value);
  const auto* text = value->get_ptr<const Json::string_t*>();
  absl::Time time;
  if (text == nullptr || !ParseRfc3339(*text, &time)) {
    return TimeError(*pointer_,
                     absl::StrCat(value->dump(-1, ' ', true, Json::error_handler_t::replace),
                                  " is not an RFC 3339 text; for numbers write @", pointer_->text(),
                                  ":ms, :s or :us"));
  }
  return absl::ToUnixMicros(time);
}

absl::StatusOr<int64_t> TimeSource::NumberToMicros(const Json& value) const {
  int64_t micros = 0;
  const auto* natural = value.get_ptr<const Json::number_unsigned_t*>();
  const bool fits = natural == nullptr || *natural <= std::numeric_limits<int64_t>::max();
  if (value.is_number_integer() && fits &&
      !__builtin_mul_overflow(value.get<int64_t>(), unit_us_, &micros)) {
    return micros;
  }
  if (value.is_number_float()) {
    const double exact = value.get<double>() * static_cast<double>(unit_us_);
    if (exact > -9e18 && exact < 9e18) return static_cast<int64_t>(exact);
  }
  return TimeError(*pointer_, "is not a number of a time");
}

const std::vector<std::string>& FieldMapping::FieldOptions() {
  static const auto& options = *new std::vector<std::string>{
      "--id",        "--key",     "--type",   "--source",      "--subject", "--correlation",
      "--causation", "--process", "--schema", "--traceparent", "--time"};
  return options;
}

absl::Status FieldMapping::Add(absl::string_view option, absl::string_view text, absl::Time now) {
  if (option == "--time") {
    ASSIGN_OR_RETURN(time_, TimeSource::Parse(text, now));
    needs_document_ = needs_document_ || time_->is_pointer();
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(FieldSource source, FieldSource::Parse(text));
  needs_document_ = needs_document_ || source.is_pointer();
  fields_.push_back({std::string(option), std::move(source)});
  return absl::OkStatus();
}

absl::Status FieldMapping::AddAffected(absl::string_view text) {
  const size_t colon = text.find(':');
  if (colon == absl::string_view::npos || colon == 0 || colon + 1 == text.size()) {
    return UsageError(absl::StrCat("--affected: '", text,
                                   "' is not KIND:FIELD, as customer:ann or customer:@/customer"));
  }
  ASSIGN_OR_RETURN(FieldSource id, FieldSource::Parse(text.substr(colon + 1)));
  needs_document_ = needs_document_ || id.is_pointer();
  affected_.push_back({std::string(text.substr(0, colon)), std::move(id)});
  return absl::OkStatus();
}

absl::Status FieldMapping::Fill(const Json* document, v1::Event* event) {
  for (const Field& field : fields_) {
    absl::StatusOr<std::optional<std::string>> taken = field.source.Take(document);
    if (!taken.ok()) return OfOption(field.option, taken.status());
    std::optional<std::string>& value = *taken;
    if (!value) {
      ++missing_[field.option];
      continue;
    }
    Set(event, field.option, std::move(*value));
  }
  for (const Affected& one : affected_) {
    absl::StatusOr<std::optional<std::string>> taken = one.id.Take(document);
    if (!taken.ok()) return OfOption("--affected", taken.status());
    std::optional<std::string>& id = *taken;
    if (!id) {
      ++missing_["--affected"];
      continue;
    }
    v1::Affected* const affected = event->add_affected();
    affected->set_kind(one.kind);
    affected->set_id(*std::move(id));
  }
  if (time_) {
    ASSIGN_OR_RETURN(const int64_t micros, time_->TakeMicros(document));
    event->set_time_us(micros);
  }
  return absl::OkStatus();
}

}  // namespace acta::cli
