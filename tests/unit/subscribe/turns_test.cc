#include <catch2/catch.hpp>

#include <atomic>
#include <thread>
#include <vector>

#include "server/core/subscribe/turns.h"
#include "server/exec/asio_pool.h"
#include "tests/support/stepped_executor.h"

namespace acta {
namespace {

TEST_CASE("a task runs inside Run when nobody is at it", "[turns]") {
  SteppedExecutor pool;
  Turns turns(pool);
  std::vector<int> order;
  turns.Run([&] {
    turns.Run([&] { order.push_back(2); });
    turns.Post([&] { order.push_back(3); });
    order.push_back(1);
  });
  CHECK(order == std::vector<int>{1, 2, 3});
  CHECK(pool.pending() == 0);
}

TEST_CASE("a posted task runs on the pool, and what comes behind it too", "[turns]") {
  SteppedExecutor pool;
  Turns turns(pool);
  std::vector<int> order;
  turns.Post([&] { order.push_back(1); });
  turns.Run([&] { order.push_back(2); });
  CHECK(order.empty());
  pool.RunAll();
  CHECK(order == std::vector<int>{1, 2});
}

TEST_CASE("a thread that finds much to do gives the rest to the pool", "[turns]") {
  SteppedExecutor pool;
  Turns turns(pool);
  int ran = 0;
  turns.Run([&] {
    for (int i = 0; i < 200; ++i) turns.Run([&] { ++ran; });
  });
  CHECK(ran < 200);
  pool.RunAll();
  CHECK(ran == 200);
}

TEST_CASE("tasks of many threads never overlap and none is lost", "[turns]") {
  AsioPool pool(2);
  Turns turns(pool);
  std::atomic<int> inside{0};
  std::atomic<bool> overlapped{false};
  int64_t sum = 0;  // Without a lock: the turns are the lock.
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5000; ++i) {
        auto task = [&] {
          if (inside.fetch_add(1) != 0) overlapped = true;
          ++sum;
          inside.fetch_sub(1);
        };
        if ((i + t) % 2 == 0) {
          turns.Run(task);
        } else {
          turns.Post(task);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  pool.Stop();
  CHECK_FALSE(overlapped);
  CHECK(sum == 20'000);
}

}  // namespace
}  // namespace acta
