#include "server/core/journeys/journey_page.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "proto/support/error.h"
#include "server/core/queues/settlement_rules.h"

namespace acta {
namespace {

// "PARTITION.OFFSET" of one place, or of three.
constexpr size_t kPartsOfAsked = 2;
constexpr size_t kPartsOfAround = 6;

std::string PlaceToken(const EventFinder::Place& place) {
  return absl::StrCat(place.partition.value(), ".", place.offset.value());
}

bool ParsePlaceToken(absl::string_view partition, absl::string_view offset,
                     EventFinder::Place* place) {
  uint64_t number = 0;
  int64_t at = 0;
  if (!absl::SimpleAtoi(partition, &number) || !absl::SimpleAtoi(offset, &at)) return false;
  *place = {PartitionId(number), Offset(at)};
  return place->offset >= Offset(0) && place->offset <= kMostNamedOffset;
}

}  // namespace

std::string JourneyPage::Token() const {
  if (!around.has_value()) return PlaceToken(from);
  return absl::StrCat(PlaceToken(from), ".", PlaceToken(around->last), ".",
                      PlaceToken(around->from));
}

absl::StatusOr<JourneyPage> JourneyPage::Parse(const std::string& token) {
  JourneyPage page;
  if (token.empty()) return page;
  const std::vector<absl::string_view> parts = absl::StrSplit(token, '.');
  bool parsed = parts.size() == kPartsOfAsked || parts.size() == kPartsOfAround;
  parsed = parsed && ParsePlaceToken(parts[0], parts[1], &page.from);
  if (parsed && parts.size() == kPartsOfAround) {
    Around& around = page.around.emplace();
    parsed = ParsePlaceToken(parts[2], parts[3], &around.last) &&
             ParsePlaceToken(parts[4], parts[5], &around.from);
  }
  if (parsed) return page;
  return Error(v1::INVALID_ARGUMENT, "page_token is not one that this server made",
               {{"field", "page_token"}});
}

}  // namespace acta
