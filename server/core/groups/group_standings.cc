#include <utility>

#include "server/core/groups/group_state.h"

namespace acta {
namespace {

// Of a group that commits positions.
std::vector<GroupQueue::Standing> StandingsBehind(int64_t committed,
                                                  absl::Span<const Offset> offsets) {
  using Where = EventStanding::Where;
  std::vector<GroupQueue::Standing> standings(offsets.size());
  for (size_t i = 0; i < offsets.size(); ++i) {
    standings[i].event.where = offsets[i].value() < committed ? Where::kSettled : Where::kPending;
  }
  return standings;
}

}  // namespace

std::vector<GroupRegistry::GroupStandings> GroupRegistry::StandingsOf(
    absl::string_view tenant, PartitionId partition, absl::Span<const Offset> offsets) const {
  std::vector<GroupStandings> all;
  for (const GroupPtr& group : state_->All()) {
    if (group->tenant() != tenant || !group->ReadsTopic(partition.topic())) continue;
    GroupStandings standings{group->id(), group->name(), v1::GROUP_MODE_QUEUE, {}};
    if (group->queue() != nullptr) {
      standings.events = group->queue()->StandingsOf(partition, offsets);
    } else {
      const auto committed = group->CommittedOf(partition);
      if (!committed.has_value()) continue;
      standings.mode = v1::GROUP_MODE_STREAM;
      standings.events = StandingsBehind(*committed, offsets);
    }
    all.push_back(std::move(standings));
  }
  return all;
}

}  // namespace acta
