// acta-oracle-load: publishes and reads, and writes down everything it did and saw.
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "tests/oracle/load.h"

namespace {

constexpr char kUsage[] =
    "acta-oracle-load --server=ADDR --dir=FOLDER [--seconds=N] [--rate=N] [--seed=N]\n"
    "                 [--partitions=N] [--members=N] [--rejoin=N] [--patience=SECONDS]\n"
    "                 [--workers=N] [--keys=N] [--healthy=0|1] [--longest-delay=SECONDS]\n"
    "                 [--steps=PERCENT] [--topic=NAME] [--retention-bytes=N]\n"
    "Publishes and reads until the seconds are over or SIGTERM comes; with --workers, which are\n"
    "those of each QUEUE group, the readers are these. The history of each client\n"
    "is a file in the folder; acta-oracle-check holds them against what a log promises.\n";

bool Apply(absl::string_view name, absl::string_view value, acta::oracle::LoadOptions* options) {
  int64_t number = 0;
  if (name == "--server")
    options->server = std::string(value);
  else if (name == "--dir")
    options->folder = std::string(value);
  else if (name == "--topic")
    options->topic = std::string(value);
  else if (!absl::SimpleAtoi(value, &number) || number < 0)
    return false;
  else if (name == "--seconds")
    options->duration = absl::Seconds(number);
  else if (name == "--rate")
    options->events_per_second = number > 0 ? number : 1;
  else if (name == "--seed")
    options->seed = static_cast<uint64_t>(number);
  else if (name == "--partitions")
    options->partitions = static_cast<int32_t>(number);
  else if (name == "--retention-bytes")
    options->retention_bytes = number;
  else if (name == "--members")
    options->members = static_cast<int32_t>(number);
  else if (name == "--rejoin")
    options->rejoin_after = static_cast<int32_t>(number);
  else if (name == "--workers")
    options->workers = static_cast<int32_t>(number);
  else if (name == "--keys")
    options->keys = static_cast<int32_t>(number);
  else if (name == "--steps")
    options->steps = static_cast<int32_t>(number);
  else if (name == "--longest-delay")
    options->longest_delay = absl::Seconds(number);
  else if (name == "--healthy")
    options->healthy = number != 0;
  else if (name == "--patience")
    options->patience = absl::Seconds(number);
  else
    return false;
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  acta::oracle::LoadOptions options;
  for (int i = 1; i < argc; ++i) {
    const absl::string_view word = argv[i];
    const size_t equals = word.find('=');
    if (equals == absl::string_view::npos ||
        !Apply(word.substr(0, equals), word.substr(equals + 1), &options)) {
      std::fputs(kUsage, stderr);
      return 2;
    }
  }
  if (options.server.empty() || options.folder.empty()) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // Before any thread: all inherit it.
  acta::oracle::StopFlag stop;
  std::thread waiter([&signals, &stop] {
    int which = 0;
    sigwait(&signals, &which);
    stop.Stop();
  });
  const absl::Status status = acta::oracle::RunLoad(options, stop);
  pthread_kill(waiter.native_handle(), SIGTERM);
  waiter.join();
  if (status.ok()) return 0;
  std::fprintf(stderr, "acta-oracle-load: %s\n", status.ToString().c_str());
  return 1;
}
