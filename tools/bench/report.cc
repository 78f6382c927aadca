#include "tools/bench/report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace acta::bench {
namespace {

using Json = nlohmann::ordered_json;

Json Number(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Json RatioToLimit(const Row& row) {
  const bool has_limit = row.limit.has_value() && *row.limit > 0;
  return has_limit ? Json(row.value / *row.limit) : Json(nullptr);
}

Json ToJson(const Machine& machine) {
  return {{"time", machine.time},     {"cpu", machine.cpu},
          {"cores", machine.cores},   {"memory_gib", machine.memory_gib},
          {"kernel", machine.kernel}, {"file_system", machine.file_system},
          {"disk", machine.disk}};
}

Json ToJson(const Row& row) {
  return {{"measure", row.measure},
          {"value", row.value},
          {"unit", row.unit},
          {"least", Number(row.least)},
          {"goal", Number(row.goal)},
          {"limit", Number(row.limit)},
          {"ratio_to_limit", RatioToLimit(row)},
          {"limit_name", row.limit_name.empty() ? Json(nullptr) : Json(row.limit_name)},
          {"least_of_limit", Number(row.least_of_limit)},
          {"goal_of_limit", Number(row.goal_of_limit)},
          {"lower_is_better", row.lower_is_better},
          {"runs", row.runs},
          {"broker_cpu_s_per_million", Number(row.broker_cpu_s_per_million)},
          {"client_cpu_s_per_million", Number(row.client_cpu_s_per_million)},
          {"broker_peak_rss_mib", Number(row.broker_peak_rss_mib)}};
}

std::string Range(const Row& row) {
  if (row.runs.size() < 2) return "";
  const auto [least, most] = std::minmax_element(row.runs.begin(), row.runs.end());
  return absl::StrCat("[", ShortNumber(*least), "..", ShortNumber(*most), "]");
}

std::string Cpu(const Row& row) {
  if (!row.client_cpu_s_per_million) return "";
  return absl::StrCat(
      row.broker_cpu_s_per_million ? ShortNumber(*row.broker_cpu_s_per_million) : "-", " / ",
      ShortNumber(*row.client_cpu_s_per_million));
}

using Line = std::vector<std::string>;

// Columns as wide as their widest cell.
std::string Align(const std::vector<Line>& lines) {
  std::vector<size_t> widths(lines[0].size(), 0);
  for (const Line& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string text;
  for (const Line& line : lines) {
    std::string row;
    for (size_t i = 0; i < line.size(); ++i) {
      absl::StrAppendFormat(&row, "%-*s  ", static_cast<int>(widths[i]), line[i]);
    }
    row.erase(row.find_last_not_of(' ') + 1);
    absl::StrAppend(&text, row, "\n");
  }
  return text;
}

}  // namespace

std::string ShortNumber(double value) {
  for (const auto& [unit, name] : {std::pair(1e9, " G"), {1e6, " M"}, {1e4, " k"}}) {
    if (std::fabs(value) >= unit) {
      const double scale = unit == 1e4 ? 1e3 : unit;
      return absl::StrCat(absl::StrFormat("%.3g", value / scale), scale == 1e3 ? " k" : name);
    }
  }
  return std::fabs(value) >= 1000 ? absl::StrFormat("%.0f", value) : absl::StrFormat("%.3g", value);
}

std::string Ratios(const Row& row) {
  std::vector<std::string> parts;
  const auto add = [&](const std::optional<double>& to, absl::string_view name) {
    if (to && *to > 0) {
      parts.push_back(absl::StrCat(absl::StrFormat("%.2f", row.value / *to), " x ", name));
    }
  };
  add(row.least, "least");
  add(row.goal, "goal");
  add(row.limit, row.limit_name);
  if (row.limit && row.least_of_limit && row.goal_of_limit) {
    absl::StrAppend(&parts.back(), " (least ", ShortNumber(*row.least_of_limit), ", goal ",
                    ShortNumber(*row.goal_of_limit), ")");
  }
  return absl::StrJoin(parts, ", ");
}

std::string ToJson(const Report& report) {
  const auto all = [](const std::vector<Row>& rows) {
    Json list = Json::array();
    for (const Row& row : rows) list.push_back(ToJson(row));
    return list;
  };
  const Json document = {{"machine", ToJson(report.machine)},
                         {"limits", all(report.limits)},
                         {"rows", all(report.rows)}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string ToTable(const Report& report) {
  const Machine& machine = report.machine;
  std::string text = absl::StrFormat("%s | %d cores, %s | %.0f GiB | %s | %s on %s\n\n",
                                     machine.time, machine.cores, machine.cpu, machine.memory_gib,
                                     machine.kernel, machine.file_system, machine.disk);
  std::vector<Line> lines = {{"MEASURE", "VALUE", "UNIT", "RANGE", "LEAST", "GOAL", "RATIOS",
                              "CPU S/M BROKER / CLIENT", "BROKER RSS MIB"}};
  std::vector<Row> rows = report.limits;
  rows.insert(rows.end(), report.rows.begin(), report.rows.end());
  for (const Row& row : rows) {
    lines.push_back({row.measure, ShortNumber(row.value), row.unit, Range(row),
                     row.least ? ShortNumber(*row.least) : "",
                     row.goal ? ShortNumber(*row.goal) : "", Ratios(row), Cpu(row),
                     row.broker_peak_rss_mib ? ShortNumber(*row.broker_peak_rss_mib) : ""});
  }
  return text + Align(lines);
}

absl::StatusOr<std::vector<Row>> RowsOfJson(absl::string_view json) {
  const Json document = Json::parse(json.begin(), json.end(), nullptr, false);
  if (!document.is_object() || !document.contains("rows") || !document["rows"].is_array()) {
    return absl::DataLossError("the output is no report");
  }
  std::vector<Row> rows;
  for (const Json& item : document["rows"]) {
    if (!item.is_object() || !item.contains("measure") || !item["measure"].is_string() ||
        !item.contains("unit") || !item["unit"].is_string() || !item.contains("value") ||
        !item["value"].is_number()) {
      return absl::DataLossError("a row of the report lacks measure, unit or value");
    }
    Row row;
    row.measure = *item["measure"].get_ptr<const std::string*>();
    row.unit = *item["unit"].get_ptr<const std::string*>();
    row.value = item["value"].get<double>();
    row.runs = {row.value};
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace acta::bench
