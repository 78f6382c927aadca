#include "server/core/topics/place_name.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace acta {

std::string PlaceText(absl::string_view topic, int32_t partition, Offset offset) {
  return absl::StrCat(topic, "/", partition, "/", offset.value());
}

std::optional<PlaceName> ParsePlace(absl::string_view text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  PlaceName place;
  int64_t offset = 0;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[1], &place.partition) ||
      !absl::SimpleAtoi(parts[2], &offset)) {
    return std::nullopt;
  }
  place.topic = parts[0];
  place.offset = Offset(offset);
  return place;
}

}  // namespace acta
