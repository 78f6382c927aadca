#include "tools/acta/events/journey_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

// The principal of who is not asked for a name.
constexpr char kNobody[] = "anonymous";

// What it is, in a few words.
std::string NameOf(const v1::JourneyEvent& event) {
  switch (event.state()) {
    case v1::JOURNEY_EVENT_STATE_OPAQUE:
      return "(an event of a topic you may not browse)";
    case v1::JOURNEY_EVENT_STATE_MISSING:
      return absl::StrCat("(", event.event().id(), " is nowhere to be found)");
    case v1::JOURNEY_EVENT_STATE_TRIMMED:
      return absl::StrCat("(gone by retention) ", PositionText(event.position()));
    case v1::JOURNEY_EVENT_STATE_UNREADABLE:
      return absl::StrCat("(damaged) ", PositionText(event.position()));
    case v1::JOURNEY_EVENT_STATE_NOT_GIVEN:
      return absl::StrCat("(the disk did not give it: ask again) ", PositionText(event.position()));
    default:
      break;
  }
  const std::string& type = event.event().type();
  std::string name = type.empty() ? "(no type)" : type;
  if (!event.event().id().empty()) absl::StrAppend(&name, "  ", event.event().id());
  return absl::StrCat(name, "  ", PositionText(event.position()));
}

// "billing 1.4", as a producer or a member says it. Not empty.
template <typename Named>
std::string AppText(const Named& named) {
  return absl::StrCat(named.app(), named.app_version().empty() ? "" : " ", named.app_version());
}

std::string OriginOf(const v1::JourneyEvent& event) {
  std::string origin;
  if (event.has_append_time()) origin = MillisTimeText(event.append_time());
  if (!event.app().empty()) absl::StrAppend(&origin, " by ", AppText(event));
  if (event.principal() != kNobody && !event.principal().empty()) {
    absl::StrAppend(&origin, " as ", event.principal());
  }
  const std::string& schema = event.event().schema();
  if (!schema.empty()) absl::StrAppend(&origin, ", schema ", schema);
  if (event.in_cycle()) absl::StrAppend(&origin, " (it is among its own causes)");
  return origin;
}

std::string SinceAppend(const v1::JourneyEvent& event, const google::protobuf::Timestamp& time) {
  if (!event.has_append_time()) return "";
  const absl::Duration after = FromProtoTime(time) - FromProtoTime(event.append_time());
  return absl::StrCat(" after ", DurationText(std::max(after, absl::ZeroDuration())));
}

std::string AttemptText(const v1::Attempt& attempt, const v1::JourneyEvent& event) {
  std::string text = absl::StrCat("attempt ", attempt.attempt(), ": ",
                                  EnumText(v1::AttemptEnd_Name(attempt.end()), "ATTEMPT_END_"));
  if (!attempt.member_id().empty()) absl::StrAppend(&text, " by ", attempt.member_id());
  if (!attempt.app().empty()) absl::StrAppend(&text, " (", AppText(attempt), ")");
  if (attempt.has_end_time()) absl::StrAppend(&text, SinceAppend(event, attempt.end_time()));
  if (!attempt.reason().empty()) absl::StrAppend(&text, ": ", attempt.reason());
  if (!attempt.text().empty()) absl::StrAppend(&text, ": ", attempt.text());
  return text;
}

std::string RedrivenText(const v1::GroupOutcome& outcome) {
  const bool once = outcome.redrives() == 1;
  std::string text =
      once ? "redriven once" : absl::StrCat("redriven ", outcome.redrives(), " times");
  if (outcome.redriven_by().empty()) return text;
  return absl::StrCat(text, once ? " by " : ", last by ", outcome.redriven_by());
}

class TreeText {
 public:
  static constexpr size_t kDeepest = 16;

  explicit TreeText(const std::vector<v1::JourneyEvent>& events) : events_(events) {
    effects_.resize(events.size());
    for (size_t i = 0; i < events.size(); ++i) {
      const int32_t cause = events[i].has_cause() ? events[i].cause() : -1;
      if (cause >= 0 && static_cast<size_t>(cause) < i) {
        effects_[static_cast<size_t>(cause)].push_back(i);
      } else {
        roots_.push_back(i);
      }
    }
  }
  std::string Draw() {
    for (const size_t root : roots_) Draw(root, "", "");
    return std::move(text_);
  }

 private:
  // `first` begins its own line, `rest` those below it.
  void Draw(size_t root, const std::string& root_first, const std::string& root_rest) {
    struct Open {
      size_t event;
      size_t depth;
      std::string first, rest;
    };
    std::vector<Open> open = {{root, 0, root_first, root_rest}};
    while (!open.empty()) {
      const Open at = std::move(open.back());
      open.pop_back();
      const std::vector<size_t>& effects = effects_[at.event];
      const std::string beside = at.rest + (effects.empty() ? "  " : "\u2502 ");
      Put(at.event, at.first, beside);
      for (size_t i = effects.size(); i-- > 0;) {
        const bool last = i + 1 == effects.size();
        const size_t depth = at.depth + 1;
        if (depth > kDeepest) {  // It would leave the screen: the depth is told in a number.
          open.push_back({effects[i], depth, absl::StrCat(at.rest, "(", depth, ") "), at.rest});
          continue;
        }
        open.push_back({effects[i], depth, at.rest + (last ? "\u2514\u2500 " : "\u251c\u2500 "),
                        at.rest + (last ? "   " : "\u2502  ")});
      }
    }
  }
  void Put(size_t i, const std::string& first, const std::string& beside) {
    const v1::JourneyEvent& event = events_[i];
    absl::StrAppend(&text_, first, Plain(NameOf(event)), "\n");
    if (const std::string origin = Plain(OriginOf(event)); !origin.empty()) {
      absl::StrAppend(&text_, beside, origin, "\n");
    }
    for (const v1::GroupOutcome& outcome : event.groups()) {
      absl::StrAppend(&text_, beside, "* ", OutcomeText(outcome, event), "\n");
      if (outcome.earlier_attempts() > 0) {
        absl::StrAppend(&text_, beside, "    ",
                        CountText(outcome.earlier_attempts(), "earlier attempt"), "\n");
      }
      for (const v1::Attempt& attempt : outcome.failed_attempts()) {
        absl::StrAppend(&text_, beside, "    ", Plain(AttemptText(attempt, event)), "\n");
      }
    }
  }

  const std::vector<v1::JourneyEvent>& events_;
  std::vector<std::vector<size_t>> effects_;
  std::vector<size_t> roots_;
  std::string text_;
};

// A node that somebody has to look at, in both drawings: red, and black on it.
constexpr char kDeadFill[] = "#f8d7da";
constexpr char kDeadBorder[] = "#b02a37";

// The groups that gave up on the event, and did not get it again since: "a, b"; empty: none did.
std::string GroupsThatGaveUp(const v1::JourneyEvent& event) {
  std::string groups;
  for (const v1::GroupOutcome& outcome : event.groups()) {
    if (outcome.state() != v1::OUTCOME_STATE_DEAD_LETTERED) continue;
    absl::StrAppend(&groups, groups.empty() ? "" : ", ", outcome.group());
  }
  return groups;
}

// Lines of a node's label.
std::vector<std::string> LabelOf(const v1::JourneyEvent& event, const std::string& gave_up) {
  std::vector<std::string> lines = {Plain(NameOf(event))};
  if (!gave_up.empty()) lines.push_back(absl::StrCat("DEAD LETTER of ", gave_up));
  for (const v1::GroupOutcome& outcome : event.groups()) {
    lines.push_back(OutcomeText(outcome, event));
  }
  return lines;
}

// In a label that is quoted, where Graphviz knows the entities of HTML.
std::string DotText(const std::string& line) {
  return absl::StrReplaceAll(line, {{"\\", "\\\\"}, {"\"", "\\\""}, {"&", "&amp;"}});
}

std::string Dot(const std::vector<v1::JourneyEvent>& events) {
  std::string text = "digraph journey {\n  node [shape=box];\n";
  for (size_t i = 0; i < events.size(); ++i) {
    const std::string gave_up = GroupsThatGaveUp(events[i]);
    std::string label;
    for (const std::string& line : LabelOf(events[i], gave_up)) {
      absl::StrAppend(&label, DotText(line), "\\l");
    }
    absl::StrAppend(&text, "  e", i, " [label=\"", label, "\"");
    if (!gave_up.empty()) {
      absl::StrAppend(&text, " style=filled fillcolor=\"", kDeadFill, "\" color=\"", kDeadBorder,
                      "\"");
    }
    absl::StrAppend(&text, "];\n");
    if (events[i].has_cause()) absl::StrAppend(&text, "  e", events[i].cause(), " -> e", i, ";\n");
  }
  return text + "}\n";
}

// In a label that is quoted. Without this Mermaid takes settings from `%%{`, a comment from `%%`,
// an entity from `#`, the end of a line from `\n`, a formula from `$$`, an icon from `fa:fa-` and
// Markdown from "`. Not by number, as `#35;`: it takes that with "style" before it for a statement.
std::string MermaidText(const std::string& line) {
  return absl::StrReplaceAll(line, {{"&", "&amp;"},
                                    {"\"", "&quot;"},
                                    {"<", "&lt;"},
                                    {">", "&gt;"},
                                    {"#", "&num;"},
                                    {"%", "&percnt;"},
                                    {"\\", "&bsol;"},
                                    {"$", "&dollar;"},
                                    {":fa-", "&colon;fa-"},
                                    {"`", "&grave;"}});
}

std::string Mermaid(const std::vector<v1::JourneyEvent>& events) {
  std::string text = "flowchart TD\n";
  bool any_dead = false;
  for (size_t i = 0; i < events.size(); ++i) {
    const std::string gave_up = GroupsThatGaveUp(events[i]);
    any_dead = any_dead || !gave_up.empty();
    std::string label;
    for (const std::string& line : LabelOf(events[i], gave_up)) {
      absl::StrAppend(&label, label.empty() ? "" : "<br/>", MermaidText(line));
    }
    absl::StrAppend(&text, "  e", i, "[\"", label, "\"]", gave_up.empty() ? "" : ":::deadLetter",
                    "\n");
    if (events[i].has_cause()) absl::StrAppend(&text, "  e", events[i].cause(), " --> e", i, "\n");
  }
  if (any_dead) {
    absl::StrAppend(&text, "  classDef deadLetter fill:", kDeadFill, ",stroke:", kDeadBorder,
                    ",color:#000000\n");
  }
  return text;
}

}  // namespace

absl::StatusOr<JourneyDrawing> ParseJourneyDrawing(absl::string_view text) {
  if (text == "tree") return JourneyDrawing::kTree;
  if (text == "dot") return JourneyDrawing::kDot;
  if (text == "mermaid") return JourneyDrawing::kMermaid;
  return UsageError(absl::StrCat("--draw: '", text, "' is not tree, dot or mermaid"));
}

std::string PositionText(const v1::EventPosition& at) {
  return absl::StrCat(at.topic(), "/", at.partition(), "/", at.offset());
}

std::string OutcomeText(const v1::GroupOutcome& outcome, const v1::JourneyEvent& event) {
  std::string text = absl::StrCat(
      outcome.group(), ": ", EnumText(v1::OutcomeState_Name(outcome.state()), "OUTCOME_STATE_"));
  if (outcome.of_range()) absl::StrAppend(&text, " (passed with its range)");
  if (!outcome.member_id().empty()) absl::StrAppend(&text, " by ", outcome.member_id());
  if (!outcome.by().empty()) absl::StrAppend(&text, " by ", outcome.by());
  if (outcome.has_end_time()) absl::StrAppend(&text, SinceAppend(event, outcome.end_time()));
  if (outcome.has_until_time()) {
    absl::StrAppend(&text, " until ", MillisTimeText(outcome.until_time()));
  }
  if (outcome.redrives() > 0) absl::StrAppend(&text, ", ", RedrivenText(outcome));
  if (outcome.processed_before() > 0) {
    absl::StrAppend(&text, ", processed ", CountText(outcome.processed_before(), "time"),
                    " before a reset");
  }
  if (!outcome.why().empty()) absl::StrAppend(&text, ": ", outcome.why());
  return Plain(text);
}

std::string DrawJourney(JourneyDrawing drawing, const std::vector<v1::JourneyEvent>& events) {
  switch (drawing) {
    case JourneyDrawing::kDot:
      return Dot(events);
    case JourneyDrawing::kMermaid:
      return Mermaid(events);
    case JourneyDrawing::kTree:
      break;
  }
  return TreeText(events).Draw();
}

}  // namespace acta::cli
