#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "storage/base/ids.h"

namespace acta {

// "topic/partition/offset", as an event without an id is named.
std::string PlaceText(absl::string_view topic, int32_t partition, Offset offset);
// nullopt: it is none.
struct PlaceName {
  std::string topic;
  int32_t partition = 0;
  Offset offset;
};
std::optional<PlaceName> ParsePlace(absl::string_view text);

}  // namespace acta
