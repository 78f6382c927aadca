#include "tools/bench/runner.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/status_macros.h"
#include "tools/bench/child_process.h"
#include "tools/bench/report.h"

namespace acta::bench {
namespace {

// "grpc_unary" of "grpc_unary.p99".
std::string ProgramName(const std::string& limit) { return limit.substr(0, limit.find('.')); }

void Say(const std::string& text) { fprintf(stderr, "%s\n", text.c_str()); }

// The limits of a figure together; none when one was not taken.
std::optional<double> LimitOf(const Figure& figure, const std::map<std::string, double>& limits) {
  if (figure.limits.empty()) return std::nullopt;
  double sum = 0;
  for (const std::string& name : figure.limits) {
    const auto limit = limits.find(name);
    if (limit == limits.end()) return std::nullopt;
    sum += limit->second;
  }
  return sum * figure.limit_scale;
}

std::optional<double> MedianOf(const std::vector<double>& values) {
  return values.empty() ? std::nullopt : std::optional(Median(values));
}

}  // namespace

absl::Status Runner::Run(const std::vector<Measure>& measures,
                         const volatile sig_atomic_t* interrupted) {
  absl::Status first;
  for (int32_t round = 1; round <= options_.runs; ++round) {
    if (options_.runs > 1) Say(absl::StrCat("round ", round, " of ", options_.runs));
    if (options_.all_limits) RETURN_IF_ERROR(TakeAllLimits());
    for (const Measure& measure : measures) {
      const absl::Status status = RunOnce(measure);
      bed_.End();
      if (*interrupted) return absl::CancelledError("interrupted");
      if (status.ok()) continue;
      Say(absl::StrCat(measure.name, ": ", std::string(status.message())));
      if (first.ok()) {
        first = absl::Status(status.code(),
                             absl::StrCat(measure.name, ": ", std::string(status.message())));
      }
    }
  }
  return first;
}

absl::Status Runner::RunOnce(const Measure& measure) {
  Limits limits;
  if (!options_.limits_program.empty()) {
    ASSIGN_OR_RETURN(limits, TakeLimits(measure));
  }
  RETURN_IF_ERROR(bed_.Begin());
  ASSIGN_OR_RETURN(Outcome outcome, measure.run(bed_));
  if (const auto use = bed_.BrokerUse()) outcome.broker_peak_rss_mib = use->peak_rss_mib;
  Taken& taken = taken_[measure.name];
  taken.outcomes.push_back(std::move(outcome));
  taken.limits.push_back(std::move(limits));
  Progress(measure, taken);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Row>> Runner::RunLimits(const std::string& only) const {
  const std::string out = options_.folder + "/limits.json", err = options_.folder + "/limits.err";
  std::error_code error;
  std::filesystem::remove(out, error);
  std::vector<std::string> command = {options_.limits_program,
                                      "--dir",
                                      options_.folder,
                                      "--seconds",
                                      absl::StrCat(options_.limit_seconds),
                                      "-o",
                                      "json"};
  if (!only.empty()) command.insert(command.end(), {"--only", only});
  ASSIGN_OR_RETURN(const auto program, ChildProcess::Start(command, out, err));
  ASSIGN_OR_RETURN(const int exit_code, program->Wait(absl::Minutes(5)));
  if (exit_code != 0) {
    return absl::UnavailableError(
        absl::StrCat("the limits could not be taken, exit code ", exit_code));
  }
  std::ifstream file(out);
  const std::string json{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return RowsOfJson(json);
}

absl::Status Runner::TakeAllLimits() {
  ASSIGN_OR_RETURN(std::vector<Row> rows, RunLimits(""));
  if (machine_.empty()) {
    machine_ = std::move(rows);
    return absl::OkStatus();
  }
  for (size_t i = 0; i < std::min(rows.size(), machine_.size()); ++i) {
    machine_[i].runs.push_back(rows[i].value);
    machine_[i].value = Median(machine_[i].runs);
  }
  return absl::OkStatus();
}

absl::StatusOr<Runner::Limits> Runner::TakeLimits(const Measure& measure) {
  std::set<std::string> names;
  for (const Figure& figure : measure.figures) {
    for (const std::string& limit : figure.limits) names.insert(ProgramName(limit));
  }
  if (options_.limits_once) {
    for (const auto& [known, value] : known_) names.erase(known);
    if (names.empty()) return known_;
  }
  if (names.empty()) return Limits();
  ASSIGN_OR_RETURN(const std::vector<Row> rows, RunLimits(absl::StrJoin(names, ",")));
  Limits limits;
  for (const Row& row : rows) limits[row.measure] = row.value;
  if (options_.limits_once) {
    known_.merge(limits);
    return known_;
  }
  return limits;
}

void Runner::Progress(const Measure& measure, const Taken& taken) const {
  const Taken latest = {{taken.outcomes.back()}, {taken.limits.back()}};
  for (size_t figure = 0; figure < measure.figures.size(); ++figure) {
    const Row row = ToRow(measure, figure, latest);
    if (row.runs.empty()) continue;
    const std::string ratios = Ratios(row);
    Say(absl::StrCat("  ", row.measure, ": ", ShortNumber(row.value), " ", row.unit,
                     ratios.empty() ? "" : "; ", ratios));
  }
}

Row Runner::ToRow(const Measure& measure, size_t figure_index, const Taken& taken) {
  const Figure& figure = measure.figures[figure_index];
  Row row;
  row.measure = measure.name + figure.suffix;
  row.unit = figure.unit;
  row.least = figure.least;
  row.goal = figure.goal;
  row.lower_is_better = figure.lower_is_better;
  row.least_of_limit = figure.least_of_limit;
  row.goal_of_limit = figure.goal_of_limit;
  std::vector<double> limits, broker, client, rss;
  for (const Outcome& outcome : taken.outcomes) {
    if (const auto& value = outcome.values[figure_index]) row.runs.push_back(*value);
    if (outcome.broker_cpu_s_per_million) broker.push_back(*outcome.broker_cpu_s_per_million);
    if (outcome.client_cpu_s_per_million) client.push_back(*outcome.client_cpu_s_per_million);
    if (outcome.broker_peak_rss_mib) rss.push_back(*outcome.broker_peak_rss_mib);
  }
  for (const Limits& each : taken.limits) {
    if (const auto limit = LimitOf(figure, each)) limits.push_back(*limit);
  }
  row.value = Median(row.runs);
  row.limit = MedianOf(limits);
  if (row.limit) row.limit_name = absl::StrJoin(figure.limits, "+");
  if (figure_index == 0) {
    row.broker_cpu_s_per_million = MedianOf(broker);
    row.client_cpu_s_per_million = MedianOf(client);
    row.broker_peak_rss_mib = MedianOf(rss);
  }
  return row;
}

std::vector<Row> Runner::Rows(const std::vector<Measure>& measures) const {
  std::vector<Row> rows;
  for (const Measure& measure : measures) {
    const auto taken = taken_.find(measure.name);
    if (taken == taken_.end()) continue;
    for (size_t figure = 0; figure < measure.figures.size(); ++figure) {
      Row row = ToRow(measure, figure, taken->second);
      if (!row.runs.empty()) rows.push_back(std::move(row));
    }
  }
  return rows;
}

}  // namespace acta::bench
