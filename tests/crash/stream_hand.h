#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/core/queues/queue_step.h"
#include "tests/crash/queue_store.h"

namespace acta {

// Commits the runs of a member, in one write with the event of the step (OutcomeOf()) and the
// completion of its claim, whose token that is. `fails`: it is refused as it is written. `done`
// runs once, on any thread; not OK: the step was refused at once, and it does not run.
absl::Status SettleStreamStep(QueueStore& store, int64_t number, const std::string& token,
                              std::vector<HeldRun> runs, bool fails,
                              absl::AnyInvocable<void(const absl::Status&)> done);

// A member of the STREAM group, with what is assigned to it.
//
// Threads: one, that of the store's Run().
class StreamHand {
 public:
  struct Held {
    uint64_t handle = 0;
    int64_t generation = 0;
    int64_t next = 0;       // That it has not settled, in its own view.
    bool revoking = false;  // It is asked to give it back.
    // Its events from `next` to `end`.
    HeldRun Run(PartitionId partition, int64_t end) const {
      HeldRun run;
      run.session = handle;
      run.partition = partition;
      run.first = Offset(next);
      run.count = static_cast<int32_t>(end - next);
      return run;
    }
  };

  // `member_id` may be empty.
  static absl::StatusOr<std::unique_ptr<StreamHand>> Join(QueueStore& store,
                                                          const std::string& member_id);

  // By partition.
  std::map<int32_t, Held>& held() { return listener_->held; }
  // Handles that it had once.
  const std::vector<uint64_t>& lost() const { return listener_->lost; }
  Membership& membership() { return *membership_; }
  // Gives a partition back that it is asked for.
  absl::Status Release(int32_t partition);
  void Leave(bool cleanly);

 private:
  struct Listener final : MemberListener {
    void OnAssigned(const MemberAssignment& assignment) override;
    void OnRevoking(uint64_t handle, absl::Duration) override;
    void OnRevoked(uint64_t handle) override;
    void OnPaused(bool) override {}
    void OnQueued() override {}
    void OnEnded(const absl::Status&) override {}
    void Drop(uint64_t handle);

    std::map<int32_t, Held> held;
    std::vector<uint64_t> lost;
  };

  StreamHand(QueueStore& store, std::shared_ptr<Listener> listener)
      : store_(store), listener_(std::move(listener)) {}

  QueueStore& store_;
  const std::shared_ptr<Listener> listener_;
  std::shared_ptr<Membership> membership_;
};

}  // namespace acta
