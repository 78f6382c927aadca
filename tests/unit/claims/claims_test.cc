#include <string>
#include <vector>

#include "tests/unit/claims/claims_room.h"

namespace acta {
namespace {

int64_t SecondsLeft(const v1::ClaimResponse& response) { return response.retry_after().seconds(); }

TEST_CASE("who asks first is FIRST, others learn who does it and then what came of it",
          "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  const int64_t begin = absl::ToUnixSeconds(memory.engine.Now());
  const v1::ClaimResponse first = room.Ask(room.Wish("order-17/mail", "worker-a"));
  REQUIRE(first.outcome() == v1::CLAIM_OUTCOME_FIRST);
  CHECK(first.until().seconds() == begin + 30);
  CHECK(first.owner().empty());

  memory.engine.Advance(absl::Seconds(12));
  v1::ClaimResponse other = room.Ask(room.Wish("order-17/mail", "worker-b"));
  CHECK(other.outcome() == v1::CLAIM_OUTCOME_IN_PROGRESS);
  CHECK(other.owner() == "worker-a");
  CHECK(other.principal() == "anonymous");
  CHECK(other.until().seconds() == begin + 30);
  CHECK(SecondsLeft(other) == 18);
  CHECK(other.token().empty());

  const auto done =
      room.claims->Complete(room.caller, room.Completion("order-17/mail", first.token(), "m-1"));
  REQUIRE_OK(done);
  CHECK(done->changed());
  CHECK(done->end_time().seconds() == begin + 12 + 7 * 86'400);
  other = room.Ask(room.Wish("order-17/mail", "worker-b"));
  CHECK(other.outcome() == v1::CLAIM_OUTCOME_DUPLICATE);
  CHECK(other.result() == "m-1");
  CHECK(other.owner() == "worker-a");
  CHECK(other.complete_time().seconds() == begin + 12);
  CHECK_FALSE(other.has_until());
  CHECK_FALSE(other.has_retry_after());
  CHECK(other.token().empty());
}

TEST_CASE("the same wish again is FIRST again with its token, that of somebody else is not",
          "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  const std::string token = room.First(room.Wish("k", "a", "wish-1"));
  memory.engine.Advance(absl::Seconds(20));
  const v1::ClaimResponse again = room.Ask(room.Wish("k", "a", "wish-1"));
  CHECK(again.outcome() == v1::CLAIM_OUTCOME_FIRST);
  CHECK(again.token() == token);
  // The lease is not a longer one.
  CHECK(again.until().seconds() == absl::ToUnixSeconds(memory.engine.Now()) + 10);

  CHECK(room.Ask(room.Wish("k", "a", "wish-2")).outcome() == v1::CLAIM_OUTCOME_IN_PROGRESS);
  CHECK(room.Ask(room.Wish("k", "b", "wish-1")).outcome() == v1::CLAIM_OUTCOME_IN_PROGRESS);
  CHECK(room.Ask(room.Wish("k", "a", "")).outcome() == v1::CLAIM_OUTCOME_IN_PROGRESS);
  room.caller.principal = "mallory";
  CHECK(room.Ask(room.Wish("k", "a", "wish-1")).outcome() == v1::CLAIM_OUTCOME_IN_PROGRESS);
  room.caller.principal = "anonymous";

  REQUIRE_OK(room.Complete("k", token, "r"));
  const v1::ClaimResponse late = room.Ask(room.Wish("k", "a", "wish-1"));
  CHECK(late.outcome() == v1::CLAIM_OUTCOME_DUPLICATE);
  CHECK(late.result() == "r");
}

TEST_CASE("a wish without a request_id is never taken for a retry", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  room.First(room.Wish("k", "a"));
  CHECK(room.Ask(room.Wish("k", "a")).outcome() == v1::CLAIM_OUTCOME_IN_PROGRESS);
}

TEST_CASE("when the lease is over another is FIRST, and the completion of the former CLAIM_LOST",
          "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  v1::ClaimRequest wish = room.Wish("k", "a", "wish");
  SetDuration(absl::Seconds(5), wish.mutable_lease());
  const std::string former = room.First(wish);
  memory.engine.Advance(absl::Seconds(5) - absl::Microseconds(1));
  CHECK(room.Ask("k").outcome() == v1::CLAIM_OUTCOME_IN_PROGRESS);
  memory.engine.Advance(absl::Microseconds(1));
  const std::string token = room.First(room.Wish("k", "b"));
  CHECK(token != former);
  CHECK(ReasonOf(room.Complete("k", former, "former")) == v1::CLAIM_LOST);
  CHECK(ReasonOf(room.Release("k", former)) == v1::CLAIM_LOST);
  CHECK(room.Ask("k").owner() == "b");
  REQUIRE_OK(room.Complete("k", token, "latter"));
  CHECK(ReasonOf(room.Complete("k", former, "former")) == v1::CLAIM_LOST);
  CHECK(room.Ask("k").result() == "latter");
  CHECK(room.Stored() == 1);
  CHECK(room.StoredEnds() == 1);
}

TEST_CASE("the same wish after its lease has a new token, as if it were another's", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  const std::string token = room.First(room.Wish("k", "a", "wish"));
  memory.engine.Advance(absl::Seconds(30));
  CHECK(room.First(room.Wish("k", "a", "wish")) != token);
  CHECK(ReasonOf(room.Complete("k", token)) == v1::CLAIM_LOST);
}

TEST_CASE("a late completion counts for an hour while nobody else is FIRST", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  const std::string token = room.First("k");
  const std::string other = room.First("other");
  memory.engine.Advance(absl::Seconds(30));
  CHECK(room.Get("k")->state() == v1::CLAIM_STATE_LEASE_OVER);
  memory.engine.Advance(absl::Hours(1) - absl::Microseconds(1));
  CHECK_OK(room.Complete("k", token, "late"));
  CHECK(room.Ask("k").result() == "late");
  memory.engine.Advance(absl::Microseconds(1));
  CHECK(ReasonOf(room.Complete("other", other)) == v1::CLAIM_NOT_FOUND);
  CHECK(ReasonOf(room.Get("other").status()) == v1::CLAIM_NOT_FOUND);
}

TEST_CASE("completing again with the same token changes nothing", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  const std::string token = room.First("k");
  REQUIRE_OK(room.Complete("k", token, "one"));
  const GroupNumber written = memory.engine.Stats().last_group;
  memory.engine.Advance(absl::Hours(1));
  const auto again = room.claims->Complete(room.caller, room.Completion("k", token, "two"));
  REQUIRE_OK(again);
  CHECK_FALSE(again->changed());
  CHECK(again->end_time().seconds() == room.Get("k")->end_time().seconds());
  CHECK(room.Ask("k").result() == "one");
  CHECK(memory.engine.Stats().last_group == written);
}

TEST_CASE("a result may be empty, and is remembered for the ttl", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  v1::ClaimRequest wish = room.Wish("k");
  SetDuration(absl::Hours(3), wish.mutable_ttl());
  const std::string token = room.First(wish);
  memory.engine.Advance(absl::Seconds(10));
  REQUIRE_OK(room.Complete("k", token, ""));
  memory.engine.Advance(absl::Hours(3) - absl::Microseconds(1));
  CHECK(room.Ask("k").outcome() == v1::CLAIM_OUTCOME_DUPLICATE);
  memory.engine.Advance(absl::Microseconds(1));
  CHECK(ReasonOf(room.Complete("k", token)) == v1::CLAIM_NOT_FOUND);
  room.First("k");
}

TEST_CASE("what is released is FIRST for the next who asks", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  const std::string token = room.First("k");
  CHECK(ReasonOf(room.Release("k", std::string(32, '0'))) == v1::CLAIM_LOST);
  REQUIRE_OK(room.Release("k", token));
  CHECK(room.Stored() == 0);
  CHECK(room.StoredEnds() == 0);
  CHECK(ReasonOf(room.Release("k", token)) == v1::CLAIM_NOT_FOUND);
  CHECK(ReasonOf(room.Complete("k", token)) == v1::CLAIM_NOT_FOUND);
  const std::string next = room.First("k");
  CHECK(next != token);
  REQUIRE_OK(room.Complete("k", next));
  CHECK(ReasonOf(room.Release("k", next)) == v1::ALREADY_SETTLED);
  CHECK(room.Ask("k").outcome() == v1::CLAIM_OUTCOME_DUPLICATE);
}

TEST_CASE("who administers groups releases any claim by force", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  const std::string token = room.First("k");
  room.authorizer.refuses = true;
  CHECK(ReasonOf(room.Release("k", token, /*force=*/true)) == v1::PERMISSION_DENIED);
  CHECK(room.Ask("k").outcome() == v1::CLAIM_OUTCOME_IN_PROGRESS);
  room.authorizer.refuses = false;
  REQUIRE_OK(room.Release("k", "", /*force=*/true));
  CHECK(ReasonOf(room.Complete("k", token)) == v1::CLAIM_NOT_FOUND);
  REQUIRE_OK(room.Complete("k", room.First("k")));
  REQUIRE_OK(room.Release("k", "", /*force=*/true));
  CHECK(ReasonOf(room.Release("k", "", /*force=*/true)) == v1::CLAIM_NOT_FOUND);
  room.First("k");
}

TEST_CASE("claims of other keys and other groups are other claims", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  const std::vector<std::string> keys = {"a", "ab", std::string("a\0", 2), "b", "\xc3\xa4"};
  for (const std::string& key : keys) REQUIRE_OK(room.Complete(key, room.First(key), key));
  for (const std::string& key : keys) CHECK(room.Ask(key).result() == key);
  v1::ClaimRequest audit = room.Wish("a");
  audit.set_group("audit");
  room.First(audit);
  CHECK(room.Ask("a").outcome() == v1::CLAIM_OUTCOME_DUPLICATE);
  room.MakeGroup("workers", v1::GROUP_MODE_QUEUE);
  audit.set_group("workers");
  room.First(audit);
}

TEST_CASE("a claim is shown with its state and without its token", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  const int64_t begin = absl::ToUnixSeconds(memory.engine.Now());
  CHECK(ReasonOf(room.Get("k").status()) == v1::CLAIM_NOT_FOUND);
  const std::string token = room.First(room.Wish("k", "worker-a"));
  absl::StatusOr<v1::Claim> claim = room.Get("k");
  REQUIRE_OK(claim);
  CHECK(claim->key() == "k");
  CHECK(claim->state() == v1::CLAIM_STATE_IN_PROGRESS);
  CHECK(claim->owner() == "worker-a");
  CHECK(claim->principal() == "anonymous");
  CHECK(claim->claim_time().seconds() == begin);
  CHECK(claim->until().seconds() == begin + 30);
  CHECK(claim->end_time().seconds() == begin + 30 + 3600);
  CHECK_FALSE(claim->has_complete_time());
  memory.engine.Advance(absl::Seconds(1));
  REQUIRE_OK(room.Complete("k", token, "result"));
  claim = room.Get("k");
  REQUIRE_OK(claim);
  CHECK(claim->state() == v1::CLAIM_STATE_COMPLETED);
  CHECK(claim->complete_time().seconds() == begin + 1);
  CHECK(claim->result() == "result");
  CHECK(claim->result_bytes() == 6);
  CHECK(claim->SerializeAsString().find(token) == std::string::npos);
}

TEST_CASE("claims are listed by length and bytes of their keys, in pages", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  for (const char* key : {"ccc", "bb", "b", "a", "aa"}) {
    REQUIRE_OK(room.Complete(key, room.First(key), "result"));
  }
  v1::ClaimRequest audit = room.Wish("other");
  audit.set_group("audit");
  room.First(audit);
  std::vector<std::string> keys;
  std::string page_token;
  int pages = 0;
  do {
    const v1::ListClaimsResponse page = room.List(2, page_token);
    for (const v1::Claim& claim : page.claims()) {
      keys.push_back(claim.key());
      CHECK(claim.result().empty());
      CHECK(claim.result_bytes() == 6);
    }
    page_token = page.next_page_token();
    ++pages;
  } while (!page_token.empty());
  CHECK(keys == std::vector<std::string>{"a", "b", "aa", "bb", "ccc"});
  CHECK(pages == 3);
  CHECK(room.List().claims_size() == 5);
  memory.engine.Advance(absl::Hours(24 * 7));
  CHECK(room.List().claims_size() == 0);
}

TEST_CASE("a page of claims ends early where they are large", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  const std::string result(64 << 10, 'r');
  for (int i = 10; i < 40; ++i) {
    const std::string key = std::to_string(i);
    REQUIRE_OK(room.Complete(key, room.First(key), result));
  }
  const v1::ListClaimsResponse first = room.List();
  CHECK(first.claims_size() == 15);
  const v1::ListClaimsResponse second = room.List(0, first.next_page_token());
  CHECK(second.claims(0).key() == "25");
  CHECK(second.claims_size() == 15);
  CHECK(second.next_page_token().empty());
}

TEST_CASE("rows of claims have the keys that the stored form names", "[claims]") {
  using namespace std::string_literals;
  const GroupId group(0x0102);
  CHECK(ClaimRow(group, "ab") == "claim/\0\0\0\0\0\0\x01\x02\0\x02"s + "ab");
  CHECK(ClaimEndRow(group, 0x0304, "ab") ==
        "claimend/\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\x03\x04\0\x02"s + "ab");
  const std::string long_key(0x0400, 'k');
  CHECK(ClaimRow(group, long_key) == "claim/\0\0\0\0\0\0\x01\x02\x04\0"s + long_key);
}

}  // namespace
}  // namespace acta
