#include "server/core/groups/assignment.h"

#include <algorithm>
#include <utility>

#include "storage/base/fatal.h"

namespace acta {

using Kind = AssignmentDecision::Kind;

void Assignment::Join(uint64_t session, absl::string_view member, bool named, absl::Duration now,
                      AssignmentDecisions* out) {
  ACTA_CHECK(session != 0 && !sessions_.contains(session));
  uint64_t& id = by_member_[std::string(member)];
  if (id == 0) {
    id = ++last_place_;
    places_[id].member = std::string(member);
  }
  Place& place = places_[id];
  if (place.session != 0) {
    out->push_back({Kind::kEnded, place.session, PartitionId(), 0, absl::Duration()});
    EndSession(&place, true);
  } else {
    kept_.erase({place.keep_until, id});
  }
  place.named = named;
  place.session = session;
  sessions_[session] = id;
  touched_.insert(place.targets.begin(), place.targets.end());
  Balance();
  Settle(now, out);
}

void Assignment::Break(uint64_t session, absl::Duration now, AssignmentDecisions* out) {
  const auto it = sessions_.find(session);
  if (it == sessions_.end()) return;
  const uint64_t id = it->second;
  Place& place = places_[id];
  if (!place.named) {
    Leave(session, now, out);
    return;
  }
  EndSession(&place, true);
  place.keep_until = now + times_.grace;
  kept_.insert({place.keep_until, id});
  Balance();
  Settle(now, out);
}

void Assignment::Leave(uint64_t session, absl::Duration now, AssignmentDecisions* out) {
  const auto it = sessions_.find(session);
  if (it == sessions_.end()) return;
  const uint64_t id = it->second;
  EndSession(&places_[id], false);
  DropPlace(id);
  Balance();
  Settle(now, out);
}

bool Assignment::Release(uint64_t session, PartitionId partition, absl::Duration now,
                         AssignmentDecisions* out) {
  const auto place = sessions_.find(session);
  const auto it = partitions_.find(partition);
  if (place == sessions_.end() || it == partitions_.end()) return false;
  if (it->second.holder != place->second || !it->second.revoking) return false;
  ClearHolder(partition, &it->second);
  Settle(now, out);
  return true;
}

void Assignment::Tick(absl::Duration now, AssignmentDecisions* out) {
  while (!revokes_.empty() && revokes_.begin()->first <= now) {
    const PartitionId partition = revokes_.begin()->second;
    Partition& state = partitions_[partition];
    out->push_back({Kind::kRevoked, places_[state.holder].session, partition, state.generation,
                    absl::Duration()});
    ClearHolder(partition, &state);
  }
  while (!kept_.empty() && kept_.begin()->first <= now) DropPlace(kept_.begin()->second);
  Balance();
  Settle(now, out);
}

void Assignment::Change(const std::vector<Added>& added, const std::vector<PartitionId>& removed,
                        absl::Duration now, AssignmentDecisions* out) {
  for (const PartitionId partition : removed) {
    const auto it = partitions_.find(partition);
    if (it == partitions_.end()) continue;
    if (it->second.holder != 0) {
      out->push_back({Kind::kRevoked, places_[it->second.holder].session, partition,
                      it->second.generation, absl::Duration()});
      ClearHolder(partition, &it->second);
    }
    SetTarget(partition, 0);
    free_.erase(partition);
    touched_.erase(partition);
    partitions_.erase(it);
  }
  for (const Added& add : added) {
    const auto [it, inserted] = partitions_.try_emplace(add.partition);
    if (!inserted) continue;
    it->second.generation = add.generation;
    free_.insert(add.partition);
  }
  Balance();
  Settle(now, out);
}

void Assignment::Withhold(const std::vector<PartitionId>& partitions) {
  for (const PartitionId partition : partitions) {
    const auto it = partitions_.find(partition);
    if (it != partitions_.end()) it->second.withheld = true;
  }
}

void Assignment::GiveOut(const std::vector<PartitionId>& partitions, absl::Duration now,
                         AssignmentDecisions* out) {
  for (const PartitionId partition : partitions) {
    const auto it = partitions_.find(partition);
    if (it == partitions_.end() || !std::exchange(it->second.withheld, false)) continue;
    touched_.insert(partition);
  }
  Settle(now, out);
}

void Assignment::Clear() {
  places_.clear();
  by_member_.clear();
  sessions_.clear();
  revokes_.clear();
  kept_.clear();
  touched_.clear();
  for (auto& [partition, state] : partitions_) {
    const int64_t generation = state.generation;
    state = Partition();
    state.generation = generation;
    free_.insert(partition);
  }
}

absl::Duration Assignment::next_deadline() const {
  absl::Duration next = absl::InfiniteDuration();
  if (!revokes_.empty()) next = std::min(next, revokes_.begin()->first);
  if (!kept_.empty()) next = std::min(next, kept_.begin()->first);
  return next;
}

std::vector<Assignment::PlaceView> Assignment::Places() const {
  std::vector<PlaceView> views;
  for (const auto& [id, place] : places_) {
    views.push_back({place.member, place.session, {place.targets.begin(), place.targets.end()}});
  }
  return views;
}

uint64_t Assignment::holder(PartitionId partition) const {
  const auto it = partitions_.find(partition);
  if (it == partitions_.end() || it->second.holder == 0) return 0;
  return places_.at(it->second.holder).session;
}

std::string Assignment::target(PartitionId partition) const {
  const auto it = partitions_.find(partition);
  if (it == partitions_.end() || it->second.target == 0) return "";
  return places_.at(it->second.target).member;
}

int64_t Assignment::generation(PartitionId partition) const {
  const auto it = partitions_.find(partition);
  return it == partitions_.end() ? 0 : it->second.generation;
}

bool Assignment::revoking(PartitionId partition) const {
  const auto it = partitions_.find(partition);
  return it != partitions_.end() && it->second.revoking;
}

// With `keep` the place keeps as targets what the session held and was to keep; what it was only
// promised goes to somebody who can work on it now.
void Assignment::EndSession(Place* place, bool keep) {
  const absl::btree_set<PartitionId> held = place->held;
  for (const PartitionId partition : held) ClearHolder(partition, &partitions_[partition]);
  sessions_.erase(place->session);
  place->session = 0;
  if (!keep) return;
  std::vector<PartitionId> promised;
  std::set_difference(place->targets.begin(), place->targets.end(), held.begin(), held.end(),
                      std::back_inserter(promised));
  for (const PartitionId partition : promised) SetTarget(partition, 0);
}

void Assignment::DropPlace(uint64_t id) {
  Place& place = places_[id];
  const std::vector<PartitionId> targets(place.targets.begin(), place.targets.end());
  for (const PartitionId partition : targets) SetTarget(partition, 0);
  kept_.erase({place.keep_until, id});
  by_member_.erase(place.member);
  places_.erase(id);
}

void Assignment::SetTarget(PartitionId partition, uint64_t place) {
  Partition& state = partitions_[partition];
  if (state.target == place) return;
  if (state.target != 0) {
    places_[state.target].targets.erase(partition);
  } else {
    free_.erase(partition);
  }
  state.target = place;
  if (place != 0) {
    places_[place].targets.insert(partition);
  } else {
    free_.insert(partition);
  }
  touched_.insert(partition);
}

void Assignment::ClearHolder(PartitionId partition, Partition* state) {
  if (state->revoking) revokes_.erase({state->deadline, partition});
  places_[state->holder].held.erase(partition);
  state->holder = 0;
  state->revoking = false;
  touched_.insert(partition);
}

void Assignment::Balance() {
  if (sessions_.empty()) return;
  std::vector<std::pair<uint64_t, size_t>> quotas;  // Place and size, largest first.
  size_t total = free_.size();
  for (const auto& [session, id] : sessions_) {
    quotas.emplace_back(id, places_[id].targets.size());
    total += quotas.back().second;
  }
  std::sort(quotas.begin(), quotas.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  if (free_.empty() && quotas.front().second <= quotas.back().second + 1) return;
  // The larger share goes to those who have most: they give up least.
  const size_t share = total / quotas.size();
  const size_t larger = total % quotas.size();
  for (size_t i = 0; i < quotas.size(); ++i) {
    const size_t quota = share + (i < larger ? 1 : 0);
    if (quotas[i].second > quota) Shed(quotas[i].first, quota);
    quotas[i].second = quota;
  }
  Fill(quotas);
}

// Gives up first what the place does not hold yet, then the highest numbers.
void Assignment::Shed(uint64_t id, size_t quota) {
  const Place& place = places_[id];
  std::vector<PartitionId> order;
  for (const bool held : {false, true}) {
    for (auto it = place.targets.rbegin(); it != place.targets.rend(); ++it) {
      if (place.held.contains(*it) == held) order.push_back(*it);
    }
  }
  order.resize(place.targets.size() - quota);
  for (const PartitionId partition : order) SetTarget(partition, 0);
}

// A partition that is free while somebody still holds it goes back to the holder where it can.
void Assignment::Fill(const std::vector<std::pair<uint64_t, size_t>>& quotas) {
  absl::flat_hash_map<uint64_t, size_t> quota_of(quotas.begin(), quotas.end());
  const std::vector<PartitionId> waiting(free_.begin(), free_.end());
  for (const PartitionId partition : waiting) {
    const uint64_t holder = partitions_[partition].holder;
    const auto quota = quota_of.find(holder);
    if (quota == quota_of.end() || places_[holder].targets.size() >= quota->second) continue;
    SetTarget(partition, holder);
  }
  for (auto it = quotas.rbegin(); it != quotas.rend(); ++it) {
    const auto& [id, quota] = *it;
    while (places_[id].targets.size() < quota) SetTarget(*free_.begin(), id);
  }
}

void Assignment::Settle(absl::Duration now, AssignmentDecisions* out) {
  for (const PartitionId partition : touched_) {
    Partition& state = partitions_[partition];
    if (state.holder != 0) {
      if (state.target == state.holder || state.revoking) continue;
      state.revoking = true;
      state.deadline = now + times_.revoke_deadline;
      revokes_.insert({state.deadline, partition});
      out->push_back({Kind::kRevoke, places_[state.holder].session, partition, state.generation,
                      state.deadline});
      continue;
    }
    if (state.target == 0 || state.withheld) continue;
    Place& place = places_[state.target];
    if (place.session == 0) continue;
    state.holder = state.target;
    place.held.insert(partition);
    out->push_back({Kind::kAssign, place.session, partition, ++state.generation, absl::Duration()});
  }
  touched_.clear();
}

}  // namespace acta
