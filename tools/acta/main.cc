#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "storage/base/standard_streams.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/app/command_line.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

absl::Status RunCommand(const CommandLine& line) {
  if (line.command == nullptr) return WriteAll(stdout, line.help);
  ASSIGN_OR_RETURN(const std::unique_ptr<CommandContext> context,
                   CommandContext::Make(line.args, line.command->asks_broker));
  const absl::Status status = line.command->run(*context);
  context->terminal().EndProgress();
  return status;
}

int Main(const std::vector<std::string>& words) {
  // As every program has it; `acta version` asks the broker too.
  if (words == std::vector<std::string>{"--version"}) {
    const absl::Status written = WriteAll(stdout, absl::StrCat("acta ", ACTA_VERSION, "\n"));
    const ExitStatus exit = ExitStatusOf(written);
    if (exit != kExitDone) Terminal(TerminalSettings(Args())).Error(DescribeError(written));
    return exit;
  }
  const absl::StatusOr<CommandLine> line = ParseCommandLine(AllCommands(), words);
  const absl::Status status = line.ok() ? RunCommand(*line) : line.status();
  if (ExitStatusOf(status) == kExitDone) return kExitDone;
  const Args args = line.ok() ? line->args : Args();
  std::string text = DescribeError(status);
  if (args.Has("--verbose")) {
    for (const auto& [name, value] : DetailsOf(status)) {
      absl::StrAppend(&text, "\n  ", name, ": ", value);
    }
  }
  if (absl::IsUnimplemented(status)) {
    absl::StrAppend(&text, "; the broker may be of another version: acta version tells both");
  }
  Terminal(TerminalSettings(args)).Error(text);
  return ExitStatusOf(status);
}

}  // namespace
}  // namespace acta::cli

int main(int argc, char** argv) {
  acta::OccupyStandardStreams();
  std::signal(SIGPIPE, SIG_IGN);  // Whoever writes is told, and commits what was written before.
  return acta::cli::Main(std::vector<std::string>(argv + 1, argv + argc));
}
