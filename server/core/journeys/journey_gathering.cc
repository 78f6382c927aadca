#include "server/core/journeys/journey_gathering.h"

#include <algorithm>
#include <utility>

#include "storage/base/status_macros.h"

namespace acta {

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

// What is left out from now on is known to be there.
bool JourneyGathering::Spent() {
  if (left_ == 0) truncated_ = true;
  return left_ == 0;
}

void JourneyGathering::Start(std::vector<FoundEvent> events) {
  for (FoundEvent& event : events) Add(std::move(event));
}

absl::StatusOr<bool> JourneyGathering::AddFound(const std::vector<EventFinder::Wanted>& wanted) {
  if (wanted.empty()) return true;
  std::optional<EventFinder::Place> next;
  // Those that are there already are found again.
  ASSIGN_OR_RETURN(std::vector<FoundEvent> found,
                   finder_.Find(wanted, {}, left_ + events_.size(), &next));
  truncated_ = truncated_ || next.has_value();
  for (FoundEvent& event : found) {
    if (!paged_.empty() && (event.correlation() == paged_ || event.name() == paged_)) {
      names_.insert(event.name());
      continue;
    }
    if (const auto known = places_.find({event.partition, event.offset}); known != places_.end()) {
      Learn(event, known->second);
      continue;
    }
    truncated_ = truncated_ || left_ == 0;
    if (left_ > 0 && Add(std::move(event))) --left_;
  }
  return !next.has_value();
}

absl::Status JourneyGathering::AddCorrelations() {
  absl::flat_hash_set<std::string> journeys;
  std::vector<EventFinder::Wanted> wanted;
  for (const FoundEvent& event : events_) {
    if (!event.correlation().empty()) journeys.insert(event.correlation());
  }
  for (const std::string& journey : journeys) {
    wanted.push_back({LinkKind::kCorrelation, journey, ""});
    // Who began it names no correlation.
    wanted.push_back({LinkKind::kId, journey, ""});
    if (finder_.is_over()) break;  // Find() says what is left out.
    if (auto root = finder_.FindPlace(journey); root.has_value() && left_ > 0) {
      if (Add(*std::move(root))) --left_;
    }
  }
  return AddFound(wanted).status();
}

absl::Status JourneyGathering::AddNeighbours(size_t from) {
  std::vector<EventFinder::Wanted> wanted;
  std::vector<EventFinder::Wanted> wanted_causes;
  std::vector<std::pair<std::string, int64_t>> causes;
  std::vector<size_t> indexes = std::exchange(learned_, {});
  for (size_t i = from; i < events_.size(); ++i) indexes.push_back(i);
  for (const size_t i : indexes) {
    if (const std::string name = events_[i].name(); !name.empty()) {
      wanted.push_back({LinkKind::kCause, name, ""});
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
  if (!all) {
    ASSIGN_OR_RETURN(all, AddFound(wanted_causes));
  }
  AddUnfound(causes, all);
  return absl::OkStatus();
}

void JourneyGathering::AddUnfound(const std::vector<std::pair<std::string, int64_t>>& causes,
                                  bool all) {
  for (const auto& [cause, effect_us] : causes) {
    if (names_.contains(cause) || Spent()) continue;
    if (finder_.is_over()) {
      truncated_ = true;
      break;
    }
    std::optional<FoundEvent> found = finder_.FindPlace(cause);
    if (!found.has_value() && !all) continue;  // It may be among what was left out.
    if (!found.has_value()) {
      found.emplace();
      found->state = v1::JOURNEY_EVENT_STATE_MISSING;
      found->event.set_id(cause);
      found->append_time_us = effect_us;  // Its place among the others.
    }
    if (Add(*std::move(found))) --left_;
  }
}

absl::Status JourneyGathering::Complete(bool correlations) {
  if (correlations) RETURN_IF_ERROR(AddCorrelations());
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
