// Claims on a real store: threads, restarts, kills.
#include <atomic>
#include <filesystem>
#include <functional>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "storage/log/local_log_engine.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_store.h"
#include "tests/unit/claims/claims_room.h"

namespace acta {
namespace {

class StoreClaims {
 public:
  StoreClaims() {
    options_.data = folder_.path() + "/data";
    options_.memtable_bytes = 4 << 20;
    options_.write_buffer_bytes = 64 << 10;
    options_.ballast_bytes = 0;
    options_.watermarks = {{0, 0}, {0, 0}, {0, 0}};
    options_.maintenance_interval = options_.slice_interval = absl::Hours(1000000);
    Open();
    room_ = std::make_unique<ClaimsRoom>(*engine_);
  }

  ClaimsRoom& room() { return *room_; }
  LogEngine& engine() { return *engine_; }
  FakeClock& clock() { return clock_; }

  void Reopen() {
    room_->Stop();
    engine_.reset();
    Open();
    room_->Restart(*engine_);
  }
  // Goes on with the folder as `kill -9` would have left it just now.
  void Crash() {
    const std::string image = options_.data + "-crashed";
    std::filesystem::copy(options_.data, image, std::filesystem::copy_options::recursive);
    options_.data = image;
    Reopen();
  }

 private:
  void Open() {
    auto engine = LocalLogEngine::Open(options_, sink_, clock_);
    REQUIRE_OK(engine);
    engine_ = *std::move(engine);
  }

  TempDir folder_;
  LocalEngineOptions options_;
  FakeClock clock_;
  RecordingFatalSink sink_;
  std::unique_ptr<LogEngine> engine_;
  std::unique_ptr<ClaimsRoom> room_;
};

// Runs `work(i)` on so many threads, which begin together.
void Together(int threads, const std::function<void(int)>& work) {
  std::latch begin(threads);
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i) {
    running.emplace_back([&begin, &work, i] {
      begin.arrive_and_wait();
      work(i);
    });
  }
  for (std::thread& thread : running) thread.join();
}

TEST_CASE("of 64 threads that ask for one key exactly one is FIRST", "[claims]") {
  constexpr int kThreads = 64;
  StoreClaims store;
  ClaimRegistry& claims = *store.room().claims;
  const Caller caller = store.room().caller;
  for (int round = 0; round < 20; ++round) {
    const std::string key = "key-" + std::to_string(round % 10);  // Each twice: after its lease.
    std::atomic<int> first{0}, in_progress{0};
    Together(kThreads, [&](int i) {
      const auto answer = claims.Claim(caller, ClaimsRoom::Wish(key, std::to_string(i)));
      if (!answer.ok()) return;
      if (answer->outcome() == v1::CLAIM_OUTCOME_FIRST) ++first;
      if (answer->outcome() == v1::CLAIM_OUTCOME_IN_PROGRESS) ++in_progress;
    });
    CHECK(first == 1);
    CHECK(in_progress == kThreads - 1);
    if (round == 9) store.clock().Advance(absl::Seconds(30));
  }
  CHECK(store.room().Stored() == 10);
  CHECK(store.room().StoredEnds() == 10);
}

// Goal: an effect is done once by those who keep to their leases, and everybody learns its result.
TEST_CASE("of many threads that claim and complete many keys each key is completed once",
          "[claims]") {
  constexpr int kThreads = 16;
  constexpr int kKeys = 40;
  StoreClaims store;
  ClaimRegistry& claims = *store.room().claims;
  const Caller caller = store.room().caller;
  std::vector<std::atomic<int>> effects(kKeys);
  std::atomic<int> wrong{0};
  Together(kThreads, [&](int thread) {
    for (int i = 0; i < kKeys; ++i) {
      const int number = (i + thread) % kKeys;
      const std::string key = std::to_string(number);
      auto answer = claims.Claim(caller, ClaimsRoom::Wish(key));
      if (answer.ok() && answer->outcome() == v1::CLAIM_OUTCOME_FIRST) {
        ++effects[static_cast<size_t>(number)];
        const auto done =
            claims.Complete(caller, ClaimsRoom::Completion(key, answer->token(), "r" + key));
        if (!done.ok() || !done->changed()) ++wrong;
        answer = claims.Claim(caller, ClaimsRoom::Wish(key));
      }
      const bool told = answer.ok() && (answer->outcome() == v1::CLAIM_OUTCOME_IN_PROGRESS ||
                                        answer->result() == "r" + key);
      if (!told) ++wrong;
    }
  });
  CHECK(wrong == 0);
  for (const std::atomic<int>& count : effects) CHECK(count == 1);
}

TEST_CASE("claims are there after a restart and after a kill", "[claims]") {
  StoreClaims store;
  ClaimsRoom& room = store.room();
  const std::string done = room.First("done");
  REQUIRE_OK(room.Complete("done", done, "result"));
  const std::string open = room.First(room.Wish("open", "worker-a", "wish"));
  const std::string released = room.First("released");
  REQUIRE_OK(room.Release("released", released));
  SECTION("a restart") { store.Reopen(); }
  SECTION("a kill") { store.Crash(); }
  CHECK(room.Ask("done").outcome() == v1::CLAIM_OUTCOME_DUPLICATE);
  CHECK(room.Ask("done").result() == "result");
  CHECK(room.Ask("open").outcome() == v1::CLAIM_OUTCOME_IN_PROGRESS);
  CHECK(room.Ask("open").owner() == "worker-a");
  CHECK(room.First(room.Wish("open", "worker-a", "wish")) == open);
  CHECK(ReasonOf(room.Get("released").status()) == v1::CLAIM_NOT_FOUND);
  CHECK_OK(room.Complete("done", done, "again"));
  CHECK_OK(room.Complete("open", open, "after the restart"));
  CHECK(room.Ask("open").result() == "after the restart");
}

TEST_CASE("a lease ends by the time of the server, however often the wall clock is set",
          "[claims]") {
  StoreClaims store;
  ClaimsRoom& room = store.room();
  const std::string token = room.First("k");
  store.clock().Jump(absl::Hours(5));
  CHECK(room.Ask("k").outcome() == v1::CLAIM_OUTCOME_IN_PROGRESS);
  store.clock().Jump(-absl::Hours(10));
  store.clock().Advance(absl::Seconds(29));
  CHECK(room.Ask("k").outcome() == v1::CLAIM_OUTCOME_IN_PROGRESS);
  store.clock().Advance(absl::Seconds(1));
  CHECK(room.First("k") != token);
}

}  // namespace
}  // namespace acta
