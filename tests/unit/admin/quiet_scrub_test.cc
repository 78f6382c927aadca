#include "server/core/admin/quiet_scrub.h"

#include <catch2/catch.hpp>

#include <thread>

#include "absl/time/clock.h"
#include "acta/storage/v1/records.pb.h"
#include "server/core/topics/topic_registry.h"
#include "storage/layout/rows.h"
#include "tests/support/status_matchers.h"
#include "tests/support/table_damage.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

v1::ScrubRun AwaitEnd(const QuietScrub& scrub) {
  for (;;) {
    const auto run = scrub.run();
    if (run.has_value() && run->has_end_time()) return *run;
    std::this_thread::yield();
  }
}

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
  QuietScrub scrub(store.engine(), topics, {absl::ZeroDuration(), 0}, absl::ZeroDuration());
  CHECK_FALSE(scrub.run().has_value());
  scrub.SetOptions({absl::Hours(1), 0});
  const v1::ScrubRun run = AwaitEnd(scrub);
  CHECK(run.batches() == 200);
  CHECK(run.bytes() > 200 * 2000);
  CHECK(run.damaged() == 0);
}

TEST_CASE("a scrub keeps its pace, and ends at once when it is to", "[admin]") {
  TestStore store;
  Fill(store, 60, 200'000);  // More than it reads in one look.
  const TopicRegistry topics(store.engine(), TopicLimits());
  // Its pause behind the first look lasts for weeks.
  QuietScrub scrub(store.engine(), topics, {absl::Hours(1), 1}, absl::ZeroDuration());
  while (!scrub.run().has_value() || scrub.run()->batches() == 0) {
    store.clock().Advance(absl::Seconds(1));  // So that a look ends.
  }
  CHECK_FALSE(scrub.run()->has_end_time());
  const absl::Time begin = absl::Now();
  scrub.End();
  CHECK(absl::Now() - begin < absl::Seconds(20));
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
  QuietScrub scrub(store.engine(), topics, {absl::Hours(1), 0}, absl::ZeroDuration());
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
