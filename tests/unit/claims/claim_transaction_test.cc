// Completions that are written together with other things, and who waits for whom.
#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "storage/base/clock.h"
#include "storage/base/crc32c.h"
#include "storage/submit_and_wait.h"
#include "tests/unit/claims/claims_room.h"

namespace acta {
namespace {

Append OneEvent(PartitionId partition) {
  Append append;
  append.partition = partition;
  append.payload = SharedBytes(std::string("\x7a\x00", 2));
  append.payload_crc32c = Crc32c(append.payload.view());
  append.count = 1;
  return append;
}

// A completion of "k" with an event of topic "orders".
struct WithAnEvent {
  explicit WithAnEvent(MemoryClaims& memory) : memory(memory), token(memory.room.First("k")) {}

  TransactionResult Write(ClaimChange& change, std::optional<Offset> expected_end = std::nullopt) {
    Transaction transaction;
    transaction.atomic = true;
    transaction.rows = change.TakeRows();
    transaction.appends.push_back(OneEvent(partition));
    transaction.appends.back().expected_end = expected_end;
    return SubmitAndWait(memory.engine, std::move(transaction));
  }
  absl::StatusOr<ClaimChange> Prepare(const std::string& result = "r") {
    return memory.room.claims->PrepareComplete(memory.room.caller,
                                               ClaimsRoom::Completion("k", token, result));
  }
  int64_t End() const { return memory.engine.Extent(partition)->end.value(); }

  MemoryClaims& memory;
  const std::string token;
  const PartitionId partition = memory.room.topics->Find("default", "orders")->partition(0);
};

TEST_CASE("a completion is written together with events, all or nothing", "[claims]") {
  MemoryClaims memory;
  WithAnEvent both(memory);
  SECTION("all") {
    auto change = both.Prepare();
    REQUIRE_OK(change);
    CHECK(change->record()->result() == "r");
    const TransactionResult result = both.Write(*change);
    REQUIRE_OK(result.status);
    change->Finish(result.status);
    CHECK(both.End() == 1);
    CHECK(memory.room.Ask("k").result() == "r");
    CHECK(memory.room.StoredEnds() == 1);
  }
  SECTION("nothing") {
    auto change = both.Prepare();
    REQUIRE_OK(change);
    const TransactionResult result = both.Write(*change, Offset(7));
    CHECK(ReasonOf(result.appends.at(0).status) == v1::WRONG_EXPECTED_OFFSET);
    change->Finish(result.appends.at(0).status);
    CHECK(both.End() == 0);
    CHECK(memory.room.Ask("k").outcome() == v1::CLAIM_OUTCOME_IN_PROGRESS);
    CHECK_OK(memory.room.Complete("k", both.token));
  }
}

TEST_CASE("a completion that was prepared and dropped did not happen", "[claims]") {
  MemoryClaims memory;
  WithAnEvent both(memory);
  REQUIRE_OK(both.Prepare());
  CHECK(memory.room.Ask("k").outcome() == v1::CLAIM_OUTCOME_IN_PROGRESS);
  CHECK_OK(memory.room.Complete("k", both.token));
}

TEST_CASE("a completion that was there before adds no rows", "[claims]") {
  MemoryClaims memory;
  WithAnEvent both(memory);
  REQUIRE_OK(memory.room.Complete("k", both.token, "first"));
  auto change = both.Prepare("second");
  REQUIRE_OK(change);
  CHECK(change->record()->result() == "first");
  CHECK(change->TakeRows().empty());
}

TEST_CASE("preparing a completion does not wait for another change of the claim", "[claims]") {
  MemoryClaims memory;
  WithAnEvent both(memory);
  const auto change = both.Prepare();
  REQUIRE_OK(change);
  const absl::Status second = both.Prepare().status();
  CHECK(ReasonOf(second) == v1::CONCURRENT_CHANGE);
  CHECK(RetryAfterOf(second) > absl::ZeroDuration());
  memory.room.First("another key");
}

TEST_CASE("a prepared completion outlives the registry", "[claims]") {
  MemoryClaims memory;
  WithAnEvent both(memory);
  auto change = both.Prepare();
  REQUIRE_OK(change);
  memory.room.claims.reset();
  change->Finish(absl::OkStatus());
}

TEST_CASE("who waits for a change of the claim waits no longer than its deadline", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  WithAnEvent both(memory);
  const auto change = both.Prepare();
  REQUIRE_OK(change);
  room.caller.deadline = SystemClock().SinceBoot() + absl::Milliseconds(5);
  CHECK(ReasonOf(room.claims->Claim(room.caller, room.Wish("k")).status()) == v1::DEADLINE_PASSED);
  CHECK(ReasonOf(room.Complete("k", both.token)) == v1::DEADLINE_PASSED);
  CHECK(ReasonOf(room.Get("k").status()) == v1::DEADLINE_PASSED);
}

// Goal: nobody acts by what a power cut can take back. Method: the disk is slow, and another caller
// asks while the FIRST is written and not durable.
TEST_CASE("nobody is told of a claim before it is durable", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  memory.engine.HoldDone();
  std::atomic<bool> answered{false};
  std::thread first([&] {
    (void)room.claims->Claim(room.caller, room.Wish("k", "a"));
    answered = true;
  });
  while (memory.engine.held() == 0) std::this_thread::yield();
  CHECK_FALSE(answered);
  Caller hurried = room.caller;
  hurried.deadline = SystemClock().SinceBoot() + absl::Milliseconds(5);
  CHECK(ReasonOf(room.claims->Claim(hurried, room.Wish("k", "b")).status()) == v1::DEADLINE_PASSED);
  memory.engine.ReleaseDone();
  first.join();
  CHECK(room.Ask(room.Wish("k", "b")).outcome() == v1::CLAIM_OUTCOME_IN_PROGRESS);
}

}  // namespace
}  // namespace acta
