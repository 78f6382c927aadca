#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/core/claims/claim_sweep.h"
#include "tests/unit/claims/claims_room.h"

namespace acta {
namespace {

TEST_CASE("claims that have ended leave the disk within a minute, others stay", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  v1::ClaimRequest brief = room.Wish("brief");
  SetDuration(absl::Minutes(5), brief.mutable_ttl());
  REQUIRE_OK(room.Complete("brief", room.First(brief)));
  REQUIRE_OK(room.Complete("long", room.First("long")));
  room.First("abandoned");
  v1::ClaimRequest audit = brief;
  audit.set_group("audit");
  room.First(audit);
  CHECK(room.Stored() == 4);
  memory.Pass(absl::Minutes(4));
  CHECK(room.Stored() == 4);
  memory.Pass(absl::Minutes(1));
  CHECK(room.Stored() == 3);
  CHECK(room.StoredEnds() == 3);
  memory.Pass(absl::Hours(2));
  CHECK(room.Stored() == 1);
  CHECK(room.StoredEnds() == 1);
  CHECK(room.Ask("long").outcome() == v1::CLAIM_OUTCOME_DUPLICATE);
  memory.Pass(absl::Hours(24 * 7));
  CHECK(room.Stored() == 0);
  CHECK(room.StoredEnds() == 0);
}

TEST_CASE("the sweep takes more than its pages, in turns", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  constexpr int kClaims = 9'500;  // More than 8 pages of 1,000.
  for (int i = 0; i < kClaims; ++i) room.First(absl::StrCat(i));
  memory.engine.Advance(absl::Hours(2));
  const std::string last = room.First("last");
  CHECK(room.Stored() == kClaims + 1);
  room.timer.Advance(absl::Minutes(1));
  CHECK(room.Stored() == 1);
  CHECK(room.StoredEnds() == 1);
  CHECK_OK(room.Complete("last", last));
}

TEST_CASE("a swept claim does not count any more", "[claims]") {
  MemoryClaims memory(ClaimLimits{2});
  ClaimsRoom& room = memory.room;
  room.First("a");
  room.First("b");
  memory.Pass(absl::Hours(2));
  CHECK(room.Stored() == 0);
  room.First("c");
  room.First("d");
  CHECK(ReasonOf(room.claims->Claim(room.caller, room.Wish("e")).status()) == v1::LIMIT_EXCEEDED);
}

TEST_CASE("the claims of a deleted group are gone, and its name begins anew", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  for (int i = 0; i < 1'500; ++i) room.First(absl::StrCat(i));
  const std::string token = room.First("k");
  v1::ClaimRequest audit = room.Wish("k");
  audit.set_group("audit");
  room.First(audit);
  room.DeleteGroup(kGroupName);
  CHECK(ReasonOf(room.Complete("k", token)) == v1::GROUP_NOT_FOUND);
  room.MakeGroup(kGroupName);
  CHECK(ReasonOf(room.Complete("k", token)) == v1::CLAIM_NOT_FOUND);
  CHECK(room.List().claims_size() == 0);
  room.First("k");
  CHECK(room.Stored() == 1'503);
  memory.Pass(absl::Minutes(1));
  CHECK(room.Stored() == 2);
  CHECK(room.StoredEnds() == 2);
  CHECK(room.Get("k")->state() == v1::CLAIM_STATE_LEASE_OVER);
}

TEST_CASE("the claims of a group that was deleted before a restart are swept", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  room.First("k");
  room.DeleteGroup(kGroupName);
  room.Restart(memory.engine);
  CHECK(room.Stored() == 1);
  memory.Pass(absl::Minutes(1));
  CHECK(room.Stored() == 0);
}

TEST_CASE("what is counted of a deleted group without claims is forgotten", "[claims]") {
  MemoryClaims memory;
  const auto store = std::make_shared<ClaimStore>(memory.engine, ClaimLimits());
  store->counts().Tally(GroupId(1'000), ClaimOutcome::kReleased);
  const auto sweep =
      std::make_shared<ClaimSweep>(memory.engine, store, *memory.room.groups, memory.room.timer);
  sweep->RunAfter(kClaimSweepEvery);
  memory.Pass(kClaimSweepEvery);
  CHECK(store->counts().All().empty());
}

TEST_CASE("a sweep that fails is tried again", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  room.First("k");
  memory.engine.Advance(absl::Hours(2));
  memory.engine.FailNextSubmit(Error(v1::DISK_FULL, "full"));
  room.timer.Advance(absl::Minutes(1));
  CHECK(room.Stored() == 1);
  room.timer.Advance(absl::Minutes(1));
  CHECK(room.Stored() == 0);
}

TEST_CASE("a claim that is being changed is not swept", "[claims]") {
  MemoryClaims memory;
  ClaimsRoom& room = memory.room;
  const std::string token = room.First("k");
  room.First("other");
  memory.engine.Advance(absl::Minutes(50));
  {
    const auto change = room.claims->PrepareComplete(room.caller, room.Completion("k", token, "r"));
    REQUIRE_OK(change);
    memory.Pass(absl::Hours(1));
    CHECK(room.Stored() == 1);
  }
  memory.Pass(absl::Minutes(1));
  CHECK(room.Stored() == 0);
}

}  // namespace
}  // namespace acta
