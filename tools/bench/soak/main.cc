#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/base/status_macros.h"
#include "tools/bench/flags.h"
#include "tools/bench/load_process.h"
#include "tools/bench/soak/soak.h"

namespace acta::bench {
namespace {

constexpr char kHead[] =
    "acta-soak: a broker under load for long; a line of JSON every interval. `tools/dev soak` "
    "runs\n"
    "it, looks at the broker meanwhile and judges.\n\n"
    "  acta-soak --actad build/release/bin/actad --folder /var/tmp/soak\n\n";

absl::Status Soaks(const std::vector<Flag>& flags, bool* help, const Bed::Options& bed_options,
                   const SoakOptions& options, const std::vector<std::string>& words) {
  RETURN_IF_ERROR(ParseFlags(flags, words));
  if (*help) {
    fputs(HelpText(kHead, flags).c_str(), stdout);
    return absl::OkStatus();
  }
  if (bed_options.actad.empty() || bed_options.folder.empty()) {
    return absl::InvalidArgumentError("--actad and --folder are needed");
  }
  Bed bed(bed_options);
  return RunSoak(bed, options, [](const nlohmann::json& line) {
    printf("%s\n", line.dump().c_str());
    fflush(stdout);
  });
}

int Main(const std::vector<std::string>& words) {
  Bed::Options bed;
  SoakOptions options;
  bool help = false;
  const std::vector<Flag> flags = {
      TextFlag("--actad", "PATH", "the broker to start", &bed.actad),
      TextFlag("--folder", "DIR", "where it lives; its data is deleted", &bed.folder),
      NumberFlag("--seconds", "S", "how long (3600)", &options.seconds),
      NumberFlag("--interval", "S", "time from line to line (5)", &options.interval_s),
      NumberFlag("--rate", "EVENTS/S", "instead of half of the most, which is tried first",
                 &options.events_per_second),
      SwitchFlag("--help", "this text", &help),
  };
  const absl::Status status = Soaks(flags, &help, bed, options, words);
  if (status.ok()) return 0;
  fprintf(stderr, "acta-soak: %s\n", std::string(status.message()).c_str());
  return absl::IsInvalidArgument(status) ? 2 : 1;
}

}  // namespace
}  // namespace acta::bench

int main(int argc, char** argv) {
  acta::bench::PrepareLoadProcess();
  return acta::bench::Main({argv + 1, argv + argc});
}
