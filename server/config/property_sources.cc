#include "server/config/property_sources.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <utility>

#define TOML_EXCEPTIONS 0
// It asserts that a key begins like one, which is for the file to say; it checks that once more
// and names the line.
#define TOML_ASSERT(condition) static_cast<void>(0)
#include <toml++/toml.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "server/config/suggestion.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

constexpr absl::string_view kPrefix = "ACTAD_";

std::string Text(std::string_view view) { return std::string(view); }

std::string Place(const std::string& path, const toml::source_region& region) {
  return absl::StrCat("file '", path, "' line ", region.begin.line);
}

// The text of a value as a flag would have it; nullopt: a kind that no property has.
std::optional<std::string> TextOf(const toml::node& node) {
  if (const auto* value = node.as_string()) return value->get();
  if (const auto* value = node.as_integer()) return absl::StrCat(value->get());
  if (const auto* value = node.as_floating_point()) return FormatNumber(value->get());
  if (const auto* value = node.as_boolean()) return FormatSwitch(value->get());
  return std::nullopt;
}

absl::Status ApplySection(const std::string& path, const std::string& section,
                          const toml::table& keys, PropertyTable* table) {
  for (auto&& [key, node] : keys) {
    const std::string name = absl::StrCat(section, ".", Text(key.str()));
    const std::string place = Place(path, node.source());
    const std::optional<std::string> text = TextOf(node);
    if (text) {
      RETURN_IF_ERROR(table->Set(name, *text, PropertySource::kFile, place));
    } else {
      return Error(
          v1::INVALID_ARGUMENT,
          absl::StrCat(name, " in ", place, ": a value is a string, a number, true or false"));
    }
  }
  return absl::OkStatus();
}

// What is wrong with a variable's name, in words.
absl::Status UnknownVariable(const std::string& name, const PropertyTable& table) {
  std::vector<std::string> known;
  for (const Property& property : table.properties()) known.push_back(EnvironmentName(property));
  return Error(v1::INVALID_ARGUMENT,
               absl::StrCat("unknown property in the environment: '", name, "'",
                            DidYouMean(name, known), " (variables that begin with ", kPrefix,
                            " are properties: ", kPrefix, "SECTION__KEY)"));
}

}  // namespace

absl::Status ApplyFile(const std::string& path, PropertyTable* table) {
  std::ifstream in(path);
  std::string text;
  for (char piece[4096]; in.is_open() && in.good();) {
    in.read(piece, sizeof(piece));
    text.append(piece, static_cast<size_t>(in.gcount()));
  }
  if (!in.is_open() || in.bad()) {
    return Error(v1::INVALID_ARGUMENT, absl::StrCat("cannot read the configuration file '", path,
                                                    "': ", std::strerror(errno)));
  }
  return ApplyFileText(path, text, table);
}

absl::Status ApplyFileText(const std::string& path, absl::string_view text, PropertyTable* table) {
  const toml::parse_result parsed = toml::parse(std::string_view(text.data(), text.size()), path);
  if (!parsed) {
    return Error(v1::INVALID_ARGUMENT, absl::StrCat(Place(path, parsed.error().source()), ": ",
                                                    Text(parsed.error().description())));
  }
  for (auto&& [key, node] : parsed.table()) {
    const std::string section = Text(key.str());
    const toml::table* const keys = node.as_table();
    const auto& sections = PropertyTable::Sections();
    if (keys == nullptr || std::find(sections.begin(), sections.end(), section) == sections.end()) {
      return Error(v1::INVALID_ARGUMENT,
                   absl::StrCat("unknown section '", section, "' in ", Place(path, node.source()),
                                DidYouMean(section, sections)));
    }
    RETURN_IF_ERROR(ApplySection(path, section, *keys, table));
  }
  return absl::OkStatus();
}

absl::Status ApplyEnvironment(const std::vector<std::string>& environment, PropertyTable* table) {
  for (const std::string& entry : environment) {
    const size_t equals = entry.find('=');
    const std::string name = entry.substr(0, equals);
    if (!absl::StartsWith(name, kPrefix)) continue;
    const Property* property = nullptr;
    for (const Property& known : table->properties()) {
      if (EnvironmentName(known) == name) property = &known;
    }
    if (property == nullptr) return UnknownVariable(name, *table);
    const std::string value = equals == std::string::npos ? "" : entry.substr(equals + 1);
    RETURN_IF_ERROR(table->Set(property->name, value, PropertySource::kEnvironment,
                               absl::StrCat("environment ", name)));
  }
  return absl::OkStatus();
}

std::string EnvironmentName(const Property& property) {
  return absl::StrCat(kPrefix, absl::AsciiStrToUpper(property.section()), "__",
                      absl::AsciiStrToUpper(property.key()));
}

}  // namespace acta
