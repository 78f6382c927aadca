#include "server/config/config_text.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "server/config/property_sources.h"

namespace acta {
namespace {

// As a string of JSON, which is one of TOML as well.
std::string Quoted(absl::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      absl::StrAppend(&out, "\\", absl::string_view(&c, 1));
    } else if (byte < 0x20 || byte == 0x7f) {
      absl::StrAppendFormat(&out, "\\u%04x", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string Cell(absl::string_view text) { return absl::StrReplaceAll(text, {{"|", "\\|"}}); }

std::string Code(absl::string_view text) {
  return text.empty() ? "" : absl::StrCat("`", Cell(text), "`");
}

std::string TomlValue(const Property& property) {
  switch (property.type) {
    case PropertyType::kInteger:
    case PropertyType::kNumber:
    case PropertyType::kSwitch:
      return property.default_value;
    default:
      return Quoted(property.default_value);
  }
}

const char* SectionMeaning(absl::string_view section) {
  if (section == "listen") return "Addresses, connections, start and stop.";
  if (section == "storage") return "The data folder, memory, disk.";
  if (section == "topics") return "What a topic gets that does not say otherwise.";
  if (section == "limits") return "What one call, one thing or the whole daemon may have.";
  if (section == "log") return "Log lines on standard error.";
  if (section == "telemetry") return "Metrics.";
  return "";
}

template <typename Visit>
void ForEachSection(const PropertyTable& table, Visit visit) {
  for (const std::string& section : PropertyTable::Sections()) {
    std::vector<const Property*> rows;
    for (const Property& property : table.properties()) {
      if (property.section() == section) rows.push_back(&property);
    }
    if (!rows.empty()) visit(section, rows);
  }
}

}  // namespace

std::string ConfigAsTable(const PropertyTable& table) {
  struct Row {
    std::string name, value, source, meaning;
  };
  std::vector<Row> rows = {{"PROPERTY", "VALUE", "SOURCE", "MEANING"}};
  for (const Property& property : table.properties()) {
    const std::string value = property.get();
    rows.push_back({property.name, value.empty() ? "-" : value, std::string(Name(property.source)),
                    property.meaning});
  }
  size_t name = 0, value = 0, source = 0;
  for (const Row& row : rows) {
    name = std::max(name, row.name.size());
    value = std::max(value, row.value.size());
    source = std::max(source, row.source.size());
  }
  std::string out;
  for (const Row& row : rows) {
    absl::StrAppendFormat(&out, "%-*s  %-*s  %-*s  %s\n", static_cast<int>(name), row.name,
                          static_cast<int>(value), row.value, static_cast<int>(source), row.source,
                          row.meaning);
  }
  return out;
}

std::string ConfigAsJson(const PropertyTable& table) {
  std::string out = "[";
  for (const Property& property : table.properties()) {
    absl::StrAppend(
        &out, out.size() > 1 ? "," : "", "\n  {\"name\": ", Quoted(property.name),
        ", \"value\": ", Quoted(property.get()), ", \"source\": ", Quoted(Name(property.source)),
        ", \"default\": ", Quoted(property.default_value),
        ", \"type\": ", Quoted(Name(property.type)), ", \"range\": ", Quoted(property.range),
        ", \"meaning\": ", Quoted(property.meaning), "}");
  }
  return out + "\n]\n";
}

std::string ConfigAsMarkdown(const PropertyTable& table) {
  std::string out = R"(# Configuration

Made by `actad --generate-reference configuration`; do not edit
(`tools/checks/stale_docs.py --write --actad build/release/bin/actad` renews it).

A property `section.key` is set in a TOML file (`--config FILE`, table `[section]`), by the
environment variable `ACTAD_SECTION__KEY`, or by the flag `--section.key=VALUE`; the later of these
wins. Bytes are written `64MiB`, durations `10m`, `7d`. What is not known or out of range is an
error. `actad --print-config` and `acta config` show every value and where it comes from. Values
count from the next start on; those that say so from the next `SIGHUP` on.
)";
  ForEachSection(table, [&out](const std::string& section, const auto& rows) {
    absl::StrAppend(&out, "\n## ", section, "\n\n", SectionMeaning(section),
                    "\n\n| property | default | type | range | meaning |\n|---|---|---|---|---|\n");
    for (const Property* row : rows) {
      absl::StrAppend(&out, "| `", row->name, "` | ", Code(row->default_value), " | ",
                      Name(row->type), " | ", Cell(row->range), " | ", Cell(row->meaning),
                      row->reloaded ? "; `SIGHUP` is enough" : "", " |\n");
    }
  });
  return out;
}

std::string ConfigAsExample(const PropertyTable& table) {
  std::string out =
      "# Every property of actad at its default. Made by `actad --generate-reference example`.\n"
      "# `actad --config FILE --print-config` shows what holds and why.\n";
  ForEachSection(table, [&out](const std::string& section, const auto& rows) {
    absl::StrAppend(&out, "\n# ", SectionMeaning(section), "\n[", section, "]\n");
    for (const Property* row : rows) {
      const std::string range = row->range.empty() ? "" : absl::StrCat(" (", row->range, ")");
      absl::StrAppend(&out, "# ", row->meaning, range, "\n#", row->key(), " = ", TomlValue(*row),
                      "\n");
    }
  });
  return out;
}

v1::GetConfigResponse ConfigAsProto(const PropertyTable& table) {
  v1::GetConfigResponse response;
  for (const Property& property : table.properties()) {
    v1::Property* const row = response.add_properties();
    row->set_name(property.name);
    row->set_value(property.get());
    row->set_default_value(property.default_value);
    row->set_source(std::string(Name(property.source)));
    row->set_meaning(property.meaning);
    row->set_range(property.range);
  }
  return response;
}

}  // namespace acta
