// actad-oracle: actad for tests, over a disk whose power can be cut (SIGUSR2), and with one promise
// broken when it is told to. Never installed.
//
//   ACTA_ORACLE_BOOT   another word is another boot of the kernel
//   ACTA_ORACLE_SYNC_US what each sync takes longer
//   ACTA_ORACLE_SEED   which unsynced bytes a power cut keeps
//   ACTA_ORACLE_KILL_AT, ACTA_ORACLE_STALL_AT  moments, NAME or NAME:n, see moments.h
//   ACTA_ORACLE_STALL_MS  how long a stall is
//   ACTA_ORACLE_CLOCK_FILE  see shifted_clock.h
//   ACTA_ORACLE_BUFFER  bytes of a memtable; below what a property allows, so that files come and
//                       go within a second, and time slices with them
//   ACTA_ORACLE_MUTANT, ACTA_ORACLE_EVERY   see mutant_engine.h
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "server/app/program.h"
#include "storage/log/local_log_engine.h"
#include "tests/oracle/moment_disk.h"
#include "tests/oracle/moments.h"
#include "tests/oracle/mutant_engine.h"
#include "tests/oracle/power_cut_disk.h"
#include "tests/oracle/shifted_clock.h"

namespace {

int64_t Number(const char* name, int64_t otherwise) {
  const char* const text = std::getenv(name);
  int64_t number = 0;
  return text != nullptr && absl::SimpleAtoi(text, &number) ? number : otherwise;
}

std::string Text(const char* name) {
  const char* const text = std::getenv(name);
  return text == nullptr ? "" : text;
}

// Waits for SIGUSR2 and cuts the power. All other signals are for the threads of the daemon.
std::thread MakeSwitch(std::shared_ptr<acta::oracle::PowerCutDisk> disk) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);  // Inherited by the thread.
  std::thread waiting([disk = std::move(disk)] {
    sigset_t power;
    sigemptyset(&power);
    sigaddset(&power, SIGUSR2);
    int which = 0;
    if (sigwait(&power, &which) == 0) disk->CutPower();
  });
  sigaddset(&before, SIGUSR2);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return waiting;
}

// Small memtables, and slices that last a second.
void Hurry(int64_t buffer_bytes, acta::LocalEngineOptions* options) {
  if (buffer_bytes <= 0) return;
  options->write_buffer_bytes = buffer_bytes;
  options->memtable_bytes = 8 * buffer_bytes;
  options->slice_age = absl::Seconds(1);
  options->slice_interval = absl::Milliseconds(200);
}

}  // namespace

int main(int argc, char** argv) {
  using acta::oracle::Mutation;
  const std::string word = Text("ACTA_ORACLE_MUTANT");
  const std::optional<Mutation> mutation =
      word.empty() ? Mutation::kNone : acta::oracle::ParseMutation(word);
  if (!mutation.has_value()) {
    std::fprintf(stderr, "actad-oracle: no mutant '%s'\n", word.c_str());
    return 2;
  }
  const std::optional<acta::oracle::Moment> kill =
      acta::oracle::ParseMoment(Text("ACTA_ORACLE_KILL_AT"));
  const std::optional<acta::oracle::Moment> stall =
      acta::oracle::ParseMoment(Text("ACTA_ORACLE_STALL_AT"));
  if (!kill.has_value() || !stall.has_value()) {
    std::fprintf(stderr, "actad-oracle: a moment is NAME or NAME:n\n");
    return 2;
  }
  const auto power_disk = std::make_shared<acta::oracle::PowerCutDisk>(
      static_cast<uint64_t>(Number("ACTA_ORACLE_SEED", 1)),
      absl::Microseconds(Number("ACTA_ORACLE_SYNC_US", 0)));
  const auto disk = std::make_shared<acta::oracle::MomentDisk>(
      power_disk, std::make_shared<acta::oracle::Moments>(
                      *kill, *stall, absl::Milliseconds(Number("ACTA_ORACLE_STALL_MS", 3000))));
  const acta::oracle::ShiftedClock clock(Text("ACTA_ORACLE_CLOCK_FILE"));
  std::thread power_switch = MakeSwitch(power_disk);

  const acta::OpenEngine open =
      [&](const acta::LocalEngineOptions& given, acta::FatalSink& sink,
          const acta::Clock&) -> absl::StatusOr<std::unique_ptr<acta::LogEngine>> {
    acta::LocalEngineOptions options = given;
    options.file_system = disk;
    options.boot_id = Text("ACTA_ORACLE_BOOT");
    Hurry(Number("ACTA_ORACLE_BUFFER", 0), &options);
    auto engine = acta::LocalLogEngine::Open(options, sink, clock);
    if (!engine.ok()) return engine.status();
    return std::make_unique<acta::oracle::MutantEngine>(*std::move(engine), *mutation,
                                                        Number("ACTA_ORACLE_EVERY", 10'000));
  };
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  const int code = acta::RunProgram(words, environment, open);
  std::fflush(nullptr);
  _exit(code);  // The thread of the switch waits for ever.
}
