#include "server/config/property_table.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/error.h"
#include "server/config/suggestion.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

absl::Status OutOfRange(absl::string_view text, absl::string_view range) {
  return Error(v1::INVALID_ARGUMENT, absl::StrCat("'", text, "' is out of range: ", range));
}

std::string Range(absl::string_view least, absl::string_view most) {
  return absl::StrCat(least, " to ", most);
}

Property MakeProperty(absl::string_view name, PropertyType type, absl::string_view range,
                      absl::string_view meaning) {
  Property property;
  property.name = std::string(name);
  property.type = type;
  property.range = std::string(range);
  property.meaning = std::string(meaning);
  return property;
}

}  // namespace

absl::string_view Name(PropertyType type) {
  switch (type) {
    case PropertyType::kText:
      return "text";
    case PropertyType::kInteger:
      return "integer";
    case PropertyType::kNumber:
      return "number";
    case PropertyType::kBytes:
      return "bytes";
    case PropertyType::kDuration:
      return "duration";
    case PropertyType::kSwitch:
      return "switch";
    case PropertyType::kChoice:
      return "choice";
  }
  return "text";
}

absl::string_view Name(PropertySource source) {
  switch (source) {
    case PropertySource::kDefault:
      return "default";
    case PropertySource::kFile:
      return "file";
    case PropertySource::kEnvironment:
      return "environment";
    case PropertySource::kFlag:
      return "flag";
  }
  return "default";
}

absl::string_view Property::section() const {
  return absl::string_view(name).substr(0, name.find('.'));
}

absl::string_view Property::key() const {
  return absl::string_view(name).substr(name.find('.') + 1);
}

const std::vector<std::string>& PropertyTable::Sections() {
  static const auto* const sections = new std::vector<std::string>{
      "listen", "storage", "topics", "limits", "log", "auth", "telemetry"};
  return *sections;
}

void PropertyTable::Add(Property property) {
  ACTA_CHECK(Find(property.name) == nullptr);
  const auto& sections = Sections();
  ACTA_CHECK(std::find(sections.begin(), sections.end(), property.section()) != sections.end());
  property.default_value = property.get();
  properties_.push_back(std::move(property));
}

void PropertyTable::AddText(absl::string_view name, std::string* value, absl::string_view meaning,
                            absl::string_view range) {
  Property property = MakeProperty(name, PropertyType::kText, range, meaning);
  property.get = [value] { return *value; };
  property.set = [value](absl::string_view text) {
    *value = std::string(text);
    return absl::OkStatus();
  };
  Add(std::move(property));
}

void PropertyTable::AddNumber(absl::string_view name, double* value, double least, double most,
                              absl::string_view meaning) {
  const std::string range = Range(FormatNumber(least), FormatNumber(most));
  Property property = MakeProperty(name, PropertyType::kNumber, range, meaning);
  property.get = [value] { return FormatNumber(*value); };
  property.set = [=](absl::string_view text) -> absl::Status {
    ASSIGN_OR_RETURN(const double number, ParseNumber(text));
    if (number < least || number > most) return OutOfRange(text, range);
    *value = number;
    return absl::OkStatus();
  };
  Add(std::move(property));
}

void PropertyTable::AddDuration(absl::string_view name, absl::Duration* value, absl::Duration least,
                                absl::Duration most, absl::string_view meaning) {
  const std::string range = Range(FormatDurationText(least), FormatDurationText(most));
  Property property = MakeProperty(name, PropertyType::kDuration, range, meaning);
  property.get = [value] { return FormatDurationText(*value); };
  property.set = [=](absl::string_view text) -> absl::Status {
    ASSIGN_OR_RETURN(const absl::Duration duration, ParseDurationText(text));
    if (duration < least || duration > most) return OutOfRange(text, range);
    *value = duration;
    return absl::OkStatus();
  };
  Add(std::move(property));
}

void PropertyTable::AddSwitch(absl::string_view name, bool* value, absl::string_view meaning) {
  Property property = MakeProperty(name, PropertyType::kSwitch, "true or false", meaning);
  property.get = [value] { return FormatSwitch(*value); };
  property.set = [value](absl::string_view text) -> absl::Status {
    ASSIGN_OR_RETURN(*value, ParseSwitch(text));
    return absl::OkStatus();
  };
  Add(std::move(property));
}

void PropertyTable::AddWhole(absl::string_view name, PropertyType type, int64_t least, int64_t most,
                             absl::string_view meaning, WholeField field) {
  const bool bytes = type == PropertyType::kBytes;
  const auto format = [bytes](int64_t number) {
    return bytes ? FormatBytes(number) : absl::StrCat(number);
  };
  const std::string range = Range(format(least), format(most));
  Property property = MakeProperty(name, type, range, meaning);
  property.get = [format, field] { return format(field.get()); };
  property.set = [=](absl::string_view text) -> absl::Status {
    ASSIGN_OR_RETURN(const int64_t number, bytes ? ParseBytes(text) : ParseInteger(text));
    if (number < least || number > most) return OutOfRange(text, range);
    field.set(number);
    return absl::OkStatus();
  };
  Add(std::move(property));
}

void PropertyTable::AddWords(absl::string_view name, std::vector<std::string> words, size_t now,
                             absl::string_view meaning, std::function<void(size_t)> choose) {
  const std::string range = absl::StrJoin(words, " or ");
  Property property = MakeProperty(name, PropertyType::kChoice, range, meaning);
  const auto chosen = std::make_shared<size_t>(now);
  property.get = [words, chosen] { return words[*chosen]; };
  property.set = [=](absl::string_view text) -> absl::Status {
    const auto at = std::find(words.begin(), words.end(), text);
    if (at == words.end()) return OutOfRange(text, range);
    *chosen = static_cast<size_t>(at - words.begin());
    choose(*chosen);
    return absl::OkStatus();
  };
  Add(std::move(property));
}

absl::Status PropertyTable::Set(absl::string_view name, absl::string_view text,
                                PropertySource source, absl::string_view where) {
  const auto at = std::find_if(properties_.begin(), properties_.end(),
                               [name](const Property& known) { return known.name == name; });
  if (at == properties_.end()) {
    return Error(v1::INVALID_ARGUMENT, absl::StrCat("unknown property '", name, "' in ", where,
                                                    DidYouMean(name, names())));
  }
  if (const absl::Status status = at->set(text); !status.ok()) {
    return Error(v1::INVALID_ARGUMENT,
                 absl::StrCat(name, " in ", where, ": ", std::string(status.message())),
                 {{"property", std::string(name)}, {"range", at->range}});
  }
  at->source = source;
  return absl::OkStatus();
}

void PropertyTable::Reloaded(absl::string_view name) {
  for (Property& property : properties_) {
    if (property.name == name) {
      property.reloaded = true;
      return;
    }
  }
  ACTA_CHECK(false);
}

const Property* PropertyTable::Find(absl::string_view name) const {
  for (const Property& property : properties_) {
    if (property.name == name) return &property;
  }
  return nullptr;
}

std::vector<std::string> PropertyTable::names() const {
  std::vector<std::string> names;
  for (const Property& property : properties_) names.push_back(property.name);
  return names;
}

}  // namespace acta
