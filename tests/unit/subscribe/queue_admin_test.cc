// What an operator does with a QUEUE group: pause, explain, skip, reset, redrive, discard.
#include <functional>
#include <limits>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "storage/layout/rows.h"
#include "tests/unit/subscribe/queue_room.h"

namespace acta {
namespace {

TEST_CASE("a paused group delivers nothing, its acks go on, and it resumes in time", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  Client& client = room.Work();
  v1::PauseGroupRequest pause;
  pause.set_group("workers");
  CHECK(ReasonOf(room.groups.Pause(room.caller, pause).status()) == v1::INVALID_ARGUMENT);
  pause.set_reason("deploying");
  const absl::Time until = room.engine.Now() + absl::Seconds(60);
  pause.mutable_until()->set_seconds(absl::ToUnixSeconds(until));
  REQUIRE_OK(room.groups.Pause(room.caller, pause));
  room.Run();
  CHECK(client.sink.Notices("GROUP_PAUSED").size() == 1);
  room.Publish(0, {"b"});
  const uint64_t ack = client.Ack(client.sink.leased.at(0));
  room.Run();
  CHECK(client.sink.acked_through() == ack);
  CHECK(client.sink.leased.size() == 1);
  const v1::PartitionExplanation why = room.Explain();
  CHECK(why.code() == v1::STANDSTILL_CODE_PAUSED);
  CHECK(why.command() == "acta group resume workers");
  SECTION("when its time has come") { room.Wait(absl::Seconds(61)); }
  SECTION("by hand") {
    v1::ResumeGroupRequest resume;
    resume.set_group("workers");
    REQUIRE_OK(room.groups.Resume(room.caller, resume));
    room.Run();
  }
  CHECK(client.sink.Notices("GROUP_RESUMED").size() == 1);
  CHECK(room.DataOf(client) == Strings{"a", "b"});
}

TEST_CASE("a paused STREAM group delivers nothing, and its commits go on", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  Client& client = room.Subscribe(room.Member("g"));
  v1::PauseGroupRequest pause;
  pause.set_group("g");
  pause.set_reason("x");
  REQUIRE_OK(room.groups.Pause(room.caller, pause));
  room.Run();
  room.Publish(0, {"b"});
  const uint64_t commit = client.Commit(client.sink.Handle(0), 1);
  room.Run();
  CHECK(client.sink.acked_through() == commit);
  CHECK(client.sink.Data(0) == Strings{"a"});
  v1::ResumeGroupRequest resume;
  resume.set_group("g");
  REQUIRE_OK(room.groups.Resume(room.caller, resume));
  room.Run();
  CHECK(client.sink.Data(0) == Strings{"a", "b"});
}

TEST_CASE("a group says why it does not advance", "[queue]") {
  QueueRoom room(QueueRoom::Attempts(2));
  CHECK(room.Explain().code() == v1::STANDSTILL_CODE_CAUGHT_UP);
  room.Publish(0, {"a"});
  CHECK(room.Explain().code() == v1::STANDSTILL_CODE_NO_MEMBER);
  CHECK(room.Explain().command() == "acta subscribe orders --group workers --exec ./handle.sh");
  Client& client = room.Work();
  CHECK(room.Explain().code() == v1::STANDSTILL_CODE_LEASE_HELD);
  client.Nack(client.sink.leased.at(0));
  room.Run();
  CHECK(room.Explain().code() == v1::STANDSTILL_CODE_RETRY_WAIT);
  CHECK(room.Explain().lag_events() == 1);
}

TEST_CASE("of those that hold their keys the oldest is named, not one that waits", "[queue]") {
  v1::QueueSettings settings = QueueRoom::Ordered();
  settings.set_max_attempts(2);
  settings.mutable_backoff_initial()->set_seconds(1000);
  QueueRoom room(settings);
  room.PublishKeyed({{"waits", "1"}, {"held", "2"}});
  Client& client = room.Work();
  const auto nack = [&](size_t i) {
    v1::Settlement settlement;
    settlement.set_assignment(client.sink.leased.at(i).assignment);
    settlement.set_offset(client.sink.leased.at(i).offset);
    settlement.set_kind(v1::SETTLE_KIND_NACK);
    settlement.mutable_delay()->set_seconds(i == 1 ? 1 : 5000);
    client.Settle(settlement);
    room.Run();
  };
  nack(1);
  room.Advance(absl::Seconds(1));
  REQUIRE(client.sink.leased.size() == 3);
  nack(2);
  nack(0);
  const v1::PartitionExplanation why = room.Explain();
  CHECK(why.code() == v1::STANDSTILL_CODE_HELD);
  CHECK(why.command() == "acta deadletter redrive workers orders/0/1");
  CHECK(absl::StrContains(why.text(), "the oldest is at offset 1:"));
}

TEST_CASE("what holds its key is redriven so often as dead letters are, and no more", "[queue]") {
  v1::QueueSettings settings = QueueRoom::Ordered();
  settings.set_max_attempts(1);
  QueueRoom room(settings);
  room.PublishKeyed({{"k", "1"}});
  Client& client = room.Work();
  v1::RedriveDeadLettersRequest redrive;
  redrive.set_group("workers");
  redrive.mutable_selection()->add_letters()->set_topic("orders");
  for (size_t i = 0; i < 11; ++i) {
    client.Nack(client.sink.leased.at(i));
    room.Run();
    const auto redriven = room.groups.RedriveDeadLetters(room.caller, redrive);
    REQUIRE_OK(redriven);
    CHECK(redriven->redriven() == (i < 10 ? 1 : 0));
    CHECK(redriven->too_often() == (i < 10 ? 0 : 1));
    room.Run();
  }
  redrive.set_max_redrives(11);
  CHECK(room.groups.RedriveDeadLetters(room.caller, redrive)->redriven() == 1);
}

TEST_CASE("an exhausted event holds its key until somebody decides", "[queue]") {
  v1::QueueSettings settings = QueueRoom::Ordered();
  settings.set_max_attempts(1);
  QueueRoom room(settings);
  room.PublishKeyed({{"k", "1"}, {"k", "2"}});
  Client& client = room.Work();
  client.Nack(client.sink.leased.at(0));
  room.Run();
  room.Wait(absl::Hours(1));
  CHECK(room.DataOf(client) == Strings{"1"});
  const v1::PartitionExplanation why = room.Explain();
  CHECK(why.code() == v1::STANDSTILL_CODE_HELD);
  CHECK(why.offset() == 0);
  SECTION("skipped") {
    v1::SkipOffsetsRequest skip;
    skip.set_group("workers");
    skip.set_topic("orders");
    skip.set_dry_run(true);
    skip.set_reason("customer called");
    CHECK(room.groups.Skip(room.caller, skip)->skipped() == 1);
    skip.set_dry_run(false);
    CHECK(room.groups.Skip(room.caller, skip)->skipped() == 1);
    CHECK(room.groups.Skip(room.caller, skip)->skipped() == 0);
    room.Run();
    CHECK(room.DataOf(client) == Strings{"1", "2"});
  }
  SECTION("redriven") {
    v1::RedriveDeadLettersRequest redrive;
    redrive.set_group("workers");
    redrive.mutable_selection()->add_letters()->set_topic("orders");
    redrive.set_dry_run(true);
    CHECK(room.groups.RedriveDeadLetters(room.caller, redrive)->redriven() == 1);
    redrive.set_dry_run(false);
    v1::RedriveDeadLettersRequest with_unknown = redrive;
    with_unknown.mutable_selection()->add_letters()->set_topic("nowhere");
    CHECK(ReasonOf(room.groups.RedriveDeadLetters(room.caller, with_unknown).status()) ==
          v1::DEAD_LETTER_NOT_FOUND);
    CHECK(room.groups.RedriveDeadLetters(room.caller, redrive)->redriven() == 1);
    room.Run();
    CHECK(room.DataOf(client) == Strings{"1", "1"});
    CHECK(client.sink.leased[1].attempt == 1);
  }
}

TEST_CASE("a redriven event has new attempts, and its history is kept", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  Client& client = room.Work();
  room.Reject(client, "no such order 17");
  v1::RedriveDeadLettersRequest redrive;
  redrive.set_group("workers");
  CHECK(ReasonOf(room.groups.RedriveDeadLetters(room.caller, redrive).status()) ==
        v1::INVALID_ARGUMENT);
  *redrive.mutable_selection() = QueueRoom::AllLetters();
  redrive.set_dry_run(true);
  CHECK(room.groups.RedriveDeadLetters(room.caller, redrive)->redriven() == 1);
  CHECK(client.sink.leased.size() == 1);
  redrive.set_dry_run(false);
  CHECK(room.groups.RedriveDeadLetters(room.caller, redrive)->redriven() == 1);
  room.Run();
  CHECK(room.DeadLetters().dead_letters().empty());
  REQUIRE(client.sink.leased.size() == 2);
  CHECK(client.sink.leased[1].attempt == 1);
  room.Reject(client, "no such order 18");
  REQUIRE(room.DeadLetters().dead_letters_size() == 1);
  const v1::DeadLetter letter = room.DeadLetter(room.DeadLetters().dead_letters(0).ref());
  CHECK(letter.redrives() == 1);
  REQUIRE(letter.history_size() == 2);
  CHECK(letter.history(0).text() == "no such order 17");
  CHECK(letter.history(1).redrives() == 1);
}

TEST_CASE("a dead letter that was redriven too often stays", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  Client& client = room.Work();
  room.Reject(client, "");
  v1::RedriveDeadLettersRequest redrive;
  redrive.set_group("workers");
  redrive.set_max_redrives(1);
  *redrive.mutable_selection() = QueueRoom::AllLetters();
  CHECK(room.groups.RedriveDeadLetters(room.caller, redrive)->redriven() == 1);
  room.Run();
  room.Reject(client, "");
  const auto again = room.groups.RedriveDeadLetters(room.caller, redrive);
  CHECK(again->redriven() == 0);
  CHECK(again->too_often() == 1);
}

TEST_CASE("failures that are alike have one fingerprint", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 3);
  Client& client = room.Work(1);
  room.Reject(client, "no order 17");
  client.Credit(1, 1000);
  room.Run();
  room.Reject(client, "no order 18");
  client.Credit(1, 1000);
  room.Run();
  room.Reject(client, "no customer");
  v1::SummarizeDeadLettersRequest request;
  request.set_group("workers");
  const auto summary = room.groups.SummarizeDeadLetters(room.caller, request);
  REQUIRE(summary->kinds_size() == 2);
  CHECK(summary->total() == 3);
  CHECK(summary->kinds(0).count() == 2);
  CHECK(summary->kinds(0).example().last_attempt().text() == "no order 18");
  v1::DiscardDeadLettersRequest discard;
  discard.set_group("workers");
  discard.mutable_selection()->set_fingerprint(summary->kinds(0).fingerprint());
  CHECK(room.groups.DiscardDeadLetters(room.caller, discard)->discarded() == 2);
  REQUIRE(room.DeadLetters().dead_letters_size() == 1);
  CHECK(room.DeadLetters().dead_letters(0).ref().offset() == 2);
}

TEST_CASE("a group with as many dead letters as it may have stands still, nothing drops",
          "[queue]") {
  v1::QueueSettings settings;
  settings.set_max_dead_letters(1);
  QueueRoom room(settings);
  room.PublishNumbers(0, 2);
  Client& client = room.Work(1);
  room.Reject(client, "");
  client.Credit(1, 1000);
  room.Run();
  CHECK(client.sink.leased.size() == 1);
  CHECK(room.Explain().code() == v1::STANDSTILL_CODE_DEAD_LETTERS_FULL);
  v1::DiscardDeadLettersRequest discard;
  discard.set_group("workers");
  *discard.mutable_selection() = QueueRoom::AllLetters();
  CHECK(room.groups.DiscardDeadLetters(room.caller, discard)->discarded() == 1);
  room.Run();
  CHECK(client.sink.leased.size() == 2);
}

TEST_CASE("what a group still needs is copied before its slice goes", "[queue]") {
  QueueRoom room(QueueRoom::Attempts(3));
  room.Publish(0, {"dead", "waits", "held", "never"});
  Client& client = room.Work(3);
  REQUIRE(client.sink.leased.size() == 3);
  client.Settle(v1::SETTLE_KIND_REJECT, client.sink.leased[0]);
  client.Nack(client.sink.leased[1]);
  room.Run();
  room.Publish(0, {"new"});
  room.engine.TrimTo(room.Id(0), Offset(3));
  CHECK(room.engine.Extent(room.Id(0))->first == Offset(3));
  CHECK(room.DeadLetter(room.DeadLetters().dead_letters(0).ref()).event().data() == "dead");
  client.Credit(10, 10'000);
  room.Wait(absl::Seconds(2));
  CHECK(room.DataOf(client) == Strings{"dead", "waits", "held", "never", "new", "waits"});
  v1::RedriveDeadLettersRequest redrive;
  redrive.set_group("workers");
  *redrive.mutable_selection() = QueueRoom::AllLetters();
  CHECK(room.groups.RedriveDeadLetters(room.caller, redrive)->redriven() == 1);
  room.Run();
  REQUIRE(client.sink.leased.size() == 7);
  CHECK(client.sink.leased[6].data == "dead");
  const auto kept = [&] { return room.engine.LoadRows(Family::kState, kKeptRows)->size(); };
  CHECK(kept() == 3);
  for (const RecordingSink::Leased& event : client.sink.leased) client.Ack(event);
  room.Run();
  CHECK(kept() == 0);
  CHECK(room.Lag("workers", 0).lag_events() == 0);
}

TEST_CASE("an event that is settled when its copy is made leaves no copy behind", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a", "b"});
  Client& client = room.Work();
  REQUIRE(client.sink.leased.size() == 2);
  const bool goes = GENERATE(true, false);
  room.engine.before_trim = [&](PartitionId partition, Offset first) -> absl::Status {
    const absl::Status kept = room.groups.KeepCopies(partition, first);
    client.Ack(client.sink.leased[0]);
    room.Run();
    return goes ? kept : absl::UnavailableError("not yet");
  };
  room.engine.TrimTo(room.Id(0), Offset(1));
  CHECK(room.engine.Extent(room.Id(0))->first == Offset(goes ? 1 : 0));
  CHECK(room.engine.LoadRows(Family::kState, kKeptRows)->empty());
}

// Of the first of two events; the client has the other.
storage::v1::DeadLetterRecord MakeDeadLetter(QueueRoom& room, Client& client) {
  room.Publish(0, {"dead", "next"});
  room.Run();
  REQUIRE(client.sink.leased.size() == 2);
  client.Settle(v1::SETTLE_KIND_REJECT, client.sink.leased[0]);
  room.Run();
  REQUIRE(room.DeadLetters().dead_letters_size() == 1);
  const auto letters = room.engine.LoadRows(Family::kState, kDeadLetterRows);
  REQUIRE(letters->size() == 1);
  storage::v1::DeadLetterRecord record;
  REQUIRE(record.ParseFromString(letters->front().second));
  return record;
}

TEST_CASE("a dead letter that is redriven while copies are made has one", "[queue]") {
  QueueRoom room;
  Client& client = room.Work();
  const storage::v1::DeadLetterRecord record = MakeDeadLetter(room, client);
  const auto queue = room.groups.FindForStep(room.caller, "", "workers");
  REQUIRE_OK(queue);
  room.engine.HoldDone();
  absl::Status kept;
  std::thread copies([&] { kept = room.groups.KeepCopies(room.Id(0), Offset(2)); });
  while (room.engine.held() == 0) std::this_thread::yield();
  REQUIRE((*queue)->queue()->Redrive({room.Id(0), Offset(0), &record}));
  room.engine.ReleaseDone();
  copies.join();
  REQUIRE_OK(kept);
  CHECK(room.engine.LoadRows(Family::kState, kKeptRows)->size() == 2);
}

// Does something before and after dead letters are asked for, once each.
class LettersAsked final : public MemoryLogEngine {
 public:
  using MemoryLogEngine::LoadRows;
  absl::StatusOr<RowList> LoadRows(const RowRange& range) const override {
    const bool letters = absl::StartsWith(range.prefix, kDeadLetterRows);
    if (letters && before) std::exchange(before, nullptr)();
    auto rows = MemoryLogEngine::LoadRows(range);
    if (letters && after) std::exchange(after, nullptr)();
    return rows;
  }
  mutable std::function<void()> before, after;
};

TEST_CASE("a dead letter that is redriven and rejected again while copies are made has one",
          "[queue]") {
  auto stored = std::make_unique<LettersAsked>();
  LettersAsked& engine = *stored;
  QueueRoom room(std::move(stored));
  room.MakeTopic(1);
  room.MakeQueue("workers");
  Client& client = room.Work();
  const storage::v1::DeadLetterRecord record = MakeDeadLetter(room, client);
  const auto queue = room.groups.FindForStep(room.caller, "", "workers");
  REQUIRE_OK(queue);
  engine.before = [&] { REQUIRE((*queue)->queue()->Redrive({room.Id(0), Offset(0), &record})); };
  engine.after = [&] {
    room.Run();
    REQUIRE(client.sink.leased.size() == 3);
    client.Settle(v1::SETTLE_KIND_REJECT, client.sink.leased[2]);
    room.Run();
  };
  REQUIRE_OK(room.groups.KeepCopies(room.Id(0), Offset(2)));
  CHECK(room.Rows(kKeptRows) == 2);
}

TEST_CASE("a group that retention overtakes stands still until somebody decides", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 10);
  room.engine.TrimTo(room.Id(0), Offset(4));
  Client& client = room.Work();
  CHECK(client.sink.leased.empty());
  REQUIRE(client.sink.gaps().size() == 1);
  CHECK(client.sink.gaps()[0].first_lost() == 0);
  CHECK(client.sink.gaps()[0].last_lost() == 3);
  CHECK(room.Explain().code() == v1::STANDSTILL_CODE_GAP);
  SECTION("after a reset") {
    v1::ResetOffsetsRequest reset;
    reset.set_group("workers");
    reset.mutable_to()->set_earliest(true);
    reset.set_reason("they are gone");
    reset.set_force(true);
    REQUIRE_OK(room.groups.ResetOffsets(room.caller, reset));
    room.Run();
    CHECK(room.DataOf(room.Work()) == room.Numbers(4, 10));
  }
  SECTION("after skipping what is missing, as it says") {
    CHECK(room.Explain().command() ==
          "acta group skip workers --topic orders --partition 0 --offset 0 --count 4 "
          "--reason \"...\"");
    v1::SkipOffsetsRequest skip;
    skip.set_group("workers");
    skip.set_topic("orders");
    skip.set_count(4);
    skip.set_reason("they are gone");
    CHECK(room.groups.Skip(room.caller, skip)->skipped() == 4);
    room.Run();
    CHECK(room.DataOf(client) == room.Numbers(4, 10));
    skip.set_offset(9);
    CHECK(ReasonOf(room.groups.Skip(room.caller, skip).status()) == v1::OFFSET_OUT_OF_RANGE);
    skip.set_offset(std::numeric_limits<int64_t>::max());
    CHECK(ReasonOf(room.groups.Skip(room.caller, skip).status()) == v1::OFFSET_OUT_OF_RANGE);
  }
}

TEST_CASE("dead letters go when their retention is over", "[queue]") {
  v1::QueueSettings settings;
  settings.mutable_dead_letter_retention()->set_seconds(3600);
  QueueRoom room(settings);
  room.Publish(0, {"a"});
  Client& client = room.Work();
  room.Reject(client, "");
  room.Advance(absl::Minutes(59));
  CHECK(room.DeadLetters().dead_letters_size() == 1);
  room.Advance(absl::Minutes(11));
  CHECK(room.DeadLetters().dead_letters().empty());
  CHECK(room.Lag("workers", 0).queue().dead_letters() == 0);
}

TEST_CASE("a reset begins anew: old leases are fenced, old dead letters kept", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a", "b"});
  Client& client = room.Work(1);
  room.Reject(client, "");
  client.Credit(1, 1000);
  room.Run();
  REQUIRE(client.sink.leased.size() == 2);
  v1::ResetOffsetsRequest reset;
  reset.set_group("workers");
  reset.mutable_to()->set_earliest(true);
  reset.set_reason("again");
  CHECK(ReasonOf(room.groups.ResetOffsets(room.caller, reset).status()) == v1::FENCED);
  reset.set_force(true);
  REQUIRE_OK(room.groups.ResetOffsets(room.caller, reset));
  client.Ack(client.sink.leased[1]);
  room.Run();
  CHECK(client.sink.EndReason() == v1::GROUP_RESET);
  CHECK(room.DeadLetters().dead_letters_size() == 1);
  CHECK(room.Lag("workers", 0).lag_events() == 1);
  CHECK(room.DataOf(room.Work()) == Strings{"b"});
}

TEST_CASE("commits from outside are refused, and settings out of bounds", "[queue]") {
  QueueRoom room;
  v1::CommitOffsetsRequest commit;
  commit.set_group("workers");
  CHECK(ReasonOf(room.groups.CommitOffsets(room.caller, commit).status()) == v1::WRONG_GROUP_MODE);
  v1::CreateGroupRequest create;
  create.mutable_group()->set_name("more");
  create.mutable_group()->add_topics("orders");
  create.mutable_group()->set_mode(v1::GROUP_MODE_QUEUE);
  v1::QueueSettings& queue = *create.mutable_group()->mutable_queue();
  const auto reason = [&] { return ReasonOf(room.groups.Create(room.caller, create).status()); };
  SECTION("a lease of 0") {
    queue.mutable_lease()->set_seconds(0);
    CHECK(reason() == v1::INVALID_ARGUMENT);
    queue.mutable_lease()->set_seconds(12 * 3600 + 1);
    CHECK(reason() == v1::INVALID_ARGUMENT);
    queue.mutable_lease()->set_seconds(1);
    CHECK(reason() == v1::ERROR_REASON_UNSPECIFIED);
  }
  SECTION("attempts of 0") {
    queue.set_max_attempts(0);
    CHECK(reason() == v1::INVALID_ARGUMENT);
    queue.set_max_attempts(1001);
    CHECK(reason() == v1::INVALID_ARGUMENT);
    queue.set_max_attempts(1000);
    CHECK(reason() == v1::ERROR_REASON_UNSPECIFIED);
  }
  SECTION("of a group of mode STREAM") {
    create.mutable_group()->set_mode(v1::GROUP_MODE_STREAM);
    CHECK(reason() == v1::INVALID_ARGUMENT);
  }
  SECTION("an order that is not known") {
    queue.set_order(static_cast<v1::QueueOrder>(9));
    CHECK(reason() == v1::UNKNOWN_ENUM_VALUE);
  }
}

}  // namespace
}  // namespace acta
