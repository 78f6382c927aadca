#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "storage/base/ids.h"

namespace acta {

// What the machine wants to happen. `session` is one stream of a member.
struct AssignmentDecision {
  enum class Kind : uint8_t {
    kAssign,   // `partition` is the session's, under `generation`.
    kRevoke,   // The session is to give `partition` back before `deadline`.
    kRevoked,  // `partition` is no longer the session's: the deadline passed or it is gone.
    kEnded,    // Another session took the member's place; everything it held is gone.
  };
  Kind kind = Kind::kAssign;
  uint64_t session = 0;
  PartitionId partition;
  int64_t generation = 0;
  absl::Duration deadline;
};
using AssignmentDecisions = std::vector<AssignmentDecision>;

// Assignment says which member of a group owns which partition. Inputs and a time go in, decisions
// come out, in the order in which they must be told: no clock, no thread, no disk.
//
// Times are readings of a clock that never goes back (Clock::SinceBoot()): what is measured is how
// long somebody was silent, not what the calendar says.
//
// A place is a member's seat. It has at most one session. Every partition has a target place; the
// targets of places with a session differ in size by at most one, and an event changes as few of
// them as that allows. A named member's place is kept for `grace` after its stream broke: it keeps
// exactly the partitions it held, and gets no others; the rest are balanced among the connected.
// A partition whose holder is not its target is asked back, and handed over when it is released,
// when the deadline passes or when the holder's session ends.
//
// Threads: one at a time.
// Cost:    O(places log places + partitions touched) an event.
class Assignment {
 public:
  struct Times {
    absl::Duration revoke_deadline = absl::Seconds(30);
    absl::Duration grace = absl::Seconds(30);
  };
  struct Added {
    PartitionId partition;
    int64_t generation = 0;  // The last one ever handed out.
  };
  explicit Assignment(Times times) : times_(times) {}

  // `session` is above 0 and never used twice. A session of the same member is replaced.
  void Join(uint64_t session, absl::string_view member, bool named, absl::Duration now,
            AssignmentDecisions* out);
  // The stream ended without a goodbye. An unknown session is ignored, here and below.
  void Break(uint64_t session, absl::Duration now, AssignmentDecisions* out);
  void Leave(uint64_t session, absl::Duration now, AssignmentDecisions* out);
  // False when the session is not being asked for the partition.
  bool Release(uint64_t session, PartitionId partition, absl::Duration now,
               AssignmentDecisions* out);
  void Tick(absl::Duration now, AssignmentDecisions* out);
  void Change(const std::vector<Added>& added, const std::vector<PartitionId>& removed,
              absl::Duration now, AssignmentDecisions* out);
  // From now on nobody gets these, whose place they may be; who holds one keeps it.
  void Withhold(const std::vector<PartitionId>& partitions);
  // Those of them that are withheld go to whom they are to go.
  void GiveOut(const std::vector<PartitionId>& partitions, absl::Duration now,
               AssignmentDecisions* out);
  // Forgets every place at once, without a decision: the caller ends the sessions.
  void Clear();

  // When Tick() has something to do; InfiniteDuration: never.
  absl::Duration next_deadline() const;

  // What is, for people and tests.
  struct PlaceView {
    std::string member;
    uint64_t session = 0;  // 0: the place is kept.
    std::vector<PartitionId> targets;
  };
  std::vector<PlaceView> Places() const;
  // The session that holds it, 0: none.
  uint64_t holder(PartitionId partition) const;
  // The member whose it is to be, also while its place is kept; empty: nobody.
  std::string target(PartitionId partition) const;
  int64_t generation(PartitionId partition) const;
  bool revoking(PartitionId partition) const;
  size_t session_count() const { return sessions_.size(); }
  size_t place_count() const { return places_.size(); }
  bool HasPlace(absl::string_view member) const { return by_member_.contains(std::string(member)); }

 private:
  struct Place {
    std::string member;
    bool named = false;
    uint64_t session = 0;
    absl::Duration keep_until;
    absl::btree_set<PartitionId> targets;
    absl::btree_set<PartitionId> held;  // Of the session.
  };
  struct Partition {
    int64_t generation = 0;
    uint64_t target = 0;  // A place, 0: none.
    uint64_t holder = 0;  // A place with a session, 0: none.
    bool revoking = false;
    bool withheld = false;
    absl::Duration deadline;
  };

  void EndSession(Place* place, bool keep);
  void DropPlace(uint64_t place);
  void SetTarget(PartitionId partition, uint64_t place);
  void ClearHolder(PartitionId partition, Partition* state);
  // Gives every free partition a target and levels the connected places.
  void Balance();
  void Shed(uint64_t place, size_t quota);
  void Fill(const std::vector<std::pair<uint64_t, size_t>>& quotas);
  // Decides for every partition that was touched.
  void Settle(absl::Duration now, AssignmentDecisions* out);

  const Times times_;
  uint64_t last_place_ = 0;
  absl::btree_map<uint64_t, Place> places_;
  absl::flat_hash_map<std::string, uint64_t> by_member_;
  absl::btree_map<uint64_t, uint64_t> sessions_;  // To places.
  absl::flat_hash_map<PartitionId, Partition> partitions_;
  absl::btree_set<PartitionId> free_;     // Without a target.
  absl::btree_set<PartitionId> touched_;  // Since the last Settle().
  absl::btree_set<std::pair<absl::Duration, PartitionId>> revokes_;
  absl::btree_set<std::pair<absl::Duration, uint64_t>> kept_;  // Places without a session.
};

}  // namespace acta
