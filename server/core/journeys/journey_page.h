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
  // What was asked for has been told, from the page's place to the last one; what belongs to it
  // goes on there.
  struct Around {
    EventFinder::Place last;
    EventFinder::Place from;
  };

  EventFinder::Place from;  // Of what was asked for.
  std::optional<Around> around;

  std::string Token() const;
  // Empty: the first page. Errors: INVALID_ARGUMENT.
  static absl::StatusOr<JourneyPage> Parse(const std::string& token);
};

}  // namespace acta
