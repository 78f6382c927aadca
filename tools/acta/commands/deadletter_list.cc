#include <vector>

#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/dead_letter_options.h"
#include "tools/acta/commands/pages.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

absl::Status ListKinds(CommandContext& context, const v1::DeadLetterSelection& selection) {
  if (ChoosesAny(selection) || context.args().Has("--max")) {
    return UsageError("--by-fingerprint counts all dead letters of the group");
  }
  v1::SummarizeDeadLettersRequest request;
  request.set_group(context.args().Get("GROUP"));
  ASSIGN_OR_RETURN(const v1::SummarizeDeadLettersResponse response,
                   context.admin().SummarizeDeadLetters(request));
  return context.output().Print({&response}, KindTable(response));
}

absl::Status Run(CommandContext& context) {
  const Args& args = context.args();
  ASSIGN_OR_RETURN(const v1::DeadLetterSelection selection,
                   ReadDeadLetterSelection(args, context.now()));
  if (args.Has("--by-fingerprint")) return ListKinds(context, selection);
  v1::ListDeadLettersRequest request;
  request.set_group(args.Get("GROUP"));
  if (ChoosesAny(selection)) *request.mutable_selection() = selection;
  ASSIGN_OR_RETURN(const auto listed, ReadPages(context, request, &client::Admin::ListDeadLetters,
                                                &v1::ListDeadLettersResponse::dead_letters_size));
  std::vector<const v1::DeadLetter*> letters;
  for (const v1::DeadLetter& letter : listed.all.dead_letters()) letters.push_back(&letter);
  RETURN_IF_ERROR(context.output().Print({&listed.all}, DeadLetterTable(letters)));
  HintAtMore(listed.more, context);
  return absl::OkStatus();
}

}  // namespace

Command DeadletterListCommand() {
  std::vector<Option> options = {{"--by-fingerprint", "", "how many failed alike, the most first"}};
  for (Option& option : DeadLetterFilters()) options.push_back(std::move(option));
  options.push_back({"--max", "N", "at most so many (all)"});
  return {"deadletter list",
          {"GROUP"},
          "lists the events that a queue gave up on",
          "By topic, partition and offset. HELD are those that keep their key until they are "
          "redriven,\n"
          "or skipped: acta group skip.",
          "acta deadletter list billing --after -1h",
          options,
          Run};
}

}  // namespace acta::cli
