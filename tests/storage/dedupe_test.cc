#include <catch2/catch.hpp>

#include "acta/storage/v1/records.pb.h"
#include "proto/support/error.h"
#include "storage/layout/engine_rows.h"
#include "storage/state/id_window.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

Append Sequenced(uint32_t first, uint32_t count, uint32_t epoch = 1, int32_t partition = 0) {
  Append append = MakeAppend(TestStore::Partition(partition),
                             std::vector<std::string>(count, EventElement("x")));
  append.producer_id = 99;
  append.producer_epoch = epoch;
  append.first_sequence = first;
  return append;
}

Append Identified(TestStore& store, const std::vector<std::string>& ids, int32_t partition = 0) {
  std::vector<std::string> elements;
  Append append;
  for (const std::string& id : ids) elements.push_back(EventElement("data of " + id, id));
  append = MakeAppend(TestStore::Partition(partition), elements);
  for (uint32_t i = 0; i < ids.size(); ++i) {
    if (!ids[i].empty()) append.ids.push_back({i, store.engine().HashEventId("", ids[i])});
  }
  return append;
}

TEST_CASE("a repeated sequence answers its first position, before and after a restart") {
  TestStore store;
  REQUIRE_OK(Commit(store.engine(), Sequenced(10, 3)).appends.at(0).status);
  REQUIRE_OK(Commit(store.engine(), Sequenced(13, 2)).appends.at(0).status);
  if (GENERATE(false, true)) store.Reopen();
  const auto again = Commit(store.engine(), Sequenced(10, 3)).appends.at(0);
  REQUIRE_OK(again.status);
  CHECK(again.count == 0);
  REQUIRE(again.duplicates.size() == 3);
  CHECK(again.duplicates[2].offset == Offset(2));
  CHECK(store.engine().Extent(TestStore::Partition())->end == Offset(5));
  CHECK(ReasonOf(Commit(store.engine(), Sequenced(20, 1)).appends.at(0).status) ==
        v1::OUT_OF_SEQUENCE);
  CHECK_OK(Commit(store.engine(), Sequenced(15, 1)).appends.at(0).status);
}

TEST_CASE("a newer epoch fences the older one") {
  TestStore store;
  REQUIRE_OK(Commit(store.engine(), Sequenced(0, 1, 5)).appends.at(0).status);
  REQUIRE_OK(Commit(store.engine(), Sequenced(700, 1, 6)).appends.at(0).status);
  CHECK(ReasonOf(Commit(store.engine(), Sequenced(1, 1, 5)).appends.at(0).status) ==
        v1::STALE_PRODUCER_EPOCH);
}

TEST_CASE("sequences go on from 2^32 - 1 to 0") {
  TestStore store;
  REQUIRE_OK(Commit(store.engine(), Sequenced(0xfffffffe, 3)).appends.at(0).status);
  CHECK_OK(Commit(store.engine(), Sequenced(1, 1)).appends.at(0).status);
}

TEST_CASE("an id is stored once within the window and answered with its first position") {
  TestStore store;
  REQUIRE_OK(Commit(store.engine(), Identified(store, {"a", "b", ""})).appends.at(0).status);
  if (GENERATE(false, true)) store.Reopen();
  const auto mixed = Commit(store.engine(), Identified(store, {"c", "b", "", "c"})).appends.at(0);
  REQUIRE_OK(mixed.status);
  CHECK(mixed.count == 2);
  CHECK(mixed.base_offset == Offset(3));
  REQUIRE(mixed.duplicates.size() == 2);
  CHECK(mixed.duplicates[0].index == 1);
  CHECK(mixed.duplicates[0].offset == Offset(1));
  CHECK(mixed.duplicates[1].offset == Offset(3));
  const auto data = ReadData(store.engine(), TestStore::Partition());
  REQUIRE_OK(data);
  CHECK(data->size() == 5);
  CHECK(data->at(3) == "data of c");
  // The same id in another partition is another event.
  CHECK(Commit(store.engine(), Identified(store, {"a"}, 1)).appends.at(0).count == 1);
}

TEST_CASE("an id older than the window is stored again") {
  TestStore store;
  REQUIRE_OK(Commit(store.engine(), Identified(store, {"a"})).appends.at(0).status);
  store.clock().Advance(absl::Minutes(9));
  CHECK(Commit(store.engine(), Identified(store, {"a"})).appends.at(0).count == 0);
  store.clock().Advance(absl::Minutes(2));
  CHECK(Commit(store.engine(), Identified(store, {"a"})).appends.at(0).count == 1);
}

TEST_CASE("more ids than remembered shorten the window visibly") {
  LocalEngineOptions options;
  options.dedupe_max_ids = 10;
  TestStore store(options);
  for (int i = 0; i < 30; ++i) {
    Commit(store.engine(), Identified(store, {"id" + std::to_string(i)}));
    store.clock().Advance(absl::Seconds(1));
  }
  CHECK(Commit(store.engine(), Identified(store, {"id29"})).appends.at(0).count == 0);
  CHECK(Commit(store.engine(), Identified(store, {"id0"})).appends.at(0).count == 1);
  const auto window = store.engine().Extent(TestStore::Partition())->effective_dedupe_window;
  CHECK(window > absl::Seconds(5));
  CHECK(window < absl::Seconds(15));
}

// Of a second topic.
Append IdentifiedElsewhere(TestStore& store, const std::vector<std::string>& ids) {
  Append append = Identified(store, ids);
  append.partition = PartitionId(TopicId(2), 0);
  return append;
}

// Room for a hundred ids.
LocalEngineOptions SmallMemory() {
  LocalEngineOptions options;
  options.dedupe_bytes = 100 * IdWindow::kBytesPerId;
  return options;
}

TEST_CASE("topics share the memory for ids; when it is full the one with most gives way") {
  TestStore store(SmallMemory());
  LogEngine& engine = store.engine();
  const PartitionId small(TopicId(2), 0);
  REQUIRE_OK(engine.OpenTopic(TopicId(2), 1, {}));
  const auto publish = [&](int from, int to, bool large) {
    for (int i = from; i < to; ++i) {
      const std::string id = "id" + std::to_string(i);
      Commit(engine, large ? Identified(store, {id}) : IdentifiedElsewhere(store, {id}));
      store.clock().Advance(absl::Seconds(1));
    }
  };
  publish(0, 80, true);
  publish(0, 20, false);
  // Just full: nothing is forgotten.
  CHECK(engine.Stats().dedupe_ids == 100);
  CHECK(engine.Extent(TestStore::Partition())->effective_dedupe_window == absl::Minutes(10));
  CHECK(Commit(engine, Identified(store, {"id0"})).appends.at(0).count == 0);
  publish(20, 30, false);
  CHECK(engine.Stats().dedupe_ids <= 100);
  CHECK(engine.Stats().dedupe_bytes <= store.options().dedupe_bytes);
  CHECK(Commit(engine, IdentifiedElsewhere(store, {"id0"})).appends.at(0).count == 0);
  CHECK(engine.Extent(small)->effective_dedupe_window == absl::Minutes(10));
  CHECK(Commit(engine, Identified(store, {"id0"})).appends.at(0).count == 1);
  CHECK(Commit(engine, Identified(store, {"id79"})).appends.at(0).count == 0);
  CHECK(engine.Extent(TestStore::Partition())->effective_dedupe_window < absl::Seconds(120));
}

TEST_CASE("one call with more ids than there is memory for leaves the newest of them") {
  TestStore store(SmallMemory());
  std::vector<std::string> ids;
  for (int i = 0; i < 300; ++i) ids.push_back("id" + std::to_string(i));
  REQUIRE_OK(Commit(store.engine(), Identified(store, ids)).appends.at(0).status);
  if (GENERATE(false, true)) store.Reopen();
  CHECK(store.engine().Stats().dedupe_ids <= 100);
  CHECK(store.engine().Stats().dedupe_bytes <= store.options().dedupe_bytes);
  CHECK(Commit(store.engine(), Identified(store, {"id299"})).appends.at(0).count == 0);
  CHECK(Commit(store.engine(), Identified(store, {"id0"})).appends.at(0).count == 1);
}

TEST_CASE("an atomic call that was stored is answered as a repetition, a part of it is refused") {
  TestStore store;
  Transaction first;
  first.atomic = true;
  first.appends = {Identified(store, {"a"}, 0), Identified(store, {"b"}, 1)};
  REQUIRE_OK(Commit(store.engine(), std::move(first)).appends.at(0).status);
  Transaction repeated;
  repeated.atomic = true;
  repeated.appends = {Identified(store, {"a"}, 0), Identified(store, {"b"}, 1)};
  const auto again = Commit(store.engine(), std::move(repeated));
  CHECK_OK(again.appends.at(1).status);
  CHECK(again.appends.at(1).duplicates.size() == 1);
  Transaction partly;
  partly.atomic = true;
  partly.appends = {Identified(store, {"a"}, 0), Identified(store, {"new"}, 1)};
  CHECK(ReasonOf(Commit(store.engine(), std::move(partly)).appends.at(1).status) ==
        v1::ATOMIC_ABORTED);
  // What was undone may come again.
  CHECK(Commit(store.engine(), Identified(store, {"new"}, 1)).appends.at(0).count == 1);
  Transaction of_others;
  of_others.atomic = of_others.rows_are_new = true;
  of_others.appends = {Identified(store, {"a"}, 0)};
  of_others.rows = {{Family::kState, "row/", std::string("written")}};
  CHECK(ReasonOf(Commit(store.engine(), std::move(of_others)).appends.at(0).status) ==
        v1::ATOMIC_ABORTED);
  CHECK(store.engine().LoadRows(Family::kState, "row/")->empty());
}

TEST_CASE("an atomic call that leaves out duplicates stores the rest, and its rows in any case") {
  TestStore store;
  REQUIRE_OK(Commit(store.engine(), Identified(store, {"a"}, 0)).appends.at(0).status);
  const auto step = [&store](std::vector<std::string> ids, Offset wanted_end) {
    Transaction transaction;
    transaction.atomic = transaction.leave_out_duplicates = true;
    transaction.appends = {Identified(store, std::move(ids), 0), Identified(store, {"a"}, 1)};
    transaction.appends[1].ids.clear();
    transaction.appends[1].expected_end = wanted_end;
    transaction.rows = {{Family::kState, "row/", std::string("written")}};
    return Commit(store.engine(), std::move(transaction));
  };
  const auto rows = [&store] { return store.engine().LoadRows(Family::kState, "row/")->size(); };
  CHECK(ReasonOf(step({"a", "b"}, Offset(7)).appends.at(0).status) == v1::ATOMIC_ABORTED);
  CHECK(rows() == 0);
  const auto partly = step({"a", "b"}, Offset(0));
  CHECK(partly.appends.at(0).count == 1);
  CHECK(partly.appends.at(0).duplicates.size() == 1);
  CHECK(rows() == 1);
  Transaction whole;
  whole.atomic = whole.leave_out_duplicates = true;
  whole.appends = {Identified(store, {"a", "b"}, 0)};
  whole.rows = {{Family::kState, "row/2", std::string("written")}};
  CHECK(Commit(store.engine(), std::move(whole)).appends.at(0).count == 0);
  store.Reopen();
  CHECK(rows() == 2);
}

TEST_CASE("a sequence whose events were all duplicates is remembered across a restart") {
  TestStore store;
  REQUIRE_OK(Commit(store.engine(), Identified(store, {"a"})).appends.at(0).status);
  Append repeated = Identified(store, {"a"});
  repeated.producer_id = 7;
  repeated.producer_epoch = 1;
  repeated.first_sequence = 100;
  CHECK(Commit(store.engine(), repeated).appends.at(0).count == 0);
  store.Reopen();
  Append next = Identified(store, {"b"});
  next.producer_id = 7;
  next.producer_epoch = 1;
  next.first_sequence = 101;
  CHECK_OK(Commit(store.engine(), next).appends.at(0).status);
  Append gap = Identified(store, {"c"});
  gap.producer_id = 7;
  gap.producer_epoch = 1;
  gap.first_sequence = 200;
  CHECK(ReasonOf(Commit(store.engine(), gap).appends.at(0).status) == v1::OUT_OF_SEQUENCE);
}

std::vector<std::pair<std::string, std::string>> SavedProducers(TestStore& store) {
  const auto rows = store.engine().LoadRows(Family::kState, kProducerRows);
  REQUIRE_OK(rows);
  return *rows;
}

TEST_CASE("producer sequences are saved a few at a time, and all of them at a clean stop") {
  LocalEngineOptions options;
  options.snapshot_group_bytes = 1;  // A group takes one row.
  TestStore store(options);
  for (int32_t p = 0; p < 4; ++p) {
    REQUIRE_OK(Commit(store.engine(), Sequenced(0, 3, 1, p)).appends.at(0).status);
  }
  store.clock().Advance(absl::Seconds(61));
  for (size_t groups = 1; groups <= 2; ++groups) {
    Append other = MakeAppend(TestStore::Partition(), {EventElement("other")});
    REQUIRE_OK(Commit(store.engine(), std::move(other)).status);
    CHECK(SavedProducers(store).size() == groups);
  }
  // Maintenance brings what no group came for.
  REQUIRE_OK(store.engine().MaintainNow());
  CHECK(SavedProducers(store).size() == 4);
  for (int32_t p = 0; p < 4; ++p) {
    REQUIRE_OK(Commit(store.engine(), Sequenced(3, 4, 1, p)).appends.at(0).status);
  }
  std::vector<Offset> ends;
  for (int32_t p = 0; p < 4; ++p) {
    ends.push_back(store.engine().Extent(TestStore::Partition(p))->end);
  }
  store.Reopen();
  const auto saved = SavedProducers(store);
  REQUIRE(saved.size() == 4);
  for (size_t p = 0; p < 4; ++p) {
    storage::v1::ProducerSnapshot snapshot;
    REQUIRE(snapshot.ParseFromString(saved[p].second));
    CHECK(Offset(static_cast<int64_t>(snapshot.as_of_offset())) == ends[p]);
    const auto again = Commit(store.engine(), Sequenced(3, 4, 1, static_cast<int32_t>(p)));
    CHECK(again.appends.at(0).duplicates.size() == 4);
  }
}

TEST_CASE("a start reads what came since the last snapshot, also of those who number nothing") {
  TestStore store;
  const auto publish = [&store](int32_t partition) {
    Append unnumbered = MakeAppend(TestStore::Partition(partition), {EventElement("x")});
    REQUIRE_OK(Commit(store.engine(), std::move(unnumbered)).status);
  };
  const auto told = [&store] {
    const auto saved = SavedProducers(store);
    REQUIRE(!saved.empty());
    storage::v1::ProducerSnapshot snapshot;
    REQUIRE(snapshot.ParseFromString(saved[0].second));
    return Offset(static_cast<int64_t>(snapshot.as_of_offset()));
  };
  publish(0);
  store.clock().Advance(absl::Seconds(61));
  publish(0);
  CHECK(told() == Offset(2));
  publish(0);
  store.Reopen();
  CHECK(told() == Offset(3));
  publish(0);
  store.Crash();
  CHECK(told() == Offset(3));
  store.clock().Advance(absl::Seconds(61));
  publish(1);  // Brings the row of what was read.
  REQUIRE_OK(store.engine().MaintainNow());
  CHECK(told() == Offset(4));
}

TEST_CASE("sequences survive a crash after retention has passed the headers that told of them") {
  LocalEngineOptions options;
  options.snapshot_group_bytes = 1;
  TestStore store(options);
  store.settings().retention = absl::Seconds(100);
  store.Reopen();
  for (int32_t p = 0; p < 4; ++p) {
    REQUIRE_OK(Commit(store.engine(), Sequenced(10, 3, 1, p)).appends.at(0).status);
  }
  store.clock().Advance(absl::Seconds(200));
  REQUIRE_OK(store.engine().MaintainNow());
  store.Crash();
  for (int32_t p = 0; p < 4; ++p) {
    REQUIRE(store.engine().Extent(TestStore::Partition(p))->first == Offset(3));
    CHECK(Commit(store.engine(), Sequenced(10, 3, 1, p)).appends.at(0).duplicates.size() == 3);
    CHECK(ReasonOf(Commit(store.engine(), Sequenced(20, 1, 1, p)).appends.at(0).status) ==
          v1::OUT_OF_SEQUENCE);
    CHECK_OK(Commit(store.engine(), Sequenced(13, 1, 1, p)).appends.at(0).status);
  }
}

TEST_CASE("sequences survive a crash however soon retention passes the headers that told of them") {
  LocalEngineOptions options;
  options.snapshot_group_bytes = 1;
  TestStore store(options);
  store.settings().retention_bytes = 1;
  store.Reopen();
  // Read back from the log, by a start that nobody publishes after; or of this life.
  const bool recovered = GENERATE(false, true);
  const auto fill = [&store] {
    for (int32_t p = 0; p < 4; ++p) {
      REQUIRE_OK(Commit(store.engine(), Sequenced(10, 3, 1, p)).appends.at(0).status);
      REQUIRE_OK(Commit(store.engine(), Sequenced(13, 4, 1, p)).appends.at(0).status);
    }
  };
  fill();
  if (recovered) store.Crash();
  REQUIRE_OK(store.engine().MaintainNow());
  store.Crash();
  for (int32_t p = 0; p < 4; ++p) {
    REQUIRE(store.engine().Extent(TestStore::Partition(p))->first == Offset(7));
    CHECK(Commit(store.engine(), Sequenced(13, 4, 1, p)).appends.at(0).duplicates.size() == 4);
    CHECK_OK(Commit(store.engine(), Sequenced(17, 1, 1, p)).appends.at(0).status);
  }
}

TEST_CASE("the window says that ids are forgotten whose events retention took") {
  TestStore store;
  const bool by_size = GENERATE(false, true);
  if (by_size) store.settings().retention_bytes = 1'000;
  if (!by_size) store.settings().retention = absl::Seconds(60);
  store.Reopen();
  const auto window = [&store] {
    return store.engine().Extent(TestStore::Partition())->effective_dedupe_window;
  };
  for (int i = 0; i < 200; ++i) {
    Commit(store.engine(), Identified(store, {"id" + std::to_string(i)}));
    store.clock().Advance(absl::Seconds(1));
  }
  CHECK(window() == absl::Minutes(10));
  REQUIRE_OK(store.engine().MaintainNow());
  const Offset first = store.engine().Extent(TestStore::Partition())->first;
  const auto kept = absl::Seconds(200 - first.value());
  CHECK(window() <= kept);
  CHECK(window() >= kept - absl::Seconds(1));
  if (GENERATE(false, true)) {
    store.Crash();
  } else {
    store.Reopen();
  }
  CHECK(window() <= kept);
  CHECK(window() >= kept - absl::Seconds(1));
  const auto is_known = [&store](int64_t i) {
    const Append append = Identified(store, {"id" + std::to_string(i)});
    return Commit(store.engine(), append).appends.at(0).count == 0;
  };
  CHECK(is_known(first.value()));
  CHECK(is_known(199));
  CHECK_FALSE(is_known(first.value() - 1));
}

TEST_CASE("a window that is made wider, and ids that begin to count, are not there at once") {
  TestStore store;
  store.settings().dedupe_window = absl::Minutes(1);
  store.Reopen();
  const auto window_with = [&store](Dedupe dedupe, absl::Duration window) {
    store.settings().dedupe = dedupe;
    store.settings().dedupe_window = window;
    REQUIRE_OK(store.engine().OpenTopic(TestStore::kTopic, 4, store.settings()));
    return store.engine().Extent(TestStore::Partition())->effective_dedupe_window;
  };
  CHECK(window_with(Dedupe::kIds, absl::Minutes(10)) == absl::Minutes(1));
  store.clock().Advance(absl::Minutes(5));
  CHECK(window_with(Dedupe::kIds, absl::Minutes(10)) == absl::Minutes(6));
  store.clock().Advance(absl::Minutes(5));
  CHECK(window_with(Dedupe::kOff, absl::Minutes(10)) == absl::Minutes(10));
  CHECK(window_with(Dedupe::kIds, absl::Minutes(10)) == absl::ZeroDuration());
}

TEST_CASE("producers go on where they are when a topic checks sequences again") {
  TestStore store;
  const auto check = [&store](Dedupe dedupe) {
    store.settings().dedupe = dedupe;
    REQUIRE_OK(store.engine().OpenTopic(TestStore::kTopic, 4, store.settings()));
  };
  check(Dedupe::kSequences);
  REQUIRE_OK(Commit(store.engine(), Sequenced(0, 3)).appends.at(0).status);
  check(Dedupe::kOff);
  REQUIRE_OK(Commit(store.engine(), Sequenced(3, 4)).appends.at(0).status);
  CHECK(Commit(store.engine(), Sequenced(3, 4)).appends.at(0).count == 4);  // It is off.
  check(Dedupe::kSequences);
  const bool crash = GENERATE(false, true);
  if (crash) store.Crash();
  CHECK_OK(Commit(store.engine(), Sequenced(7, 1)).appends.at(0).status);
  CHECK(ReasonOf(Commit(store.engine(), Sequenced(20, 1)).appends.at(0).status) ==
        v1::OUT_OF_SEQUENCE);
}

TEST_CASE("what was prepared before its topic remembers ids is remembered all the same") {
  TestStore store;
  const auto remember = [&store](Dedupe dedupe) {
    store.settings().dedupe = dedupe;
    REQUIRE_OK(store.engine().OpenTopic(TestStore::kTopic, 4, store.settings()));
  };
  const auto prepared_before = [&store](const std::vector<std::string>& ids) {
    Append append = Identified(store, ids);
    append.ids.clear();
    append.ids_unknown = true;
    return append;
  };
  const Append early = prepared_before({"a", "", "b"});
  remember(Dedupe::kOff);
  CHECK(Commit(store.engine(), early).appends.at(0).count == 3);
  CHECK(store.engine().Stats().dedupe_ids == 0);
  remember(Dedupe::kIds);
  CHECK(Commit(store.engine(), early).appends.at(0).count == 3);
  CHECK(store.engine().Stats().dedupe_ids == 2);
  const auto again = Commit(store.engine(), Identified(store, {"b", "c"})).appends.at(0);
  REQUIRE(again.duplicates.size() == 1);
  CHECK(again.duplicates[0].offset == Offset(5));
  CHECK(Commit(store.engine(), prepared_before({"c", "d"})).appends.at(0).count == 1);
}

// How many of these ids are remembered.
int Known(TestStore& store, int first, int last) {
  int known = 0;
  for (int i = first; i < last; ++i) {
    const std::string id = "id" + std::to_string(i);
    known += Commit(store.engine(), Identified(store, {id}, i % 4)).appends.at(0).count == 0;
  }
  return known;
}

TEST_CASE("a restart remembers as many ids as the maximum allows, the newest") {
  LocalEngineOptions options;
  options.dedupe_max_ids = 100;
  TestStore store(options);
  const int events = GENERATE(150, 450);
  for (int i = 0; i < events; ++i) {
    Commit(store.engine(), Identified(store, {"id" + std::to_string(i)}, i % 4));
    store.clock().Advance(absl::Seconds(1));
  }
  const bool crash = GENERATE(false, true);
  if (crash) {
    store.Crash();
  } else {
    store.Reopen();
  }
  CHECK(store.engine().Stats().dedupe_ids == 100);
  const auto window = store.engine().Extent(TestStore::Partition())->effective_dedupe_window;
  CHECK(window >= absl::Seconds(99));
  CHECK(window <= absl::Seconds(101));
  CHECK(Known(store, events - 100, events) == 100);
  CHECK(Known(store, 0, 1) == 0);
}

TEST_CASE("a burst of ids and then silence: a restart remembers the burst") {
  LocalEngineOptions options;
  options.dedupe_max_ids = 100;
  TestStore store(options);
  for (int i = 0; i < 300; ++i) {
    Commit(store.engine(), Identified(store, {"id" + std::to_string(i)}, i % 4));
  }
  store.clock().Advance(absl::Minutes(5));
  store.Reopen();
  CHECK(store.engine().Stats().dedupe_ids == 100);
  CHECK(store.engine().Extent(TestStore::Partition())->effective_dedupe_window <= absl::Minutes(5));
}

}  // namespace
}  // namespace acta
