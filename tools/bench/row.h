#pragma once

#include <optional>
#include <string>
#include <vector>

namespace acta::bench {

// One figure as it is reported.
struct Row {
  std::string measure;
  std::string unit;
  double value = 0;  // The median of `runs`.
  std::vector<double> runs;
  // What has to be reached, and what is wanted. Not set: the figure is only reported.
  std::optional<double> least;
  std::optional<double> goal;
  // What the machine allows by itself in the same minutes, in the row's unit.
  std::optional<double> limit;
  std::string limit_name;
  // As multiples of the limit.
  std::optional<double> least_of_limit;
  std::optional<double> goal_of_limit;
  bool lower_is_better = false;
  std::optional<double> broker_cpu_s_per_million;
  std::optional<double> client_cpu_s_per_million;
  std::optional<double> broker_peak_rss_mib;
};

// What has to be reached is, as far as it is said and known.
bool HoldsLeast(const Row& row);

// Zero for none.
double Median(std::vector<double> values);

}  // namespace acta::bench
