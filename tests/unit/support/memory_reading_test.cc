#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/unit/support/memory_fixture.h"

namespace acta {
namespace {

TEST_CASE("reading gives whole batches from the one that holds the offset on", "[support]") {
  MemoryFixture memory;
  memory.WriteOne(memory.Of(kFirst, {"a", "b"}));
  memory.WriteOne(memory.Of(kFirst, {"c"}));
  memory.WriteOne(memory.Of(kFirst, {"d"}));
  const auto read = [&memory](int64_t from, size_t bytes) {
    const auto batches = memory.engine.Read(kFirst, Offset(from), bytes);
    REQUIRE_OK(batches);
    const auto cached = memory.engine.ReadCached(kFirst, Offset(from), bytes);
    REQUIRE_OK(cached);
    REQUIRE(cached->has_value());
    CHECK(**cached == *batches);
    return *batches;
  };
  CHECK(read(1, 1000).size() == 3);
  CHECK(read(1, 1000).front()->base_offset == Offset(0));
  CHECK(read(0, 1).size() == 1);
  CHECK(read(0, 9).size() == 2);
  CHECK(read(4, 1000).empty());
  CHECK(read(2, 1000).front()->end_bytes == 9);
}

TEST_CASE("reading outside of what is kept fails with what is missing", "[support]") {
  MemoryFixture memory;
  memory.WriteOne(memory.Of(kFirst, {"a", "b", "c"}));
  memory.WriteOne(memory.Of(kFirst, {"d"}));
  memory.engine.TrimTo(kFirst, Offset(2));
  const auto gap = memory.engine.Read(kFirst, Offset(0), 1000).status();
  CHECK(ReasonOf(gap) == v1::GAP);
  CHECK(DetailsOf(gap).at("first_lost") == "0");
  CHECK(DetailsOf(gap).at("last_lost") == "1");
  CHECK(ReasonOf(memory.engine.ReadCached(kFirst, Offset(1), 1000).status()) == v1::GAP);
  CHECK(ReasonOf(memory.engine.Read(kFirst, Offset(5), 1000).status()) == v1::OFFSET_OUT_OF_RANGE);
  CHECK(ReasonOf(memory.engine.Read(kFirst, Offset(-1), 1000).status()) == v1::OFFSET_OUT_OF_RANGE);
  CHECK(ReasonOf(memory.engine.Read(PartitionId(TopicId(2), 0), Offset(0), 1).status()) ==
        v1::PARTITION_NOT_FOUND);
  const auto extent = memory.engine.Extent(kFirst);
  CHECK(extent->first == Offset(2));
  CHECK(extent->first_bytes == 6);
  CHECK(extent->visible_end_bytes == 12);
  memory.engine.TrimTo(kFirst, Offset(4));
  CHECK(memory.engine.Extent(kFirst)->first_bytes == 12);
  CHECK(memory.engine.Extent(kFirst)->visible_end_bytes == 12);
}

TEST_CASE("without cached reads only the end is known", "[support]") {
  MemoryFixture memory;
  memory.WriteOne(memory.Of(kFirst, {"a"}));
  memory.engine.SetCachedReads(false);
  CHECK_FALSE(memory.engine.ReadCached(kFirst, Offset(0), 1000)->has_value());
  REQUIRE(memory.engine.ReadCached(kFirst, Offset(1), 1000)->has_value());
  CHECK(memory.engine.ReadCached(kFirst, Offset(1), 1000)->value().empty());
}

TEST_CASE("a damaged batch stops reading where it begins", "[support]") {
  MemoryFixture memory;
  memory.WriteOne(memory.Of(kFirst, {"a"}));
  memory.WriteOne(memory.Of(kFirst, {"b", "c"}));
  memory.engine.CorruptBatch(kFirst, Offset(2));
  CHECK(memory.engine.Read(kFirst, Offset(0), 1000)->size() == 1);
  const auto damaged = memory.engine.Read(kFirst, Offset(1), 1000).status();
  CHECK(ReasonOf(damaged) == v1::DATA_CORRUPTED);
  CHECK(DetailsOf(damaged).at("first_lost") == "1");
  CHECK(DetailsOf(damaged).at("last_lost") == "2");
  const auto page = memory.engine.Scrub({"", absl::Seconds(1)});
  REQUIRE_OK(page);
  CHECK(page->batches == 2);
  REQUIRE(page->problems.size() == 1);
  CHECK(page->problems[0].last == Offset(2));
}

TEST_CASE("a scrub goes on where its page ended", "[support]") {
  MemoryFixture memory;
  for (int i = 0; i < 3; ++i) memory.WriteOne(memory.Of(kFirst, {"a"}));
  memory.WriteOne(memory.Of(kSecond, {"b"}));
  memory.engine.SetScrubPage(2);
  const auto first = memory.engine.Scrub({"", absl::Seconds(1)});
  CHECK(first->batches == 2);
  const auto second = memory.engine.Scrub({first->next_token, absl::Seconds(1)});
  CHECK(second->batches == 2);
  CHECK(second->next_token.empty());
  CHECK(ReasonOf(memory.engine.Scrub({"nonsense", absl::Seconds(1)}).status()) ==
        v1::INVALID_ARGUMENT);
}

TEST_CASE("offsets are found by append time and located by bytes", "[support]") {
  MemoryFixture memory;
  const int64_t start = absl::ToUnixMicros(memory.engine.Now());
  memory.WriteOne(memory.Of(kFirst, {"a", "bb"}));
  memory.engine.Advance(absl::Seconds(1));
  memory.WriteOne(memory.Of(kFirst, {"c"}));
  CHECK(*memory.engine.FindOffset(kFirst, 0) == Offset(0));
  CHECK(*memory.engine.FindOffset(kFirst, start) == Offset(0));
  CHECK(*memory.engine.FindOffset(kFirst, start + 1) == Offset(2));
  CHECK(*memory.engine.FindOffset(kFirst, start + 1'000'001) == Offset(3));
  CHECK(memory.engine.Locate(kFirst, Offset(0))->bytes_below == 0);
  CHECK(memory.engine.Locate(kFirst, Offset(1))->bytes_below == 3);
  CHECK(memory.engine.Locate(kFirst, Offset(2))->bytes_below == 7);
  CHECK(memory.engine.Locate(kFirst, Offset(2))->append_time_us == start + 1'000'000);
  CHECK(memory.engine.Locate(kFirst, Offset(3))->bytes_below == 10);
  CHECK(memory.engine.Locate(kFirst, Offset(3))->append_time_us == 0);
  CHECK_FALSE(memory.engine.Locate(kFirst, Offset(4)).ok());
}

TEST_CASE("a wake runs once, when the visible end passes its offset", "[support]") {
  MemoryFixture memory;
  int woken = 0;
  REQUIRE_OK(memory.engine.WhenPast(kFirst, Offset(1), [&woken] { ++woken; }));
  memory.WriteOne(memory.Of(kFirst, {"a"}));
  CHECK(woken == 0);
  memory.WriteOne(memory.Of(kFirst, {"b"}));
  CHECK(woken == 1);
  memory.WriteOne(memory.Of(kFirst, {"c"}));
  CHECK(woken == 1);
  REQUIRE_OK(memory.engine.WhenPast(kFirst, Offset(2), [&woken] { ++woken; }));
  CHECK(woken == 2);
}

TEST_CASE("a cancelled wake does not run", "[support]") {
  MemoryFixture memory;
  int woken = 0;
  const auto wake = memory.engine.WhenPast(kFirst, Offset(0), [&woken] { ++woken; });
  memory.engine.CancelWake(kFirst, *wake);
  memory.WriteOne(memory.Of(kFirst, {"a"}));
  CHECK(woken == 0);
}

TEST_CASE("cancelling waits for a wake that runs", "[support]") {
  MemoryFixture memory;
  std::atomic<bool> started{false}, finish{false}, finished{false};
  const auto wake = memory.engine.WhenPast(kFirst, Offset(0), [&] {
    started = true;
    while (!finish) std::this_thread::yield();
    finished = true;
  });
  Transaction transaction;
  transaction.appends.push_back(memory.Of(kFirst, {"a"}));
  transaction.done = [](TransactionResult) {};
  std::thread writer([&] { (void)memory.engine.Submit(std::move(transaction)); });
  while (!started) std::this_thread::yield();
  std::thread finisher([&finish] { finish = true; });
  memory.engine.CancelWake(kFirst, *wake);
  const bool was_finished = finished;
  finisher.join();
  writer.join();
  CHECK(was_finished);
}

TEST_CASE("dropping a topic wakes its readers and forgets its events", "[support]") {
  MemoryFixture memory;
  bool woken = false;
  memory.WriteOne(memory.Of(kFirst, {"a"}));
  REQUIRE_OK(memory.engine.WhenPast(kFirst, Offset(1), [&woken] { woken = true; }));
  memory.engine.DropTopic(TopicId(1));
  CHECK(woken);
  CHECK(ReasonOf(memory.engine.Extent(kFirst).status()) == v1::PARTITION_NOT_FOUND);
  REQUIRE_OK(memory.engine.OpenTopic(TopicId(1), 1, {}));
  CHECK(memory.End(kFirst) == 0);
}

TEST_CASE("while completions are held only what is visible at OS is seen", "[support]") {
  MemoryFixture memory;
  TopicSettings fast;
  fast.visible_at = Level::kOs;
  REQUIRE_OK(memory.engine.OpenTopic(TopicId(2), 1, fast));
  const PartitionId at_once(TopicId(2), 0);
  int done = 0;
  memory.engine.HoldDone();
  for (const PartitionId partition : {kFirst, at_once}) {
    Transaction transaction;
    transaction.appends.push_back(memory.Of(partition, {"a"}));
    transaction.done = [&done](TransactionResult) { ++done; };
    REQUIRE_OK(memory.engine.Submit(std::move(transaction)));
  }
  CHECK(memory.engine.held() == 2);
  CHECK(done == 0);
  CHECK(memory.engine.Extent(kFirst)->end == Offset(1));
  CHECK(memory.engine.Extent(kFirst)->visible_end == Offset(0));
  CHECK(memory.engine.Read(kFirst, Offset(0), 1000)->empty());
  CHECK(memory.engine.Extent(at_once)->visible_end == Offset(1));
  memory.engine.ReleaseDone();
  CHECK(done == 2);
  CHECK(memory.engine.Extent(kFirst)->visible_end == Offset(1));
}

TEST_CASE("a restarted engine has events, rows, ids and sequences as before", "[support]") {
  MemoryFixture memory;
  memory.Write({memory.WithIds(kFirst, {"a"})}, false, {{Family::kMeta, "row", "value"}});
  memory.WriteOne(memory.Sequenced(kSecond, {"b"}, 1, 7));
  const auto engine = memory.engine.Restart();
  CHECK(ReasonOf(engine->Extent(kFirst).status()) == v1::PARTITION_NOT_FOUND);
  REQUIRE_OK(engine->OpenTopic(TopicId(1), 2, {}));
  CHECK(engine->Read(kFirst, Offset(0), 1000)->size() == 1);
  CHECK(engine->LoadRows(Family::kMeta, "row")->size() == 1);
  std::vector<AppendResult> results;
  Transaction again;
  again.appends = {memory.WithIds(kFirst, {"a"}), memory.Sequenced(kSecond, {"b"}, 1, 7)};
  again.done = [&results](TransactionResult result) { results = std::move(result.appends); };
  REQUIRE_OK(engine->Submit(std::move(again)));
  REQUIRE(results.size() == 2);
  CHECK(results[0].duplicates.size() == 1);
  CHECK(results[1].duplicates.size() == 1);
  CHECK(engine->incarnation() == memory.engine.incarnation());
}

TEST_CASE("a lost tail raises the incarnation and truncates old positions", "[support]") {
  MemoryFixture memory;
  memory.WriteOne(memory.WithIds(kFirst, {"a"}));
  memory.WriteOne(memory.WithIds(kFirst, {"b"}));
  const Incarnation before = memory.engine.incarnation();
  memory.engine.LoseTail(kFirst, Offset(1));
  CHECK(memory.engine.incarnation() > before);
  CHECK(memory.End(kFirst) == 1);
  CHECK_OK(memory.engine.CheckPosition(kFirst, before, Offset(1)));
  CHECK_OK(memory.engine.CheckPosition(kFirst, Incarnation(), Offset(2)));
  const auto cut = memory.engine.CheckPosition(kFirst, before, Offset(2));
  CHECK(ReasonOf(cut) == v1::LOG_TRUNCATED);
  CHECK(DetailsOf(cut).at("offset") == "1");
  const AppendResult again = memory.WriteOne(memory.WithIds(kFirst, {"b"}));
  CHECK(again.count == 1);
  CHECK(again.base_offset == Offset(1));
}

}  // namespace
}  // namespace acta
