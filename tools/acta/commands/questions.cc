#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/journey_options.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

absl::string_view TextOf(v1::Question question) {
  switch (question) {
    case v1::QUESTION_WHERE_FROM:
      return "Where did it come from?";
    case v1::QUESTION_WHICH_SCHEMA:
      return "Which schema version?";
    case v1::QUESTION_WHO_RECEIVED:
      return "Who received it?";
    case v1::QUESTION_WHO_PROCESSED:
      return "Who processed it?";
    case v1::QUESTION_WHO_FAILED:
      return "Who failed, retried or dead-lettered it?";
    case v1::QUESTION_WHICH_PROCESS:
      return "Which business process is it part of?";
    case v1::QUESTION_MAY_REPLAY:
      return "Can it be replayed safely?";
    case v1::QUESTION_WHO_IS_AFFECTED:
      return "Which user, account, tenant or device is affected?";
    default:
      return "(a question this program does not know)";
  }
}

std::string CertaintyText(v1::Certainty certainty) {
  const std::string& name = v1::Certainty_Name(certainty);
  return absl::StartsWith(name, "CERTAINTY_") ? name.substr(10) : name;
}

std::string PageOf(const v1::AskQuestionsResponse& response) {
  std::string page;
  for (const v1::Answer& answer : response.answers()) {
    absl::StrAppend(&page, page.empty() ? "" : "\n", TextOf(answer.question()), "  ",
                    CertaintyText(answer.certainty()), "\n");
    for (const std::string& line : answer.lines()) absl::StrAppend(&page, "  ", Plain(line), "\n");
    if (!answer.why().empty()) absl::StrAppend(&page, "  why: ", Plain(answer.why()), "\n");
    if (!answer.remedy().empty()) {
      absl::StrAppend(&page, "  to know more: ", Plain(answer.remedy()), "\n");
    }
  }
  return page;
}

Table TableOf(const v1::AskQuestionsResponse& response) {
  Table table({"question", "certainty", "answer", "why", "remedy"});
  for (const v1::Answer& answer : response.answers()) {
    std::string lines;
    for (const std::string& line : answer.lines()) {
      absl::StrAppend(&lines, lines.empty() ? "" : "; ", line);
    }
    table.Row(EnumText(v1::Question_Name(answer.question()), "QUESTION_"),
              CertaintyText(answer.certainty()), lines, answer.why(), answer.remedy());
  }
  return table;
}

absl::Status Run(CommandContext& context) {
  const std::string& event = context.args().Get("EVENT");
  v1::AskQuestionsRequest request;
  v1::JourneySelection* const selection = request.mutable_selection();
  if (context.args().Has("--position")) {
    ASSIGN_OR_RETURN(*selection->mutable_position(), ParseEventPosition(event));
  } else {
    selection->mutable_event()->set_id(event);
    selection->mutable_event()->set_source(context.args().Get("--source"));
  }
  ASSIGN_OR_RETURN(const v1::AskQuestionsResponse response, context.admin().AskQuestions(request));
  if (response.index().lag_events() > 0) {
    context.terminal().Warn(absl::StrCat("the index is behind by ",
                                         CountText(response.index().lag_events(), "event"),
                                         ": something may be missing"));
  }
  if (context.output_format() != "table") {
    return context.output().Print({&response}, TableOf(response));
  }
  return WriteAll(stdout, PageOf(response));
}

}  // namespace

Command QuestionsCommand() {
  return {
      "questions",
      {"EVENT"},
      "answers what one asks about an event: where from, who got it, who failed, who is affected",
      "EVENT is its id, or with --position its place. Each answer is KNOWN, PARTIAL or UNKNOWN,\n"
      "with what is missing and what would make it known.",
      "acta questions order-1042",
      {{"--source", "SOURCE", "the event of this source only"},
       {"--position", "", "EVENT is TOPIC/PARTITION/OFFSET"}},
      Run};
}

}  // namespace acta::cli
