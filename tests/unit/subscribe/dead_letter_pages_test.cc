// Many dead letters: a page of a list costs about a page, and everything is found once.
#include <atomic>
#include <functional>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "server/core/access/pages.h"
#include "storage/layout/rows.h"
#include "tests/support/wait_until.h"
#include "tests/unit/subscribe/queue_room.h"

namespace acta {
namespace {

constexpr int64_t kLetters = 2500;
constexpr int64_t kMicrosApart = 1'000'000;

// A group with dead letters in two partitions, letter i at the offset i / 2 of partition i % 2,
// each after one attempt. Every 100th failed like no other.
class LettersRoom : public QueueRoom {
 public:
  LettersRoom() : QueueRoom({}, 2) {
    Transaction transaction;
    for (int64_t i = 0; i < kLetters; ++i) {
      const PartitionId partition = Id(static_cast<int32_t>(i % 2));
      const Offset offset(i / 2);
      storage::v1::DeadLetterRecord letter;
      letter.set_reason(storage::v1::DeadLetterRecord::REJECTED);
      letter.set_time_us(i * kMicrosApart);
      letter.set_attempts(1);
      letter.set_fingerprint(i % 100 == 0 ? 7 : 8);
      transaction.rows.push_back({Family::kState,
                                  QueueRow(kDeadLetterRows, GroupId(1), partition, offset),
                                  letter.SerializeAsString()});
      storage::v1::AttemptRecord attempt;
      attempt.set_text(absl::StrFormat("attempt of %d", i));
      transaction.rows.push_back({Family::kState, AttemptRow(GroupId(1), partition, offset, 0, 1),
                                  attempt.SerializeAsString()});
    }
    for (int32_t partition = 0; partition < 2; ++partition) {
      storage::v1::PositionRecord settled;
      settled.set_offset(kLetters / 2);
      transaction.rows.push_back(
          {Family::kState, PositionRow(GroupId(1), Id(partition)), settled.SerializeAsString()});
    }
    REQUIRE_OK(engine.Submit(std::move(transaction)));
    again = std::make_unique<GroupRegistry>(
        GroupRegistry::Deps{engine, clock, topics, authorizer, pool, timer, {}});
    REQUIRE_OK(again->Load());
    request.set_group("workers");
  }

  // All that the request lists, page by page, as numbers of letters.
  std::vector<int64_t> List() {
    std::vector<int64_t> letters;
    do {
      const auto page = again->ListDeadLetters(caller, request);
      REQUIRE_OK(page);
      CHECK(page->dead_letters_size() <= request.page_size());
      for (const v1::DeadLetter& letter : page->dead_letters()) {
        letters.push_back(letter.ref().offset() * 2 + letter.ref().partition());
        CHECK(letter.last_attempt().text() == absl::StrFormat("attempt of %d", letters.back()));
      }
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return letters;
  }

  std::unique_ptr<GroupRegistry> again;  // That knows of them.
  v1::ListDeadLettersRequest request;
};

TEST_CASE("a page of dead letters costs about a page, wherever it is", "[queue]") {
  LettersRoom room;
  room.request.set_page_size(100);
  int64_t seen = 0;
  do {
    const int64_t before = room.engine.rows_loaded();
    const auto page = room.again->ListDeadLetters(room.caller, room.request);
    REQUIRE_OK(page);
    seen += page->dead_letters_size();
    CHECK(room.engine.rows_loaded() - before <= 201);  // With one attempt each.
    room.request.set_page_token(page->next_page_token());
  } while (!room.request.page_token().empty());
  CHECK(seen == kLetters);
}

TEST_CASE("pages of dead letters have each of them once, in their order", "[queue]") {
  LettersRoom room;
  room.request.set_page_size(GENERATE(7, 999, 1000));
  const std::vector<int64_t> letters = room.List();
  REQUIRE(letters.size() == kLetters);
  for (size_t i = 1; i < letters.size(); ++i) {
    const auto place = [&](size_t at) { return std::pair(letters[at] % 2, letters[at]); };
    REQUIRE(place(i - 1) < place(i));
  }
}

TEST_CASE("a redrive looks at a page of letters at a time, whatever it selects", "[queue]") {
  LettersRoom room;
  v1::StartRedriveRequest start;
  start.set_group("workers");
  start.mutable_selection()->set_fingerprint("0000000000000007");
  start.set_rate(10);
  REQUIRE_OK(room.again->StartRedrive(room.caller, start));
  v1::ListRedrivesRequest list;
  list.set_group("workers");
  for (int i = 0; i < 100; ++i) {
    const int64_t before = room.engine.rows_loaded();
    room.Advance(absl::Milliseconds(100));
    CHECK(room.engine.rows_loaded() - before <= 1100);
  }
  const v1::Redrive done = room.again->ListRedrives(room.caller, list)->redrives(0);
  CHECK(done.state() == v1::REDRIVE_STATE_DONE);
  CHECK(done.selected() == 25);
  CHECK(done.redriven() == 25);
}

TEST_CASE("a page of selected dead letters looks on until it is full", "[queue]") {
  LettersRoom room;
  room.request.set_page_size(10);
  SECTION("by fingerprint") {
    room.request.mutable_selection()->set_fingerprint("0000000000000007");
    const std::vector<int64_t> letters = room.List();
    REQUIRE(letters.size() == 25);
    for (const int64_t letter : letters) CHECK(letter % 100 == 0);
  }
  SECTION("by time") {
    room.request.mutable_selection()->mutable_after()->set_seconds(1000);
    room.request.mutable_selection()->mutable_before()->set_seconds(1033);
    CHECK(room.List().size() == 33);
  }
  SECTION("by place, whatever the order they are named in") {
    for (const int64_t i : {9, 4, 2, 9, 0}) {
      v1::DeadLetterRef* ref = room.request.mutable_selection()->add_letters();
      ref->set_topic("orders");
      ref->set_partition(static_cast<int32_t>(i % 2));
      ref->set_offset(i / 2);
    }
    room.request.mutable_selection()->add_letters()->set_topic("nowhere");
    room.request.set_page_size(3);
    CHECK(room.List() == std::vector<int64_t>{0, 2, 4, 9});
  }
  SECTION("by a time that no clock has") {
    room.request.mutable_selection()->mutable_after()->set_seconds(
        std::numeric_limits<int64_t>::max());
    CHECK(room.List().empty());
  }
}

TEST_CASE("a token that no page of dead letters has is refused", "[queue]") {
  LettersRoom room;
  for (const std::string& name :
       {std::string("workers"), std::string(32, 'x'), std::string(31, '0'), std::string(33, '0'),
        std::string(16, '0') + "7fffffffffffffff", std::string(32, 'f')}) {
    room.request.set_page_token(MakePageToken(name));
    CHECK(ReasonOf(room.again->ListDeadLetters(room.caller, room.request).status()) ==
          v1::INVALID_ARGUMENT);
  }
}

TEST_CASE("many dead letters are redriven, as many as may be", "[queue]") {
  LettersRoom room;
  // Their events were looked at once.
  room.PublishNumbers(0, kLetters / 2, 1000);
  room.PublishNumbers(1, kLetters / 2, 1000);
  for (int32_t partition = 0; partition < 2; ++partition) {
    storage::v1::PositionRecord position;
    position.set_offset(kLetters / 2);
    Transaction transaction;
    transaction.rows = {{Family::kState, PositionRow(GroupId(1), room.Id(partition)),
                         position.SerializeAsString()}};
    REQUIRE_OK(room.engine.Submit(std::move(transaction)));
  }
  room.again = std::make_unique<GroupRegistry>(GroupRegistry::Deps{
      room.engine, room.clock, room.topics, room.authorizer, room.pool, room.timer, {}});
  REQUIRE_OK(room.again->Load());
  v1::RedriveDeadLettersRequest redrive;
  redrive.set_group("workers");
  redrive.mutable_selection()->set_all(true);
  redrive.set_max(1200);
  redrive.set_dry_run(true);
  auto done = room.again->RedriveDeadLetters(room.caller, redrive);
  REQUIRE_OK(done);
  CHECK(done->redriven() == 1200);
  CHECK(done->left() == kLetters - 1200);
  CHECK(room.engine.LoadRows(Family::kState, kDeadLetterRows)->size() == kLetters);
  redrive.set_dry_run(false);
  done = room.again->RedriveDeadLetters(room.caller, redrive);
  REQUIRE_OK(done);
  CHECK(done->redriven() == 1200);
  CHECK(done->left() == kLetters - 1200);
  CHECK(room.engine.LoadRows(Family::kState, kDeadLetterRows)->size() == kLetters - 1200);
  CHECK(room.engine.LoadRows(Family::kState, kParkedRows)->size() == 1200);
  redrive.set_max(0);
  done = room.again->RedriveDeadLetters(room.caller, redrive);
  CHECK(done->redriven() == kLetters - 1200);
  CHECK(room.engine.LoadRows(Family::kState, kDeadLetterRows)->empty());
}

// Goal: a stop does not wait for all of them. Method: the first thousand are on their way to the
// disk when the server stops.
TEST_CASE("what a stop cuts short says how many dead letters it was about", "[queue]") {
  LettersRoom room;
  std::atomic<bool> stopping = false;
  Caller caller = room.caller;
  caller.stopping = &stopping;
  const auto stop_at_first_write = [&](const std::function<void()>& call) {
    room.engine.HoldDone();
    std::thread operation(call);
    const bool writes = WaitUntil([&] { return room.engine.held() == 1; });
    stopping = true;
    room.engine.ReleaseDone();
    operation.join();
    CHECK(writes);
  };
  const auto dead = [&] { return room.engine.LoadRows(Family::kState, kDeadLetterRows)->size(); };
  SECTION("redriven") {
    v1::RedriveDeadLettersRequest redrive;
    redrive.set_group("workers");
    redrive.mutable_selection()->set_all(true);
    absl::StatusOr<v1::RedriveDeadLettersResponse> done;
    stop_at_first_write([&] { done = room.again->RedriveDeadLetters(caller, redrive); });
    REQUIRE_OK(done);
    CHECK(done->redriven() == 1000);
    CHECK(done->left() == kLetters - 1000);
    CHECK(dead() == kLetters - 1000);
    CHECK(ReasonOf(room.again->RedriveDeadLetters(caller, redrive).status()) ==
          v1::SERVER_STOPPING);
  }
  SECTION("discarded") {
    v1::DiscardDeadLettersRequest discard;
    discard.set_group("workers");
    discard.mutable_selection()->set_all(true);
    absl::Status done;
    stop_at_first_write([&] { done = room.again->DiscardDeadLetters(caller, discard).status(); });
    CHECK(ReasonOf(done) == v1::SERVER_STOPPING);
    CHECK(absl::StrContains(done.message(), "1000 dead letters were discarded"));
    CHECK(dead() == kLetters - 1000);
  }
  v1::SummarizeDeadLettersRequest summarize;
  summarize.set_group("workers");
  CHECK(ReasonOf(room.again->SummarizeDeadLetters(caller, summarize).status()) ==
        v1::SERVER_STOPPING);
  CHECK(dead() == kLetters - 1000);
}

TEST_CASE("all of many dead letters are summarized and discarded", "[queue]") {
  LettersRoom room;
  v1::SummarizeDeadLettersRequest summarize;
  summarize.set_group("workers");
  const auto summary = room.again->SummarizeDeadLetters(room.caller, summarize);
  REQUIRE_OK(summary);
  CHECK(summary->total() == kLetters);
  REQUIRE(summary->kinds_size() == 2);
  CHECK(summary->kinds(0).count() == kLetters - 25);
  CHECK(summary->kinds(0).example().last_attempt().text() == "attempt of 2499");
  CHECK(summary->kinds(1).count() == 25);
  CHECK(summary->kinds(1).last_time().seconds() == 2400);
  v1::DiscardDeadLettersRequest discard;
  discard.set_group("workers");
  discard.mutable_selection()->set_all(true);
  discard.set_dry_run(true);
  CHECK(room.again->DiscardDeadLetters(room.caller, discard)->discarded() == kLetters);
  CHECK(room.engine.LoadRows(Family::kState, kDeadLetterRows)->size() == kLetters);
  discard.set_dry_run(false);
  CHECK(room.again->DiscardDeadLetters(room.caller, discard)->discarded() == kLetters);
  CHECK(room.engine.LoadRows(Family::kState, kDeadLetterRows)->empty());
  CHECK(room.engine.LoadRows(Family::kState, kAttemptRows)->empty());
  v1::GetLagRequest lag;
  lag.set_group("workers");
  CHECK(room.again->GetLag(room.caller, lag)->partitions(0).queue().dead_letters() == 0);
}

}  // namespace
}  // namespace acta
