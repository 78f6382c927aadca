#include <cstdio>

#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/dead_letter_options.h"
#include "tools/acta/events/event_text.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

std::string Heading(const v1::DeadLetter& letter) {
  return absl::StrCat(letter.held() ? "held event " : "dead letter ", RefText(letter.ref()), ": ",
                      WhyText(letter), " since ", TimeText(letter.dead_time()), ", fingerprint ",
                      letter.fingerprint(), ", ", letter.redrives(), " redrives",
                      letter.order_broken() ? ", later events of its key went on without it" : "",
                      "\n");
}

absl::Status Run(CommandContext& context) {
  const Args& args = context.args();
  ASSIGN_OR_RETURN(const EventFormat format, ParseEventFormat(args.GetOr("--format", "data")));
  v1::GetDeadLetterRequest request;
  request.set_group(args.Get("GROUP"));
  ASSIGN_OR_RETURN(*request.mutable_ref(), ParseDeadLetterRef(args.Get("DEAD_LETTER")));
  ASSIGN_OR_RETURN(const v1::GetDeadLetterResponse response,
                   context.admin().GetDeadLetter(request));
  const v1::DeadLetter& letter = response.dead_letter();
  RETURN_IF_ERROR(context.PrintHeading(Heading(letter)));
  RETURN_IF_ERROR(context.output().Print({&response}, AttemptTable(letter)));
  if (!letter.has_event()) {
    context.terminal().Warn("the event is gone: retention has removed it");
    return absl::OkStatus();
  }
  return context.PrintText(EventHeading(format) +
                           EventText(format, letter.event(), PlaceOf(letter)));
}

}  // namespace

Command DeadletterShowCommand() {
  return {"deadletter show",
          {"GROUP", "DEAD_LETTER"},
          "shows a dead letter: every attempt, and the event",
          "DEAD_LETTER is TOPIC/PARTITION/OFFSET, as list shows it.",
          "acta deadletter show billing orders/0/0 --format data",
          {{"--format", "FORMAT", "of the event: data, json, cloudevents or csv (data)"}},
          Run};
}

}  // namespace acta::cli
