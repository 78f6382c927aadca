#include "tools/acta/events/journey_pages.h"

#include <utility>
#include <vector>

#include "tools/acta/events/journey_text.h"

namespace acta::cli {
void JourneyPages::Add(v1::GetJourneyResponse page) {
  std::vector<int32_t> at;  // Of the page's events.
  for (v1::JourneyEvent& event : *page.mutable_events()) {
    const int32_t cause = event.has_cause() ? at[static_cast<size_t>(event.cause())] : -1;
    event.clear_cause();
    at.push_back(AddEvent(std::move(event)));
    if (cause >= 0) SetCause(at.back(), cause);
  }
  journey_.set_next_page_token(page.next_page_token());
  journey_.set_truncated(journey_.truncated() || page.truncated());
  *journey_.mutable_index() = page.index();
}

int32_t JourneyPages::AddEvent(v1::JourneyEvent event) {
  const int32_t index = journey_.events_size();
  const std::string place = event.has_position() ? PositionText(event.position()) : "";
  const std::string name = event.event().id().empty() ? place : event.event().id();
  const bool is_known_by_something = !place.empty() || !name.empty();
  if (is_known_by_something) {
    const auto [known, added] = places_.try_emplace(place.empty() ? name : place, index);
    if (!added) return known->second;
    names_[name] = index;
  }
  journey_.mutable_events()->Add(std::move(event));
  const v1::JourneyEvent& added = journey_.events(index);
  if (added.in_cycle() || added.event().causation_id().empty()) return index;
  const auto cause = names_.find(added.event().causation_id());
  if (cause != names_.end()) SetCause(index, cause->second);
  return index;
}

void JourneyPages::SetCause(int32_t effect, int32_t cause) {
  // Causes come before their effects.
  if (cause < effect) journey_.mutable_events(effect)->set_cause(cause);
}

}  // namespace acta::cli
