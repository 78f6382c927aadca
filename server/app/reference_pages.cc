#include "server/app/reference_pages.h"

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "server/app/daemon_properties.h"
#include "server/config/config_text.h"
#include "server/telemetry/metric_table.h"

namespace acta {

absl::StatusOr<std::string> ReferencePage(absl::string_view name) {
  if (name == "metrics") return MetricsAsMarkdown();
  DaemonOptions options;
  PropertyTable table;
  DescribeProperties(&options, &table);
  if (name == "configuration") return ConfigAsMarkdown(table);
  if (name == "example") return ConfigAsExample(table);
  return Error(
      v1::INVALID_ARGUMENT,
      absl::StrCat("there is no page '", name, "'; there are configuration, metrics and example"));
}

}  // namespace acta
