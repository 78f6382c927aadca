// actad-oracle: actad for tests, over a disk whose power can be cut (SIGUSR2), and with one promise
// broken when it is told to. Never installed.
//
//   ACTA_ORACLE_BOOT   another word is another boot of the kernel
//   ACTA_ORACLE_SYNC_US what each sync takes longer
//   ACTA_ORACLE_SEED   which unsynced bytes a power cut keeps
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
#include "tests/oracle/mutant_engine.h"
#include "tests/oracle/power_cut_disk.h"

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
  const auto disk = std::make_shared<acta::oracle::PowerCutDisk>(
      static_cast<uint64_t>(Number("ACTA_ORACLE_SEED", 1)),
      absl::Microseconds(Number("ACTA_ORACLE_SYNC_US", 0)));
  sigset_t power;
  sigemptyset(&power);
  sigaddset(&power, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &power, nullptr);  // Before any thread: all inherit it.
  std::thread switch_thread([disk, power] {
    int which = 0;
    if (sigwait(&power, &which) == 0) disk->CutPower();
  });

  const acta::OpenEngine open =
      [&](const acta::LocalEngineOptions& given, acta::FatalSink& sink,
          const acta::Clock& clock) -> absl::StatusOr<std::unique_ptr<acta::LogEngine>> {
    acta::LocalEngineOptions options = given;
    options.file_system = disk;
    options.boot_id = Text("ACTA_ORACLE_BOOT");
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
