#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "acta/v1/dead_letters.pb.h"
#include "acta/v1/groups.pb.h"
#include "tools/acta/app/args.h"
#include "tools/acta/app/command.h"
#include "tools/acta/events/event_text.h"
#include "tools/acta/output/table.h"

namespace acta::cli {

// How dead letters are named, chosen and shown, for every command about them.
//
// Threads: any. Errors: usage.

// TOPIC/PARTITION/OFFSET.
absl::StatusOr<v1::DeadLetterRef> ParseDeadLetterRef(absl::string_view text);
std::string RefText(const v1::DeadLetterRef& ref);

// "100/s" or "100": that many a second, 1 to 100,000.
absl::StatusOr<int64_t> ParseRate(absl::string_view text);

// --fingerprint, --topic, --after and --before.
std::vector<Option> DeadLetterFilters();
// What REF, --all and the filters choose; unset fields choose nothing away.
absl::StatusOr<v1::DeadLetterSelection> ReadDeadLetterSelection(const Args& args, absl::Time now);
// The same where something has to be chosen.
absl::StatusOr<v1::DeadLetterSelection> ReadRequiredSelection(const Args& args, absl::Time now);
bool ChoosesAny(const v1::DeadLetterSelection& selection);

// Where the event of a dead letter stands.
EventPlace PlaceOf(const v1::DeadLetter& letter);
// One line of JSON: `dead_letter` with its history as the proto maps it, and `event` as
// `--format json` shows it, null when the event is gone. Errors: as MergedJson.
absl::StatusOr<std::string> DeadLetterLine(const v1::DeadLetter& letter);

// Why it is one: its reason, or HELD.
std::string WhyText(const v1::DeadLetter& letter);
Table DeadLetterTable(const std::vector<const v1::DeadLetter*>& letters);
Table KindTable(const v1::SummarizeDeadLettersResponse& summary);
Table AttemptTable(const v1::DeadLetter& letter);
Table RedriveTable(const std::vector<const v1::Redrive*>& redrives);
// With a column COMMAND, or without. Keys that keep events waiting come behind their partition,
// with how many wait as their lag.
Table ExplanationTable(const v1::ExplainGroupResponse& explained, bool with_commands);

}  // namespace acta::cli
