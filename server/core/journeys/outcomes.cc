#include "server/core/journeys/outcomes.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/proto_time.h"
#include "server/core/journeys/ledger_fold.h"
#include "storage/base/status_macros.h"
#include "storage/layout/engine_rows.h"

namespace acta {
namespace {

using Where = EventStanding::Where;

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
  outcome->set_member_id(standing.member.member_id);
  if (event.until_us > 0) SetTimeUs(event.until_us, outcome->mutable_until_time());
  if (event.where == Where::kLeased && event.leased_us > 0) {
    SetTimeUs(event.leased_us, outcome->mutable_deliver_time());
  }
  outcome->set_redrives(event.redrives);
}

// Settled, and the ledger says nothing of it.
v1::OutcomeState UnknownState(const LogEngine& engine, const FoundEvent& event) {
  const auto ledger = engine.Extent(kLedgerPartition);
  const bool kept = ledger.ok() && ledger->first == Offset(0) && event.topic != nullptr &&
                    event.topic->proto.journey() != v1::JOURNEY_MODE_OFF;
  // All that was ever kept is there: nobody did anything with it.
  return kept ? v1::OUTCOME_STATE_NOT_READ : v1::OUTCOME_STATE_SETTLED;
}

}  // namespace

absl::StatusOr<std::vector<Outcomes::OfEvent>> Outcomes::Find(
    const Caller& caller, const std::vector<const FoundEvent*>& events) const {
  std::map<PartitionId, std::vector<size_t>> by_partition;
  std::vector<LedgerFold::Place> places;
  for (size_t i = 0; i < events.size(); ++i) {
    if (events[i]->topic == nullptr) continue;
    by_partition[events[i]->partition].push_back(i);
    places.emplace_back(events[i]->partition, events[i]->offset);
  }
  // Before the ledger is read: what is settled in between is in it.
  std::map<PartitionId, std::vector<GroupRegistry::GroupStandings>> standings;
  for (const auto& [partition, indexes] : by_partition) {
    std::vector<Offset> offsets;
    for (const size_t i : indexes) offsets.push_back(events[i]->offset);
    standings[partition] = deps_.groups.StandingsOf(caller.tenant, partition, offsets);
  }
  ASSIGN_OR_RETURN(const LedgerFold ledger, LedgerFold::Read(deps_.engine, deps_.indexer, places));
  std::vector<OfEvent> found(events.size());
  for (const auto& [partition, indexes] : by_partition) {
    for (size_t n = 0; n < indexes.size(); ++n) {
      const FoundEvent& event = *events[indexes[n]];
      LedgerFold::ByGroup told = ledger.Of({partition, event.offset});
      for (const GroupRegistry::GroupStandings& group : standings[partition]) {
        v1::GroupOutcome outcome = std::move(told[group.id]);
        told.erase(group.id);
        const absl::Status may =
            deps_.authorizer.Authorize(caller, Verb::kObserve, {ResourceKind::kGroup, group.group});
        if (!may.ok()) continue;
        outcome.set_group(group.group);
        outcome.set_mode(group.mode);
        PutStanding(group.events[n], &outcome);
        if (outcome.state() == v1::OUTCOME_STATE_UNSPECIFIED ||
            (outcome.state() == v1::OUTCOME_STATE_PENDING &&
             group.events[n].event.where == Where::kSettled)) {
          outcome.set_state(UnknownState(deps_.engine, event));
        }
        outcome.set_of_range(group.mode == v1::GROUP_MODE_STREAM &&
                             outcome.state() == v1::OUTCOME_STATE_PROCESSED);
        found[indexes[n]].push_back(std::move(outcome));
      }
      // Of groups that are gone.
      for (auto& [id, outcome] : told) {
        outcome.set_group(absl::StrCat("#", id.value()));
        found[indexes[n]].push_back(std::move(outcome));
      }
    }
  }
  return found;
}

}  // namespace acta
