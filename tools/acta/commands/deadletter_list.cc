#include <algorithm>
#include <limits>
#include <vector>

#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/dead_letter_options.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

constexpr int64_t kPageLetters = 1000;

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
  ASSIGN_OR_RETURN(const auto max, args.Integer("--max", 1));
  if (args.Has("--by-fingerprint")) return ListKinds(context, selection);
  v1::ListDeadLettersRequest request;
  request.set_group(args.Get("GROUP"));
  if (ChoosesAny(selection)) *request.mutable_selection() = selection;
  int64_t rest = max.value_or(std::numeric_limits<int64_t>::max());
  v1::ListDeadLettersResponse all;
  do {
    request.set_page_size(static_cast<int32_t>(std::min(rest, kPageLetters)));
    ASSIGN_OR_RETURN(v1::ListDeadLettersResponse page, context.admin().ListDeadLetters(request));
    rest -= page.dead_letters_size();
    request.set_page_token(page.next_page_token());
    page.clear_next_page_token();
    all.MergeFrom(page);
  } while (rest > 0 && !request.page_token().empty());
  std::vector<const v1::DeadLetter*> letters;
  for (const v1::DeadLetter& letter : all.dead_letters()) letters.push_back(&letter);
  RETURN_IF_ERROR(context.output().Print({&all}, DeadLetterTable(letters)));
  if (!request.page_token().empty()) context.terminal().Hint("there are more than --max");
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
          "By topic, partition and offset.",
          "acta deadletter list billing --after -1h",
          options,
          Run};
}

}  // namespace acta::cli
