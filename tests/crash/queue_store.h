#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "server/core/claims/claim_registry.h"
#include "server/core/groups/group_registry.h"
#include "server/core/schedules/schedules.h"
#include "server/core/topics/topic_registry.h"
#include "storage/log/local_log_engine.h"
#include "tests/crash/torn_engine.h"
#include "tests/support/fake_clock.h"
#include "tests/support/stepped_executor.h"
#include "tests/support/test_store.h"

namespace acta {

// The real engine with topics, groups, claims and schedules on it, wired as the daemon does, but
// for pool and timer: what they have runs in the calls of this class. Claims are never swept.
//
// Threads: one.
class QueueStore {
 public:
  // Borrows clock and sink. `tear`: what they do to what is written, or read, of groups and
  // schedules.
  QueueStore(LocalEngineOptions options, FakeClock& clock, FatalSink& sink,
             StepTear tear = StepTear::kNone);
  ~QueueStore();
  QueueStore(const QueueStore&) = delete;
  QueueStore& operator=(const QueueStore&) = delete;

  absl::Status Open();
  // In good order. Nobody may be a member.
  void Close();

  // Returns how much there was to run.
  size_t Run() { return pool_.RunAll(); }
  void Advance(absl::Duration by);
  // While it is held nothing goes by retention, from when this has returned.
  absl::Status HoldRetention(bool held);

  LocalLogEngine& engine() { return *engine_; }
  TopicRegistry& topics() { return *topics_; }
  GroupRegistry& groups() { return *groups_; }
  ClaimRegistry& claims() { return *claims_; }
  Schedules& schedules() { return *schedules_; }
  const Caller& caller() const { return caller_; }
  PartitionId Partition(int32_t number) const;
  PartitionId ResultPartition(int32_t number) const;
  PartitionId OutcomePartition() const;

  // The settings of the load's engine: small, and the times of its slices are minutes.
  static LocalEngineOptions Options(const std::string& folder);

 private:
  const LocalEngineOptions options_;
  FakeClock& clock_;
  FatalSink& sink_;
  const StepTear tear_;
  const Caller caller_{"anonymous", "default", "test", absl::InfiniteDuration()};
  const AllowAll authorizer_;
  SteppedExecutor pool_;
  SteppedTimer timer_{pool_};
  SteppedTimer still_timer_;
  std::atomic<bool> retention_held_{false};
  std::unique_ptr<LocalLogEngine> engine_;
  std::unique_ptr<TornEngine> torn_;  // Null: nothing is torn.
  std::unique_ptr<TopicRegistry> topics_;
  std::unique_ptr<GroupRegistry> groups_;
  std::unique_ptr<ClaimRegistry> claims_;
  std::unique_ptr<Schedules> schedules_;
};

// A member of one of the groups, with what it has in hand.
class QueueHand {
 public:
  struct Leased {
    int32_t partition = 0;
    int64_t offset = 0;
    int32_t attempt = 0;
    int32_t redrives = 0;
    bool keyed = false;  // It has a key.
    bool whole = false;  // Its data are those of its place.
    // That it is processed.
    HeldRun Run(uint64_t session, const QueueStore& store) const {
      return {session, store.Partition(partition), Offset(offset), 1, attempt, {}, {}, redrives};
    }
  };

  static absl::StatusOr<std::unique_ptr<QueueHand>> Join(QueueStore& store,
                                                         const std::string& group);

  // Adds what it is leased, at most so many, to the hand.
  void Take(int64_t most);
  std::vector<Leased>& hand() { return hand_; }
  GroupQueue& queue() { return *membership_->queue(); }
  uint64_t session() const { return membership_->session(); }
  void Leave(bool cleanly);

 private:
  explicit QueueHand(QueueStore& store) : store_(store) {}

  QueueStore& store_;
  std::shared_ptr<Membership> membership_;
  std::vector<Leased> hand_;
};

// The data of an event begin with its place.
std::string PlaceData(int32_t partition, int64_t offset);
// Those of a scheduled one with its number.
std::string LaterData(int64_t number);

}  // namespace acta
