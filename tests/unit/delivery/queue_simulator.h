#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/core/delivery/partition_queue.h"
#include "tests/unit/delivery/queue_model.h"

namespace acta {

// Ways to be wrong that the simulation has to notice.
enum class QueueMutant {
  kNone,
  kSettlesAnother,     // An ack settles another event of the member.
  kForgetsDue,         // A restart makes every waiting event due.
  kForgetsAttempts,    // A restart begins to count again.
  kLosesRow,           // A restart loses a parked event.
  kLosesPosition,      // What is acknowledged is not in the row.
  kIgnoresKeys,        // Keys are in flight twice.
  kIgnoresGrace,       // Leases what others may hold.
  kCountsRelease,      // A release is a failed attempt.
  kRetriesEarly,       // Half the backoff.
  kBuriesTwice,        // Two dead letters of one event.
  kForgetsHolder,      // A clean leave gives nothing back.
  kLosesStep,          // What is settled with something else is not in the row.
  kForgetsFailure,     // What fails with something else is processed.
  kAcksLaterAttempt,   // A late ack of an earlier attempt settles what somebody else has now.
  kHoldsLaterAttempt,  // A step that names an earlier attempt settles the one of now.
  kScansWhenFull,      // Looks at more events than may be outstanding.
  kLeasesWhenFull,     // Does not mind how many dead letters there are.
  kResetKeepsRows,     // What was parked before a reset is there after it.
  kResetKeepsRuns,     // What was settled before a reset, behind its place, stays so.
  kEnd,
};

// One random life of a queue beside the model: members come, go, hang, answer twice and late, the
// broker dies with what was not committed, time goes on or jumps, operators redrive and reset.
// Often little may be outstanding, parked or dead.
//
// The same operations give the same life.
class QueueSimulator {
 public:
  struct Operation {
    uint32_t kind = 0;
    uint32_t first = 0;
    uint32_t second = 0;
  };
  struct Life {
    QueuePolicy policy;
    QueueBudget budget;
    uint64_t seed = 0;
    std::vector<Operation> operations;
  };
  static Life MakeLife(uint64_t seed);
  // What is wrong; empty: nothing.
  static std::string Run(const Life& life, QueueMutant mutant);
  // The fewest operations that are still wrong.
  static Life Shrink(Life life, QueueMutant mutant);
  static std::string Describe(const Life& life);

 private:
  static constexpr uint64_t kMembers = 4;

  QueueSimulator(const Life& life, QueueMutant mutant);

  // By the name of an operation.
  static bool Is(uint32_t kind, absl::string_view name);
  std::string Do(const Operation& operation);
  // What no member does.
  std::string Administer(const Operation& operation);
  std::string Lease(uint64_t member, int64_t most);
  // What expired, or was delivered too often, was dealt with on the way; nothing else was.
  std::string FindOver();
  std::string Settle(uint32_t kind, uint64_t member, Offset offset, uint32_t chance);
  std::string Hold(uint64_t member, Offset offset, uint32_t chance);
  // What is held was written, or it was not.
  std::string Step(bool stored, bool gone);
  // One of those that are held was written.
  std::string Confirm(Offset offset);
  std::string Commit();
  std::string CheckAttempts(const QueueChanges& changes);
  std::string Crash();
  std::string Trim(Offset first);
  std::string ChangePolicy(uint32_t chance);
  std::string Reset(uint32_t chance);
  std::string Redrive(Offset offset);
  std::string SkipAhead(Offset end);
  void Discard(Offset offset);
  std::string Drain();
  std::string CheckCounts() const;
  std::string CheckNext() const;
  // A dead letter that is on the disk now. Its row may take the place of another one.
  void Buried(Offset offset);
  void Publish(uint32_t chance, int64_t count);
  void Scan(int64_t most);
  void Gone(uint64_t member, bool cleanly);
  void Open();
  void MakeQueue();
  Offset Pick(uint32_t chance) const;
  // A dead letter, if there is one.
  Offset PickLetter(uint32_t chance) const;
  QueuePolicy MachinePolicy() const;

  const Life& life_;
  const QueueMutant mutant_;
  QueuePolicy policy_;
  QueueBudget budget_;
  int64_t now_us_ = 1'000'000'000;
  std::unique_ptr<PartitionQueue> queue_;
  QueueModel model_;
  std::vector<EventFacts> log_;
  Offset first_;  // Below it the log is gone.
  std::vector<std::pair<uint64_t, Offset>> lost_leases_;
  std::set<std::pair<uint64_t, Offset>> had_;  // Who was leased what, ever.
  std::map<Offset, int32_t> dead_;             // How often.
  std::set<Offset> letters_;                   // That are there.
  // What becomes of those that are held to fail.
  struct Planned {
    Failure failure;
    Nack nack;
    QueuePolicy policy;
  };
  std::map<Offset, Planned> planned_;

  // What a crash leaves.
  QueuePosition position_;
  std::map<Offset, ParkedEvent> parked_;
  QueueModel durable_model_;
  std::map<Offset, int32_t> durable_dead_;
  std::set<Offset> durable_letters_;
};

}  // namespace acta
