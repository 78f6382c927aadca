#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/support/row_range_checks.h"
#include "tests/unit/support/memory_fixture.h"

namespace acta {
namespace {

TEST_CASE("offsets are dense in each partition", "[support]") {
  MemoryFixture memory;
  CHECK(memory.WriteOne(memory.Of(kFirst, {"a", "b"})).base_offset == Offset(0));
  CHECK(memory.WriteOne(memory.Of(kSecond, {"c"})).base_offset == Offset(0));
  const AppendResult result = memory.WriteOne(memory.Of(kFirst, {"d"}));
  CHECK(result.base_offset == Offset(2));
  CHECK(result.count == 1);
  CHECK(result.append_time_us == absl::ToUnixMicros(memory.engine.Now()));
  CHECK(memory.End(kFirst) == 3);
}

TEST_CASE("append times do not go back with the clock", "[support]") {
  MemoryFixture memory;
  const int64_t first = memory.WriteOne(memory.Of(kFirst, {"a"})).append_time_us;
  memory.engine.Advance(-absl::Seconds(10));
  CHECK(memory.WriteOne(memory.Of(kFirst, {"b"})).append_time_us == first);
}

TEST_CASE("an append to a partition that is not open fails alone", "[support]") {
  MemoryFixture memory;
  const auto result =
      memory.Write({memory.Of(PartitionId(TopicId(1), 2), {"a"}), memory.Of(kFirst, {"b"})});
  CHECK(ReasonOf(result.appends[0].status) == v1::PARTITION_NOT_FOUND);
  CHECK_OK(result.appends[1].status);
  CHECK(memory.End(kFirst) == 1);
}

TEST_CASE("a failing part of an atomic transaction takes everything back", "[support]") {
  MemoryFixture memory;
  Append conditional = memory.Of(kSecond, {"b"});
  conditional.expected_end = Offset(5);
  const auto result = memory.Write({memory.WithIds(kFirst, {"a"}), conditional}, true,
                                   {{Family::kState, "row", "value"}});
  CHECK(ReasonOf(result.appends[0].status) == v1::ATOMIC_ABORTED);
  CHECK(ReasonOf(result.appends[1].status) == v1::WRONG_EXPECTED_OFFSET);
  CHECK(DetailsOf(result.appends[1].status).at("end_offset") == "0");
  CHECK(memory.End(kFirst) == 0);
  CHECK(memory.engine.LoadRows(Family::kState, "")->empty());
  CHECK(memory.engine.Stats().events_appended == 0);
  // The id is free again.
  CHECK(memory.WriteOne(memory.WithIds(kFirst, {"a"})).duplicates.empty());
}

TEST_CASE("rows of a transaction that is not atomic are written whatever appends do", "[support]") {
  MemoryFixture memory;
  Append conditional = memory.Of(kFirst, {"b"});
  conditional.expected_end = Offset(5);
  memory.Write({conditional}, false, {{Family::kMeta, "row", "value"}});
  CHECK(memory.engine.LoadRows(Family::kMeta, "ro")->size() == 1);
  memory.Write({}, false, {{Family::kMeta, "row", std::nullopt}});
  CHECK(memory.engine.LoadRows(Family::kMeta, "ro")->empty());
}

TEST_CASE("a repeated id is not stored again and names the original offset", "[support]") {
  MemoryFixture memory;
  memory.WriteOne(memory.WithIds(kFirst, {"a", "b"}));
  const AppendResult result = memory.WriteOne(memory.WithIds(kFirst, {"c", "b", "d", "c"}));
  CHECK(result.base_offset == Offset(2));
  CHECK(result.count == 2);
  REQUIRE(result.duplicates.size() == 2);
  CHECK(result.duplicates[0].index == 1);
  CHECK(result.duplicates[0].offset == Offset(1));
  CHECK(result.duplicates[1].index == 3);
  CHECK(result.duplicates[1].offset == Offset(2));
  const auto batches = memory.engine.Read(kFirst, Offset(2), 1000);
  REQUIRE_OK(batches);
  CHECK(batches->at(0)->payload.view() == Element("c") + Element("d"));
  CHECK(batches->at(0)->payload_crc32c == Crc32c(batches->at(0)->payload.view()));
}

TEST_CASE("an id is known within its partition and its window only", "[support]") {
  MemoryFixture memory;
  memory.WriteOne(memory.WithIds(kFirst, {"a"}));
  CHECK(memory.WriteOne(memory.WithIds(kSecond, {"a"})).count == 1);
  memory.engine.Advance(absl::Minutes(10));
  CHECK(memory.WriteOne(memory.WithIds(kFirst, {"a"})).count == 0);
  memory.engine.Advance(absl::Microseconds(1));
  CHECK(memory.WriteOne(memory.WithIds(kFirst, {"a"})).count == 1);
}

TEST_CASE("a repeated conditional append is a duplicate before it is a conflict", "[support]") {
  MemoryFixture memory;
  Append append = memory.WithIds(kFirst, {"a"});
  append.expected_end = Offset(0);
  CHECK(memory.WriteOne(append).count == 1);
  const AppendResult again = memory.WriteOne(append);
  CHECK_OK(again.status);
  CHECK(again.duplicates.size() == 1);
}

TEST_CASE("an atomic call is answered as repeated only as a whole", "[support]") {
  MemoryFixture memory;
  const std::vector<Append> call = {memory.WithIds(kFirst, {"a"}), memory.WithIds(kSecond, {"b"})};
  memory.Write(call, true);
  const auto whole = memory.Write(call, true);
  CHECK_OK(whole.appends[0].status);
  CHECK(whole.appends[1].duplicates.size() == 1);
  const auto part = memory.Write({call[0], memory.WithIds(kSecond, {"c"})}, true);
  CHECK(ReasonOf(part.appends[0].status) == v1::ATOMIC_ABORTED);
  CHECK(ReasonOf(part.appends[1].status) == v1::ATOMIC_ABORTED);
  CHECK(memory.End(kSecond) == 1);
}

TEST_CASE("an atomic call with new rows is not answered as repeated", "[support]") {
  MemoryFixture memory;
  memory.WriteOne(memory.WithIds(kFirst, {"a"}));
  Transaction call;
  call.atomic = call.rows_are_new = true;
  call.appends = {memory.WithIds(kFirst, {"a"})};
  call.rows = {{Family::kState, "row/", std::string("written")}};
  call.done = [](const TransactionResult& result) {
    CHECK(ReasonOf(result.appends[0].status) == v1::ATOMIC_ABORTED);
  };
  REQUIRE_OK(memory.engine.Submit(std::move(call)));
  CHECK(memory.engine.LoadRows(Family::kState, "row/")->empty());
}

TEST_CASE("an atomic call may leave out duplicates, and its rows are written then", "[support]") {
  MemoryFixture memory;
  memory.WriteOne(memory.WithIds(kFirst, {"a"}));
  Transaction step;
  step.atomic = step.leave_out_duplicates = true;
  step.appends = {memory.WithIds(kFirst, {"a", "b"})};
  step.rows = {{Family::kState, "row/", std::string("written")}};
  step.done = [](const TransactionResult& result) { CHECK(result.appends[0].count == 1); };
  REQUIRE_OK(memory.engine.Submit(std::move(step)));
  CHECK(memory.engine.LoadRows(Family::kState, "row/")->size() == 1);
  CHECK(memory.End(kFirst) == 2);
}

TEST_CASE("sequences follow each other, across the end of 32 bits too", "[support]") {
  MemoryFixture memory;
  CHECK(memory.WriteOne(memory.Sequenced(kFirst, {"a", "b"}, 1, 0xffffffff)).count == 2);
  CHECK(memory.WriteOne(memory.Sequenced(kFirst, {"c"}, 1, 1)).count == 1);
  const AppendResult gap = memory.WriteOne(memory.Sequenced(kFirst, {"e"}, 1, 3));
  CHECK(ReasonOf(gap.status) == v1::OUT_OF_SEQUENCE);
  CHECK(ReasonOf(memory.WriteOne(memory.Sequenced(kFirst, {"x"}, 0, 2)).status) ==
        v1::STALE_PRODUCER_EPOCH);
  CHECK(memory.WriteOne(memory.Sequenced(kFirst, {"d"}, 2, 77)).count == 1);
  CHECK(memory.End(kFirst) == 4);
}

TEST_CASE("one of the newest five batches repeated is answered with its offsets", "[support]") {
  MemoryFixture memory;
  for (uint32_t i = 0; i < 6; ++i) {
    memory.WriteOne(memory.Sequenced(kFirst, {"a", "b"}, 1, i * 2));
  }
  const AppendResult known = memory.WriteOne(memory.Sequenced(kFirst, {"a", "b"}, 1, 2));
  REQUIRE(known.duplicates.size() == 2);
  CHECK(known.duplicates[1].offset == Offset(3));
  CHECK(known.count == 0);
  CHECK(ReasonOf(memory.WriteOne(memory.Sequenced(kFirst, {"a", "b"}, 1, 0)).status) ==
        v1::DUPLICATE_SEQUENCE_FORGOTTEN);
  CHECK(memory.End(kFirst) == 12);
}

TEST_CASE("a topic without deduplication checks nothing", "[support]") {
  TopicSettings settings;
  settings.dedupe = Dedupe::kOff;
  MemoryFixture memory(settings);
  memory.WriteOne(memory.Sequenced(kFirst, {"a"}, 5, 0));
  CHECK(memory.WriteOne(memory.Sequenced(kFirst, {"a"}, 1, 9)).count == 1);
  memory.WriteOne(memory.WithIds(kFirst, {"a"}));
  CHECK(memory.WriteOne(memory.WithIds(kFirst, {"a"})).count == 1);
}

TEST_CASE("what a hook forbids is refused, and done is dropped", "[support]") {
  MemoryFixture memory;
  const auto submit = [&memory](bool with_append) {
    Transaction transaction;
    if (with_append) transaction.appends.push_back(memory.Of(kFirst, {"a"}));
    transaction.rows.push_back({Family::kMeta, "row", "value"});
    transaction.done = [](TransactionResult) {};
    return ReasonOf(memory.engine.Submit(std::move(transaction)));
  };
  memory.engine.FailNextSubmit(Error(v1::INTERNAL, "no"));
  CHECK(submit(false) == v1::INTERNAL);
  CHECK(submit(false) == v1::ERROR_REASON_UNSPECIFIED);
  memory.engine.SetRoom(false);
  CHECK_FALSE(memory.engine.HasRoom());
  bool woken = false;
  memory.engine.WhenRoom([&woken] { woken = true; });
  CHECK(submit(true) == v1::PUBLISH_QUEUE_FULL);
  CHECK(submit(false) == v1::ERROR_REASON_UNSPECIFIED);
  CHECK_FALSE(woken);
  memory.engine.SetRoom(true);
  CHECK(woken);
  memory.engine.SetDiskState(DiskState::kSoft);
  CHECK(submit(true) == v1::DISK_FULL);
  CHECK(submit(false) == v1::ERROR_REASON_UNSPECIFIED);
  memory.engine.SetDiskState(DiskState::kHard);
  CHECK(submit(false) == v1::DISK_FULL);
  memory.engine.SetDiskState(DiskState::kOk);
  memory.engine.Stop();
  CHECK(submit(false) == v1::SERVER_STOPPING);
}

TEST_CASE("a failed write stores nothing and says so in the answer", "[support]") {
  MemoryFixture memory;
  memory.engine.FailNextWrite(Error(v1::OUTCOME_UNKNOWN, "sync failed"));
  const auto result =
      memory.Write({memory.Of(kFirst, {"a"})}, false, {{Family::kMeta, "row", "value"}});
  CHECK(ReasonOf(result.status) == v1::OUTCOME_UNKNOWN);
  CHECK(memory.End(kFirst) == 0);
  CHECK(memory.engine.LoadRows(Family::kMeta, "row")->empty());
}

TEST_CASE("rows are loaded by range", "[support]") {
  MemoryFixture memory;
  memory.Write({}, false, RowsForRanges());
  CheckRowRanges(memory.engine);
}

TEST_CASE("every row of a prefix is visited once, a page at a time", "[support]") {
  MemoryFixture memory;
  std::vector<RowWrite> rows;
  for (int i = 0; i < 2500; ++i) {
    rows.push_back({Family::kState, absl::StrFormat("many/%04d", i), absl::StrCat(i)});
  }
  rows.push_back({Family::kState, "many0", "not one of them"});
  memory.Write({}, false, std::move(rows));
  int next = 0;
  REQUIRE_OK(VisitRows(memory.engine, Family::kState, "many/",
                       [&](absl::string_view key, absl::string_view value) {
                         CHECK(key == absl::StrFormat("many/%04d", next));
                         CHECK(value == absl::StrCat(next));
                         ++next;
                         return absl::OkStatus();
                       }));
  CHECK(next == 2500);
  const absl::Status enough = absl::AbortedError("enough");
  CHECK(
      VisitRows(memory.engine, Family::kState, "many/", [&](absl::string_view, absl::string_view) {
        return ++next == 2510 ? enough : absl::OkStatus();
      }) == enough);
  CHECK(next == 2510);
}

}  // namespace
}  // namespace acta
