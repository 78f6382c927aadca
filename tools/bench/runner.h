#pragma once

#include <signal.h>

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tools/bench/bed.h"
#include "tools/bench/measure.h"
#include "tools/bench/row.h"

namespace acta::bench {

struct RunnerOptions {
  int32_t runs = 3;
  // The program that takes limits, and how long each; empty: none are taken.
  std::string limits_program;
  double limit_seconds = 1;
  bool limits_once = false;  // What was taken once is used for all measures.
  bool all_limits = false;   // All there are are taken in each round, for the report.
  std::string folder;
};

// Runs measures in rounds, one after the other, each with its limits just before it: the machine
// drifts, and only what was taken in the same minutes can be compared. Progress goes to stderr.
//
// Threads: one.
class Runner {
 public:
  // Both are borrowed.
  Runner(const RunnerOptions& options, Bed& bed) : options_(options), bed_(bed) {}

  // Ends early when `*interrupted` is no longer 0. Errors: the first of a measure; the others are
  // taken all the same.
  absl::Status Run(const std::vector<Measure>& measures, const volatile sig_atomic_t* interrupted);
  // Of what was taken, in the order of the measures.
  std::vector<Row> Rows(const std::vector<Measure>& measures) const;
  // With `all_limits`.
  const std::vector<Row>& limits() const { return machine_; }

 private:
  using Limits = std::map<std::string, double>;
  struct Taken {
    std::vector<Outcome> outcomes;
    std::vector<Limits> limits;
  };

  // `only`: their names with commas between; empty: all.
  absl::StatusOr<std::vector<Row>> RunLimits(const std::string& only) const;
  absl::Status TakeAllLimits();
  absl::StatusOr<Limits> TakeLimits(const Measure& measure);
  absl::Status RunOnce(const Measure& measure);
  void Progress(const Measure& measure, const Taken& taken) const;
  static Row ToRow(const Measure& measure, size_t figure, const Taken& taken);

  const RunnerOptions options_;
  Bed& bed_;
  std::map<std::string, Taken> taken_;  // By measure.
  Limits known_;                        // With `limits_once`.
  std::vector<Row> machine_;
};

}  // namespace acta::bench
