#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "server/core/journeys/event_finder.h"

namespace acta {

// Where the answer about a journey goes on. By its tokens the pages of an answer follow each other
// without anything kept in between: what was asked for is looked for again.
struct JourneyPage {
  // What was asked for has been told, so many events from the page's place on; what belongs to
  // them goes on there.
  struct Around {
    size_t asked_for = 0;
    EventFinder::Place from;
  };

  EventFinder::Place from;  // Of what was asked for.
  std::optional<Around> around;

  std::string Token() const;
  // Empty: the first page. `most`: what a page may ask for. Errors: INVALID_ARGUMENT.
  static absl::StatusOr<JourneyPage> Parse(const std::string& token, size_t most);
};

}  // namespace acta
