#include <atomic>
#include <map>
#include <thread>

#include "absl/time/clock.h"
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
  void OnPaused(bool) override {}
  void OnQueued() override {}
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

// Keeps what members commit from the disk, and lets it go one by one.
class PickedEngine final : public MemoryLogEngine {
 public:
  absl::Status Submit(Transaction transaction) override {
    {
      MutexLock lock(mu_);
      if (picking_ && transaction.source != 0 && transaction.level == Level::kFsync) {
        kept_.push_back(std::move(transaction));
        return absl::OkStatus();
      }
    }
    return MemoryLogEngine::Submit(std::move(transaction));
  }
  void Pick() {
    MutexLock lock(mu_);
    picking_ = true;
  }
  size_t kept() const {
    MutexLock lock(mu_);
    return kept_.size();
  }
  void LetOneGo() {
    Transaction first;
    {
      MutexLock lock(mu_);
      first = std::move(kept_.front());
      kept_.pop_front();
    }
    (void)MemoryLogEngine::Submit(std::move(first));
  }

 private:
  mutable Mutex mu_;
  bool picking_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<Transaction> kept_ ABSL_GUARDED_BY(mu_);
};

// Something that another thread says once.
class Said {
 public:
  void Say() {
    MutexLock lock(mu_);
    said_ = true;
    changed_.SignalAll();
  }
  bool WaitFor(absl::Duration limit) {
    const absl::Time end = absl::Now() + limit;
    MutexLock lock(mu_);
    while (!said_ && absl::Now() < end) changed_.WaitFor(mu_, limit);
    return said_;
  }

 private:
  Mutex mu_;
  CondVar changed_;
  bool said_ ABSL_GUARDED_BY(mu_) = false;
};

// Holds partitions, and says when one is taken away.
class HoldingMember final : public MemberListener {
 public:
  void OnAssigned(const MemberAssignment& assignment) override {
    MutexLock lock(mu_);
    handles_[assignment.topic->name()] = assignment.handle;
    if (handles_.size() == 2) holds_both.Say();
  }
  void OnRevoking(uint64_t, absl::Duration) override {}
  void OnRevoked(uint64_t) override { lost_one.Say(); }
  void OnPaused(bool) override {}
  void OnQueued() override {}
  void OnEnded(const absl::Status&) override {}
  uint64_t Handle(const std::string& topic) {
    MutexLock lock(mu_);
    return handles_[topic];
  }

  Said holds_both, lost_one;

 private:
  Mutex mu_;
  std::map<std::string, uint64_t> handles_ ABSL_GUARDED_BY(mu_);
};

// Goal: members that go on committing do not keep a change of the group's topics, which holds the
// locks of all groups. Method: one commit is on its way before a topic is taken out, another comes
// after; only the first gets to the disk.
TEST_CASE("taking a topic from a group waits for no later commit of another", "[groups]") {
  PickedEngine engine;
  FakeClock clock;
  const AllowAll authorizer;
  ThreadPool pool;
  SteppedTimer timer;
  TopicRegistry topics(engine, TopicLimits());
  const Caller caller{"anonymous", "default", "test", absl::InfiniteDuration()};
  v1::CreateGroupRequest create;
  create.mutable_group()->set_name("billing");
  for (const char* name : {"orders", "parcels"}) {
    v1::CreateTopicRequest topic;
    topic.mutable_topic()->set_name(name);
    topic.mutable_topic()->set_partitions(1);
    REQUIRE_OK(topics.Create(caller, topic));
    create.mutable_group()->add_topics(name);
  }
  Append append;
  append.partition = topics.Find("default", "orders")->partition(0);
  append.payload = SharedBytes(std::string("xx"));
  append.payload_crc32c = Crc32c(append.payload.view());
  append.count = 2;
  Transaction publish;
  publish.appends.push_back(std::move(append));
  REQUIRE_OK(engine.Submit(std::move(publish)));
  GroupRegistry groups({engine, clock, topics, authorizer, pool, timer, GroupLimits()});
  create.mutable_start()->set_earliest(true);
  REQUIRE_OK(groups.Create(caller, create));
  auto member = std::make_shared<HoldingMember>();
  JoinRequest join;
  join.group = "billing";
  const auto membership = groups.Join(caller, join, member);
  REQUIRE_OK(membership);
  REQUIRE(member->holds_both.WaitFor(absl::Seconds(60)));

  engine.Pick();
  const uint64_t orders = member->Handle("orders");
  const auto ignore = [](const absl::Status&, bool) {};
  (*membership)->Commit(orders, Offset(1), ignore);
  REQUIRE(engine.kept() == 1);
  v1::UpdateGroupRequest update;
  update.mutable_group()->set_name("billing");
  update.mutable_group()->add_topics("orders");
  update.mutable_update_mask()->add_paths("topics");
  absl::Status status;
  Said updated;
  std::thread thread([&] {
    status = groups.Update(caller, update).status();
    updated.Say();
  });
  const bool taken = member->lost_one.WaitFor(absl::Seconds(60));
  (*membership)->Commit(orders, Offset(2), ignore);
  CHECK(engine.kept() == 2);
  engine.LetOneGo();
  CHECK(updated.WaitFor(absl::Seconds(10)));
  engine.LetOneGo();
  thread.join();
  CHECK(taken);
  CHECK_OK(status);
}

// Goal: whoever submits a row is not kept by those who queue more meanwhile. Method: every row
// submitted brings the next.
TEST_CASE("rows that come while one is submitted are for the pool", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 1);
  room.Publish("orders", 0, 100, 100);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}, GroupsRoom::Earliest()));
  auto member = std::make_shared<RecordingMember>();
  auto membership = *room.Join("billing", member);
  int submitted = 0;
  room.engine.on_submit = [&] {
    if (++submitted == 50) return;
    membership->Commit(member->Handle(0), Offset(submitted + 1), [](const absl::Status&, bool) {});
  };
  membership->Commit(member->Handle(0), Offset(1), [](const absl::Status&, bool) {});
  CHECK(submitted == 1);
  room.pool.Run();
  CHECK(submitted == 50);
  CHECK(room.Lag("billing", 0).committed_offset() == 50);
}

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
    GroupRegistry groups(
        {room.engine, room.clock, *room.topics, room.authorizer, pool, room.timer, limits});
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
