#include <atomic>
#include <deque>
#include <thread>

#include "server/exec/asio_pool.h"
#include "server/exec/asio_timer.h"
#include "storage/base/mutex.h"
#include "tests/unit/subscribe/subscribe_room.h"

namespace acta {
namespace {

// A client whose writes are done by a thread of its own, as gRPC does them; it counts what comes
// and remembers what was wrong.
class ThreadedClient final : public EventSink {
 public:
  ThreadedClient(SubscriptionHub& hub, const Caller& caller)
      : stream_(hub.Open(caller, *this)), writer_([this] { Write(); }) {}
  ~ThreadedClient() override {
    {
      MutexLock lock(mu_);
      stopped_ = true;
      changed_.SignalAll();
    }
    writer_.join();
    stream_->OnDisconnect();
    gone_ = true;
  }

  void Send(OutgoingFrame frame) override {
    MutexLock lock(mu_);
    if (gone_ || sending_ || finished_) wrong_ = true;
    sending_ = true;
    for (const v1::Assigned& assigned : frame.control.assigned()) {
      next_[assigned.assignment()] = assigned.offset();
    }
    for (const OutgoingBatch& batch : frame.batches) {
      if (next_[batch.assignment] != batch.base_offset.value()) wrong_ = true;
      next_[batch.assignment] += batch.count;
      events_ += batch.count;
      commits_[batch.assignment] = next_[batch.assignment];
    }
    for (const v1::Revoking& revoking : frame.control.revoking()) {
      released_.push_back(revoking.assignment());
    }
    errors_ += frame.control.errors_size();
    changed_.SignalAll();
  }
  void Finish(const absl::Status&) override {
    MutexLock lock(mu_);
    if (gone_ || sending_ || finished_) wrong_ = true;
    finished_ = true;
    changed_.SignalAll();
  }

  void Control(v1::SubscribeControl control) {
    control.set_frame_id(++last_id_);
    stream_->OnControl(control.SerializeAsString());
  }
  // False: it took too long.
  bool WaitForEvents(int64_t count) {
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    MutexLock lock(mu_);
    while (events_ < count && absl::Now() < deadline) changed_.WaitFor(mu_, absl::Seconds(1));
    return events_ >= count;
  }
  bool WaitForPartitions(size_t count) {
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    MutexLock lock(mu_);
    while (next_.size() < count && absl::Now() < deadline) {
      changed_.WaitFor(mu_, absl::Seconds(1));
    }
    return next_.size() >= count;
  }
  int64_t events() const {
    MutexLock lock(mu_);
    return events_;
  }
  bool wrong() const {
    MutexLock lock(mu_);
    return wrong_;
  }

 private:
  void Write() {
    while (true) {
      std::map<uint64_t, int64_t> commits;
      std::deque<uint64_t> released;
      {
        MutexLock lock(mu_);
        while (!sending_ && !stopped_) changed_.Wait(mu_);
        if (stopped_) return;
        sending_ = false;
        commits.swap(commits_);
        released.swap(released_);
      }
      stream_->OnWritten();
      v1::SubscribeControl credit;
      credit.mutable_credit()->set_events(10);
      Control(credit);
      for (const auto& [handle, offset] : commits) {
        v1::SubscribeControl commit;
        commit.mutable_commit()->set_assignment(handle);
        commit.mutable_commit()->set_offset(offset);
        if (group) Control(commit);
      }
      for (const uint64_t handle : released) {
        v1::SubscribeControl release;
        release.mutable_released()->set_assignment(handle);
        Control(release);
      }
    }
  }

 public:
  bool group = false;  // Set before the start frame.

 private:
  mutable Mutex mu_;
  CondVar changed_;
  bool stopped_ = false;
  bool sending_ = false;
  bool finished_ = false;
  bool wrong_ = false;
  int64_t events_ = 0;
  int64_t errors_ = 0;
  std::map<uint64_t, int64_t> next_;
  std::map<uint64_t, int64_t> commits_;
  std::deque<uint64_t> released_;
  std::atomic<bool> gone_{false};
  std::atomic<uint64_t> last_id_{0};
  const std::shared_ptr<Subscription> stream_;
  std::thread writer_;
};

// Topics, groups and a hub on real threads.
struct ThreadedRoom {
  ThreadedRoom() {
    REQUIRE_OK(topics.Load());
    REQUIRE_OK(groups.Load());
    v1::CreateTopicRequest request;
    request.mutable_topic()->set_name("orders");
    request.mutable_topic()->set_partitions(4);
    REQUIRE_OK(topics.Create(caller, request));
  }
  ~ThreadedRoom() {
    hub.reset();
    timer.Stop();
    pool.Stop();
  }
  // `count` events into each partition, by as many threads.
  void Publish(int count) {
    std::vector<std::thread> threads;
    for (int32_t partition = 0; partition < 4; ++partition) {
      threads.emplace_back([this, partition, count] {
        for (int i = 0; i < count; ++i) {
          Append append;
          append.partition = topics.Find("default", "orders")->partition(partition);
          append.payload = SharedBytes(Element(std::to_string(i)));
          append.payload_crc32c = Crc32c(append.payload.view());
          append.count = 1;
          Transaction transaction;
          transaction.appends.push_back(std::move(append));
          if (!engine.Submit(std::move(transaction)).ok()) failed = true;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  Caller caller{"alice", "default", "test", absl::InfiniteDuration()};
  MemoryLogEngine engine;
  AsioPool pool{2};
  AsioTimer timer{pool};
  TopicRegistry topics{engine, TopicLimits()};
  const SystemClock clock;
  const AllowAll authorizer;
  GroupRegistry groups{{engine, clock, topics, authorizer, pool, timer, GroupLimits()}};
  std::unique_ptr<SubscriptionHub> hub = std::make_unique<SubscriptionHub>(
      SubscriptionHub::Deps{engine, clock, topics, groups, authorizer, pool, timer, {}});
  std::atomic<bool> failed{false};
};

TEST_CASE("with real threads every event comes once and in order", "[subscribe][threads]") {
  ThreadedRoom room;
  room.engine.SetCachedReads(GENERATE(true, false));
  ThreadedClient client(*room.hub, room.caller);
  v1::SubscribeControl start;
  *start.mutable_start() = SubscribeRoom::Earliest();
  start.mutable_start()->mutable_credit()->set_events(50);
  client.Control(start);
  room.Publish(1000);
  CHECK(client.WaitForEvents(4000));
  CHECK(client.events() == 4000);
  CHECK_FALSE(client.wrong());
  CHECK_FALSE(room.failed);
}

TEST_CASE("members come and go while events flow and nothing is lost", "[subscribe][threads]") {
  ThreadedRoom room;
  v1::SubscribeControl start;
  *start.mutable_start() = SubscribeRoom::Member("g");
  auto first = std::make_unique<ThreadedClient>(*room.hub, room.caller);
  first->group = true;
  first->Control(start);
  REQUIRE(first->WaitForPartitions(4));
  std::thread publisher([&] { room.Publish(3000); });
  for (int i = 0; i < 20; ++i) {
    auto second = std::make_unique<ThreadedClient>(*room.hub, room.caller);
    second->group = true;
    second->Control(start);
    CHECK(second->WaitForPartitions(static_cast<size_t>(i % 3)));
    CHECK_FALSE(second->wrong());
    second.reset();
  }
  publisher.join();
  CHECK_FALSE(first->wrong());
  first.reset();
  // Whoever comes last gets what was not committed, up to the end.
  ThreadedClient last(*room.hub, room.caller);
  last.group = true;
  last.Control(start);
  v1::GetLagRequest request;
  request.set_group("g");
  int64_t lag = -1;
  for (const absl::Time deadline = absl::Now() + absl::Seconds(60); absl::Now() < deadline;) {
    lag = 0;
    const auto answer = room.groups.GetLag(room.caller, request);
    for (const v1::PartitionLag& row : answer->partitions()) lag += row.lag_events();
    if (lag == 0) break;
    std::this_thread::yield();
  }
  CHECK(lag == 0);
  CHECK_FALSE(last.wrong());
}

TEST_CASE("streams that break at any moment leave their sinks alone", "[subscribe][threads]") {
  ThreadedRoom room;
  std::thread publisher([&] { room.Publish(2000); });
  v1::SubscribeControl start;
  *start.mutable_start() = SubscribeRoom::Earliest();
  bool wrong = false;
  for (int i = 0; i < 200; ++i) {
    ThreadedClient client(*room.hub, room.caller);
    client.Control(start);
    CHECK(client.WaitForEvents(i % 7));
    wrong = wrong || client.wrong();
  }
  publisher.join();
  CHECK_FALSE(wrong);
  // The last turn of a stream may be another thread's.
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (room.hub->subscription_count() != 0 && absl::Now() < deadline) std::this_thread::yield();
  CHECK(room.hub->subscription_count() == 0);
}

TEST_CASE("a stop ends streams at work", "[subscribe][threads]") {
  ThreadedRoom room;
  ThreadedClient client(*room.hub, room.caller);
  v1::SubscribeControl start;
  *start.mutable_start() = SubscribeRoom::Earliest();
  client.Control(start);
  std::thread publisher([&] { room.Publish(500); });
  REQUIRE(client.WaitForEvents(10));
  room.hub->Stop(absl::Seconds(60));
  CHECK(room.hub->subscription_count() == 0);
  publisher.join();
  CHECK_FALSE(client.wrong());
}

}  // namespace
}  // namespace acta
