#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <random>
#include <set>

#include "absl/status/status.h"
#include "acta/v1/dead_letters.pb.h"
#include "tests/crash/group_rows.h"
#include "tests/crash/queue_history.h"
#include "tests/crash/queue_store.h"
#include "tests/support/faulty_disk.h"

namespace acta {

// What operators decide of the QUEUE groups of a load: dead letters that are redriven, discarded
// and replaced, events that are held and are redriven or skipped, and groups that begin anew
// elsewhere. Each is answered when its method returns.
class OperatorLoad {
 public:
  // Borrows all of it. `steps`: how many there were in the load, of members and of this.
  OperatorLoad(QueueStore& store, const FaultyDisk& disk, QueueHistory& history,
               std::mt19937_64& random, int64_t& steps)
      : store_(store), disk_(disk), history_(history), random_(random), steps_(steps) {}

  // Of these two all that members said is to be on the disk.
  absl::Status ChangeLetters(size_t group);
  absl::Status DecideHeld(size_t group);
  bool HoldsAny(size_t group) { return !HeldOf(group).empty(); }
  // Ends the members of the group.
  absl::Status Reset(size_t group);
  // Not OK: something never happened, and a run proves nothing of it.
  absl::Status CheckHadAll() const;

 private:
  using Op = QueueDecision::Op;

  uint64_t Random(uint64_t below) { return random_() % below; }
  bool OneIn(uint64_t n) { return Random(n) == 0; }
  void Note(size_t group, const JobPlace& place, Op op, size_t submitted, int64_t step = -1);
  // By the decisions so far.
  std::set<JobPlace>& HeldOf(size_t group);
  void TakeIn(const QueueDecision& decision);
  absl::Status Replace(size_t group, const v1::DeadLetterRef& letter);
  absl::Status Redrive(size_t group, const v1::DeadLetterSelection& some, bool at_rate);
  absl::Status Discard(size_t group, const v1::DeadLetterSelection& some);
  absl::Status Skip(size_t group, const JobPlace& place);
  absl::Status ChooseTarget(v1::ResetOffsetsRequest* request);

  QueueStore& store_;
  const FaultyDisk& disk_;
  QueueHistory& history_;
  std::mt19937_64& random_;
  int64_t& steps_;
  std::set<JobPlace> held_[std::size(kQueueGroups)];
  int32_t resets_[std::size(kQueueGroups)] = {};
  size_t taken_in_ = 0;                                    // Decisions.
  int redriven_ = 0, redriven_at_rate_ = 0, skipped_ = 0;  // Of those that were held.
};

}  // namespace acta
