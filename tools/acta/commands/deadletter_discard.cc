#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/dead_letter_options.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  const Args& args = context.args();
  v1::DiscardDeadLettersRequest request;
  request.set_group(args.Get("GROUP"));
  request.set_dry_run(args.Has("--dry-run") || !args.Has("--yes"));
  ASSIGN_OR_RETURN(*request.mutable_selection(), ReadRequiredSelection(args, context.now()));
  ASSIGN_OR_RETURN(v1::DiscardDeadLettersResponse response,
                   context.admin().DiscardDeadLetters(request));
  if (request.dry_run() && !args.Has("--dry-run")) {
    RETURN_IF_ERROR(context.ConfirmDeletion(
        absl::StrCat("Discard ", CountText(response.discarded(), "dead letter"), "?")));
    request.set_dry_run(false);
    // Not what came while it was asked. An older broker does not say when it counted.
    if (response.has_before()) {
      *request.mutable_selection()->mutable_before() = response.before();
    }
    ASSIGN_OR_RETURN(response, context.admin().DiscardDeadLetters(request));
  }
  const std::string count = CountText(response.discarded(), "dead letter");
  return context.PrintDone({&response}, response.dry_run()
                                            ? absl::StrCat(count, " would be discarded: --dry-run")
                                            : absl::StrCat("discarded ", count));
}

}  // namespace

Command DeadletterDiscardCommand() {
  std::vector<Option> options = DeadLetterFilters();
  options.push_back({"--all", "", "every one"});
  options.push_back({"--dry-run", "", "say how many and change nothing"});
  options.push_back({"--yes", "", "do not ask"});
  return {
      "deadletter discard",
      {"GROUP", "[REF...]"},
      "forgets dead letters and their history",
      "The events stay in their topics. What is HELD stays: acta group skip. REF is\n"
      "TOPIC/PARTITION/OFFSET; all conditions that are given hold. Asks on a terminal, and leaves\n"
      "what came since it asked; without one it needs --yes.",
      "acta deadletter discard billing --before -30d --yes",
      options,
      Run};
}

}  // namespace acta::cli
