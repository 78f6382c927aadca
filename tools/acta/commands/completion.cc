#include "tools/acta/app/completion.h"

#include "absl/strings/str_cat.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  const std::string script = CompletionScript(context.args().Get("SHELL"));
  if (!script.empty()) return WriteAll(stdout, script);
  return UsageError(
      absl::StrCat("SHELL '", context.args().Get("SHELL"), "' is not one of bash, zsh, fish"));
}

}  // namespace

Command CompletionCommand() {
  return {"completion",
          {"SHELL"},
          "a script that has bash, zsh or fish complete commands, options and names",
          "Topics, groups and contexts are completed by their names, which the broker is asked\n"
          "for. To have it in every shell:\n\n"
          "  bash: echo 'source <(acta completion bash)' >> ~/.bashrc\n"
          "  zsh:  acta completion zsh > ~/.zfunc/_acta, a folder of $fpath\n"
          "  fish: acta completion fish > ~/.config/fish/completions/acta.fish",
          "acta completion bash",
          {},
          Run,
          false};
}

}  // namespace acta::cli
