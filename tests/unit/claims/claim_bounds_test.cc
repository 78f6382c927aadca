#include <string>

#include "tests/unit/claims/claims_room.h"

namespace acta {
namespace {

absl::Status Claimed(MemoryClaims& memory, const v1::ClaimRequest& request) {
  return memory.room.claims->Claim(memory.room.caller, request).status();
}

TEST_CASE("a key has 1 to 1,024 bytes", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  const std::string longest(1024, 'k');
  const std::string token = room.First(longest);
  CHECK_OK(room.Complete(longest, token));
  CHECK_OK(room.Get(longest).status());

  const absl::Status empty = Claimed(memory, room.Wish(""));
  CHECK(ReasonOf(empty) == v1::INVALID_ARGUMENT);
  CHECK(DetailsOf(empty).at("field") == "key");
  const std::string large(1025, 'k');
  const absl::Status status = Claimed(memory, room.Wish(large));
  CHECK(ReasonOf(status) == v1::KEY_TOO_LARGE);
  CHECK(DetailsOf(status).at("limit") == "max_claim_key_bytes");
  CHECK(DetailsOf(status).at("limit_value") == "1024");
  CHECK(DetailsOf(status).at("value") == "1025");
  CHECK(ReasonOf(room.Complete(large, token)) == v1::KEY_TOO_LARGE);
  CHECK(ReasonOf(room.Release(large, token)) == v1::KEY_TOO_LARGE);
  CHECK(ReasonOf(room.Get(large).status()) == v1::KEY_TOO_LARGE);
  CHECK(ReasonOf(room.Complete("", token)) == v1::INVALID_ARGUMENT);
  CHECK(ReasonOf(room.Release("", token)) == v1::INVALID_ARGUMENT);
  CHECK(ReasonOf(room.Get("").status()) == v1::INVALID_ARGUMENT);
}

TEST_CASE("a result has at most 64 KiB", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  const std::string token = room.First("k");
  const absl::Status status = room.Complete("k", token, std::string((64 << 10) + 1, 'r'));
  CHECK(ReasonOf(status) == v1::LIMIT_EXCEEDED);
  CHECK(DetailsOf(status).at("limit") == "max_claim_result_bytes");
  CHECK(room.Ask("k").outcome() == v1::CLAIM_OUTCOME_IN_PROGRESS);
  const std::string result(64 << 10, 'r');
  CHECK_OK(room.Complete("k", token, result));
  CHECK(room.Ask("k").result() == result);
}

TEST_CASE("owner and request_id have at most 256 bytes each", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  const std::string longest(256, 'o');
  const std::string token = room.First(room.Wish("k", longest, longest));
  CHECK(room.First(room.Wish("k", longest, longest)) == token);
  CHECK(room.Ask("k").owner() == longest);
  for (const v1::ClaimRequest& wish :
       {room.Wish("l", longest + "o"), room.Wish("l", "", longest + "o")}) {
    const absl::Status status = Claimed(memory, wish);
    CHECK(ReasonOf(status) == v1::LIMIT_EXCEEDED);
    CHECK(DetailsOf(status).at("limit") == "max_claim_owner_bytes");
  }
  CHECK(room.Stored() == 1);
}

TEST_CASE("a lease lasts 1 s to 12 h", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  v1::ClaimRequest wish = room.Wish("k");
  const absl::Duration wrong[] = {absl::ZeroDuration(), absl::Seconds(1) - absl::Microseconds(1),
                                  absl::Hours(12) + absl::Microseconds(1), -absl::Seconds(1)};
  for (const absl::Duration lease : wrong) {
    SetDuration(lease, wish.mutable_lease());
    const absl::Status status = Claimed(memory, wish);
    CHECK(ReasonOf(status) == v1::INVALID_ARGUMENT);
    CHECK(DetailsOf(status).at("field") == "lease");
    CHECK(DetailsOf(status).at("most") == "12h");
  }
  wish.mutable_lease()->set_seconds(1);
  wish.mutable_lease()->set_nanos(-1);
  CHECK(ReasonOf(Claimed(memory, wish)) == v1::INVALID_ARGUMENT);
  for (const absl::Duration lease : {absl::Seconds(1), absl::Hours(12)}) {
    SetDuration(lease, wish.mutable_lease());
    const std::string token = room.First(wish);
    memory.engine.Advance(lease - absl::Microseconds(1));
    CHECK(room.Ask("k").outcome() == v1::CLAIM_OUTCOME_IN_PROGRESS);
    memory.engine.Advance(absl::Microseconds(1));
    CHECK(room.Get("k")->state() == v1::CLAIM_STATE_LEASE_OVER);
  }
}

TEST_CASE("a result is remembered for 1 s to 400 days", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  v1::ClaimRequest wish = room.Wish("k");
  const absl::Duration most = absl::Hours(24 * 400);
  const absl::Duration wrong[] = {absl::ZeroDuration(), absl::Seconds(1) - absl::Microseconds(1),
                                  most + absl::Microseconds(1)};
  for (const absl::Duration ttl : wrong) {
    SetDuration(ttl, wish.mutable_ttl());
    const absl::Status status = Claimed(memory, wish);
    CHECK(ReasonOf(status) == v1::INVALID_ARGUMENT);
    CHECK(DetailsOf(status).at("field") == "ttl");
  }
  for (const absl::Duration ttl : {absl::Seconds(1), most}) {
    SetDuration(ttl, wish.mutable_ttl());
    REQUIRE_OK(room.Complete("k", room.First(wish)));
    memory.engine.Advance(ttl - absl::Microseconds(1));
    CHECK(room.Ask("k").outcome() == v1::CLAIM_OUTCOME_DUPLICATE);
    memory.engine.Advance(absl::Microseconds(1));
  }
}

TEST_CASE("what is no token is an error of its own", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  const std::string token = room.First("k");
  for (const std::string& wrong :
       {std::string(), token.substr(1), token + "0", std::string(32, 'x')}) {
    INFO(wrong);
    const absl::Status status = room.Complete("k", wrong);
    CHECK(ReasonOf(status) == v1::INVALID_ARGUMENT);
    CHECK(DetailsOf(status).at("field") == "token");
    CHECK(ReasonOf(room.Release("k", wrong)) == v1::INVALID_ARGUMENT);
  }
  CHECK_OK(room.Complete("k", token));
}

TEST_CASE("claims need a group and a tenant that are there", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  v1::ClaimRequest wish = room.Wish("k");
  wish.set_group("nobody");
  CHECK(ReasonOf(Claimed(memory, wish)) == v1::GROUP_NOT_FOUND);
  wish.set_group(kGroupName);
  wish.set_tenant("other");
  CHECK(ReasonOf(Claimed(memory, wish)) == v1::TENANT_NOT_FOUND);
  v1::ListClaimsRequest list;
  list.set_group("nobody");
  CHECK(ReasonOf(room.claims->List(room.caller, list).status()) == v1::GROUP_NOT_FOUND);
}

TEST_CASE("a list of claims refuses pages that it cannot give", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  v1::ListClaimsRequest list;
  list.set_group(kGroupName);
  for (const int32_t size : {-1, 1001}) {
    list.set_page_size(size);
    CHECK(ReasonOf(room.claims->List(room.caller, list).status()) == v1::INVALID_ARGUMENT);
  }
  list.set_page_size(1000);
  CHECK_OK(room.claims->List(room.caller, list));
  for (const char* token : {"!", "=", "a"}) {
    INFO(token);
    list.set_page_token(token);
    CHECK(ReasonOf(room.claims->List(room.caller, list).status()) == v1::INVALID_ARGUMENT);
  }
}

TEST_CASE("a group has at most limits.claims_per_group claims", "[claims]") {
  MemoryClaims memory(ClaimLimits{3});
  ClaimsRoom& room = memory.room;
  const std::string a = room.First("a");
  room.First("b");
  room.First("c");
  const absl::Status status = Claimed(memory, room.Wish("d"));
  CHECK(ReasonOf(status) == v1::LIMIT_EXCEEDED);
  CHECK(DetailsOf(status).at("limit") == "limits.claims_per_group");
  CHECK(DetailsOf(status).at("limit_value") == "3");
  CHECK(room.Stored() == 3);
  SECTION("those that are there go on, and other groups too") {
    CHECK(room.Ask("b").outcome() == v1::CLAIM_OUTCOME_IN_PROGRESS);
    CHECK_OK(room.Complete("a", a));
    memory.engine.Advance(absl::Seconds(30));
    room.First("b");
    CHECK(ReasonOf(Claimed(memory, room.Wish("d"))) == v1::LIMIT_EXCEEDED);
    v1::ClaimRequest audit = room.Wish("d");
    audit.set_group("audit");
    room.First(audit);
  }
  SECTION("one that is released makes room for one") {
    REQUIRE_OK(room.Release("a", a));
    room.First("d");
    CHECK(ReasonOf(Claimed(memory, room.Wish("e"))) == v1::LIMIT_EXCEEDED);
  }
  SECTION("those that have ended make room at once") {
    REQUIRE_OK(room.Complete("a", a));
    memory.engine.Advance(absl::Hours(2));
    room.First("d");
    room.First("e");
    CHECK(ReasonOf(Claimed(memory, room.Wish("f"))) == v1::LIMIT_EXCEEDED);
    CHECK(room.Stored() == 3);
    CHECK(room.StoredEnds() == 3);
  }
  SECTION("they are counted again after a restart") {
    room.Restart(memory.engine);
    CHECK(ReasonOf(Claimed(memory, room.Wish("d"))) == v1::LIMIT_EXCEEDED);
    REQUIRE_OK(room.Release("a", a));
    room.First("d");
    CHECK(ReasonOf(Claimed(memory, room.Wish("e"))) == v1::LIMIT_EXCEEDED);
  }
}

TEST_CASE("a claim that could not be written does not count", "[claims]") {
  MemoryClaims memory(ClaimLimits{1});
  ClaimsRoom& room = memory.room;
  SECTION("refused") {
    memory.engine.FailNextSubmit(Error(v1::DISK_FULL, "full"));
    CHECK(ReasonOf(Claimed(memory, room.Wish("a"))) == v1::DISK_FULL);
  }
  SECTION("failed") {
    memory.engine.FailNextWrite(Error(v1::OUTCOME_UNKNOWN, "failed"));
    CHECK(ReasonOf(Claimed(memory, room.Wish("a"))) == v1::OUTCOME_UNKNOWN);
  }
  SECTION("its deadline had passed") {
    room.caller.deadline = -absl::InfiniteDuration();
    CHECK(ReasonOf(Claimed(memory, room.Wish("a"))) == v1::DEADLINE_PASSED);
    room.caller.deadline = absl::InfiniteDuration();
  }
  CHECK(room.Stored() == 0);
  const std::string token = room.First("b");
  memory.engine.FailNextWrite(Error(v1::OUTCOME_UNKNOWN, "failed"));
  CHECK(ReasonOf(room.Release("b", token)) == v1::OUTCOME_UNKNOWN);
  CHECK(ReasonOf(Claimed(memory, room.Wish("a"))) == v1::LIMIT_EXCEEDED);
}

TEST_CASE("a row of a claim that cannot be read is said to be damaged", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  room.First("k");
  Transaction transaction;
  const std::string row = memory.engine.LoadRows(Family::kState, kClaimRows)->at(0).first;
  transaction.rows.push_back({Family::kState, row, "\xff\xff"});
  transaction.done = [](TransactionResult) {};
  REQUIRE_OK(memory.engine.Submit(std::move(transaction)));
  CHECK(ReasonOf(Claimed(memory, room.Wish("k"))) == v1::DATA_CORRUPTED);
  v1::ListClaimsRequest list;
  list.set_group(kGroupName);
  CHECK(ReasonOf(room.claims->List(room.caller, list).status()) == v1::DATA_CORRUPTED);
}

}  // namespace
}  // namespace acta
