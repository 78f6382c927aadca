#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "server/core/groups/assignment.h"

namespace acta {

// The rules of Assignment said again in the plainest way: every question is answered by looking at
// everything, nothing is kept beside the facts. Slow, small, and meant to be obvious.
class AssignmentModel {
 public:
  struct Seat {
    std::string member;
    bool named = false;
    uint64_t session = 0;
    absl::Duration keep_until;
  };
  struct Partition {
    int64_t generation = 0;
    std::string target;
    uint64_t held_by = 0;
    bool revoking = false;
    absl::Duration deadline;
  };

  explicit AssignmentModel(Assignment::Times times) : times_(times) {}

  const std::vector<Seat>& seats() const { return seats_; }
  const std::map<PartitionId, Partition>& partitions() const { return partitions_; }

  void Join(uint64_t session, const std::string& member, bool named, absl::Duration now,
            AssignmentDecisions* out) {
    Seat* seat = FindMember(member);
    if (seat == nullptr) {
      seats_.push_back({member, named, session, absl::Duration()});
    } else {
      if (seat->session != 0) {
        out->push_back({AssignmentDecision::Kind::kEnded, seat->session, {}, 0, {}});
        LoseStream(*seat);
      }
      seat->named = named;
      seat->session = session;
    }
    Settle(now, out);
  }

  void Break(uint64_t session, absl::Duration now, AssignmentDecisions* out) {
    Seat* seat = FindSession(session);
    if (seat == nullptr) return;
    if (!seat->named) return Leave(session, now, out);
    LoseStream(*seat);
    seat->session = 0;
    seat->keep_until = now + times_.grace;
    Settle(now, out);
  }

  void Leave(uint64_t session, absl::Duration now, AssignmentDecisions* out) {
    Seat* seat = FindSession(session);
    if (seat == nullptr) return;
    LoseStream(*seat);
    RemoveSeat(seat->member);
    Settle(now, out);
  }

  bool Release(uint64_t session, PartitionId id, absl::Duration now, AssignmentDecisions* out) {
    const auto it = partitions_.find(id);
    if (it == partitions_.end() || it->second.held_by != session || !it->second.revoking) {
      return false;
    }
    it->second.held_by = 0;
    it->second.revoking = false;
    Settle(now, out);
    return true;
  }

  void Tick(absl::Duration now, AssignmentDecisions* out) {
    for (auto& [id, partition] : partitions_) {
      if (!partition.revoking || partition.deadline > now) continue;
      out->push_back(
          {AssignmentDecision::Kind::kRevoked, partition.held_by, id, partition.generation, {}});
      partition.held_by = 0;
      partition.revoking = false;
    }
    for (const Seat& seat : std::vector<Seat>(seats_)) {
      if (seat.session == 0 && seat.keep_until <= now) RemoveSeat(seat.member);
    }
    Settle(now, out);
  }

  void Add(PartitionId id, int64_t generation, absl::Duration now, AssignmentDecisions* out) {
    partitions_.try_emplace(id).first->second.generation = generation;
    Settle(now, out);
  }

  void Remove(PartitionId id, absl::Duration now, AssignmentDecisions* out) {
    const Partition& partition = partitions_[id];
    if (partition.held_by != 0) {
      out->push_back(
          {AssignmentDecision::Kind::kRevoked, partition.held_by, id, partition.generation, {}});
    }
    partitions_.erase(id);
    Settle(now, out);
  }

 private:
  Seat* FindMember(const std::string& member) {
    for (Seat& seat : seats_) {
      if (seat.member == member) return &seat;
    }
    return nullptr;
  }
  Seat* FindSession(uint64_t session) {
    for (Seat& seat : seats_) {
      if (seat.session == session) return &seat;
    }
    return nullptr;
  }
  void RemoveSeat(const std::string& member) {
    for (auto& [id, partition] : partitions_) {
      if (partition.target == member) partition.target.clear();
    }
    std::erase_if(seats_, [&](const Seat& seat) { return seat.member == member; });
  }
  // What the stream held it holds no more; what was only promised is promised no more.
  void LoseStream(const Seat& seat) {
    for (auto& [id, partition] : partitions_) {
      const bool held = partition.held_by == seat.session;
      if (!held && partition.target == seat.member) partition.target.clear();
      if (!held) continue;
      partition.held_by = 0;
      partition.revoking = false;
    }
  }
  size_t Count(const std::string& member) const {
    return std::count_if(partitions_.begin(), partitions_.end(),
                         [&](const auto& entry) { return entry.second.target == member; });
  }

  void Level() {
    struct Share {
      std::string member;
      uint64_t session;
      size_t have;
      size_t quota;
    };
    std::vector<Share> shares;
    size_t total = Count("");
    for (const Seat& seat : seats_) {
      if (seat.session == 0) continue;
      shares.push_back({seat.member, seat.session, Count(seat.member), 0});
      total += shares.back().have;
    }
    if (shares.empty()) return;
    std::stable_sort(shares.begin(), shares.end(),
                     [](const Share& a, const Share& b) { return a.have > b.have; });
    for (size_t i = 0; i < shares.size(); ++i) {
      shares[i].quota = total / shares.size() + (i < total % shares.size() ? 1 : 0);
    }
    for (const Share& share : shares) {
      while (Count(share.member) > share.quota) GiveUpOne(share.member, share.session);
    }
    for (auto& [id, partition] : partitions_) {
      for (const Share& share : shares) {
        if (!partition.target.empty() || partition.held_by != share.session) continue;
        if (Count(share.member) < share.quota) partition.target = share.member;
      }
    }
    std::reverse(shares.begin(), shares.end());
    for (auto& [id, partition] : partitions_) {
      for (const Share& share : shares) {
        if (!partition.target.empty() || Count(share.member) >= share.quota) continue;
        partition.target = share.member;
      }
    }
  }
  void GiveUpOne(const std::string& member, uint64_t session) {
    Partition* worst = nullptr;
    for (auto& [id, partition] : partitions_) {
      if (partition.target != member) continue;
      const bool better =
          worst != nullptr && worst->held_by != session && partition.held_by == session;
      if (!better) worst = &partition;
    }
    worst->target.clear();
  }

  void Settle(absl::Duration now, AssignmentDecisions* out) {
    Level();
    for (auto& [id, partition] : partitions_) {
      const Seat* target = FindMember(partition.target);
      if (partition.held_by == 0) {
        if (target == nullptr || target->session == 0) continue;
        partition.held_by = target->session;
        out->push_back(
            {AssignmentDecision::Kind::kAssign, target->session, id, ++partition.generation, {}});
      } else if (!partition.revoking &&
                 (target == nullptr || target->session != partition.held_by)) {
        partition.revoking = true;
        partition.deadline = now + times_.revoke_deadline;
        out->push_back({AssignmentDecision::Kind::kRevoke, partition.held_by, id,
                        partition.generation, partition.deadline});
      }
    }
  }

  const Assignment::Times times_;
  std::vector<Seat> seats_;
  std::map<PartitionId, Partition> partitions_;
};

}  // namespace acta
