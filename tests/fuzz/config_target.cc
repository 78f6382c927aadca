#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "proto/support/error.h"
#include "server/app/daemon_properties.h"
#include "server/config/command_line.h"
#include "server/config/config_text.h"
#include "server/config/property_sources.h"
#include "server/config/property_value.h"
#include "storage/base/fatal.h"
#include "tests/fuzz/fuzz_targets.h"

namespace acta {
namespace {

void CheckRefusal(const absl::Status& status) {
  ACTA_CHECK(status.ok() || ReasonOf(status) == v1::INVALID_ARGUMENT);
  ACTA_CHECK(status.ok() || !status.message().empty());
}

// What is shown of a property can be written into a file and means the same.
void CheckShown(PropertyTable* table) {
  for (const Property& property : table->properties()) {
    if (property.source == PropertySource::kDefault) continue;
    const std::string shown = property.get();
    ACTA_CHECK(property.set(shown).ok());
    ACTA_CHECK(property.get() == shown);
  }
}

void CheckValue(absl::string_view text) {
  if (const auto value = ParseBytes(text); value.ok()) {
    ACTA_CHECK(*value >= 0 && ParseBytes(FormatBytes(*value)) == value);
  }
  if (const auto value = ParseDurationText(text); value.ok()) {
    ACTA_CHECK(*value >= absl::ZeroDuration());
    ACTA_CHECK(ParseDurationText(FormatDurationText(*value)) == value);
  }
  if (const auto value = ParseSwitch(text); value.ok()) {
    ACTA_CHECK(ParseSwitch(FormatSwitch(*value)) == value);
  }
  if (const auto value = ParseNumber(text); value.ok()) {
    ACTA_CHECK(std::isfinite(*value) && ParseNumber(FormatNumber(*value)) == value);
  }
  CheckRefusal(ParseInteger(text).status());
}

}  // namespace

int FuzzConfig(absl::string_view bytes) {
  if (bytes.empty()) return 0;
  const char from = bytes[0];
  bytes.remove_prefix(1);
  if (from == 'v') {
    CheckValue(bytes);
    return 0;
  }
  DaemonOptions options;
  PropertyTable table;
  DescribeProperties(&options, &table);
  const std::vector<std::string> words = absl::StrSplit(bytes, '\n');
  absl::Status status;
  if (from == 'f') {
    status = ApplyFileText("fuzz.toml", bytes, &table);
  } else if (from == 'e') {
    status = ApplyEnvironment(words, &table);
  } else {
    const absl::StatusOr<CommandLine> line = ParseCommandLine(words, table);
    status = line.ok() ? ApplyFlags(*line, &table) : line.status();
  }
  CheckRefusal(status);
  CheckShown(&table);
  if (status.ok()) CheckRefusal(SettleOptions(&options));
  ACTA_CHECK(!ConfigAsJson(table).empty() && !ConfigAsTable(table).empty());
  return 0;
}

}  // namespace acta
