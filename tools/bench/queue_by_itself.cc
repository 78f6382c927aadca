// The state machine of a queue without broker and disk: another program runs it.
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "storage/base/status_macros.h"
#include "tools/bench/child_process.h"
#include "tools/bench/measure.h"

namespace acta::bench {
namespace {

// What has to be reached, and what is wanted; in runs, and scattered.
constexpr double kRuns[] = {0.3e6, 1e6};
constexpr double kScattered[] = {0.15e6, 0.4e6};

struct Kind {
  const char* name;  // As the program says it.
  const double* bounds;
};
constexpr Kind kKinds[] = {
    {"runs_1_member", kRuns},
    {"runs_8_members", kRuns},
    {"runs_8_members_beside_100k_parked", kRuns},
    {"scattered_1_member", kScattered},
    {"scattered_8_members", kScattered},
    {"key_1000_8_members", kScattered},
    {"key_1000_16_partitions", kScattered},
};

absl::StatusOr<Outcome> RunMachine(Bed& bed) {
  const std::string out = bed.options().folder + "/queue.json";
  const std::string err = bed.options().folder + "/queue.err";
  std::error_code error;
  std::filesystem::remove(out, error);
  ASSIGN_OR_RETURN(const auto program,
                   ChildProcess::Start(
                       {bed.options().queue, absl::StrCat(bed.durations().seconds / 2)}, out, err));
  ASSIGN_OR_RETURN(const int exit_code, program->Wait(absl::Minutes(5)));
  std::ifstream file(out);
  const auto rates = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (exit_code != 0 || !rates.is_object()) {
    return absl::UnavailableError(
        absl::StrCat("acta-bench-queue ended with exit code ", exit_code));
  }
  Outcome outcome;
  for (const Kind& kind : kKinds) {
    const auto rate = rates.find(kind.name);
    if (rate == rates.end()) {
      return absl::InternalError(absl::StrCat("acta-bench-queue does not measure ", kind.name));
    }
    outcome.values.push_back(rate->get<double>());
  }
  return outcome;
}

}  // namespace

void AddQueueMachineMeasures(std::vector<Measure>* measures) {
  Measure machine;
  machine.name = "queue_machine";
  machine.help = "the state machine of a queue by itself, one thread, each event acked by itself";
  for (const Kind& kind : kKinds) {
    Figure figure = {absl::StrCat(".", kind.name), "acks/s"};
    figure.least = kind.bounds[0];
    figure.goal = kind.bounds[1];
    machine.figures.push_back(std::move(figure));
  }
  machine.run = RunMachine;
  measures->push_back(std::move(machine));
}

}  // namespace acta::bench
