#include "server/core/journeys/journey_gathering.h"

#include <algorithm>
#include <utility>

#include "server/core/topics/place_name.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

// What is looked for before the clock is looked at again.
constexpr size_t kMostAtOnce = 2'000;

using Place = EventFinder::Place;
using NamesInTime = absl::flat_hash_map<std::string, TimeWindow>;

void JoinName(const std::string& name, const TimeWindow& when, NamesInTime* names) {
  const auto [at, added] = names->try_emplace(name, when);
  if (!added) at->second.Join(when);
}

bool HasNameAt(const NamesInTime& names, const std::string& name, int64_t us) {
  const auto at = names.find(name);
  return at != names.end() && at->second.Has(us);
}

}  // namespace

bool JourneyGathering::Add(FoundEvent event) {
  if (event.topic != nullptr) {
    const auto [at, added] = places_.try_emplace({event.partition, event.offset}, events_.size());
    if (!added) {
      Learn(event, at->second);
      return false;
    }
  }
  if (const std::string name = event.name(); !name.empty()) names_.insert(name);
  events_.push_back(std::move(event));
  return true;
}

// Each search knows of an event that is gone what it looked for.
void JourneyGathering::Learn(const FoundEvent& event, size_t index) {
  FoundEvent& known = events_[index];
  if (known.state == v1::JOURNEY_EVENT_STATE_STORED) return;
  const std::string before = known.event.SerializeAsString();
  const v1::Event& told = event.event;
  if (known.event.id().empty()) known.event.set_id(told.id());
  if (known.event.source().empty()) known.event.set_source(told.source());
  if (known.correlation().empty()) known.event.set_correlation_id(told.correlation_id());
  if (known.cause().empty()) known.event.set_causation_id(told.causation_id());
  if (known.event.SerializeAsString() == before) return;
  names_.insert(known.name());
  learned_.push_back(index);
}

bool JourneyGathering::AddFurther(FoundEvent event) {
  const size_t bytes = event.bytes();
  if (!Add(std::move(event))) return false;
  bytes_left_ -= std::min(bytes_left_, bytes);
  return true;
}

// What is left out from now on is known to be there.
bool JourneyGathering::Spent() {
  const bool spent = left_ == 0 || bytes_left_ == 0;
  truncated_ = truncated_ || spent;
  return spent;
}

bool JourneyGathering::Around::Has(const FoundEvent& event) const {
  const int64_t us = event.append_time_us;
  return HasNameAt(journeys, event.correlation(), us) || HasNameAt(journeys, event.name(), us) ||
         HasNameAt(causes, event.cause(), us);
}

JourneyGathering::Around JourneyGathering::AroundOf(
    const std::vector<FoundEvent>& asked_for) const {
  Around around;
  for (const FoundEvent& event : asked_for) {
    const std::string& journey = event.correlation();
    const TimeWindow when = finder_.WindowOf(journey, event.append_time_us);
    if (!journey.empty()) JoinName(journey, when, &around.journeys);
    const std::string name = event.name();
    if (!name.empty()) JoinName(name, event.named_within(), &around.causes);
  }
  return around;
}

void JourneyGathering::AddNamelessRoot(const std::string& journey, const TimeWindow& when) {
  if (when.is_over() || !ParsePlace(journey).has_value()) return;
  if (finder_.is_over() || bytes_left_ == 0) {
    truncated_ = true;
  } else if (auto root = finder_.FindPlace(journey); root.has_value()) {
    AddFurther(*std::move(root));
  }
}

void JourneyGathering::StartCorrelation(std::vector<FoundEvent> events,
                                        const std::string& correlation, bool first, bool last) {
  for (FoundEvent& event : events) Add(std::move(event));
  if (first) AddNamelessRoot(correlation, {});
  if (!first || !last) on_pages_.journeys.try_emplace(correlation);
}

absl::StatusOr<std::optional<Place>> JourneyGathering::StartAround(
    const std::vector<FoundEvent>& asked_for, size_t most) {
  const Around around = AroundOf(asked_for);
  for (const FoundEvent& event : asked_for) Add(event);
  for (const auto& [journey, when] : around.journeys) AddNamelessRoot(journey, when);
  return AddAround(around, {}, most - std::min(most, asked_for.size()));
}

absl::StatusOr<std::optional<Place>> JourneyGathering::GoOnAround(
    const std::vector<FoundEvent>& asked_for, Place from, size_t most) {
  on_pages_ = AroundOf(asked_for);
  for (const FoundEvent& event : asked_for) {
    told_.insert({event.partition, event.offset});
    if (const std::string name = event.name(); !name.empty()) names_.insert(name);
  }
  return AddAround(on_pages_, from, most);
}

absl::StatusOr<std::optional<Place>> JourneyGathering::AddAround(const Around& around, Place from,
                                                                 size_t most) {
  std::vector<EventFinder::Wanted> wanted;
  for (const auto& [journey, when] : around.journeys) {
    wanted.push_back({LinkKind::kCorrelation, journey, "", when});
    // Who began it names no correlation.
    wanted.push_back({LinkKind::kId, journey, ""});
  }
  for (const auto& [cause, when] : around.causes) {
    wanted.push_back({LinkKind::kCause, cause, "", when});
  }
  std::optional<Place> next;
  if (wanted.empty()) return next;
  // Those that were told are found again.
  ASSIGN_OR_RETURN(std::vector<FoundEvent> found,
                   finder_.Find(wanted, from, most + told_.size() + events_.size(), &next));
  for (FoundEvent& event : found) {
    const Place place{event.partition, event.offset};
    if (const auto known = places_.find(place); known != places_.end()) {
      Learn(event, known->second);
      continue;
    }
    if (told_.contains(place)) continue;
    if (most == 0) {
      next = place;
      break;
    }
    if (Add(std::move(event))) --most;
  }
  if (next.has_value()) on_pages_ = around;
  return next;
}

absl::StatusOr<bool> JourneyGathering::AddFound(absl::Span<const EventFinder::Wanted> wanted) {
  bool all = true;
  for (size_t at = 0; at < wanted.size(); at += kMostAtOnce) {
    if (at > 0 && finder_.is_over()) {
      truncated_ = true;
      return false;
    }
    const auto some = wanted.subspan(at, kMostAtOnce);
    ASSIGN_OR_RETURN(const bool all_of_some, AddSomeFound({some.begin(), some.end()}));
    all = all && all_of_some;
  }
  return all;
}

absl::StatusOr<bool> JourneyGathering::AddSomeFound(
    const std::vector<EventFinder::Wanted>& wanted) {
  std::optional<Place> next = Place();
  while (next.has_value()) {
    // Those that are there already are found again, and so are those that other pages tell.
    ASSIGN_OR_RETURN(std::vector<FoundEvent> found,
                     finder_.Find(wanted, *next, left_ + events_.size(), &next));
    for (FoundEvent& event : found) TakeFound(std::move(event));
    if (next.has_value() && (truncated_ || finder_.is_over())) {
      truncated_ = true;
      return false;
    }
  }
  return true;
}

void JourneyGathering::TakeFound(FoundEvent event) {
  const Place place{event.partition, event.offset};
  if (const auto known = places_.find(place); known != places_.end()) {
    Learn(event, known->second);
  } else if (told_.contains(place) || on_pages_.Has(event)) {
    names_.insert(event.name());
  } else if (!Spent() && AddFurther(std::move(event))) {
    --left_;
  }
}

absl::Status JourneyGathering::AddNeighbours(size_t from) {
  std::vector<EventFinder::Wanted> wanted;
  std::vector<EventFinder::Wanted> wanted_causes;
  absl::flat_hash_map<std::string, size_t> asked;  // In `wanted`: many events may have one name.
  std::vector<std::pair<std::string, int64_t>> causes;
  std::vector<size_t> indexes = std::exchange(learned_, {});
  for (size_t i = from; i < events_.size(); ++i) indexes.push_back(i);
  for (const size_t i : indexes) {
    const std::string name = events_[i].name();
    if (!name.empty() && !on_pages_.causes.contains(name)) {
      const TimeWindow when = finder_.WindowOf(name, events_[i].append_time_us);
      const auto [at, added] = asked.try_emplace(name, wanted.size());
      if (added) {
        wanted.push_back({LinkKind::kCause, name, "", when});
      } else {
        wanted[at->second].when.Join(when);
      }
    }
    const std::string& cause = events_[i].cause();
    // One of that name that is there already may have been published twice.
    if (cause.empty() || !looked_for_.insert(cause).second) continue;
    causes.emplace_back(cause, events_[i].append_time_us);
    wanted_causes.push_back({LinkKind::kId, cause, ""});
  }
  // Together they are found in half the time; effects may be too many for the causes among them.
  wanted.insert(wanted.end(), wanted_causes.begin(), wanted_causes.end());
  ASSIGN_OR_RETURN(bool all, AddFound(wanted));
  if (!all && !finder_.is_over()) {
    ASSIGN_OR_RETURN(all, AddFound(wanted_causes));
  }
  AddUnfound(causes, all);
  return absl::OkStatus();
}

void JourneyGathering::AddUnfound(const std::vector<std::pair<std::string, int64_t>>& causes,
                                  bool all) {
  for (const auto& [cause, effect_us] : causes) {
    if (names_.contains(cause)) continue;
    if (finder_.is_over()) {
      truncated_ = true;
      break;
    }
    std::optional<FoundEvent> found;
    if (!finder_.WindowOf(cause, effect_us).is_over()) found = finder_.FindPlace(cause);
    if (!found.has_value() && !all) continue;  // It may be among what was left out.
    if (found.has_value() && on_pages_.Has(*found)) continue;
    if (Spent()) continue;
    if (!found.has_value()) {
      found.emplace();
      found->state = v1::JOURNEY_EVENT_STATE_MISSING;
      found->event.set_id(cause);
      found->append_time_us = effect_us;  // Its place among the others.
    }
    if (AddFurther(*std::move(found))) --left_;
  }
}

absl::Status JourneyGathering::Complete() {
  size_t done = 0;
  while (done < events_.size() || !learned_.empty()) {
    if (finder_.is_over()) {
      truncated_ = true;
      break;
    }
    const size_t from = std::exchange(done, events_.size());
    RETURN_IF_ERROR(AddNeighbours(from));
  }
  return absl::OkStatus();
}

std::vector<FoundEvent> JourneyGathering::Take() { return std::move(events_); }

}  // namespace acta
