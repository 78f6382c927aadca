#include "tools/acta/commands/dead_letter_options.h"

#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "storage/base/status_macros.h"
#include "tools/acta/events/json_line.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/output.h"
#include "tools/acta/output/words.h"
#include "tools/acta/syntax/quantities.h"

namespace acta::cli {
namespace {

constexpr size_t kMostRefs = 1000;
constexpr int64_t kMostRate = 100'000;

// Of one line in a table.
std::string OneLine(absl::string_view text) {
  return text.empty() ? "-" : absl::StrReplaceAll(text, {{"\r", " "}, {"\n", " "}, {"\t", " "}});
}

}  // namespace

absl::StatusOr<v1::DeadLetterRef> ParseDeadLetterRef(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '/');
  v1::DeadLetterRef ref;
  int32_t partition = 0;
  int64_t offset = 0;
  if (parts.size() != 3 || parts[0].empty() || !absl::SimpleAtoi(parts[1], &partition) ||
      !absl::SimpleAtoi(parts[2], &offset) || partition < 0 || offset < 0) {
    return UsageError(absl::StrCat("'", text, "' is not TOPIC/PARTITION/OFFSET: orders/0/17"));
  }
  ref.set_topic(std::string(parts[0]));
  ref.set_partition(partition);
  ref.set_offset(offset);
  return ref;
}

std::string RefText(const v1::DeadLetterRef& ref) {
  return absl::StrCat(ref.topic(), "/", ref.partition(), "/", ref.offset());
}

absl::StatusOr<int64_t> ParseRate(absl::string_view text) {
  absl::string_view number = text;
  absl::ConsumeSuffix(&number, "/s");
  int64_t rate = 0;
  if (!absl::SimpleAtoi(number, &rate) || rate < 1 || rate > kMostRate) {
    return UsageError(absl::StrCat("--rate: '", text, "' is not a rate; write 100/s, 1 to ",
                                   kMostRate, " a second"));
  }
  return rate;
}

std::vector<Option> DeadLetterFilters() {
  return {{"--fingerprint", "F", "only those that failed alike; see list --by-fingerprint"},
          {"--topic", "TOPIC", "only events of this topic"},
          {"--after", "TIME", "only what became a dead letter at TIME or later"},
          {"--before", "TIME", "only what became a dead letter before TIME"}};
}

absl::StatusOr<v1::DeadLetterSelection> ReadDeadLetterSelection(const Args& args, absl::Time now) {
  v1::DeadLetterSelection selection;
  std::set<std::string> named;
  for (const std::string& text : args.All("REF")) {
    ASSIGN_OR_RETURN(v1::DeadLetterRef ref, ParseDeadLetterRef(text));
    if (named.insert(RefText(ref)).second) *selection.add_letters() = std::move(ref);
  }
  if (named.size() > kMostRefs) {
    return UsageError(absl::StrCat("at most ", kMostRefs, " dead letters may be named"));
  }
  selection.set_fingerprint(args.Get("--fingerprint"));
  selection.set_topic(args.Get("--topic"));
  selection.set_all(args.Has("--all"));
  ASSIGN_OR_RETURN(const auto after, args.Time("--after", now));
  if (after) *selection.mutable_after() = ToProtoTime(*after);
  ASSIGN_OR_RETURN(const auto before, args.Time("--before", now));
  if (before) *selection.mutable_before() = ToProtoTime(*before);
  return selection;
}

absl::StatusOr<v1::DeadLetterSelection> ReadRequiredSelection(const Args& args, absl::Time now) {
  ASSIGN_OR_RETURN(v1::DeadLetterSelection selection, ReadDeadLetterSelection(args, now));
  if (ChoosesAny(selection)) return selection;
  return UsageError(
      "nothing is selected; name dead letters as TOPIC/PARTITION/OFFSET, or say --fingerprint, "
      "--topic, --after, --before or --all");
}

bool ChoosesAny(const v1::DeadLetterSelection& selection) { return selection.ByteSizeLong() > 0; }

EventPlace PlaceOf(const v1::DeadLetter& letter) {
  return {letter.ref().topic(), letter.ref().partition(), letter.ref().offset(),
          letter.append_time_us()};
}

absl::StatusOr<std::string> DeadLetterLine(const v1::DeadLetter& letter) {
  v1::DeadLetter without_event = letter;
  without_event.clear_event();
  ASSIGN_OR_RETURN(const std::string json, MergedJson({&without_event}));
  JsonLine line;
  line.Raw("dead_letter", json);
  line.Raw("event", letter.has_event()
                        ? EventText(EventFormat::kJson, letter.event(), PlaceOf(letter))
                        : "null");
  return line.Finish() + "\n";
}

std::string WhyText(const v1::DeadLetter& letter) {
  if (letter.held()) return "HELD";
  return EnumText(v1::DeadLetterReason_Name(letter.reason()), "DEAD_LETTER_REASON_");
}

Table DeadLetterTable(const std::vector<const v1::DeadLetter*>& letters) {
  Table table({"DEAD_LETTER", "DEAD_SINCE", "WHY", "ATTEMPTS", "REDRIVES", "FINGERPRINT", "REASON",
               "TEXT"});
  for (const v1::DeadLetter* letter : letters) {
    table.Row(RefText(letter->ref()), TimeText(letter->dead_time()), WhyText(*letter),
              letter->attempts(), letter->redrives(), letter->fingerprint(),
              OneLine(letter->last_attempt().reason()), OneLine(letter->last_attempt().text()));
  }
  return table;
}

Table KindTable(const v1::SummarizeDeadLettersResponse& summary) {
  Table table({"FINGERPRINT", "COUNT", "FIRST", "LAST", "REASON", "TEXT", "NEWEST"});
  for (const v1::DeadLetterKind& kind : summary.kinds()) {
    const v1::Attempt& attempt = kind.example().last_attempt();
    table.Row(kind.fingerprint(), kind.count(), TimeText(kind.first_time()),
              TimeText(kind.last_time()), OneLine(attempt.reason()), OneLine(attempt.text()),
              RefText(kind.example().ref()));
  }
  table.Total("total", summary.total(), "", "", "", "", "");
  return table;
}

Table AttemptTable(const v1::DeadLetter& letter) {
  Table table({"ATTEMPT", "REDRIVES", "END", "LEASED", "ENDED", "MEMBER", "APP", "REASON", "TEXT"});
  for (const v1::Attempt& attempt : letter.history()) {
    const std::string app = absl::StrCat(attempt.app(), attempt.app_version().empty() ? "" : " ",
                                         attempt.app_version());
    table.Row(attempt.attempt(), attempt.redrives(),
              EnumText(v1::AttemptEnd_Name(attempt.end()), "ATTEMPT_END_"),
              TimeText(attempt.lease_time()), TimeText(attempt.end_time()), attempt.member_id(),
              OneLine(app), OneLine(attempt.reason()), OneLine(attempt.text()));
  }
  return table;
}

Table RedriveTable(const std::vector<const v1::Redrive*>& redrives) {
  Table table({"REDRIVE", "STATE", "STARTED", "BY", "RATE", "SELECTED", "REDRIVEN", "DIED_AGAIN",
               "TOO_OFTEN", "LEFT", "TEXT"});
  for (const v1::Redrive* redrive : redrives) {
    table.Row(redrive->redrive_id(),
              EnumText(v1::RedriveState_Name(redrive->state()), "REDRIVE_STATE_"),
              TimeText(redrive->start_time()), redrive->by(), redrive->rate(), redrive->selected(),
              redrive->redriven(), redrive->died_again(), redrive->too_often(), redrive->left(),
              OneLine(redrive->text()));
  }
  return table;
}

Table ExplanationTable(const v1::ExplainGroupResponse& explained, bool with_commands) {
  std::vector<std::string> columns = {"TOPIC", "PARTITION", "KEY", "CODE", "OFFSET", "LAG", "WHY"};
  if (with_commands) columns.push_back("COMMAND");
  Table table(std::move(columns));
  const auto add = [&](const v1::PartitionExplanation& of, const std::string& key, int64_t events,
                       const auto& row) {
    std::string code = v1::StandstillCode_Name(row.code());
    code = std::string(absl::StripPrefix(code, "STANDSTILL_CODE_"));
    const std::string why = OneLine(row.text());
    if (with_commands) {
      table.Row(of.topic(), of.partition(), key, code, row.offset(), events, why,
                row.command().empty() ? "-" : row.command());
    } else {
      table.Row(of.topic(), of.partition(), key, code, row.offset(), events, why);
    }
  };
  for (const v1::PartitionExplanation& row : explained.partitions()) {
    add(row, "-", row.lag_events(), row);
    for (const v1::KeyExplanation& key : row.keys()) {
      add(row, key.key().empty() ? "?" : OneLine(key.key()), key.waiting_events(), key);
    }
  }
  return table;
}

}  // namespace acta::cli
