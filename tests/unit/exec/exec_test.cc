#include <catch2/catch.hpp>

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "server/exec/asio_pool.h"
#include "server/exec/asio_timer.h"
#include "storage/base/mutex.h"

namespace acta {
namespace {

// Lets the test wait for what other threads do.
class Latch {
 public:
  explicit Latch(int count) : left_(count) {}
  void CountDown() {
    MutexLock lock(mu_);
    --left_;
    changed_.SignalAll();
  }
  void Wait() {
    MutexLock lock(mu_);
    while (left_ > 0) changed_.Wait(mu_);
  }

 private:
  Mutex mu_;
  CondVar changed_;
  int left_ ABSL_GUARDED_BY(mu_);
};

TEST_CASE("a pool runs tasks on other threads, never inside Post", "[exec]") {
  AsioPool pool(2);
  std::atomic<bool> same{true};
  Latch done(1);
  pool.Post([&, caller = std::this_thread::get_id()] {
    same = caller == std::this_thread::get_id();
    done.CountDown();
  });
  done.Wait();
  CHECK_FALSE(same);
}

TEST_CASE("the threads of a pool work at the same time", "[exec]") {
  AsioPool pool(2);
  Latch both(2);
  for (int i = 0; i < 2; ++i) {
    pool.Post([&] {
      both.CountDown();
      both.Wait();  // Would hang on one thread.
    });
  }
  both.Wait();
}

TEST_CASE("a pool that stops runs what was posted and drops what comes later", "[exec]") {
  AsioPool pool(2);
  std::atomic<int> ran{0};
  for (int i = 0; i < 1000; ++i) {
    pool.Post([&] {
      if (ran.fetch_add(1) % 10 == 0) pool.Post([&ran] { ran.fetch_add(1000); });
    });
  }
  pool.Stop();
  CHECK(ran >= 1000 + 1000);
  const int before = ran;
  auto token = std::make_shared<int>(0);
  pool.Post([&ran, token] { ran.fetch_add(1); });
  CHECK(token.use_count() == 1);
  pool.Stop();
  CHECK(ran == before);
}

TEST_CASE("a task may own what cannot be copied", "[exec]") {
  AsioPool pool(1);
  auto value = std::make_unique<int>(7);
  int seen = 0;
  pool.Post([value = std::move(value), &seen] { seen = *value; });
  pool.Stop();
  CHECK(seen == 7);
}

// Holds the thread of a timer at its first task.
class GatedExecutor final : public Executor {
 public:
  explicit GatedExecutor(Executor& to) : to_(to), closed_(1) {}
  void Post(absl::AnyInvocable<void()> task) override {
    closed_.Wait();
    to_.Post(std::move(task));
  }
  void Open() { closed_.CountDown(); }

 private:
  Executor& to_;
  Latch closed_;
};

TEST_CASE("a timer runs tasks on its executor in order of time", "[exec]") {
  AsioPool pool(1);
  GatedExecutor gate(pool);
  AsioTimer timer(gate);
  std::vector<int> order;  // One thread in the pool.
  Latch done(4);
  const auto note = [&](int number) {
    return [&, number] {
      order.push_back(number);
      done.CountDown();
    };
  };
  timer.After(absl::ZeroDuration(), note(0));
  timer.After(absl::Milliseconds(60), note(3));
  timer.After(absl::Milliseconds(20), note(2));
  timer.After(-absl::Seconds(1), note(1));
  gate.Open();  // All are there, however slow that was.
  done.Wait();
  CHECK(order == std::vector<int>{0, 1, 2, 3});
}

TEST_CASE("a cancelled task does not run and is freed at once", "[exec]") {
  AsioPool pool(1);
  AsioTimer timer(pool);
  auto token = std::make_shared<int>(0);
  std::atomic<bool> ran{false};
  const uint64_t number = timer.After(absl::InfiniteDuration(), [&ran, token] { ran = true; });
  CHECK(number != 0);
  timer.Cancel(number);
  timer.Cancel(number);
  CHECK(token.use_count() == 1);
  Latch later(1);
  timer.After(absl::Milliseconds(5), [&] { later.CountDown(); });
  later.Wait();
  CHECK_FALSE(ran);
}

TEST_CASE("a timer that stops drops what waits and takes nothing more", "[exec]") {
  AsioPool pool(1);
  AsioTimer timer(pool);
  auto token = std::make_shared<int>(0);
  timer.After(absl::Hours(1), [token] {});
  timer.Stop();
  CHECK(token.use_count() == 1);
  CHECK(timer.After(absl::ZeroDuration(), [token] {}) == 0);
  CHECK(token.use_count() == 1);
}

}  // namespace
}  // namespace acta
