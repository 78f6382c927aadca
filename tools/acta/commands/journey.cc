#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/journey_options.h"
#include "tools/acta/events/journey_pages.h"
#include "tools/acta/events/journey_text.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

constexpr int64_t kMostOfPage = 10'000;  // Events that a broker gives at once.
constexpr absl::Duration kFollowEvery = absl::Seconds(1);

// All pages, or the first `most` events.
absl::StatusOr<v1::GetJourneyResponse> ReadPages(CommandContext& context,
                                                 v1::GetJourneyRequest request, int64_t most) {
  JourneyPages pages;
  do {
    const int64_t left = most - pages.journey().events_size();
    request.set_page_size(static_cast<int32_t>(std::min(left, kMostOfPage)));
    ASSIGN_OR_RETURN(v1::GetJourneyResponse page, context.admin().GetJourney(request));
    pages.Add(std::move(page));
    request.set_page_token(pages.journey().next_page_token());
  } while (!request.page_token().empty() && pages.journey().events_size() < most);
  return pages.journey();
}

Table TableOf(const v1::GetJourneyResponse& journey) {
  Table table({"event", "cause", "type", "id", "topic", "partition", "offset", "state", "groups"});
  for (int32_t i = 0; i < journey.events_size(); ++i) {
    const v1::JourneyEvent& event = journey.events(i);
    std::vector<std::string> groups;
    for (const v1::GroupOutcome& outcome : event.groups()) {
      groups.push_back(OutcomeText(outcome, event));
    }
    table.Row(i, event.has_cause() ? absl::StrCat(event.cause()) : "-", event.event().type(),
              event.event().id(), event.position().topic(), event.position().partition(),
              event.position().offset(),
              EnumText(v1::JourneyEventState_Name(event.state()), "JOURNEY_EVENT_STATE_"),
              absl::StrJoin(groups, "; "));
  }
  return table;
}

void SayWhatIsMissing(CommandContext& context, const v1::GetJourneyResponse& journey) {
  Terminal& terminal = context.terminal();
  if (!journey.next_page_token().empty()) {
    terminal.Warn(absl::StrCat("there are more events: --page-token ", journey.next_page_token(),
                               " goes on, --max raises the limit"));
  }
  if (journey.truncated()) {
    terminal.Warn(
        "some causes and effects of other correlations were left out: --max raises the limit, and "
        "asking for the event that they belong to tells all of its own");
  }
  if (journey.index().lag_events() > 0) {
    terminal.Warn(absl::StrCat("the index is behind by ",
                               CountText(journey.index().lag_events(), "event"),
                               ": some may be missing"));
  }
  if (journey.index().not_indexed_topics_size() > 0) {
    terminal.Hint(absl::StrCat("not indexed, or by correlation only: ",
                               absl::StrJoin(journey.index().not_indexed_topics(), ", ")));
  }
}

absl::Status Show(CommandContext& context, JourneyDrawing drawing,
                  const v1::GetJourneyResponse& journey) {
  if (context.output_format() != "table") {
    return context.output().Print({&journey}, TableOf(journey));
  }
  const std::vector<v1::JourneyEvent> events(journey.events().begin(), journey.events().end());
  return WriteAll(stdout, DrawJourney(drawing, events));
}

absl::Status Run(CommandContext& context) {
  const Args& args = context.args();
  v1::GetJourneyRequest request;
  ASSIGN_OR_RETURN(*request.mutable_selection(), ReadJourneySelection(args));
  ASSIGN_OR_RETURN(const JourneyDrawing drawing, ParseJourneyDrawing(args.GetOr("--draw", "tree")));
  ASSIGN_OR_RETURN(const auto max, args.Integer("--max", 1, 1'000'000));
  const int64_t most = max.value_or(10'000);
  request.set_page_token(args.Get("--page-token"));
  request.set_events_only(args.Has("--events-only"));
  ASSIGN_OR_RETURN(v1::GetJourneyResponse journey, ReadPages(context, request, most));
  RETURN_IF_ERROR(Show(context, drawing, journey));
  SayWhatIsMissing(context, journey);
  std::string shown = journey.SerializeAsString();
  while (args.Has("--follow")) {
    absl::SleepFor(kFollowEvery);
    ASSIGN_OR_RETURN(journey, ReadPages(context, request, most));
    std::string now = journey.SerializeAsString();
    if (now == shown) continue;
    shown = std::move(now);
    RETURN_IF_ERROR(context.ClearScreen());
    RETURN_IF_ERROR(Show(context, drawing, journey));
  }
  return absl::OkStatus();
}

}  // namespace

Command JourneyCommand() {
  std::vector<Option> options = JourneySelectionOptions();
  options.push_back({"--draw", "HOW", "tree, dot (Graphviz) or mermaid (tree)"});
  options.push_back({"--follow", "", "shows it anew whenever something happens"});
  options.push_back({"--events-only", "", "leaves out what groups did"});
  options.push_back({"--max", "N", "events at most (10000)"});
  options.push_back({"--page-token", "TOKEN", "goes on where the last answer stopped"});
  return {"journey",
          {},
          "what happened: the events of a journey, their causes, and what groups did with each",
          "A journey is all events of one correlation, what caused them and what they caused.",
          "acta journey --correlation order-1042",
          std::move(options),
          Run};
}

}  // namespace acta::cli
