#include <string>

#include "server/core/access/pages.h"
#include "server/core/claims/claim_rules.h"
#include "server/core/journeys/journey_page.h"
#include "server/core/schedules/schedule_records.h"
#include "server/core/topics/place_name.h"
#include "storage/base/fatal.h"
#include "tests/fuzz/fuzz_targets.h"
#include "tools/acta/commands/dead_letter_options.h"
#include "tools/acta/events/cause_text.h"

namespace acta {
namespace {

// Each: what is read is written as what reads the same.

void CheckPageToken(absl::string_view text) {
  const auto name = ParsePageToken("topic", text);
  if (!name.ok() || name->empty()) return;
  const auto again = ParsePageToken("topic", MakePageToken(*name));
  ACTA_CHECK(again.ok() && *again == *name);
}

void CheckClaimToken(absl::string_view text) {
  const auto token = ParseClaimToken(text);
  if (!token.ok()) return;
  const auto again = ParseClaimToken(ClaimTokenText(*token));
  ACTA_CHECK(token->size() == 16 && again.ok() && *again == *token);
}

void CheckJourneyPage(absl::string_view text) {
  const auto page = JourneyPage::Parse(std::string(text));
  if (!page.ok()) return;
  ACTA_CHECK(page->from.offset >= Offset(0));
  const auto again = JourneyPage::Parse(page->Token());
  ACTA_CHECK(again.ok() && again->Token() == page->Token());
}

void CheckPlace(absl::string_view text) {
  const auto place = ParsePlace(text);
  if (!place.has_value()) return;
  const std::string written = PlaceText(place->topic, place->partition, place->offset);
  const auto again = ParsePlace(written);
  ACTA_CHECK(again.has_value() && again->topic == place->topic &&
             again->partition == place->partition && again->offset == place->offset);
}

void CheckDeadLetter(absl::string_view text) {
  const auto letter = cli::ParseDeadLetterRef(text);
  if (!letter.ok()) return;
  const auto again = cli::ParseDeadLetterRef(cli::RefText(*letter));
  ACTA_CHECK(again.ok() && cli::RefText(*again) == cli::RefText(*letter));
}

void CheckCause(absl::string_view text) {
  const auto cause = cli::ParseCause(text);
  if (!cause.ok()) return;
  const auto again = cli::ParseCause(cli::CauseText(*cause));
  ACTA_CHECK(again.ok() && again->server == cause->server &&
             again->event.SerializeAsString() == cause->event.SerializeAsString());
}

}  // namespace

int FuzzTokens(absl::string_view bytes) {
  if (bytes.empty()) return 0;
  const auto kind = static_cast<unsigned char>(bytes.front());
  bytes.remove_prefix(1);
  switch (kind % 8) {
    case 0:
      CheckPageToken(bytes);
      break;
    case 1:
      CheckClaimToken(bytes);
      break;
    case 2:
      (void)ParseClaimPageToken(bytes);
      break;
    case 3:
      CheckJourneyPage(bytes);
      break;
    case 4:
      CheckPlace(bytes);
      break;
    case 5:
      CheckDeadLetter(bytes);
      break;
    case 6:
      CheckCause(bytes);
      break;
    default:
      (void)ParseScheduleId(bytes);
  }
  return 0;
}

}  // namespace acta
