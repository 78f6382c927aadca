// Dead letters of a QUEUE group: what they tell, whose they are, and that nothing is copied.
#include "absl/strings/match.h"
#include "proto/support/proto_time.h"
#include "storage/layout/rows.h"
#include "tests/unit/subscribe/queue_room.h"

namespace acta {
namespace {

v1::RedriveDeadLettersRequest RedriveAll(const std::string& group = "workers") {
  v1::RedriveDeadLettersRequest request;
  request.set_group(group);
  request.mutable_selection()->set_all(true);
  return request;
}

TEST_CASE("each attempt keeps who had it, when its lease began, when it ended and how", "[queue]") {
  QueueRoom room(QueueRoom::Attempts(3));
  room.Publish(0, {"a"});
  const absl::Time start = room.engine.Now();
  Client& client = room.Work(1000, "one");
  room.Advance(absl::Seconds(4));
  client.Nack(client.sink.leased.at(0));
  room.Run();
  room.Advance(absl::Seconds(1));
  REQUIRE(client.sink.leased.size() == 2);
  room.Wait(absl::Seconds(30));  // Its lease.
  REQUIRE(client.sink.leased.size() == 2);
  room.Wait(absl::Seconds(1));
  REQUIRE(client.sink.leased.size() == 3);
  room.Advance(absl::Seconds(2));
  client.stream->OnDisconnect();
  room.Run();

  REQUIRE(room.DeadLetters().dead_letters_size() == 1);
  const v1::DeadLetter letter = room.DeadLetter(room.DeadLetters().dead_letters(0).ref());
  const auto since = [&](const auto& time) { return absl::ToInt64Seconds(ToTime(time) - start); };
  CHECK(letter.reason() == v1::DEAD_LETTER_REASON_ATTEMPTS_EXHAUSTED);
  CHECK(since(letter.dead_time()) == 38);
  struct Expected {
    v1::AttemptEnd end;
    int64_t lease_s, end_s;
  };
  const Expected expected[] = {{v1::ATTEMPT_END_NACK, 0, 4},
                               {v1::ATTEMPT_END_LEASE_EXPIRED, 5, 35},
                               {v1::ATTEMPT_END_MEMBER_LOST, 36, 38}};
  REQUIRE(letter.history_size() == 3);
  for (int i = 0; i < 3; ++i) {
    INFO(i);
    const v1::Attempt& attempt = letter.history(i);
    CHECK(attempt.attempt() == i + 1);
    CHECK(attempt.end() == expected[i].end);
    CHECK(since(attempt.lease_time()) == expected[i].lease_s);
    CHECK(since(attempt.end_time()) == expected[i].end_s);
    CHECK(attempt.member_id() == "one");
    CHECK(attempt.app() == "shop");
    CHECK(attempt.app_version() == "7");
  }
  CHECK(letter.last_attempt().SerializeAsString() == letter.history(2).SerializeAsString());
}

// The groups `workers` and `billing` on the same two events: of `workers` the first is a dead
// letter, `billing` processed both.
struct TwoQueues : QueueRoom {
  TwoQueues() {
    MakeQueue("billing");
    Publish(0, {"a", "b"});
    worker = &Work();
    biller = &Work(1000, "", "billing");
    worker->Settle(v1::SETTLE_KIND_REJECT, worker->sink.leased.at(0));
    worker->Ack(worker->sink.leased.at(1));
    for (const RecordingSink::Leased& event : biller->sink.leased) biller->Ack(event);
    Run();
    REQUIRE(DeadLetters().dead_letters_size() == 1);
    CHECK(DataOf(*biller) == Strings{"a", "b"});
  }
  Client* worker = nullptr;
  Client* biller = nullptr;
};

TEST_CASE("a dead letter that is not there is told, whatever its topic is called", "[queue]") {
  TwoQueues room;
  v1::GetDeadLetterRequest get;
  get.set_group("workers");
  get.mutable_ref()->set_topic(std::string(5000, 't'));
  const absl::Status status = room.groups.GetDeadLetter(room.caller, get).status();
  CHECK(ReasonOf(status) == v1::DEAD_LETTER_NOT_FOUND);
  CHECK(EncodeStatusDetails(status).size() < 2000);
}

TEST_CASE("a dead letter is that of its group alone", "[queue]") {
  TwoQueues room;
  CHECK(room.DeadLetters("billing").dead_letters().empty());
  CHECK(room.Lag("workers", 0).queue().dead_letters() == 1);
  CHECK(room.Lag("billing", 0).queue().dead_letters() == 0);
  CHECK(room.Explain("billing").code() == v1::STANDSTILL_CODE_CAUGHT_UP);
  v1::GetDeadLetterRequest get;
  get.set_group("billing");
  *get.mutable_ref() = room.DeadLetters().dead_letters(0).ref();
  CHECK(ReasonOf(room.groups.GetDeadLetter(room.caller, get).status()) ==
        v1::DEAD_LETTER_NOT_FOUND);
  CHECK(room.groups.RedriveDeadLetters(room.caller, RedriveAll("billing"))->redriven() == 0);
  v1::DiscardDeadLettersRequest discard;
  discard.set_group("billing");
  discard.mutable_selection()->set_all(true);
  CHECK(room.groups.DiscardDeadLetters(room.caller, discard)->discarded() == 0);
  CHECK(room.DeadLetters().dead_letters_size() == 1);
  CHECK(room.worker->sink.leased.size() == 2);
}

TEST_CASE("what died since a dry run counted is not discarded with it", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 2);
  Client& client = room.Work();
  client.Settle(v1::SETTLE_KIND_REJECT, client.sink.leased.at(0));
  room.Run();
  v1::DiscardDeadLettersRequest discard;
  discard.set_group("workers");
  discard.set_dry_run(true);
  *discard.mutable_selection() = QueueRoom::AllLetters();
  const auto counted = room.groups.DiscardDeadLetters(room.caller, discard);
  REQUIRE_OK(counted);
  CHECK(counted->discarded() == 1);
  room.Advance(absl::Milliseconds(1));
  client.Settle(v1::SETTLE_KIND_REJECT, client.sink.leased.at(1));
  room.Run();
  REQUIRE(room.DeadLetters().dead_letters_size() == 2);
  *discard.mutable_selection()->mutable_before() = counted->before();
  // An earlier time stays.
  room.Advance(absl::Milliseconds(1));
  const auto again = room.groups.DiscardDeadLetters(room.caller, discard);
  REQUIRE_OK(again);
  CHECK(again->discarded() == 1);
  CHECK(ToTime(again->before()) == ToTime(counted->before()));
  discard.set_dry_run(false);
  CHECK(room.groups.DiscardDeadLetters(room.caller, discard)->discarded() == 1);
  REQUIRE(room.DeadLetters().dead_letters_size() == 1);
  CHECK(room.DeadLetters().dead_letters(0).ref().offset() == 1);
}

TEST_CASE("a redrive offers to the failed group only", "[queue]") {
  TwoQueues room;
  Client& reader = room.Subscribe(room.Member("readers"));
  REQUIRE(reader.sink.Data(0) == Strings{"a", "b"});
  CHECK(room.groups.RedriveDeadLetters(room.caller, RedriveAll())->redriven() == 1);
  room.Run();
  CHECK(room.DataOf(*room.worker) == Strings{"a", "b", "a"});
  CHECK(room.worker->sink.leased.back().redrives == 1);
  CHECK(room.worker->sink.leased.back().offset == 0);
  Client& late = room.Work(1000, "", "billing");
  room.Wait(absl::Minutes(1));
  CHECK(room.biller->sink.leased.size() == 2);
  CHECK(late.sink.leased.empty());
  CHECK(room.Lag("billing", 0).lag_events() == 0);
  CHECK(reader.sink.Data(0) == Strings{"a", "b"});
}

TEST_CASE("a redrive may be of those that died within a time", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 4);
  const absl::Time start = room.engine.Now();
  Client& client = room.Work(1);
  for (size_t i = 0; i < 4; ++i) {  // One a minute.
    REQUIRE(client.sink.leased.size() == i + 1);
    client.Settle(v1::SETTLE_KIND_REJECT, client.sink.leased.back());
    room.Wait(absl::Minutes(1));
    client.Credit(1, 1000);
    room.Run();
  }
  v1::DeadLetterSelection selection;
  SetTime(start + absl::Minutes(1), selection.mutable_after());
  SetTime(start + absl::Minutes(3), selection.mutable_before());
  SECTION("at once") {
    v1::RedriveDeadLettersRequest request;
    request.set_group("workers");
    *request.mutable_selection() = selection;
    request.set_dry_run(true);
    CHECK(room.groups.RedriveDeadLetters(room.caller, request)->redriven() == 2);
    CHECK(room.DeadLetters().dead_letters_size() == 4);
    request.set_dry_run(false);
    CHECK(room.groups.RedriveDeadLetters(room.caller, request)->redriven() == 2);
  }
  SECTION("at a rate") {
    v1::StartRedriveRequest request;
    request.set_group("workers");
    *request.mutable_selection() = selection;
    request.set_rate(1000);
    REQUIRE_OK(room.groups.StartRedrive(room.caller, request));
    for (int i = 0; i < 100; ++i) room.Advance(absl::Milliseconds(10));
  }
  client.Credit(10, 1000);
  room.Run();
  CHECK(room.DataOf(client) == Strings{"0", "1", "2", "3", "1", "2"});
  const v1::ListDeadLettersResponse left = room.DeadLetters();
  REQUIRE(left.dead_letters_size() == 2);
  CHECK(left.dead_letters(0).ref().offset() == 0);
  CHECK(left.dead_letters(1).ref().offset() == 3);
}

// Rows that have these bytes, or a part of them, anywhere.
int64_t RowsWith(const QueueRoom& room, const std::string& bytes) {
  int64_t found = 0;
  for (const Family family : {Family::kMeta, Family::kState}) {
    const auto rows = room.engine.LoadRows(family, "");
    REQUIRE_OK(rows);
    for (const auto& [key, value] : *rows) {
      found += (key + value).find(bytes) != std::string::npos;
    }
  }
  return found;
}

TEST_CASE("no copy of an event is made for waiting, failing, dying or being redriven", "[queue]") {
  const std::string data = "bytes that stay where they are";
  QueueRoom room(QueueRoom::Ordered(v1::ON_EXHAUSTED_DEAD_LETTER));
  room.PublishKeyed({{"k", data}, {"k", data}, {"k", data}});
  Client& client = room.Work();
  const uint64_t end_bytes = room.engine.Extent(room.Id(0))->visible_end_bytes;
  const auto check_nothing_copied = [&] {
    CHECK(RowsWith(room, data.substr(0, 10)) == 0);
    CHECK(room.engine.Extent(room.Id(0))->end == Offset(3));
    CHECK(room.engine.Extent(room.Id(0))->visible_end_bytes == end_bytes);
  };
  client.Nack(client.sink.leased.at(0));
  room.Run();
  REQUIRE(room.Rows(kParkedRows) == 3);  // It waits for its time, those behind it for their key.
  check_nothing_copied();
  room.Advance(absl::Seconds(2));
  REQUIRE(client.sink.leased.size() == 2);
  client.Settle(v1::SETTLE_KIND_REJECT, client.sink.leased[1]);
  room.Run();
  REQUIRE(room.Rows(kDeadLetterRows) == 1);
  REQUIRE(room.Rows(kAttemptRows) == 2);
  check_nothing_copied();
  v1::RedriveDeadLettersRequest redrive = RedriveAll();
  redrive.set_accept_order(true);
  REQUIRE(room.groups.RedriveDeadLetters(room.caller, redrive)->redriven() == 1);
  room.Run();
  REQUIRE(room.Rows(kDeadLetterRows) == 0);
  check_nothing_copied();
  client.Settle(v1::SETTLE_KIND_REJECT, client.sink.leased.at(2));
  room.Run();
  client.Settle(v1::SETTLE_KIND_REJECT, client.sink.leased.at(3));
  room.Run();
  REQUIRE(room.Rows(kDeadLetterRows) == 2);
  check_nothing_copied();
  // But for what goes from the log.
  room.Publish(0, {"new"});
  room.engine.TrimTo(room.Id(0), Offset(3));
  CHECK(RowsWith(room, data) == 3);
  CHECK(room.Rows(kKeptRows) == 3);
}

// Without the event at an offset, which nothing tells of but a read.
class HoledLog final : public MemoryLogEngine {
 public:
  absl::StatusOr<std::vector<BatchPtr>> Read(PartitionId partition, Offset from,
                                             size_t max_bytes) const override {
    if (from == hole) return Error(v1::GAP, "the event is missing");
    return MemoryLogEngine::Read(partition, from, max_bytes);
  }
  Offset hole{-1};
};

TEST_CASE("a hole of the log does not keep what is around it for ever", "[queue]") {
  auto stored = std::make_unique<HoledLog>();
  HoledLog& engine = *stored;
  QueueRoom room(std::move(stored));
  room.MakeTopic(1);
  room.MakeQueue("workers");
  room.PublishNumbers(0, 3);
  Client& client = room.Work();
  REQUIRE(client.sink.leased.size() == 3);
  engine.hole = Offset(1);
  room.engine.TrimTo(room.Id(0), Offset(3));
  CHECK(room.engine.Extent(room.Id(0))->first == Offset(3));
  CHECK(room.Rows(kKeptRows) == 2);
  for (const RecordingSink::Leased& event : client.sink.leased) client.Ack(event);
  room.Run();
  CHECK(room.Rows(kKeptRows) == 0);
}

TEST_CASE("retention asks a queue no more that was deleted since it asked last", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 3);
  room.engine.TrimTo(room.Id(0), Offset(1));
  REQUIRE(room.engine.Extent(room.Id(0))->first == Offset(1));
  v1::DeleteGroupRequest request;
  request.set_name("workers");
  REQUIRE_OK(room.groups.Delete(room.caller, request));
  room.engine.TrimTo(room.Id(0), Offset(2));
  CHECK(room.engine.Extent(room.Id(0))->first == Offset(2));
}

// Counts who reads dead letters.
class LettersRead final : public MemoryLogEngine {
 public:
  using MemoryLogEngine::LoadRows;
  absl::StatusOr<RowList> LoadRows(const RowRange& range) const override {
    reads += absl::StartsWith(range.prefix, kDeadLetterRows);
    return MemoryLogEngine::LoadRows(range);
  }
  mutable int reads = 0;
};

// Goal: there may be a million of them, and all groups wait for who reads them.
TEST_CASE("dead letters are read for their retention when it is over for one of them", "[queue]") {
  auto stored = std::make_unique<LettersRead>();
  const LettersRead& engine = *stored;
  QueueRoom room(std::move(stored));
  room.MakeTopic(1);
  v1::QueueSettings settings;
  settings.mutable_dead_letter_retention()->set_seconds(3600);
  room.MakeQueue("workers", settings);
  const auto reads_in = [&](int minutes) {
    const int before = engine.reads;
    for (int passed = 0; passed < minutes; passed += 10) room.Advance(absl::Minutes(10));
    return engine.reads - before;
  };
  const auto make_letter = [&] {
    room.Publish(0, {"a"});
    Client& client = room.Work();
    REQUIRE(client.sink.leased.size() == 1);
    room.Reject(client);
    client.stream->OnDisconnect();
    room.Run();
  };
  CHECK(reads_in(10) == 0);
  make_letter();
  CHECK(reads_in(20) == 0);
  make_letter();
  CHECK(reads_in(40) == 0);
  CHECK(room.Rows(kDeadLetterRows) == 2);
  CHECK(reads_in(10) > 0);  // 80 minutes: the first one goes.
  CHECK(room.Rows(kDeadLetterRows) == 1);
  CHECK(reads_in(10) == 0);
  CHECK(reads_in(10) > 0);
  CHECK(room.Rows(kDeadLetterRows) == 0);
  CHECK(reads_in(70) == 0);
}

TEST_CASE("retention reads no dead letters beyond what it takes from the log", "[queue]") {
  auto stored = std::make_unique<LettersRead>();
  const LettersRead& engine = *stored;
  QueueRoom room(std::move(stored));
  room.MakeTopic(1);
  room.MakeQueue("workers");
  room.Publish(0, {"a", "b"});
  Client& client = room.Work();
  REQUIRE(client.sink.leased.size() == 2);
  client.Settle(v1::SETTLE_KIND_REJECT, client.sink.leased[0]);
  room.Run();
  Transaction newer;
  for (int64_t offset = 100; offset < 2600; ++offset) {
    newer.rows.push_back({Family::kState,
                          QueueRow(kDeadLetterRows, GroupId(1), room.Id(0), Offset(offset)),
                          storage::v1::DeadLetterRecord().SerializeAsString()});
  }
  REQUIRE_OK(room.engine.Submit(std::move(newer)));
  REQUIRE(room.Rows(kDeadLetterRows) == 2501);
  const int before = engine.reads;
  room.engine.TrimTo(room.Id(0), Offset(1));
  CHECK(engine.reads - before == 1);  // One page.
  CHECK(room.Rows(kKeptRows) == 1);
}

TEST_CASE("dead letters are listed for those who may observe their topic", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  Client& client = room.Work();
  REQUIRE(client.sink.leased.size() == 1);
  room.Reject(client);
  v1::ListDeadLettersRequest list;
  list.set_group("workers");
  if (GENERATE(false, true)) list.mutable_selection()->set_topic("orders");
  v1::SummarizeDeadLettersRequest summarize;
  summarize.set_group("workers");
  room.authorizer.refused = "orders";
  CHECK(ReasonOf(room.groups.ListDeadLetters(room.caller, list).status()) == v1::PERMISSION_DENIED);
  CHECK(room.authorizer.asked.back() == "observe topic orders");
  CHECK(ReasonOf(room.groups.SummarizeDeadLetters(room.caller, summarize).status()) ==
        v1::PERMISSION_DENIED);
  CHECK(room.authorizer.asked.back() == "observe topic orders");
  room.authorizer.refused = "others";
  CHECK(room.groups.ListDeadLetters(room.caller, list)->dead_letters_size() == 1);
  CHECK(room.groups.SummarizeDeadLetters(room.caller, summarize)->total() == 1);
}

}  // namespace
}  // namespace acta
