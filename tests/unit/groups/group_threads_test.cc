#include <atomic>
#include <thread>

#include "storage/base/mutex.h"
#include "tests/unit/groups/groups_room.h"

namespace acta {
namespace {

class ThreadPool final : public Executor {
 public:
  ThreadPool() {
    for (int i = 0; i < 2; ++i) threads_.emplace_back([this] { Work(); });
  }
  ~ThreadPool() override {
    {
      MutexLock lock(mu_);
      stopping_ = true;
      wake_.SignalAll();
    }
    for (std::thread& thread : threads_) thread.join();
  }
  void Post(absl::AnyInvocable<void()> task) override {
    MutexLock lock(mu_);
    tasks_.push_back(std::move(task));
    wake_.Signal();
  }

 private:
  void Work() {
    while (true) {
      absl::AnyInvocable<void()> task;
      {
        MutexLock lock(mu_);
        while (tasks_.empty() && !stopping_) wake_.Wait(mu_);
        if (tasks_.empty()) return;
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      task();
    }
  }

  Mutex mu_;
  CondVar wake_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<absl::AnyInvocable<void()>> tasks_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> threads_;
};

// Commits what it is given, gives back what it is asked for; counts calls that overlap.
class BusyMember final : public MemberListener {
 public:
  void OnAssigned(const MemberAssignment& assignment) override {
    const Busy busy(this);
    MutexLock lock(mu_);
    handles.push_back(assignment.handle);
  }
  void OnRevoking(uint64_t handle, absl::Duration) override {
    const Busy busy(this);
    MutexLock lock(mu_);
    asked.push_back(handle);
  }
  void OnRevoked(uint64_t) override { const Busy busy(this); }
  void OnEnded(const absl::Status&) override { const Busy busy(this); }

  void Act(Membership& membership, std::atomic<int>* answered, std::atomic<int>* sent) {
    std::vector<uint64_t> commit, release;
    {
      MutexLock lock(mu_);
      commit = handles;
      release = std::exchange(asked, {});
    }
    for (const uint64_t handle : commit) {
      ++*sent;
      membership.Commit(handle, Offset(1 + handle % 10),
                        [answered](const absl::Status&, bool) { ++*answered; });
    }
    for (const uint64_t handle : release) (void)membership.Released(handle);
  }

  std::atomic<int> overlaps{0};

 private:
  struct Busy {
    explicit Busy(BusyMember* member) : member(member) {
      if (member->calls++ != 0) ++member->overlaps;
    }
    ~Busy() { --member->calls; }
    BusyMember* member;
  };
  Mutex mu_;
  std::vector<uint64_t> handles ABSL_GUARDED_BY(mu_);
  std::vector<uint64_t> asked ABSL_GUARDED_BY(mu_);
  std::atomic<int> calls{0};
};

// Goal: members may come, work and go on any thread while positions are reset and looked at.
// Method: threads without rhythm; every commit is answered, no two calls to a member overlap.
TEST_CASE("members on many threads get every answer, one call at a time", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 8);
  for (int32_t partition = 0; partition < 8; ++partition) {
    room.Publish("orders", partition, 20, 200);
  }
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}, GroupsRoom::Earliest()));
  std::atomic<int> sent{0}, answered{0}, overlaps{0}, failed{0};
  {
    GroupLimits limits;
    ThreadPool pool;
    GroupRegistry groups({room.engine, *room.topics, pool, room.timer, limits});
    REQUIRE_OK(groups.Load());
    std::vector<std::thread> threads;
    for (int id = 0; id < 4; ++id) {
      threads.emplace_back([&, id] {
        for (int round = 0; round < 100; ++round) {
          auto member = std::make_shared<BusyMember>();
          JoinRequest request;
          request.group = "billing";
          auto membership = groups.Join(room.caller, request, member);
          if (!membership.ok()) {
            ++failed;
            continue;
          }
          for (int i = 0; i < 5; ++i) {
            member->Act(**membership, &answered, &sent);
            std::this_thread::yield();
          }
          if (round % 2 == id % 2) (*membership)->Leave();
          overlaps += member->overlaps;
        }
      });
    }
    v1::ResetOffsetsRequest reset;
    reset.set_group("billing");
    reset.mutable_to()->set_earliest(true);
    reset.set_reason("test");
    reset.set_force(true);
    v1::GetGroupRequest get;
    get.set_name("billing");
    for (int i = 0; i < 50; ++i) {
      failed += !groups.ResetOffsets(room.caller, reset).ok();
      failed += !groups.Get(room.caller, get).ok();
    }
    for (std::thread& thread : threads) thread.join();
    failed += !groups.ResetOffsets(room.caller, reset).ok();  // Waits for what is in flight.
  }
  CHECK(failed == 0);
  CHECK(overlaps == 0);
  CHECK(sent == answered);
}

}  // namespace
}  // namespace acta
