#include "tools/acta/syntax/position.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/syntax/quantities.h"

namespace acta::cli {
namespace {

bool ParseNumber(absl::string_view text, int64_t* number) {
  return !text.empty() && absl::SimpleAtoi(text, number) && *number >= 0;
}

bool ParsePartitionOffset(absl::string_view text, Position* position) {
  const size_t colon = text.find(':');
  if (colon == absl::string_view::npos) return false;
  int64_t partition = 0;
  if (!ParseNumber(text.substr(0, colon), &partition) || partition > 65535) return false;
  if (!ParseNumber(text.substr(colon + 1), &position->offset)) return false;
  position->kind = Position::Kind::kPartitionOffset;
  position->partition = static_cast<int32_t>(partition);
  return true;
}

}  // namespace

absl::StatusOr<Position> ParsePosition(absl::string_view text, absl::Time now) {
  Position position;
  if (text == "earliest") {
    position.kind = Position::Kind::kEarliest;
    return position;
  }
  if (text == "latest") return position;
  if (LooksLikeTime(text)) {
    ASSIGN_OR_RETURN(position.time, ParseTime(text, now));
    position.kind = Position::Kind::kTime;
    return position;
  }
  if (ParseNumber(text, &position.offset)) {
    position.kind = Position::Kind::kOffset;
    return position;
  }
  if (ParsePartitionOffset(text, &position)) return position;
  return UsageError(absl::StrCat("'", text,
                                 "' is not a position; write earliest, latest, an offset such as "
                                 "1200, a time such as 2018-02-04T12:00:00Z or -15m, or "
                                 "PARTITION:OFFSET"));
}

v1::StartPosition ToStartPosition(const Position& position) {
  v1::StartPosition start;
  switch (position.kind) {
    case Position::Kind::kEarliest:
      start.set_earliest(true);
      break;
    case Position::Kind::kLatest:
      start.set_latest(true);
      break;
    case Position::Kind::kTime:
      start.set_time_us(absl::ToUnixMicros(position.time));
      break;
    case Position::Kind::kOffset:
    case Position::Kind::kPartitionOffset:
      start.set_offset(position.offset);
      break;
  }
  return start;
}

}  // namespace acta::cli
