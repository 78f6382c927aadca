#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "server/core/delivery/key_turns.h"
#include "server/core/delivery/lease_runs.h"
#include "server/core/delivery/outstanding.h"
#include "server/core/delivery/queue_types.h"

namespace acta {

// PartitionQueue is what a QUEUE group knows of one partition: which of its events are settled, who
// has a lease on which, which wait and for what. Inputs and a time go in, decisions come out: no
// clock, no thread, no disk.
//
// Events come in by Scan(), in the order of the log, and are outstanding until they are settled.
// One that has to wait for longer than others take (for its backoff, behind a failed one of its
// key, for a decision) is parked: it has a row of its own, and the floor passes it. What changes is
// collected; the caller makes TakeChanges() durable as one write before it tells anybody, and ends
// the process when it cannot: memory may be ahead of the disk, answers may not.
//
// Leases are in memory only. After Load() members say within the grace what they hold, by
// Present(); what nobody presents is leased again, and no attempt is counted. Until then nothing is
// leased that might be held: of ordered groups nothing at all, else nothing from before the load.
//
// Threads: one at a time.
// Cost:    O(log outstanding) an event, but MemberGone(): O(window + parked).
// Memory:  as Outstanding has, and up to 30 bytes for each that waits.
class PartitionQueue {
 public:
  // Borrows the budget, which all partitions of the group share. `seed`: of the jitter.
  PartitionQueue(const QueuePolicy& policy, QueueBudget& budget, uint64_t seed);
  ~PartitionQueue();
  PartitionQueue(const PartitionQueue&) = delete;
  PartitionQueue& operator=(const PartitionQueue&) = delete;

  // What was durable. `end`: of the partition now, below which members of a former life of the
  // broker may hold events; not set: nobody holds any. Once, before everything else.
  void Load(const QueuePosition& position, const std::vector<ParkedEvent>& parked,
            std::optional<Offset> end, int64_t now_us);
  // The grace of the load begins anew. Before anybody is leased anything.
  void BeginGrace(int64_t now_us);
  // For what comes from now on: leases, waits and what is held stay as they are. With another order
  // leases are given back and keys get their turns anew; a stricter one is for when CountTried() is
  // 0, and everything is durable. O(outstanding) then.
  void SetPolicy(const QueuePolicy& policy);

  // The next event to scan.
  Offset head() const { return head_; }
  // How many events Scan() takes now; 0: the window, or what may be parked, is full.
  int64_t Room() const;
  // The events from head() on, without a hole.
  void Scan(absl::Span<const EventFacts> events, int64_t now_us);

  // Leases events to a member (above 0), those first that waited; appends the runs to `out`.
  // Returns how much. Nothing when a limit of dead letters is reached.
  LeaseBounds Lease(uint64_t member, LeaseBounds most, int64_t now_us, std::vector<LeasedRun>* out);

  // Processed. Also without a lease, as long as nobody else got one since.
  SettleOutcome Ack(uint64_t member, Offset offset);
  // Failed: it comes again after the delay, or what OnExhausted says. Needs the current lease.
  SettleOutcome Fail(uint64_t member, Offset offset, const Nack& nack, int64_t now_us);
  // Never again: a dead letter. Needs the current lease.
  SettleOutcome Reject(uint64_t member, Offset offset, const Nack& nack, int64_t now_us);
  // The lease ends `length` from now. Needs the current lease.
  SettleOutcome Extend(uint64_t member, Offset offset, absl::Duration length, int64_t now_us);
  // Given back untouched. Needs the current lease. `delivered` false: it never came to the member,
  // and is as if it had not been leased.
  SettleOutcome Release(uint64_t member, Offset offset, bool delivered = true);
  // The member is about to settle it together with something else: nobody gets it, and its lease
  // does not end, until Confirm() or Unhold(). Needs the current lease, of that attempt after so
  // many redrives.
  SettleOutcome Hold(uint64_t member, Offset offset, int32_t attempt, int32_t redrives);
  // What Hold() would answer.
  SettleOutcome CanHold(uint64_t member, Offset offset, int32_t attempt, int32_t redrives) const;
  // The member has it, between Hold() and what follows.
  bool InStep(uint64_t member, Offset offset) const;
  // What it will be when its attempt fails so. Of one that is held.
  Failure PlanFailure(Offset offset, AttemptEnd end, const Nack& nack, int64_t now_us);
  // It is on the disk as processed, or as it was planned: the caller wrote that, and TakeChanges()
  // does not name it. False: it was skipped meanwhile, and stays so, here and in Unhold().
  bool Confirm(Offset offset, const Failure* failure = nullptr);
  // Nothing of it happened: it is leased to its member as before, until then if that lease is over;
  // nullopt: it is given back.
  void Unhold(Offset offset, std::optional<int64_t> anew_us);
  // Some are between Hold() and what follows.
  bool in_steps() const { return by_state_[static_cast<size_t>(State::kSettling)] > 0; }
  // As it is when these, which rise, are processed or parked.
  QueuePosition PositionWithout(absl::Span<const Offset> held) const;
  // Its leases end: given back, or each a failed attempt when it did not leave `cleanly`.
  void MemberGone(uint64_t member, bool cleanly, int64_t now_us);
  // Within the grace: the member has it since before the load. False: it is settled, or somebody's,
  // or waits for its time.
  bool Present(uint64_t member, Offset offset, int64_t now_us);

  // Settles an outstanding event without anybody. False: it is not outstanding.
  bool Skip(Offset offset);
  // Offers a dead letter or a held event again, with new attempts. False: it is outstanding and not
  // held, or was never scanned. The number of dead letters in the budget is the caller's.
  bool Redrive(Offset offset, const EventFacts& facts, int32_t redrives, int64_t now_us);
  // The events below `end` are about to go from the log: what of them is outstanding is parked, so
  // that nothing of it has to be scanned again.
  void ParkBelow(Offset end);
  // The outstanding ones below `end`.
  std::vector<Offset> OutstandingBelow(Offset end) const;
  // Settles what was not scanned below `end`, which the log may be without. What of it was not
  // settled before.
  std::vector<OffsetRun> SkipUnscanned(Offset end);
  // How many that would be.
  int64_t CountUnscanned(Offset end) const;
  // How many from head() on are not among them: what the load found settled or parked.
  int64_t CountDoneAhead() const;

  // Ends leases and waits that are over.
  void Tick(int64_t now_us);
  // When Tick() or Lease() has something to do again; not set: never by time alone.
  std::optional<int64_t> next_us() const;

  // Of changes that are durable now. Until then the next of a key is not leased: after a crash the
  // one before it would come again.
  void PassTurns(absl::Span<const KeyTurn> turns);
  bool changed() const { return moved_ || !rows_.empty() || !changes_.empty(); }
  // Empty when nothing changed since.
  QueueChanges TakeChanges();
  // The next changes have the position, as it is then.
  void NamePositionAgain() { moved_ = true; }
  QueuePosition position() const;

  // Of the outstanding.
  struct States {
    int64_t ready = 0;
    int64_t leased = 0;
    int64_t retry_wait = 0;
    int64_t blocked_by_key = 0;
    int64_t held = 0;
    friend bool operator==(const States&, const States&) = default;
  };
  struct Counts : States {
    std::optional<Offset> oldest_new;  // That was never delivered.
    std::optional<Offset> oldest_retry, oldest_held;
    int64_t in_grace = 0;  // Of the ready: members of before the load may have them.
  };
  // O(window + parked).
  Counts Count() const;
  // The same as it was counted all along. O(1).
  States states() const;
  // Keys that keep others waiting, those with most first. O(window + parked).
  std::vector<KeyStandstill> Standstills(size_t most) const;
  // Those that expired since the last call.
  std::vector<OffsetRun> TakeExpired();
  // Outstanding ones that failed or were redriven. O(parked).
  int64_t CountTried() const;
  bool IsOutstanding(Offset offset) const { return Find(offset) != nullptr; }
  // What its row says; not set: it is not parked.
  std::optional<ParkedEvent> Parked(Offset offset) const;
  // Those of the run that are held, by offset, at most so many. O(parked).
  std::vector<ParkedEvent> HeldIn(OffsetRun run, size_t most) const;
  // What all rows say, by offset.
  std::vector<ParkedEvent> AllParked() const;
  // Who has a lease on it; 0: nobody.
  uint64_t holder(Offset offset) const;
  EventStanding StandingOf(Offset offset) const;
  // When it was leased last; 0: never, or it is not outstanding.
  int64_t leased_us(Offset offset) const {
    const Entry* const entry = Find(offset);
    return entry == nullptr ? 0 : entry->leased_us;
  }
  // Of its element; 0: it is not outstanding.
  uint32_t bytes(Offset offset) const;
  // At most so many can be leased now, without another scan.
  int64_t leasable() const { return static_cast<int64_t>(ready_.size()) + Lag(fresh_, head_); }
  // Until then members of before the load may have what is not leased below grace_end(), and
  // nobody gets it. 0: there is nothing of that.
  int64_t grace_until_us() const { return grace_until_us_; }
  Offset grace_end() const {
    const bool all = policy_.order != QueueOrder::kUnordered;
    return all ? Offset(std::numeric_limits<int64_t>::max()) : loaded_end_;
  }
  // The oldest of the window; head() when there is none.
  Offset floor() const { return events_.runs().empty() ? head_ : events_.runs().begin()->first; }
  // The oldest that is not settled, parked ones too; head() when there is none.
  Offset oldest() const;

 private:
  using Entry = QueueEntry;
  using State = Entry::State;
  struct Picked {
    Offset offset;
    Entry* entry = nullptr;  // Null: there is none.
  };

  // It failed or was redriven: it is parked, and waits for its time.
  static bool WasTried(const Entry& entry) { return entry.attempts > 0 || entry.redrives > 0; }
  static int64_t WaitEnds(const Entry& entry);
  static State StateOf(ParkedEvent::State state);
  static KeyStandstill::Why WhyOf(State state);
  static ParkedEvent RowOf(Offset offset, const Entry& entry);
  // Null: it is not outstanding.
  Entry* Find(Offset offset) { return events_.Find(offset); }
  const Entry* Find(Offset offset) const { return events_.Find(offset); }
  bool Ordered(const Entry& entry) const {
    return policy_.order != QueueOrder::kUnordered && entry.facts.key != 0;
  }
  bool InGrace(Offset offset, int64_t now_us) const;
  double Random();

  void SetState(Entry* entry, State state) {
    --Counted(entry->state);
    entry->state = state;
    ++Counted(state);
  }
  int64_t& Counted(State state) { return by_state_[static_cast<size_t>(state)]; }
  // Gives every key its turn anew: to what of it is held, else to the oldest.
  void OrderAnew();
  void PlaceAnew(Offset offset);

  void ScanOne(const EventFacts& facts, int64_t now_us);
  void PassSettled();
  bool BehindParked(uint64_t key) const;
  // Into the rows, with the state it has.
  Entry& Park(Offset offset);
  void ParkWaiting(uint64_t key);

  // The next event that can be leased now; it is nobody's any more.
  Picked PickReady(int64_t now_us);
  Picked PickFresh(int64_t now_us);
  // Its turn has come, it is not expired, and it was not delivered too often; else it is dealt
  // with.
  bool CanLease(Offset offset, Entry* entry, int64_t now_us);
  // `entries`: of the offsets.
  void GiveLease(uint64_t member, OffsetRun offsets, absl::Span<Entry* const> entries,
                 int64_t now_us, int64_t until_us);
  void MakeReady(Offset offset, Entry* entry);
  // Tick() comes to it when its wait, or the event itself, is over. Of kRetryWait and kHeld.
  void AwaitTime(Offset offset, const Entry& entry);
  // Its time has come, or it is nobody's business any more.
  void EndWait(Offset offset, int64_t now_us);
  // Gives the turn of its key to one that a member has since before the load, when that one can
  // have been leased while this one waited behind it. Else false.
  bool YieldTurn(Offset front, Offset to);
  // Of an order by key: the redriven one that has the turn can have waited behind the other.
  bool WaitedFor(const Entry& front, const Entry& given, Offset to) const;
  // It need not wait for its key any more, only for its time.
  void TurnCame(Offset offset);
  void DropLease(Entry* entry);

  // Of one that is not outstanding: it was dealt with for good.
  bool WasSettled(Offset offset) const;
  SettleOutcome OutcomeFor(Offset offset, const Entry* entry, uint64_t member) const;
  // kDone only while the member has the current lease.
  SettleOutcome OutcomeWithLease(Offset offset, uint64_t member) const;
  void EndAttempt(Offset offset, AttemptEnd end, const Nack& nack, int64_t now_us);
  void Apply(const Failure& failure);
  // Counts it.
  void Expire(Offset offset);
  // After so many attempts.
  DeadLetter LetterOf(Offset offset, int32_t attempts, DeadLetterReason reason, int64_t now_us);
  void Bury(const DeadLetter& letter);
  // It is settled, and no dead letter.
  void Settle(Offset offset, Entry* entry);
  // Gone from everywhere, and the next of its key has its turn.
  void Remove(Offset offset, Entry* entry);
  void PassTurn(Offset offset, const EventFacts& facts);
  absl::Duration DelayAfter(AttemptEnd end, const Nack& nack, int32_t attempts);

  QueuePolicy policy_;
  QueueBudget& budget_;
  uint64_t random_;

  Offset head_;
  Offset fresh_;  // From here to head_ nothing was looked at by Lease().
  Outstanding events_;
  std::array<int64_t, static_cast<size_t>(State::kHeld) + 1> by_state_{};
  absl::btree_set<Offset> ready_;  // Of kReady, those that PickFresh() does not come to.
  absl::btree_set<std::pair<int64_t, Offset>> due_;
  KeyTurns turns_;
  LeaseRuns leases_;

  std::vector<OffsetRun> done_ahead_;  // From the load: settled, at or above head_; the first last.
  Offset loaded_end_;
  bool has_grace_ = false;  // Members of before the load may have something.
  int64_t grace_until_us_ = 0;
  int64_t now_us_ = 0;                               // Of the last Tick().
  absl::flat_hash_map<Offset, uint64_t> presented_;  // Not scanned yet.

  bool moved_ = false;            // The position.
  absl::btree_set<Offset> rows_;  // Of parked events, that changed.
  QueueChanges changes_;          // Without position and parked.
  std::vector<OffsetRun> expired_;
};

}  // namespace acta
