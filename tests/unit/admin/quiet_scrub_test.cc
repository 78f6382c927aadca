#include "server/core/admin/quiet_scrub.h"

#include <catch2/catch.hpp>

#include <atomic>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "acta/storage/v1/records.pb.h"
#include "server/core/topics/topic_registry.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/layout/rows.h"
#include "tests/support/hooked_disk.h"
#include "tests/support/status_matchers.h"
#include "tests/support/table_damage.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

const SystemClock kClock;

v1::ScrubRun AwaitEnd(const QuietScrub& scrub) {
  const absl::Duration until = kClock.SinceBoot() + absl::Seconds(60);
  while (kClock.SinceBoot() < until) {
    const auto run = scrub.run();
    if (run.has_value() && run->has_end_time()) return *run;
    std::this_thread::yield();
  }
  FAIL("no scrub came to its end");
  return {};
}

// Keeps who looks at it for the second time until it goes on.
class HeldClock final : public Clock {
 public:
  absl::Time Wall() const override { return kClock.Wall(); }
  absl::Duration SinceBoot() const override {
    MutexLock lock(mu_);
    ++looks_;
    changed_.SignalAll();
    while (looks_ == 2 && held_) changed_.Wait(mu_);
    return kClock.SinceBoot();
  }
  void AwaitSecondLook() {
    MutexLock lock(mu_);
    while (looks_ < 2) changed_.Wait(mu_);
  }
  void GoOn() {
    MutexLock lock(mu_);
    held_ = false;
    changed_.SignalAll();
  }

 private:
  mutable Mutex mu_;
  mutable CondVar changed_;
  mutable int looks_ ABSL_GUARDED_BY(mu_) = 0;
  bool held_ ABSL_GUARDED_BY(mu_) = true;
};

// Several tables with events of topic 1.
void Fill(TestStore& store, int events = 200, size_t bytes = 2000) {
  for (int i = 0; i < events; ++i) {
    REQUIRE_OK(Commit(store.engine(),
                      MakeAppend(TestStore::Partition(), {EventElement(std::string(bytes, 'x'))}))
                   .status);
  }
  store.Reopen();
}

}  // namespace

TEST_CASE("all events are read by themselves when that is wanted", "[admin]") {
  TestStore store;
  Fill(store);
  const TopicRegistry topics(store.engine(), TopicLimits());
  QuietScrub scrub(store.engine(), kClock, topics, {absl::ZeroDuration(), 0}, absl::ZeroDuration());
  CHECK_FALSE(scrub.run().has_value());
  scrub.SetOptions({absl::Hours(1), 0});
  const v1::ScrubRun run = AwaitEnd(scrub);
  CHECK(run.batches() == 200);
  CHECK(run.bytes() > 200 * 2000);
  CHECK(run.damaged() == 0);
}

// Goal: new options count at once. Method: they come when the old ones have been read, and nobody
// sleeps yet.
TEST_CASE("options that come just before a scrub sleeps are not slept through", "[admin]") {
  TestStore store;
  Fill(store, 1);
  const TopicRegistry topics(store.engine(), TopicLimits());
  HeldClock clock;
  QuietScrub scrub(store.engine(), clock, topics, {absl::ZeroDuration(), 0}, absl::ZeroDuration());
  clock.AwaitSecondLook();
  scrub.SetOptions({absl::Hours(1), 0});
  clock.GoOn();
  CHECK(AwaitEnd(scrub).batches() == 1);
}

// A disk each read of which takes a second of a clock.
class SlowReads final : public HookedDisk {
 public:
  void TakeTimeOf(FakeClock* clock) { clock_ = clock; }

 private:
  rocksdb::IOStatus Do(const DiskCall& call, Forward forward) override {
    FakeClock* const clock = call.Reads() ? clock_.load() : nullptr;
    if (clock != nullptr) clock->Advance(absl::Seconds(1));
    return forward(call.data);
  }

  std::atomic<FakeClock*> clock_ = nullptr;
};

TEST_CASE("a scrub keeps its pace, and ends at once when it is to", "[admin]") {
  const auto disk = std::make_shared<SlowReads>();
  LocalEngineOptions slow;
  slow.file_system = disk;
  TestStore store(slow);
  Fill(store, 60, 200'000);
  disk->TakeTimeOf(&store.clock());  // So that a look ends before it has read all.
  const TopicRegistry topics(store.engine(), TopicLimits());
  // Its pause behind the first look lasts for weeks.
  QuietScrub scrub(store.engine(), kClock, topics, {absl::Hours(1), 1}, absl::ZeroDuration());
  while (!scrub.run().has_value() || scrub.run()->batches() == 0) std::this_thread::yield();
  disk->TakeTimeOf(nullptr);
  CHECK_FALSE(scrub.run()->has_end_time());
  const absl::Duration begin = kClock.SinceBoot();
  scrub.End();
  CHECK(kClock.SinceBoot() - begin < absl::Seconds(20));
  CHECK(scrub.run()->has_end_time());
  CHECK(scrub.run()->batches() < 60);
}

TEST_CASE("damage that a scrub finds is told", "[admin]") {
  TestStore store;
  Fill(store, 60, 200'000);  // More than it reads in one look.
  const auto tables = DatabaseFiles(store.path(), ".sst");
  REQUIRE(tables.size() > 2);
  FlipBit(tables[1], 5000);
  storage::v1::TopicRecord record;
  record.set_topic_id(TestStore::kTopic.value());
  record.set_tenant("default");
  record.mutable_topic()->set_name("test");
  record.mutable_topic()->set_partitions(4);
  Transaction transaction;
  transaction.rows.push_back(
      {Family::kMeta, TopicRow("default", "test"), record.SerializeAsString()});
  REQUIRE_OK(Commit(store.engine(), std::move(transaction)).status);
  TopicRegistry topics(store.engine(), TopicLimits());
  REQUIRE_OK(topics.Load());
  QuietScrub scrub(store.engine(), kClock, topics, {absl::Hours(1), 0}, absl::ZeroDuration());
  const v1::ScrubRun run = AwaitEnd(scrub);
  CHECK(run.damaged() == 1);
  CHECK(scrub.damage().Count() == 1);
  // While it is looked for again it is not forgotten.
  const auto begun = run.start_time().seconds();
  store.clock().Advance(absl::Seconds(1));  // The next one begins later.
  scrub.SetOptions({absl::Nanoseconds(1), 1});
  do {
    store.clock().Advance(absl::Seconds(1));  // So that a look ends.
    CHECK(scrub.damage().Count() == 1);
  } while (scrub.run()->start_time().seconds() == begun);
  CHECK(scrub.damage().Count() == 1);
}

}  // namespace acta
