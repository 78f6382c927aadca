#include "server/core/journeys/outcomes.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/proto_time.h"
#include "server/core/journeys/ledger_fold.h"
#include "storage/base/status_macros.h"
#include "storage/layout/engine_rows.h"

namespace acta {
namespace {

using Where = EventStanding::Where;

// For what was settled just now.
constexpr absl::Duration kLedgerCatchUp = absl::Milliseconds(500);

v1::OutcomeState StateOf(Where where) {
  switch (where) {
    case Where::kSettled:
      return v1::OUTCOME_STATE_SETTLED;
    case Where::kPending:
      return v1::OUTCOME_STATE_PENDING;
    case Where::kLeased:
      return v1::OUTCOME_STATE_LEASED;
    case Where::kRetryWait:
      return v1::OUTCOME_STATE_RETRY_WAIT;
    case Where::kBlockedByKey:
      return v1::OUTCOME_STATE_BLOCKED_BY_KEY;
    case Where::kHeld:
      return v1::OUTCOME_STATE_HELD;
  }
  return v1::OUTCOME_STATE_UNSPECIFIED;
}

// Where an event is just now wins over what was said of it before: that it is pending again.
void PutStanding(const GroupQueue::Standing& standing, v1::GroupOutcome* outcome) {
  const EventStanding& event = standing.event;
  if (event.where == Where::kSettled) return;
  outcome->set_state(StateOf(event.where));
  outcome->clear_end_time();
  outcome->clear_deliver_time();
  outcome->clear_by();
  outcome->clear_why();
  outcome->set_member_id(standing.member.member_id);
  if (event.until_us > 0) SetTimeUs(event.until_us, outcome->mutable_until_time());
  if (event.where == Where::kLeased && event.leased_us > 0) {
    SetTimeUs(event.leased_us, outcome->mutable_deliver_time());
  }
  outcome->set_redrives(event.redrives);
  if (event.redrives == 0) outcome->clear_redriven_by();
}

// What is told of an event in a group that reads its topic.
v1::GroupOutcome OutcomeOf(v1::GroupOutcome told, const GroupRegistry::GroupStandings& group,
                           const GroupQueue::Standing& standing) {
  told.set_group(group.group);
  told.set_mode(group.mode);
  PutStanding(standing, &told);
  const bool unknown =
      told.state() == v1::OUTCOME_STATE_UNSPECIFIED ||
      (told.state() == v1::OUTCOME_STATE_PENDING && standing.event.where == Where::kSettled);
  if (unknown) {
    told.set_state(standing.unwritten ? v1::OUTCOME_STATE_PENDING : v1::OUTCOME_STATE_SETTLED);
  }
  told.set_of_range(group.mode == v1::GROUP_MODE_STREAM &&
                    told.state() == v1::OUTCOME_STATE_PROCESSED);
  return told;
}

}  // namespace

bool Outcomes::MayObserve(const Caller& caller, absl::string_view group) const {
  return deps_.authorizer.Authorize(caller, Verb::kObserve, {ResourceKind::kGroup, group}).ok();
}

bool Outcomes::NameOther(const Caller& caller, GroupId group, v1::GroupOutcome* outcome) const {
  const std::optional<std::string> name = deps_.groups.NameOf(group);
  outcome->set_group(name.value_or(absl::StrCat("#", group.value())));
  // One that is gone has no name that somebody could be allowed to observe: whoever sees all
  // groups.
  return MayObserve(caller, name.has_value() ? absl::string_view(*name) : "");
}

absl::StatusOr<Outcomes::Told> Outcomes::Find(const Caller& caller,
                                              const std::vector<const FoundEvent*>& events,
                                              absl::Duration until) const {
  std::map<PartitionId, std::vector<size_t>> by_partition;
  std::vector<LedgerFold::Place> places;
  for (size_t i = 0; i < events.size(); ++i) {
    if (events[i]->topic == nullptr) continue;
    by_partition[events[i]->partition].push_back(i);
    places.emplace_back(events[i]->partition, events[i]->offset);
  }
  // Before the ledger is read, and indexed so far: what is settled in between is in it.
  std::map<PartitionId, std::vector<GroupRegistry::GroupStandings>> standings;
  for (const auto& [partition, indexes] : by_partition) {
    std::vector<Offset> offsets;
    for (const size_t i : indexes) offsets.push_back(events[i]->offset);
    standings[partition] = deps_.groups.StandingsOf(caller.tenant, partition, offsets);
  }
  Told answer;
  answer.behind = !deps_.indexer.CatchUp(kLedgerCatchUp) || deps_.indexer.Misses(kLedgerPartition);
  ASSIGN_OR_RETURN(std::optional<LedgerFold> ledger,
                   LedgerFold::Read(deps_.engine, deps_.pool, deps_.clock, deps_.indexer, places,
                                    until, LedgerFold::kMostBytes));
  answer.of_events.resize(events.size());
  answer.too_large = ledger.has_value() && ledger->is_full();
  if (answer.too_large) ledger.reset();
  const auto extent = deps_.engine.Extent(kLedgerPartition);
  answer.no_ledger = !extent.ok();
  if (extent.ok()) answer.trimmed_before_us = extent->trimmed_before_us;
  answer.too_much = !ledger.has_value();
  const absl::Time damaged_until = deps_.indexer.DamagedUntil(kLedgerPartition);
  const bool older = std::any_of(events.begin(), events.end(), [&](const FoundEvent* event) {
    return event->topic != nullptr && absl::FromUnixMicros(event->append_time_us) <= damaged_until;
  });
  answer.damaged = (ledger.has_value() && ledger->is_damaged()) || older;
  answer.not_given = ledger.has_value() && ledger->not_given();
  for (const auto& [partition, indexes] : by_partition) {
    for (size_t n = 0; n < indexes.size(); ++n) {
      LedgerFold::ByGroup told;
      if (ledger.has_value()) told = ledger->Of({partition, events[indexes[n]]->offset});
      OfEvent& outcomes = answer.of_events[indexes[n]];
      for (const GroupRegistry::GroupStandings& group : standings[partition]) {
        v1::GroupOutcome of_group = std::move(told[group.id]);
        told.erase(group.id);
        if (!MayObserve(caller, group.group)) continue;
        outcomes.push_back(OutcomeOf(std::move(of_group), group, group.events[n]));
      }
      for (auto& [id, outcome] : told) {
        if (NameOther(caller, id, &outcome)) outcomes.push_back(std::move(outcome));
      }
      std::vector<v1::GroupOutcome*> of_event;
      for (v1::GroupOutcome& outcome : outcomes) of_event.push_back(&outcome);
      LeaveOutEarlier(of_event);
    }
  }
  return answer;
}

}  // namespace acta
