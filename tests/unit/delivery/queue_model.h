#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "server/core/delivery/queue_types.h"

namespace acta {

// What a queue has to do, said as plainly as can be: one record an event, every rule by looking at
// all of them. Errors are sentences; empty: as it should be.
class QueueModel {
 public:
  explicit QueueModel(const QueuePolicy& policy) : policy_(policy) {}

  enum class State { kReady, kLeased, kSettling, kRetryWait, kHeld, kSettled };
  struct Event {
    EventFacts facts;
    State state = State::kReady;
    uint64_t holder = 0;
    int64_t leased_us = 0;
    int64_t until_us = 0;
    bool lease_over = false;  // While it is part of a step.
    // The wait is over somewhere in here.
    int64_t due_from_us = 0;
    int64_t due_to_us = 0;
    int32_t attempts = 0;
    int32_t deliveries = 0;
    int32_t dead = 0;  // How often it became a dead letter.
    int32_t redrives = 0;
    bool presented = false;
    bool row = false;  // At the last restart.
    // Settled and not yet durably. Its key may wait, and has to when it was in flight.
    bool uncommitted = false;
    bool settling = false;
  };

  // For what comes from now on.
  void SetPolicy(const QueuePolicy& policy) { policy_ = policy; }
  void Publish(const EventFacts& facts) { events_.push_back({facts}); }
  Offset end() const { return Offset(static_cast<int64_t>(events_.size())); }
  void Scanned(Offset first, int64_t count, int64_t now_us);
  void Tick(int64_t now_us);

  std::string Leased(uint64_t member, const LeasedRun& run, int64_t now_us);
  // Nothing may be left that could be leased, when a lease got less than it asked for.
  std::string NothingToLease(int64_t now_us) const;

  // An attempt that failed, as it is to be told: offset, round, attempt, end, member, when it
  // began.
  using Failed = std::tuple<Offset, int32_t, int32_t, AttemptEnd, uint64_t, int64_t>;
  // Settled and no dead letter, after so many attempts that nobody asks for any more.
  using Past = std::pair<Offset, int32_t>;
  // Since the last call.
  std::multiset<Failed> TakeFailed() { return std::exchange(failed_, {}); }
  std::multiset<Past> TakePast() { return std::exchange(past_, {}); }

  // A time by which something is to be done at the latest; not set: nothing by time alone.
  std::optional<int64_t> NextDue(int64_t now_us) const;

  SettleOutcome Expect(uint64_t member, Offset offset, bool needs_lease) const;
  void Settle(Offset offset);
  void Bury(Offset offset);
  void EndAttempt(Offset offset, AttemptEnd end, const Nack& nack, int64_t now_us);
  void Release(Offset offset);
  void Extend(Offset offset, int64_t until_us) { at(offset).until_us = until_us; }
  void MemberGone(uint64_t member, bool cleanly, int64_t now_us);
  bool MayPresent(Offset offset, int64_t now_us) const;
  void Present(uint64_t member, Offset offset, int64_t now_us);
  void Redrive(Offset offset, int64_t now_us);
  // All below is passed, and nothing is known of what follows but that it was a dead letter.
  void Reset(Offset to);
  // How often events became dead letters.
  int64_t CountDead() const;

  // What was settled is durable.
  void Committed();
  // What is to be on the disk.
  std::string CheckDurable(const QueuePosition& position,
                           const std::map<Offset, ParkedEvent>& parked) const;
  std::string CheckDeadLetter(const DeadLetter& letter) const;
  // After the broker died: leases are gone, and who held them.
  void Restart(Offset floor, const std::map<Offset, ParkedEvent>& parked, int64_t now_us);

  const Event& at(Offset offset) const { return events_.at(static_cast<size_t>(offset.value())); }
  Event& at(Offset offset) { return events_.at(static_cast<size_t>(offset.value())); }
  Offset head() const { return head_; }
  int64_t grace_until_us() const { return grace_until_us_; }
  bool AllSettled() const;
  // Scanned, or known by its row.
  bool Known(Offset offset) const;

 private:
  bool Ordered(const Event& event) const {
    return policy_.order != QueueOrder::kUnordered && event.facts.key != 0;
  }
  void MakeSettled(Offset offset);
  bool InGrace(Offset offset, int64_t now_us) const;
  // By itself, whatever others of its key do.
  bool Waiting(Offset offset, int64_t now_us) const;
  std::string KeyForbids(Offset offset, int64_t now_us) const;
  // Before the retry after so many failures, without jitter.
  absl::Duration PlainDelay(int32_t failures) const;
  std::string At(Offset offset, const std::string& what) const;

  QueuePolicy policy_;
  std::vector<Event> events_;
  Offset head_;
  Offset loaded_end_;
  int64_t grace_until_us_ = 0;
  std::multiset<Failed> failed_;
  std::multiset<Past> past_;
};

}  // namespace acta
