#include <catch2/catch.hpp>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "proto/support/error.h"
#include "storage/log/payload_cut.h"
#include "tests/support/heap_bytes.h"
#include "tests/support/held_disk.h"
#include "tests/support/row_range_checks.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_store.h"
#include "tests/support/wait_until.h"

namespace acta {
namespace {

absl::Status CommitOne(TestStore& store, absl::string_view data) {
  return Commit(store.engine(), MakeAppend(TestStore::Partition(), {EventElement(data)})).status;
}

TEST_CASE("offsets are dense and answered in order") {
  TestStore store;
  for (int i = 0; i < 10; ++i) {
    const auto result = Commit(
        store.engine(), MakeAppend(TestStore::Partition(), {EventElement("a"), EventElement("b")}));
    REQUIRE_OK(result.status);
    REQUIRE(result.appends.size() == 1);
    CHECK(result.appends[0].base_offset == Offset(2 * i));
    CHECK(result.appends[0].count == 2);
    CHECK(result.incarnation == Incarnation(1));
  }
  CHECK(store.engine().Extent(TestStore::Partition())->visible_end == Offset(20));
  CHECK(ReadData(store.engine(), TestStore::Partition())->size() == 20);
}

TEST_CASE("an extent says since when events may be on their way to it") {
  std::atomic<bool> begun = false;
  const auto disk = std::make_shared<HeldDisk>([&begun](const DiskCall& call) {
    using Kind = DiskOperation::Kind;
    const bool writes = call.kind == Kind::kAppend || call.kind == Kind::kOverwrite;
    if (!writes || !absl::EndsWith(call.path, ".log")) return false;
    begun = true;
    return true;
  });
  LocalEngineOptions options;
  options.file_system = disk;
  TestStore store(options);
  const auto extent = [&store] { return *store.engine().Extent(TestStore::Partition()); };
  const auto now_us = [&store] { return absl::ToUnixMicros(store.engine().Now()); };
  CHECK(extent().written_before_us == now_us());
  begun = false;
  disk->Hold(true);
  absl::Status committed;
  std::thread writes([&] { committed = CommitOne(store, "x"); });
  // Also when a check fails.
  absl::Cleanup release = [&] {
    disk->Hold(false);
    writes.join();
  };
  REQUIRE(WaitUntil([&begun] { return begun.load(); }));
  store.clock().Advance(absl::Seconds(1));
  const PartitionExtent before = extent();
  CHECK(before.end == Offset(0));
  CHECK(before.written_before_us < now_us());
  std::move(release).Invoke();
  REQUIRE_OK(committed);
  CHECK(extent().end == Offset(1));
  CHECK(extent().last_time_us >= before.written_before_us);
  CHECK(extent().written_before_us == now_us());
}

TEST_CASE("the engine says for how long a write or a sync of the log lasts") {
  using Kind = DiskOperation::Kind;
  const bool syncs = GENERATE(false, true);
  const auto disk = std::make_shared<HeldDisk>([syncs](const DiskCall& call) {
    const bool writes = call.kind == Kind::kAppend || call.kind == Kind::kOverwrite;
    return (syncs ? call.kind == Kind::kSync : writes) && absl::EndsWith(call.path, ".log");
  });
  LocalEngineOptions options;
  options.file_system = disk;
  TestStore store(options);
  const auto lasts = [&store, syncs] {
    const LogUnderWay log = store.engine().UnderWay();
    return syncs ? log.sync : log.write;
  };
  const auto is_over = [&lasts] { return lasts() == absl::ZeroDuration(); };
  CHECK(WaitUntil(is_over));
  disk->Hold(true);
  absl::Status committed;
  std::thread writes([&] { committed = CommitOne(store, "x"); });
  const bool under_way = WaitUntil([&lasts] { return lasts() > absl::Milliseconds(20); });
  const absl::Duration before = lasts();
  const bool goes_on = WaitUntil([&] { return lasts() > before; });
  disk->Hold(false);
  writes.join();
  CHECK(under_way);
  CHECK(goes_on);
  REQUIRE_OK(committed);
  CHECK(WaitUntil(is_over));
}

TEST_CASE("an append of one partition fails alone, an atomic call as a whole") {
  TestStore store;
  Append wrong = MakeAppend(TestStore::Partition(1), {EventElement("x")});
  wrong.expected_end = Offset(5);
  Transaction transaction;
  transaction.appends = {MakeAppend(TestStore::Partition(0), {EventElement("x")}), wrong};
  const bool atomic = GENERATE(false, true);
  transaction.atomic = atomic;
  const auto result = Commit(store.engine(), std::move(transaction));
  REQUIRE_OK(result.status);
  CHECK(ReasonOf(result.appends[1].status) == v1::WRONG_EXPECTED_OFFSET);
  CHECK(DetailsOf(result.appends[1].status).at("end_offset") == "0");
  if (atomic) {
    CHECK(ReasonOf(result.appends[0].status) == v1::ATOMIC_ABORTED);
    CHECK(store.engine().Extent(TestStore::Partition(0))->end == Offset(0));
  } else {
    CHECK_OK(result.appends[0].status);
    CHECK(store.engine().Extent(TestStore::Partition(0))->end == Offset(1));
  }
}

TEST_CASE("a conditional append meets its expected end") {
  TestStore store;
  Append append = MakeAppend(TestStore::Partition(), {EventElement("x")});
  append.expected_end = Offset(0);
  CHECK_OK(Commit(store.engine(), append).appends.at(0).status);
  CHECK(ReasonOf(Commit(store.engine(), append).appends.at(0).status) == v1::WRONG_EXPECTED_OFFSET);
}

TEST_CASE("events, positions and rows are there after a clean restart") {
  TestStore store;
  Transaction transaction;
  transaction.appends = {MakeAppend(TestStore::Partition(2), {EventElement("kept")})};
  transaction.rows = {{Family::kState, "row", "value"}};
  REQUIRE_OK(Commit(store.engine(), std::move(transaction)).status);
  const std::string id = store.engine().store_id();
  store.Reopen();
  CHECK(store.engine().store_id() == id);
  CHECK(store.engine().incarnation() == Incarnation(1));
  CHECK(*ReadData(store.engine(), TestStore::Partition(2)) == std::vector<std::string>{"kept"});
  CHECK(store.engine().LoadRows(Family::kState, "row")->at(0).second == "value");
  const auto next =
      Commit(store.engine(), MakeAppend(TestStore::Partition(2), {EventElement("next")}));
  CHECK(next.appends.at(0).base_offset == Offset(1));
}

TEST_CASE("rows are loaded by range, from memory and from the disk") {
  TestStore store;
  Transaction transaction;
  transaction.rows = RowsForRanges();
  REQUIRE_OK(Commit(store.engine(), std::move(transaction)).status);
  CheckRowRanges(store.engine());
  store.Crash();
  CheckRowRanges(store.engine());
  store.Reopen();
  CheckRowRanges(store.engine());
}

TEST_CASE("rows that go between two pages of a list are missed by nobody else") {
  TestStore store;
  Transaction transaction;
  transaction.rows = RowsForRanges();
  REQUIRE_OK(Commit(store.engine(), std::move(transaction)).status);
  RowRange range;
  range.prefix = "ranges/";
  range.max_rows = 2;
  range.after = store.engine().LoadRows(range)->back().first;
  Transaction change;
  change.rows = {{Family::kState, "ranges/2", std::nullopt},
                 {Family::kState, "ranges/3", std::nullopt},
                 {Family::kState, "ranges/31", "new"}};
  REQUIRE_OK(Commit(store.engine(), std::move(change)).status);
  const auto next = store.engine().LoadRows(range);
  REQUIRE(next->size() == 2);
  CHECK(next->at(0).first == "ranges/31");
  CHECK(next->at(1).first == "ranges/4");
}

TEST_CASE("many threads submit at once and nothing is lost or doubled") {
  TestStore store;
  constexpr int kThreads = 8;
  constexpr int kEach = 200;
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&store, &failed, t] {
      for (int i = 0; i < kEach; ++i) {
        const auto result =
            Commit(store.engine(), MakeAppend(TestStore::Partition(t % 4), {EventElement("x")}),
                   i % 2 == 0 ? Level::kOs : Level::kFsync);
        if (!result.status.ok() || !result.appends.at(0).status.ok()) ++failed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failed == 0);
  for (int p = 0; p < 4; ++p) {
    CHECK(store.engine().Extent(TestStore::Partition(p))->end == Offset(kThreads / 4 * kEach));
  }
}

TEST_CASE("a full queue refuses a unary call and names the limit") {
  LocalEngineOptions options;
  options.in_flight_bytes = 1000;
  TestStore store(options);
  // The done callback is what frees the queue: a second submit inside the first's flight.
  std::vector<std::string> events(20, EventElement(std::string(1000, 'x')));
  std::atomic<int> refused{0};
  std::atomic<int> done{0};
  int submitted = 0;
  for (int i = 0; i < 50; ++i) {
    Transaction transaction;
    transaction.appends = {MakeAppend(TestStore::Partition(), events)};
    transaction.done = [&done](TransactionResult) { ++done; };
    const absl::Status status = store.engine().Submit(std::move(transaction));
    if (status.ok()) {
      ++submitted;
    } else {
      CHECK(ReasonOf(status) == v1::PUBLISH_QUEUE_FULL);
      CHECK(DetailsOf(status).at("limit") == "storage.in_flight");
      CHECK(RetryAfterOf(status) > absl::ZeroDuration());
      ++refused;
    }
  }
  CHECK(refused > 0);
  store.engine().Stop();
  CHECK(done == submitted);
  store.Close();
}

TEST_CASE("what waits to be written counts with the contexts of its appends") {
  TestStore store;
  // While `done` runs the call is still counted.
  const auto counted = [&](size_t context, int appends) {
    const auto bytes = std::make_shared<std::promise<int64_t>>();
    Transaction transaction;
    const SharedBytes shared(std::string(context, 'c'));
    for (int i = 0; i < appends; ++i) {
      transaction.appends.push_back(MakeAppend(TestStore::Partition(), {EventElement("x")}));
      transaction.appends.back().context = shared;
    }
    transaction.done = [&store, bytes](TransactionResult) {
      bytes->set_value(store.engine().Stats().commit_queue_bytes);
    };
    REQUIRE_OK(store.engine().Submit(std::move(transaction)));
    return bytes->get_future().get();
  };
  const int64_t before = counted(0, 10);
  CHECK(counted(1000, 10) >= before + 10 * (1000 - 256));
  CHECK(counted(256, 10) == before);  // As long as many are.
}

TEST_CASE("waiters wake when the visible end passes them, and only then") {
  TestStore store;
  std::atomic<int> woken{0};
  const auto number =
      store.engine().WhenPast(TestStore::Partition(), Offset(1), [&woken] { ++woken; });
  REQUIRE_OK(number);
  REQUIRE_OK(CommitOne(store, "0"));
  CHECK(woken == 0);
  REQUIRE_OK(CommitOne(store, "1"));
  CHECK(woken == 1);
  const auto cancelled =
      store.engine().WhenPast(TestStore::Partition(), Offset(2), [&woken] { ++woken; });
  store.engine().CancelWake(TestStore::Partition(), *cancelled);
  REQUIRE_OK(CommitOne(store, "2"));
  CHECK(woken == 1);
}

TEST_CASE("a dropped topic refuses appends, wakes its readers and stays gone") {
  TestStore store;
  REQUIRE_OK(CommitOne(store, "0"));
  std::atomic<int> woken{0};
  REQUIRE_OK(store.engine().WhenPast(TestStore::Partition(), Offset(1), [&woken] { ++woken; }));
  store.engine().DropTopic(TestStore::kTopic);
  CHECK(woken == 1);
  CHECK(ReasonOf(store.engine().Extent(TestStore::Partition()).status()) ==
        v1::PARTITION_NOT_FOUND);
  const auto result =
      Commit(store.engine(), MakeAppend(TestStore::Partition(), {EventElement("1")}));
  CHECK(ReasonOf(result.appends.at(0).status) == v1::PARTITION_NOT_FOUND);
}

TEST_CASE("of a frame that is mostly repeated only what is stored stays in memory") {
  TestStore store;
  const std::string large = EventElement(std::string(1 << 20, 'x'));
  const std::string small = EventElement(std::string(8 << 10, 'y'));
  const auto numbered = [&large] {
    Append append = MakeAppend(TestStore::Partition(0), {large});
    append.producer_id = append.producer_epoch = 1;
    return append;
  };
  REQUIRE_OK(Commit(store.engine(), numbered()).status);
  auto frame = std::make_shared<const std::string>(large + small);
  const absl::string_view bytes = *frame;
  Transaction transaction;
  transaction.appends = {numbered(), MakeAppend(TestStore::Partition(1), {small})};
  transaction.appends[0].payload = SharedBytes(frame, bytes.substr(0, large.size()));
  transaction.appends[1].payload = SharedBytes(frame, bytes.substr(large.size()));
  const std::weak_ptr<const std::string> left = std::exchange(frame, nullptr);
  const TransactionResult result = Commit(store.engine(), std::move(transaction));
  REQUIRE_OK(result.status);
  CHECK(result.appends.at(0).count == 0);
  CHECK(result.appends.at(1).count == 1);
  CHECK(left.expired());
  const auto cached = store.engine().ReadCached(TestStore::Partition(1), Offset(0), 1);
  REQUIRE_OK(cached);
  REQUIRE(cached->has_value());
  CHECK((*cached)->at(0)->payload.view() == small);
}

TEST_CASE("of a batch that is mostly known only what is stored stays in memory") {
  const std::string element = EventElement(std::string(1000, 'x'));
  std::string payload;
  std::vector<DuplicateEvent> known;
  for (uint32_t i = 0; i < 1000; ++i) {
    payload += element;
    if (i != 500) known.push_back({i, Offset(i), Incarnation(1)});
  }
  const SharedBytes all(std::move(payload));
  const int64_t before = HeapBytes();
  const SharedBytes left = WithoutEvents(all, known);
  CHECK(HeapBytes() - before < 64 << 10);
  CHECK(left.view() == element);
}

TEST_CASE("a wake that is cancelled while its topic is dropped does not run any more") {
  TestStore store;
  std::promise<void> begun;
  std::atomic<bool> ended{false};
  const auto wake = store.engine().WhenPast(TestStore::Partition(), Offset(0), [&] {
    begun.set_value();
    absl::SleepFor(absl::Milliseconds(100));
    ended = true;
  });
  REQUIRE_OK(wake);
  std::thread drop([&store] { store.engine().DropTopic(TestStore::kTopic); });
  begun.get_future().wait();
  store.engine().CancelWake(TestStore::Partition(), *wake);
  CHECK(ended);
  drop.join();
}

TEST_CASE("a batch that is written when its topic is dropped keeps no slice") {
  PartitionLog partition(TestStore::Partition(), {});
  partition.Drop();
  const auto slice = std::make_shared<Slice>();
  const auto batch = std::make_shared<StoredBatch>();
  batch->count = 1;
  partition.Written(slice, batch);
  CHECK(slice.use_count() == 1);
  CHECK(batch.use_count() == 1);
}

TEST_CASE("publishes stop at the soft watermark, everything at the hard one") {
  LocalEngineOptions options;
  TestStore store(options);
  DiskGuard guard({{20, 20'000}, {10, 10'000}, {5, 2'000}});
  guard.Look(9'000, 1'000'000);
  CHECK(guard.state() == DiskState::kSoft);
  guard.Wrote(3'500);  // Twice on disk.
  CHECK(guard.state() == DiskState::kSoft);
  guard.Wrote(1);
  CHECK(guard.state() == DiskState::kHard);
  guard.Look(20'001, 1'000'000);
  CHECK(guard.state() == DiskState::kOk);
  guard.Look(19'999, 1'000'000);
  CHECK(guard.state() == DiskState::kWarn);
}

TEST_CASE("what nobody waits for is synced soon all the same") {
  TestStore store;
  store.settings().visible_at = Level::kOs;
  store.Reopen();
  REQUIRE_OK(
      Commit(store.engine(), MakeAppend(TestStore::Partition(), {EventElement("x")}), Level::kOs)
          .status);
  CHECK(WaitUntil([&store] {
    const EngineStats stats = store.engine().Stats();
    return stats.synced_group == stats.last_group;
  }));
}

// Who comes when as much is unsynced as may be would wait for all of it.
TEST_CASE("much that nobody waits for is synced before its time") {
  LocalEngineOptions options;
  options.lazy_sync = absl::Hours(1);
  TestStore store(options);
  store.settings().visible_at = Level::kOs;
  store.Reopen();
  const std::string data(1 << 20, 'x');
  const auto commit = [&store, &data](int megabytes) {
    for (int i = 0; i < megabytes; ++i) {
      const Append append = MakeAppend(TestStore::Partition(), {EventElement(data)});
      REQUIRE_OK(Commit(store.engine(), append, Level::kOs).status);
    }
  };
  commit(10);
  absl::SleepFor(absl::Milliseconds(50));
  CHECK(store.engine().Stats().unsynced_bytes >= 10 << 20);
  commit(10);
  CHECK(WaitUntil([&store] { return store.engine().Stats().unsynced_bytes <= 5 << 20; }));
}

}  // namespace
}  // namespace acta
