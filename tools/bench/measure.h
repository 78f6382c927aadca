#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/bench/bed.h"

namespace acta::bench {

// One of the figures a measure yields.
struct Figure {
  std::string suffix;  // Of the measure's name: "" or ".p99".
  std::string unit;
  bool lower_is_better = false;
  std::optional<double> least;
  std::optional<double> goal;
  // The sum of these limits times `limit_scale`, in the figure's unit. Empty: none.
  std::vector<std::string> limits;
  double limit_scale = 1;
  // The same as multiples of that.
  std::optional<double> least_of_limit;
  std::optional<double> goal_of_limit;
};

// What one run gave: a value for each figure, in their order; none for what is not known of a
// broker that runs elsewhere.
struct Outcome {
  std::vector<std::optional<double>> values;
  // Of the measure's main figure.
  std::optional<double> broker_cpu_s_per_million;
  std::optional<double> client_cpu_s_per_million;
  // The most the broker had since its last start. Filled in by the runner.
  std::optional<double> broker_peak_rss_mib;
};

struct Measure {
  std::string name;
  std::string help;
  std::vector<Figure> figures;
  // It restarts the broker, or looks at its process.
  bool needs_own_broker = false;
  // On a broker that is new and empty, if it is our own.
  std::function<absl::StatusOr<Outcome>(Bed& bed)> run;
  // Takes tens of GiB of disk and minutes: only when asked for.
  bool large = false;
};

// All, in the order of the report.
std::vector<Measure> AllMeasures();

// Each file's part of it.
void AddThroughputMeasures(std::vector<Measure>* measures);
void AddRoundTripMeasures(std::vector<Measure>* measures);
void AddEndToEndMeasures(std::vector<Measure>* measures);
void AddCatchUpMeasures(std::vector<Measure>* measures);
void AddIdleMeasures(std::vector<Measure>* measures);
void AddManyMeasures(std::vector<Measure>* measures);
void AddPartitionMeasures(std::vector<Measure>* measures);
void AddPublisherMeasures(std::vector<Measure>* measures);
void AddScaleMeasures(std::vector<Measure>* measures);
void AddSliceChangeMeasures(std::vector<Measure>* measures);
void AddRestartMeasures(std::vector<Measure>* measures);
void AddCostMeasures(std::vector<Measure>* measures);
void AddQueueMeasures(std::vector<Measure>* measures);
void AddQueueMachineMeasures(std::vector<Measure>* measures);
void AddScheduleMeasures(std::vector<Measure>* measures);
void AddJourneyMeasures(std::vector<Measure>* measures);
void AddBackupMeasures(std::vector<Measure>* measures);
void AddScrapeMeasures(std::vector<Measure>* measures);

// "unary_os", "unary_os_full": LOG is what is not said.
std::string NameOfMeasure(const std::string& what, v1::AckLevel level, Profile profile);

// Of the broker over the idle time; at least one tick of the kernel's clock, so that it is never
// zero. Errors: NOT_FOUND when its process is not known.
absl::StatusOr<double> IdleCpuPercent(const Bed& bed);

}  // namespace acta::bench
