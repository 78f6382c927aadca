#include "tools/acta/commands/journey_options.h"

#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "storage/base/status_macros.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {

std::vector<Option> JourneySelectionOptions() {
  return {
      {"--event", "ID", "an event by its id"},
      {"--source", "SOURCE", "with --event: of this source only"},
      {"--correlation", "ID", "all events of a correlation"},
      {"--affected", "KIND:ID", "events that name who is affected: user:42"},
      {"--position", "POSITION", "an event by its place: TOPIC/PARTITION/OFFSET"},
  };
}

absl::StatusOr<v1::EventPosition> ParseEventPosition(absl::string_view text) {
  const auto wrong = [text] {
    return UsageError(
        absl::StrCat("--position: '", text, "' is not TOPIC/PARTITION/OFFSET, as in orders/1/42"));
  };
  std::vector<std::string> parts = absl::StrSplit(text, '/');
  // acta:tenant/topic/partition/incarnation/offset
  if (parts.size() == 5 && parts[0].rfind("acta:", 0) == 0) {
    parts = {parts[1], parts[2], parts[4]};
  }
  v1::EventPosition position;
  int32_t partition = 0;
  int64_t offset = 0;
  if (parts.size() != 3 || parts[0].empty() || !absl::SimpleAtoi(parts[1], &partition) ||
      !absl::SimpleAtoi(parts[2], &offset) || partition < 0 || offset < 0) {
    return wrong();
  }
  position.set_topic(parts[0]);
  position.set_partition(partition);
  position.set_offset(offset);
  return position;
}

absl::StatusOr<v1::JourneySelection> ReadJourneySelection(const Args& args) {
  const int given = args.Has("--event") + args.Has("--correlation") + args.Has("--affected") +
                    args.Has("--position");
  if (given != 1) {
    return UsageError("name one of --event, --correlation, --affected and --position");
  }
  if (args.Has("--source") && !args.Has("--event")) {
    return UsageError("--source goes with --event");
  }
  v1::JourneySelection selection;
  if (args.Has("--event")) {
    selection.mutable_event()->set_id(args.Get("--event"));
    selection.mutable_event()->set_source(args.Get("--source"));
  } else if (args.Has("--correlation")) {
    selection.set_correlation_id(args.Get("--correlation"));
  } else if (args.Has("--affected")) {
    const std::string& text = args.Get("--affected");
    const size_t colon = text.find(':');
    if (colon == std::string::npos || colon + 1 == text.size()) {
      return UsageError(absl::StrCat("--affected: '", text, "' is not KIND:ID, as in user:42"));
    }
    selection.mutable_affected()->set_kind(text.substr(0, colon));
    selection.mutable_affected()->set_id(text.substr(colon + 1));
  } else {
    ASSIGN_OR_RETURN(*selection.mutable_position(), ParseEventPosition(args.Get("--position")));
  }
  return selection;
}

}  // namespace acta::cli
