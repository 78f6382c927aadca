#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "storage/base/status_macros.h"
#include "tools/bench/flags.h"
#include "tools/bench/load_process.h"
#include "tools/bench/many_files.h"
#include "tools/bench/report.h"
#include "tools/bench/runner.h"

namespace acta::bench {
namespace {

volatile sig_atomic_t interrupted = 0;

struct Options {
  Bed::Options bed;
  RunnerOptions runner;
  std::string only;
  std::string output = "table";
  std::string dir = ".";
  double runs = 0, seconds = 0, warm_up = 0, server_pid = 0;  // 0: not given.
  std::string json_file;
  bool quick = false, short_form = false, large = false, no_limits = false, check = false,
       list = false, help = false;
};

std::vector<Flag> Flags(Options* o) {
  const auto property = [o](const std::string& text) {
    o->bed.actad_flags.push_back("--" + text);
    return absl::OkStatus();
  };
  return {
      TextFlag("--actad", "PATH", "the broker to start (beside this program)", &o->bed.actad),
      {"--set", "KEY=VALUE", "a property of that broker; may be repeated", property},
      TextFlag("--server", "ADDR", "a broker that runs already, instead", &o->bed.server),
      NumberFlag("--server-pid", "PID", "its process, for CPU and memory", &o->server_pid),
      TextFlag("--dir", "DIR", "where the temporary folder is made (.)", &o->dir),
      TextFlag("--only", "NAME,...", "only these measures; NAME* for all that begin so", &o->only),
      NumberFlag("--runs", "N", "rounds; the median counts (3)", &o->runs),
      NumberFlag("--seconds", "S", "length of a measure (5)", &o->seconds),
      NumberFlag("--warm-up", "S", "and of what is not counted before it (2)", &o->warm_up),
      SwitchFlag("--short", "the main figures, one run of 2 s each: 2 minutes", &o->short_form),
      SwitchFlag("--large", "also what takes tens of GiB and many minutes", &o->large),
      SwitchFlag("--quick", "one short round that proves nothing but that it works", &o->quick),
      SwitchFlag("--no-limits", "without the machine's limits", &o->no_limits),
      SwitchFlag("--check", "fails when a figure does not hold its least", &o->check),
      TextFlag("-o", "FORMAT", "table or json (table)", &o->output),
      TextFlag("--json", "FILE", "the report as JSON, beside what -o says", &o->json_file),
      SwitchFlag("--list", "what can be measured, or what --only or --short chooses", &o->list),
      SwitchFlag("--help", "this text", &o->help),
  };
}

constexpr char kHead[] =
    "acta-bench: how fast a broker is on this machine.\n\n"
    "  acta-bench --dir /var/tmp --only 'publish_consume*'\n\n";

// What --short measures.
constexpr char kShortForm[] =
    "publish_consume_os_log,publish_consume_fsync_log,publish_consume_os_full,"
    "publish_consume_fsync_full,publish_os_log,publish_fsync_log,sdk_os_log,four_groups_os_log,"
    "unary_os,unary_fsync,stream_os,stream_fsync,unary_64_fsync,end_to_end_os,end_to_end_fsync,"
    "end_to_end_2m_os,end_to_end_2m_fsync,publishers_1000_fsync,catch_up_hot,catch_up_cold";

std::string ProgramFolder() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
}

absl::Status Settle(Options* o) {
  if (o->output != "table" && o->output != "json") {
    return absl::InvalidArgumentError("-o takes table or json");
  }
  Durations& durations = o->bed.durations;
  if (o->quick) {
    durations = {.warm_up_s = 0.03,
                 .seconds = 0.1,
                 .idle_s = 0.1,
                 .preload_bytes = 16 << 20,
                 .queue_bytes = 4 << 20,
                 .many = 20,
                 .consumers = 5,
                 .publishers = 20,
                 .subscriptions = 20,
                 .partitions = 100,
                 .slices = 4,
                 .slice_bytes = 4 << 20,
                 .wal_bytes = 4 << 20};
    o->runner.runs = 1;
    o->runner.limit_seconds = 0.05;
    o->runner.limits_once = true;
  } else if (o->short_form) {
    durations.warm_up_s = 1;
    durations.seconds = 2;
    durations.preload_bytes = 256 << 20;
    durations.queue_bytes = 256 << 20;
    o->runner.runs = 1;
    o->runner.limit_seconds = 0.5;
    if (o->only.empty()) o->only = kShortForm;
  }
  if (o->runs > 0) o->runner.runs = std::max(1, static_cast<int32_t>(o->runs));
  if (o->seconds > 0) durations.seconds = o->seconds;
  if (o->warm_up > 0) durations.warm_up_s = o->warm_up;
  o->bed.server_pid = static_cast<pid_t>(o->server_pid);
  if (o->bed.actad.empty()) o->bed.actad = ProgramFolder() + "/actad";
  o->bed.queue = ProgramFolder() + "/acta-bench-queue";
  if (!o->no_limits) {
    o->runner.limits_program = ProgramFolder() + "/acta-bench-limits";
    o->runner.all_limits = o->short_form || o->only.empty();
  }
  return absl::OkStatus();
}

bool Fits(const std::string& name, absl::string_view pattern) {
  return absl::ConsumeSuffix(&pattern, "*") ? absl::StartsWith(name, pattern) : name == pattern;
}

// Errors: INVALID_ARGUMENT when nothing fits, or the one named cannot be taken on `--server`.
absl::StatusOr<std::vector<Measure>> Choose(const Options& options) {
  std::vector<Measure> chosen;
  const auto is_chosen = [&](const Measure& measure) {
    return absl::c_any_of(chosen, [&](const Measure& one) { return one.name == measure.name; });
  };
  const std::vector<std::string> patterns =
      absl::StrSplit(options.only.empty() ? "*" : options.only, ',');
  for (const std::string& pattern : patterns) {
    bool fits = false;
    for (Measure& measure : AllMeasures()) {
      if (!Fits(measure.name, pattern)) continue;
      fits = true;
      if (measure.large && !options.large && measure.name != pattern) continue;
      if (measure.needs_own_broker && !options.bed.server.empty()) {
        if (measure.name != pattern) continue;
        return absl::InvalidArgumentError(
            absl::StrCat("'", pattern, "' needs a broker of its own, not --server"));
      }
      if (!is_chosen(measure)) chosen.push_back(std::move(measure));
    }
    if (!fits) {
      return absl::InvalidArgumentError(
          absl::StrCat("there is no measure '", pattern, "'; see --list"));
    }
  }
  return chosen;
}

absl::Status Print(const std::string& text) {
  if (fwrite(text.data(), 1, text.size(), stdout) == text.size() && fflush(stdout) == 0) {
    return absl::OkStatus();
  }
  return absl::UnavailableError("cannot write to stdout");
}

absl::Status List(const Options& options) {
  std::vector<Measure> measures = AllMeasures();
  if (!options.only.empty()) {
    ASSIGN_OR_RETURN(measures, Choose(options));
  }
  std::string text;
  for (const Measure& measure : measures) {
    absl::StrAppend(&text, measure.name, ": ", measure.help, measure.large ? " (--large)" : "",
                    "\n");
  }
  return Print(text);
}

absl::Status WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  file << text;
  file.close();
  if (file.good()) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("cannot write '", path, "'"));
}

absl::Status CheckLeast(const std::vector<Row>& rows) {
  std::vector<std::string> below;
  for (const Row& row : rows) {
    if (!HoldsLeast(row)) below.push_back(absl::StrCat(row.measure, " (", Ratios(row), ")"));
  }
  if (below.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("these do not hold their least: ", absl::StrJoin(below, "; ")));
}

// Takes the measures inside of a temporary folder.
absl::Status Measures(Options options) {
  ASSIGN_OR_RETURN(const std::vector<Measure> measures, Choose(options));
  std::string folder = options.dir + "/acta-bench-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot make a folder in '", options.dir, "'"));
  }
  options.bed.folder = options.runner.folder = folder;
  Report report;
  report.machine = DescribeMachine(folder);
  absl::Status status;
  {
    Bed bed(options.bed);
    Runner runner(options.runner, bed);
    status = runner.Run(measures, &interrupted);
    report.limits = runner.limits();
    report.rows = runner.Rows(measures);
  }
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  if (!options.json_file.empty()) RETURN_IF_ERROR(WriteFile(options.json_file, ToJson(report)));
  RETURN_IF_ERROR(Print(options.output == "json" ? ToJson(report) : ToTable(report)));
  if (status.ok() && options.check) status = CheckLeast(report.rows);
  return status;
}

int Main(const std::vector<std::string>& words) {
  Options options;
  const std::vector<Flag> flags = Flags(&options);
  absl::Status status = ParseFlags(flags, words);
  if (status.ok()) status = Settle(&options);
  if (status.ok()) {
    status = options.help   ? Print(HelpText(kHead, flags))
             : options.list ? List(options)
                            : Measures(std::move(options));
  }
  if (status.ok()) return 0;
  fprintf(stderr, "acta-bench: %s\n", std::string(status.message()).c_str());
  return absl::IsInvalidArgument(status) ? 2 : 1;
}

}  // namespace
}  // namespace acta::bench

int main(int argc, char** argv) {
  acta::bench::PrepareLoadProcess();
  acta::bench::AllowManyFiles();
  // The measure under way ends, and what was started with it. The second one ends it at once.
  struct sigaction once = {};
  once.sa_handler = [](int) { acta::bench::interrupted = 1; };
  once.sa_flags = SA_RESTART | SA_RESETHAND;
  for (const int number : {SIGINT, SIGTERM}) sigaction(number, &once, nullptr);
  return acta::bench::Main({argv + 1, argv + argc});
}
