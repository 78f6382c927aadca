#include <signal.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/app/command_line.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

absl::Status RunCommand(CommandLine line, Terminal* terminal) {
  if (line.command == nullptr) return WriteAll(stdout, line.help);
  const absl::StatusOr<std::unique_ptr<CommandContext>> context =
      CommandContext::Make(std::move(line.args));
  RETURN_IF_ERROR(context.status());
  const absl::Status status = line.command->run(**context);
  (*context)->terminal().EndProgress();
  *terminal = (*context)->terminal();
  return status;
}

}  // namespace
}  // namespace acta::cli
