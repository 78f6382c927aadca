// Positions that an operator moves while members are connected.
#include <set>

#include "tests/unit/groups/groups_room.h"

namespace acta {
namespace {

using Member = RecordingMember;

// Two topics of one partition each: `stays` has that of orders, `goes` that of flights.
class TwoTopics : public GroupsRoom {
 public:
  explicit TwoTopics(const std::string& second) {
    for (const char* topic : {"orders", "flights"}) {
      MakeTopic(topic, 1);
      Publish(topic, 0, 5, 50);
    }
    REQUIRE_OK(MakeGroup("billing", {"orders", "flights"}, Earliest()));
    first_membership = *Join("billing", stays, "a");
    second_membership = *Join("billing", goes, second);
    REQUIRE(stays->revoking == std::vector<uint64_t>{stays->Handle(0, "flights")});
    REQUIRE_OK(first_membership->Released(stays->revoking[0]));
    pool.Run();
    REQUIRE(goes->held.size() == 1);
    REQUIRE(goes->Handle(0, "flights") != 0);
    stays->assigned.clear();
    stays->revoking.clear();
  }

  absl::Status Reset(int64_t offset) {
    v1::ResetOffsetsRequest request;
    request.set_group("billing");
    request.set_topic("flights");
    *request.mutable_to() = At(offset);
    request.set_reason("test");
    request.set_force(true);
    const absl::Status status = groups->ResetOffsets(caller, request).status();
    pool.Run();
    return status;
  }
  // The one that has orders was told of nothing, and goes on.
  void CheckUndisturbed() {
    CHECK(stays->ended.empty());
    CHECK(stays->revoking.empty());
    CHECK(stays->revoked.empty());
    CHECK(Commit(*first_membership, stays->Handle(0), 4).changed);
  }

  const std::shared_ptr<Member> stays = std::make_shared<Member>();
  const std::shared_ptr<Member> goes = std::make_shared<Member>();
  std::shared_ptr<Membership> first_membership, second_membership;
};

TEST_CASE("a reset of one topic ends the members that hold it, and no others", "[groups]") {
  TwoTopics room("b");
  REQUIRE_OK(room.Reset(2));
  REQUIRE(room.goes->ended.size() == 1);
  CHECK(ReasonOf(room.goes->ended[0]) == v1::GROUP_RESET);
  const uint64_t old = room.goes->Handle(0, "flights");
  CHECK(ReasonOf(room.Commit(*room.second_membership, old, 5).status) == v1::FENCED);
  room.CheckUndisturbed();
  CHECK(room.Lag("billing", 0, "flights").committed_offset() == 2);
  // Its place is kept for the one that comes back.
  const auto again = std::make_shared<Member>();
  const auto membership = room.Join("billing", again, "b");
  REQUIRE_OK(membership);
  REQUIRE(again->assigned.size() == 1);
  CHECK(again->assigned[0].topic->name() == "flights");
  CHECK(again->assigned[0].offset == Offset(2));
  CHECK(room.stays->assigned.empty());
  CHECK(room.stays->revoking.empty());
}

TEST_CASE("a skip in one topic ends the members that hold it, and no others", "[groups]") {
  TwoTopics room("b");
  v1::SkipOffsetsRequest skip;
  skip.set_group("billing");
  skip.set_topic("flights");
  skip.set_count(2);
  skip.set_reason("test");
  REQUIRE_OK(room.groups->Skip(room.caller, skip));
  room.pool.Run();
  REQUIRE(room.goes->ended.size() == 1);
  CHECK(ReasonOf(room.goes->ended[0]) == v1::GROUP_RESET);
  room.CheckUndisturbed();
  CHECK(room.Lag("billing", 0, "flights").committed_offset() == 2);
}

TEST_CASE("who gets a partition by a reset begins at the new position", "[groups]") {
  TwoTopics room("");  // Not named: no place is kept.
  SECTION("of a reset that is written") {
    REQUIRE_OK(room.Reset(2));
    CHECK(room.goes->ended.size() == 1);
    REQUIRE(room.stays->assigned.size() == 1);
    CHECK(room.stays->assigned[0].topic->name() == "flights");
    CHECK(room.stays->assigned[0].offset == Offset(2));
  }
  SECTION("or at the old one, when it was not written") {
    room.engine.refuse = Error(v1::DISK_FULL, "no");
    CHECK(ReasonOf(room.Reset(2)) == v1::DISK_FULL);
    room.engine.refuse = absl::OkStatus();
    CHECK(room.goes->ended.size() == 1);
    REQUIRE(room.stays->assigned.size() == 1);
    CHECK(room.stays->assigned[0].offset == Offset(0));
  }
  room.CheckUndisturbed();
}

v1::ResetOffsetsRequest ToEarliest(const std::string& group) {
  v1::ResetOffsetsRequest request;
  request.set_group(group);
  request.mutable_to()->set_earliest(true);
  request.set_reason("test");
  request.set_force(true);
  return request;
}

// Each was ended by a reset, and comes back at a moment of its own.
void CheckSpread(const std::vector<std::shared_ptr<Member>>& members) {
  std::set<absl::Duration> delays;
  for (const auto& member : members) {
    REQUIRE(member->ended.size() == 1);
    CHECK(ReasonOf(member->ended[0]) == v1::GROUP_RESET);
    const absl::Duration delay = RetryAfterOf(member->ended[0]);
    CHECK(delay >= absl::Milliseconds(500));
    CHECK(delay < absl::Seconds(1));
    delays.insert(delay);
  }
  CHECK(delays.size() > members.size() / 2);
}

TEST_CASE("members that a reset ends do not all come back at once", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 1);
  std::vector<std::shared_ptr<Member>> members;
  for (int i = 0; i < 8; ++i) {
    const std::string group = "billing-" + std::to_string(i);
    REQUIRE_OK(room.MakeGroup(group, {"orders"}));
    members.push_back(std::make_shared<Member>());
    const auto membership = room.Join(group, members.back(), "member-" + std::to_string(i));
    REQUIRE_OK(membership);
    REQUIRE_OK(room.groups->ResetOffsets(room.caller, ToEarliest(group)));
    room.pool.Run();
    REQUIRE(members.back()->ended.size() == 1);
    CHECK(DetailsOf(members.back()->ended[0])["group"] == group);
  }
  CheckSpread(members);
}

TEST_CASE("a reset of a QUEUE group ends all members, which do not all come back at once",
          "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 1);
  v1::CreateGroupRequest create;
  create.mutable_group()->set_name("workers");
  create.mutable_group()->add_topics("orders");
  create.mutable_group()->set_mode(v1::GROUP_MODE_QUEUE);
  REQUIRE_OK(room.groups->Create(room.caller, create));
  std::vector<std::shared_ptr<Member>> members;
  std::vector<std::shared_ptr<Membership>> memberships;
  for (int i = 0; i < 8; ++i) {
    members.push_back(std::make_shared<Member>());
    auto membership = room.Join("workers", members.back(), "member-" + std::to_string(i));
    REQUIRE_OK(membership);
    memberships.push_back(*std::move(membership));
  }
  REQUIRE_OK(room.groups->ResetOffsets(room.caller, ToEarliest("workers")));
  room.pool.Run();
  CheckSpread(members);
}

}  // namespace
}  // namespace acta
