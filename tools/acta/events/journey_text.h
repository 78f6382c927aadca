#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "acta/v1/journeys.pb.h"

namespace acta::cli {

// How a journey is drawn: for a terminal, for Graphviz, for Mermaid.
enum class JourneyDrawing { kTree, kDot, kMermaid };

// "tree", "dot" or "mermaid". Errors: usage.
absl::StatusOr<JourneyDrawing> ParseJourneyDrawing(absl::string_view text);

// The events, causes before their effects, as in GetJourneyResponse; each with what groups did.
// Graphviz and Mermaid colour those that are dead letters of a group.
std::string DrawJourney(JourneyDrawing drawing, const std::vector<v1::JourneyEvent>& events);

// "topic/partition/offset", as an event without an id is named.
std::string PositionText(const v1::EventPosition& at);

// What a group did with an event, in a line: "billing processed by worker-1 after 12 ms".
std::string OutcomeText(const v1::GroupOutcome& outcome, const v1::JourneyEvent& event);

}  // namespace acta::cli
