#include <catch2/catch.hpp>

#include <random>

#include "absl/strings/match.h"
#include "server/core/journeys/ledger_fold.h"
#include "server/core/journeys/ledger_index.h"
#include "server/core/queues/ledger.h"
#include "storage/layout/engine_rows.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/journeys/journey_room.h"

namespace acta {
namespace {

using Entry = storage::v1::LedgerEntry;

constexpr PartitionId kPartition{uint64_t{7} << 16};

TEST_CASE("runs of processed events come out of a record as they went in") {
  std::mt19937_64 random(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<ProcessedRun> runs;
    Offset at(static_cast<int64_t>(random() % 1'000'000'000));
    const int64_t time_us = 1'700'000'000'000'000;
    for (uint64_t i = random() % 20; i > 0; --i) {
      at = at + static_cast<int64_t>(random() % 3);
      ProcessedRun run{at, static_cast<int64_t>(random() % 1'000 + 1),
                       static_cast<uint32_t>(random() % 4), 0};
      if (random() % 2 == 0)
        run.delivered_us = time_us - static_cast<int64_t>(random() % 10'000) - 1;
      runs.push_back(run);
      at = at + run.count;
    }
    std::vector<ProcessedRun> shuffled = runs;
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    storage::v1::LedgerRecord record;
    PutProcessed(shuffled, time_us, &record);
    size_t next = 0;
    VisitProcessed(record, [&](const ProcessedRun& run) {
      REQUIRE(next < runs.size());
      CHECK(run.first == runs[next].first);
      CHECK(run.count == runs[next].count);
      CHECK(run.member == runs[next].member);
      CHECK(run.delivered_us == runs[next].delivered_us);
      ++next;
    });
    CHECK(next == runs.size());
  }
}

TEST_CASE("an event that was processed by itself takes at most 24 bytes of a record") {
  constexpr size_t kEvents = 1'000;
  constexpr int64_t kDayUs = 86'400'000'000;
  storage::v1::LedgerRecord record;
  record.set_group_id(1'000'000);
  record.set_partition_id(kPartition.value());
  record.add_members()->set_member_id("billing.4711");
  record.add_members()->set_member_id("billing.4712");
  std::vector<ProcessedRun> runs;
  for (size_t i = 0; i < kEvents; ++i) {
    // Every other event, by two members in turn, a day after they came: each is a run.
    const Offset at(1'000'000'000'000 + 2 * static_cast<int64_t>(i));
    const int64_t delivered_us = 1'700'000'000'000'000 - kDayUs;
    runs.push_back({at, 1, static_cast<uint32_t>(i % 2 + 1), delivered_us});
  }
  PutProcessed(runs, 1'700'000'000'000'000, &record);
  CHECK(LedgerRow(record).value->size() <= 24 * kEvents);
  // What is written alone names group, partition, time and member for itself.
  storage::v1::LedgerRecord lone;
  lone.set_group_id(1'000'000);
  lone.set_partition_id(kPartition.value());
  storage::v1::LedgerMember* const member = lone.add_members();
  member->set_member_id("billing.4711");
  member->set_app("billing");
  member->set_app_version("1.0");
  PutProcessed({runs[0]}, 1'700'000'000'000'000, &lone);
  CHECK(LedgerRow(lone).value->size() <= 100);
}

TEST_CASE("a range has few hashes, and each of its events has one of them") {
  MemoryLogEngine engine;
  std::mt19937_64 random(5);
  for (int round = 0; round < 300; ++round) {
    const auto first = static_cast<int64_t>(random() % (uint64_t{1} << (random() % 36 + 1)));
    const auto count = static_cast<int64_t>(random() % (uint64_t{1} << (random() % 34 + 1))) + 1;
    std::vector<uint64_t> hashes;
    PutLedgerHashes(engine, kPartition, {Offset(first), Offset(first + count)}, &hashes);
    CHECK(hashes.size() <= 6 * 256 + 4);
    const std::set<uint64_t> covered(hashes.begin(), hashes.end());
    for (int64_t at : {first, first + count - 1, first + count / 2,
                       first + static_cast<int64_t>(random() % static_cast<uint64_t>(count))}) {
      const auto of = LedgerHashesOf(engine, kPartition, Offset(at));
      CHECK(std::any_of(of.begin(), of.end(), [&](auto hash) { return covered.contains(hash); }));
    }
  }
}

// What was done with an event, one thing after the other.
struct NaiveOutcome {
  v1::OutcomeState state = v1::OUTCOME_STATE_UNSPECIFIED;
  int failed = 0;
  int processed_before = 0;
  std::string by, redriven_by;

  bool final() const {
    return state != v1::OUTCOME_STATE_UNSPECIFIED && state != v1::OUTCOME_STATE_PENDING;
  }
};

class LedgerModel {
 public:
  explicit LedgerModel(uint64_t seed) : random_(seed), room_(Limits()) {}

  void Run() {
    for (int step = 0; step < 80; ++step) {
      if (random_() % 20 == 0) {
        room_.Restart();
      } else if (random_() % 10 == 0) {
        Compare();
      } else {
        Write();
      }
    }
    Compare();
  }

 private:
  static JourneyLimits Limits() {
    JourneyLimits limits;
    limits.buffer_bytes = 30 * sizeof(IndexEntry);
    return limits;
  }
  OffsetRun Range() {
    const auto first = static_cast<int64_t>(random_() % 600);
    const auto most = random_() % 3 == 0 ? uint64_t{400} : uint64_t{3};
    return {Offset(first), Offset(first + 1 + static_cast<int64_t>(random_() % most))};
  }
  template <typename Change>
  void Expect(uint64_t group, OffsetRun range, Change change) {
    for (Offset at = range.first; at < range.end; at = at + 1) change(&naive_[{group, at}]);
  }
  void Write() {
    const uint64_t group = random_() % 3 + 1;
    storage::v1::LedgerRecord record;
    record.set_group_id(group);
    record.set_partition_id(kPartition.value());
    record.set_time_us(1'700'000'000'000'000);
    const OffsetRun range = Range();
    if (random_() % 2 == 0) {
      if (random_() % 4 == 0) {  // The first of them failed before, in the same write.
        const OffsetRun first = {range.first, range.first + 1};
        *record.add_entries() = LedgerEntryOf(Entry::FAILED, first);
        Expect(group, first, [](NaiveOutcome* one) { ++one->failed; });
      }
      PutProcessed({{range.first, Lag(range.first, range.end), 0, 0}}, record.time_us(), &record);
      Expect(group, range, [](NaiveOutcome* one) {
        one->state = v1::OUTCOME_STATE_PROCESSED;
        one->by.clear();
      });
    } else {
      Decide(group, range, &record);
    }
    Transaction transaction;
    transaction.rows.push_back(LedgerRow(record));
    REQUIRE_OK(SubmitAndWait(*room_.engine, std::move(transaction)).status);
  }
  void Decide(uint64_t group, OffsetRun range, storage::v1::LedgerRecord* record) {
    static constexpr Entry::Kind kKinds[] = {Entry::FAILED,   Entry::DEAD_LETTERED, Entry::SKIPPED,
                                             Entry::REDRIVEN, Entry::EXPIRED,       Entry::REWOUND,
                                             Entry::DISCARDED};
    const Entry::Kind kind = kKinds[random_() % 7];
    const std::string by = random_() % 2 == 0 ? "ann" : "bob";
    const bool outstanding = kind == Entry::SKIPPED && random_() % 2 == 0;
    if (kind == Entry::FAILED) range.end = range.first + 1;
    *record->add_entries() = LedgerEntryOf(kind, range, {by, "because"});
    record->mutable_entries(0)->set_outstanding(outstanding);
    Expect(group, range, [kind, by, outstanding](NaiveOutcome* one) {
      // What was outstanding is no dead letter.
      const bool stays =
          one->final() && !(outstanding && one->state == v1::OUTCOME_STATE_DEAD_LETTERED);
      if (kind == Entry::SKIPPED && stays) return;
      // A group that is moved back does not get its dead letters.
      if (kind == Entry::REWOUND && one->state == v1::OUTCOME_STATE_DEAD_LETTERED) return;
      if (kind == Entry::FAILED) ++one->failed;
      const bool processed = one->state == v1::OUTCOME_STATE_PROCESSED;
      if (kind == Entry::REWOUND && processed) ++one->processed_before;
      const bool again = kind == Entry::FAILED || kind == Entry::REDRIVEN || kind == Entry::REWOUND;
      if (again) one->by.clear();
      if (kind == Entry::SKIPPED || kind == Entry::DISCARDED) one->by = by;
      if (kind == Entry::REDRIVEN) one->redriven_by = by;
      one->state = again                          ? v1::OUTCOME_STATE_PENDING
                   : kind == Entry::DEAD_LETTERED ? v1::OUTCOME_STATE_DEAD_LETTERED
                   : kind == Entry::EXPIRED       ? v1::OUTCOME_STATE_EXPIRED
                   : kind == Entry::DISCARDED     ? v1::OUTCOME_STATE_DISCARDED
                                                  : v1::OUTCOME_STATE_SKIPPED;
    });
  }
  void Compare() {
    REQUIRE(room_.indexer->CatchUp(absl::Seconds(20)));
    std::vector<LedgerFold::Place> places;
    for (int i = 0; i < 50; ++i) {
      places.emplace_back(kPartition, Offset(static_cast<int64_t>(random_() % 1'000)));
    }
    const auto read = LedgerFold::Read(*room_.engine, room_.pool, room_.clock, *room_.indexer,
                                       places, absl::InfiniteDuration(), LedgerFold::kMostBytes);
    REQUIRE_OK(read.status());
    const std::optional<LedgerFold>& fold = *read;
    REQUIRE(fold.has_value());
    for (const LedgerFold::Place& place : places) {
      for (uint64_t group = 1; group <= 3; ++group) {
        const auto& told = fold->Of(place);
        const auto at = told.find(GroupId(group));
        const v1::GroupOutcome outcome = at == told.end() ? v1::GroupOutcome() : at->second;
        const NaiveOutcome& expected = naive_[{group, place.second}];
        INFO("group " << group << " offset " << place.second.value());
        CHECK(outcome.state() == expected.state);
        CHECK(outcome.failed_attempts_size() == expected.failed);
        CHECK(outcome.by() == expected.by);
        CHECK(outcome.redriven_by() == expected.redriven_by);
        CHECK(outcome.processed_before() == expected.processed_before);
      }
    }
  }

  std::mt19937_64 random_;
  JourneyRoom room_;
  std::map<std::pair<uint64_t, Offset>, NaiveOutcome> naive_;
};

TEST_CASE("the ledger says what was done, over crashes") {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    INFO("seed " << seed);
    LedgerModel(seed).Run();
  }
}

// To look up a hash takes a while of its clock.
class SlowIndex final : public MemoryLogEngine {
 public:
  static constexpr absl::Duration kOfHash = absl::Milliseconds(10);

  absl::Status FindInIndex(std::vector<uint64_t> hashes, IndexPlaces* out) const override {
    clock.Advance(kOfHash * static_cast<int64_t>(hashes.size()));
    return MemoryLogEngine::FindInIndex(std::move(hashes), out);
  }
  mutable FakeClock clock;
};

TEST_CASE("the ledger is too much to read when the time is over while records are looked up") {
  SlowIndex engine;
  REQUIRE_OK(engine.OpenTopic(kLedgerTopic, 1, TopicSettings()));
  storage::v1::LedgerRecord record;
  record.set_group_id(1);
  record.set_partition_id(kPartition.value());
  PutProcessed({{Offset(0), 1, 0, 0}}, record.time_us(), &record);
  Transaction transaction;
  transaction.rows.push_back(LedgerRow(record));
  REQUIRE_OK(SubmitAndWait(engine, std::move(transaction)).status);
  TopicRegistry topics(engine, TopicLimits());
  JourneyIndexer indexer(engine, engine.clock, topics, JourneyLimits());
  std::vector<LedgerFold::Place> places;
  for (int64_t block = 0; block < 5'000; ++block) {
    places.emplace_back(kPartition, Offset(block << 8));
  }
  SteppedExecutor pool;
  const absl::Duration until = engine.clock.SinceBoot() + absl::Seconds(5);
  const auto read =
      LedgerFold::Read(engine, pool, engine.clock, indexer, places, until, LedgerFold::kMostBytes);
  REQUIRE_OK(read.status());
  CHECK_FALSE(read->has_value());
  CHECK(engine.clock.SinceBoot() <= until + 2'000 * SlowIndex::kOfHash);
}

// Of an event of "orders/0" in group #`group`, with as many words as members may use.
void WriteFailures(JourneyRoom& room, uint64_t group, Offset offset, int attempts) {
  storage::v1::LedgerRecord record;
  record.set_group_id(group);
  record.set_partition_id(room.topics->Find("default", "orders")->partition(0).value());
  record.set_time_us(1'700'000'000'000'000);
  for (int i = 1; i <= attempts; ++i) {
    Entry* const entry = record.add_entries();
    *entry = LedgerEntryOf(Entry::FAILED, {offset, offset + 1});
    entry->set_attempt_number(i);
    entry->mutable_attempt()->set_member_id(std::string(249, 'm'));
    entry->mutable_attempt()->set_app(std::string(249, 'a'));
    entry->mutable_attempt()->set_reason(std::string(64, 'r'));
    entry->mutable_attempt()->set_text(std::string(1'024, 't'));
  }
  Transaction transaction;
  transaction.rows.push_back(LedgerRow(record));
  REQUIRE_OK(SubmitAndWait(*room.engine, std::move(transaction)).status);
}

// Of "orders/0/0", in groups #1, #2 and so on.
void PublishFailures(JourneyRoom& room, uint64_t groups, int attempts) {
  room.CreateTopic("orders", 1);
  room.Publish("orders", JourneyRoom::Event("e"));
  for (uint64_t group = 1; group <= groups; ++group) {
    WriteFailures(room, group, Offset(0), attempts);
  }
}

// Each look at it takes a second.
class TickingClock final : public Clock {
 public:
  absl::Time Wall() const override { return absl::UnixEpoch(); }
  absl::Duration SinceBoot() const override { return absl::Seconds(++looks_); }

 private:
  mutable int looks_ = 0;
};

TEST_CASE("of a ledger of many failures no more is read ahead than a few MiB") {
  JourneyRoom room;
  PublishFailures(room, 20, 1'000);  // 1.6 MB each.
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  room.indexer->Stop();
  const PartitionId partition = room.topics->Find("default", "orders")->partition(0);
  const LedgerFold::Place place(partition, Offset(0));
  const TickingClock clock;
  const int64_t before = room.engine->Stats().cache_reads;
  // There is time for the first record.
  const auto read = LedgerFold::Read(*room.engine, room.pool, clock, *room.indexer, {&place, 1},
                                     absl::Seconds(2), LedgerFold::kMostBytes);
  REQUIRE_OK(read.status());
  REQUIRE_FALSE(read->has_value());
  CHECK(room.engine->Stats().cache_reads - before <= 8);
  const auto all = LedgerFold::Read(*room.engine, room.pool, room.clock, *room.indexer, {&place, 1},
                                    absl::InfiniteDuration(), LedgerFold::kMostBytes);
  REQUIRE_OK(all.status());
  REQUIRE(all->has_value());
  CHECK((*all)->Of(place).size() == 20);
}

TEST_CASE("of many events that failed often a few MiB are kept, and pages tell all of them") {
  constexpr int kEvents = 110;  // Of 160 KB each.
  JourneyRoom room;
  room.CreateTopic("orders", 1);
  std::vector<LedgerFold::Place> places;
  for (int i = 0; i < kEvents; ++i) {
    room.Publish("orders", JourneyRoom::Event("e" + std::to_string(i), "j"));
    places.emplace_back(room.topics->Find("default", "orders")->partition(0), Offset(i));
    WriteFailures(room, 1, places.back().second, 100);
  }
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  const auto read = LedgerFold::Read(*room.engine, room.pool, room.clock, *room.indexer, places,
                                     absl::InfiniteDuration(), LedgerFold::kMostBytes);
  REQUIRE_OK(read.status());
  REQUIRE(read->has_value());
  CHECK((*read)->is_full());
  size_t kept = 0;
  for (const LedgerFold::Place& place : places) {
    for (const auto& [group, outcome] : (*read)->Of(place)) kept += outcome.SpaceUsedLong();
  }
  CHECK(kept > LedgerFold::kMostBytes - (size_t{1} << 20));
  CHECK(kept < LedgerFold::kMostBytes + (size_t{1} << 20));
  const FakeClock clock;  // There is time for all of it.
  const Journeys journeys = room.JourneysBy(clock);
  auto request = JourneyRoom::ByCorrelation("j");
  request.set_page_size(10'000);
  int told = 0;
  do {
    const auto page = journeys.Get(room.caller, request);
    REQUIRE_OK(page.status());
    CHECK(page->ByteSizeLong() < size_t{4} << 20);
    CHECK_FALSE(page->truncated());
    for (const v1::JourneyEvent& event : page->events()) {
      REQUIRE(event.groups_size() == 1);
      CHECK(event.groups(0).failed_attempts_size() == 100);
      ++told;
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  CHECK(told == kEvents);
}

// What is told of it in each group.
std::vector<v1::GroupOutcome> FailuresOf(JourneyRoom& room) {
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  auto request = JourneyRoom::ByPosition("orders", 0, 0);
  request.set_page_size(1);
  const auto journey = room.Get(request);
  CHECK(journey.ByteSizeLong() < size_t{4} << 20);
  REQUIRE(journey.events_size() == 1);
  return {journey.events(0).groups().begin(), journey.events(0).groups().end()};
}

TEST_CASE("an event that failed often is told with its newest attempts, and how many came before") {
  JourneyRoom room;
  PublishFailures(room, 3, 1'000);
  const std::vector<v1::GroupOutcome> groups = FailuresOf(room);
  REQUIRE(groups.size() == 3);
  for (const v1::GroupOutcome& group : groups) {
    REQUIRE(group.failed_attempts_size() == 100);
    CHECK(group.failed_attempts(0).attempt() == 901);
    CHECK(group.failed_attempts(99).attempt() == 1'000);
    CHECK(group.earlier_attempts() == 900);
  }
  v1::AskQuestionsRequest request;
  *request.mutable_selection() = JourneyRoom::ByPosition("orders", 0, 0).selection();
  const auto asked = room.journeys->Ask(room.caller, request);
  REQUIRE_OK(asked.status());
  CHECK(asked->ByteSizeLong() < size_t{4} << 20);
  for (const auto question : {v1::QUESTION_WHO_RECEIVED, v1::QUESTION_WHO_FAILED}) {
    const v1::Answer& answer = asked->answers(question - 1);
    REQUIRE(answer.question() == question);
    const std::set<std::string> lines(answer.lines().begin(), answer.lines().end());
    for (const char* group : {"#1", "#2", "#3"}) {
      CHECK(lines.contains(std::string(group) + ": 900 earlier attempts"));
    }
  }
}

TEST_CASE("many groups in which an event failed share the attempts that are told of it") {
  JourneyRoom room;
  PublishFailures(room, 10, 60);
  const std::vector<v1::GroupOutcome> groups = FailuresOf(room);
  REQUIRE(groups.size() == 10);
  for (const v1::GroupOutcome& group : groups) {
    REQUIRE(group.failed_attempts_size() == 30);
    CHECK(group.failed_attempts(0).attempt() == 31);
    CHECK(group.earlier_attempts() == 30);
  }
}

TEST_CASE("an event that failed often in very many groups is told whole within a few MiB") {
  constexpr int kGroups = 130;  // Of 160 KB each.
  JourneyRoom room;
  PublishFailures(room, kGroups, 100);
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  const LedgerFold::Place place(room.topics->Find("default", "orders")->partition(0), Offset(0));
  const auto read = LedgerFold::Read(*room.engine, room.pool, room.clock, *room.indexer,
                                     {&place, 1}, absl::InfiniteDuration(), LedgerFold::kMostBytes);
  REQUIRE_OK(read.status());
  REQUIRE(read->has_value());
  CHECK_FALSE((*read)->is_full());
  REQUIRE((*read)->Of(place).size() == kGroups);
  for (const auto& [group, outcome] : (*read)->Of(place)) {
    CHECK(outcome.failed_attempts_size() + outcome.earlier_attempts() == 100);
  }
  const FakeClock clock;  // There is time for all of it.
  auto request = JourneyRoom::ByPosition("orders", 0, 0);
  request.set_page_size(1);
  const auto page = room.JourneysBy(clock).Get(room.caller, request);
  REQUIRE_OK(page.status());
  CHECK_FALSE(page->truncated());
  REQUIRE(page->events_size() == 1);
  REQUIRE(page->events(0).groups_size() == kGroups);
  for (const v1::GroupOutcome& group : page->events(0).groups()) {
    REQUIRE(group.failed_attempts_size() == 300 / kGroups);
    CHECK(group.failed_attempts(1).attempt() == 100);
    CHECK(group.earlier_attempts() == 98);
  }
}

// The group `readers` has not come to "orders/0/0" yet.
void CheckKnownInPart(JourneyRoom& room, const Clock& clock) {
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  v1::AskQuestionsRequest request;
  *request.mutable_selection() = JourneyRoom::ByPosition("orders", 0, 0).selection();
  const auto asked = room.JourneysBy(clock).Ask(room.caller, request);
  REQUIRE_OK(asked.status());
  REQUIRE(asked->event().groups_size() == 1);
  CHECK(asked->event().groups(0).state() == v1::OUTCOME_STATE_PENDING);
  for (const auto question :
       {v1::QUESTION_WHO_RECEIVED, v1::QUESTION_WHO_PROCESSED, v1::QUESTION_WHO_FAILED}) {
    const v1::Answer& answer = asked->answers(question - 1);
    CHECK(answer.certainty() == v1::CERTAINTY_PARTIAL);
    CHECK(absl::StartsWith(answer.why(), "groups did more with it, or with events around it,"));
  }
}

TEST_CASE("what groups did is known in part where it is too much to be read") {
  JourneyRoom room;
  PublishFailures(room, 3, 1);
  v1::CreateGroupRequest readers;
  readers.mutable_group()->set_name("readers");
  readers.mutable_group()->add_topics("orders");
  readers.mutable_start()->set_earliest(true);
  REQUIRE_OK(room.groups->Create(room.caller, readers));
  CheckKnownInPart(room, TickingClock());  // There is time for the first record.
  const PartitionId partition = room.topics->Find("default", "orders")->partition(0);
  const LedgerNote note = {"ann", std::string(size_t{1} << 20, 'w')};
  for (uint64_t group = 4; group <= 20; ++group) {
    const Entry entry = LedgerEntryOf(Entry::SKIPPED, {Offset(0), Offset(1)}, note);
    Transaction transaction;
    transaction.rows.push_back(LedgerRow(DecisionRecord(GroupId(group), partition, 1, entry)));
    REQUIRE_OK(SubmitAndWait(*room.engine, std::move(transaction)).status);
  }
  CheckKnownInPart(room, FakeClock());  // There is time for all of it.
}

}  // namespace
}  // namespace acta
