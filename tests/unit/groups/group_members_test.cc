#include "tests/unit/groups/groups_room.h"

namespace acta {
namespace {

using Member = RecordingMember;

TEST_CASE("joining asks for a group that is there, or says how to make one", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 2);
  auto member = std::make_shared<Member>();
  CHECK(ReasonOf(room.Join("billing", member).status()) == v1::GROUP_NOT_FOUND);
  CHECK(ReasonOf(room.Join("bad name", member).status()) == v1::INVALID_NAME);
  CHECK(ReasonOf(room.Join("billing", member, "bad id").status()) == v1::INVALID_NAME);
  JoinRequest request;
  request.group = "billing";
  request.create_mode = v1::GROUP_MODE_STREAM;
  CHECK(ReasonOf(room.groups->Join(room.caller, request, member).status()) == v1::GROUP_NOT_FOUND);
  request.create_at.set_earliest(true);
  request.create_topics = {"missing"};
  CHECK(ReasonOf(room.groups->Join(room.caller, request, member).status()) == v1::TOPIC_NOT_FOUND);
  request.create_topics = {"orders"};
  const auto created = room.groups->Join(room.caller, request, member);
  REQUIRE_OK(created);
  CHECK((*created)->group_created());
  CHECK((*created)->member_id().size() == 18);
  room.pool.Run();
  CHECK(member->held.size() == 2);
  room.MakeTopic("other", 1);
  request.create_topics = {"other"};
  CHECK(ReasonOf(room.groups->Join(room.caller, request, member).status()) == v1::GROUP_MISMATCH);
}

TEST_CASE("who asks for other settings than a group has is told which those are", "[groups]") {
  GroupsRoom room;
  JoinRequest request;
  request.group = "billing";
  request.create_mode = v1::GROUP_MODE_STREAM;
  const auto told = [&] {
    const absl::Status refused =
        room.groups->Join(room.caller, request, std::make_shared<Member>()).status();
    CHECK(ReasonOf(refused) == v1::GROUP_MISMATCH);
    return std::string(refused.message());
  };
  std::vector<std::string> topics;
  for (int i = 0; i < 10; ++i) {
    topics.push_back("orders-" + std::to_string(i));
    room.MakeTopic(topics.back(), 1);
  }
  REQUIRE_OK(room.MakeGroup("billing", {topics[0], topics[1]}));
  request.create_topics = {"orders-0"};
  CHECK(told() ==
        "group 'billing' reads other topics: name just what it reads (orders-0, orders-1), or use "
        "another group");
  request.create_mode = v1::GROUP_MODE_QUEUE;
  CHECK(told() == "group 'billing' has another mode: ask for STREAM, or use another group");
  // A message has room for some.
  REQUIRE_OK(room.MakeGroup("all", topics));
  request.group = "all";
  request.create_mode = v1::GROUP_MODE_STREAM;
  CHECK(told() ==
        "group 'all' reads other topics: name just what it reads (orders-0, orders-1, orders-2, "
        "orders-3, orders-4, orders-5, orders-6, orders-7 and 2 more), or use another group");
}

TEST_CASE("who names the topics of a group that has none any more is told how to give it some",
          "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 1);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}));
  v1::DeleteTopicRequest remove;
  remove.set_name("orders");
  REQUIRE_OK(room.topics->Delete(room.caller, remove));
  room.MakeTopic("orders", 1);
  JoinRequest request;
  request.group = "billing";
  request.create_topics = {"orders"};
  const absl::Status refused =
      room.groups->Join(room.caller, request, std::make_shared<Member>()).status();
  CHECK(ReasonOf(refused) == v1::GROUP_MISMATCH);
  CHECK(refused.message() ==
        "group 'billing' reads nothing since its last topic was deleted: give it one with `acta "
        "group update`, or use another group");
}

TEST_CASE("a group takes no more members than its limit", "[groups]") {
  GroupLimits limits;
  limits.max_members_per_group = 1;
  GroupsRoom room(limits);
  room.MakeTopic("orders", 2);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}));
  auto first = std::make_shared<Member>();
  const auto membership = room.Join("billing", first, "a");
  REQUIRE_OK(membership);
  const absl::Status full = room.Join("billing", first, "b").status();
  CHECK(ReasonOf(full) == v1::LIMIT_EXCEEDED);
  CHECK(DetailsOf(full).at("limit") == "limits.members_per_group");
  CHECK_OK(room.Join("billing", first, "a"));  // The same member comes back.
}

TEST_CASE("commits are durable, monotone and fenced by their handle", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 1);
  room.Publish("orders", 0, 10, 100);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}, GroupsRoom::Earliest()));
  auto member = std::make_shared<Member>();
  auto membership = *room.Join("billing", member);
  const uint64_t handle = member->Handle(0);
  REQUIRE(handle != 0);
  CHECK(member->assigned[0].offset == Offset(0));
  CHECK(member->assigned[0].generation == 1);

  auto committed = room.Commit(*membership, handle, 5);
  CHECK_OK(committed.status);
  CHECK(committed.changed);
  committed = room.Commit(*membership, handle, 5);
  CHECK_OK(committed.status);
  CHECK_FALSE(committed.changed);
  CHECK_FALSE(room.Commit(*membership, handle, 3).changed);
  CHECK(room.Lag("billing", 0).committed_offset() == 5);
  CHECK(ReasonOf(room.Commit(*membership, handle, 11).status) == v1::OFFSET_BEYOND_END);
  CHECK(ReasonOf(room.Commit(*membership, handle, -1).status) == v1::OFFSET_OUT_OF_RANGE);
  const absl::Status stale = room.Commit(*membership, handle + 1000, 6).status;
  CHECK(ReasonOf(stale) == v1::FENCED);
  CHECK(DetailsOf(stale)["assignment"] == std::to_string(handle + 1000));

  membership->Leave();
  CHECK(ReasonOf(room.Commit(*membership, handle, 6).status) == v1::FENCED);
  room.Restart();
  CHECK(room.Lag("billing", 0).committed_offset() == 5);
  auto next = std::make_shared<Member>();
  auto later = *room.Join("billing", next);
  REQUIRE(next->assigned.size() == 1);
  CHECK(next->assigned[0].offset == Offset(5));
  CHECK(next->assigned[0].generation == 2);
}

TEST_CASE("a moved partition goes over after it was released", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 2);
  room.Publish("orders", 1, 10, 100);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}, GroupsRoom::Earliest()));
  auto first = std::make_shared<Member>();
  auto second = std::make_shared<Member>();
  auto one = *room.Join("billing", first);
  auto two = *room.Join("billing", second);
  REQUIRE(first->revoking == std::vector<uint64_t>{first->Handle(1)});
  CHECK(first->last_deadline == absl::Seconds(30));
  CHECK(second->assigned.empty());
  CHECK(ReasonOf(one->Released(first->Handle(0))) == v1::FENCED);  // Nobody asked for it.
  CHECK(ReasonOf(two->Released(first->Handle(1))) == v1::FENCED);
  CHECK_OK(room.Commit(*one, first->Handle(1), 4).status);
  CHECK_OK(one->Released(first->Handle(1)));
  room.pool.Run();
  REQUIRE(second->assigned.size() == 1);
  CHECK(second->assigned[0].offset == Offset(4));
  CHECK(second->assigned[0].generation == 2);
  CHECK(ReasonOf(room.Commit(*one, first->Handle(1), 6).status) == v1::FENCED);
  CHECK(first->revoked.empty());
}

TEST_CASE("the next owner starts behind commits that were on their way", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 2);
  room.Publish("orders", 1, 10, 100);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}, GroupsRoom::Earliest()));
  auto first = std::make_shared<Member>();
  auto second = std::make_shared<Member>();
  auto one = *room.Join("billing", first);
  auto two = *room.Join("billing", second);
  room.engine.hold = true;
  std::vector<std::pair<absl::Status, bool>> answers;
  for (const int64_t offset : {7, 5}) {
    one->Commit(first->Handle(1), Offset(offset),
                [&](absl::Status status, bool changed) { answers.emplace_back(status, changed); });
  }
  CHECK(answers.empty());  // Not durable yet, also not the lower one.
  CHECK(room.Lag("billing", 1).committed_offset() == 0);
  CHECK_OK(one->Released(first->Handle(1)));
  room.pool.Run();
  CHECK(second->assigned.empty());
  room.engine.LetGo();
  room.pool.Run();
  REQUIRE(answers.size() == 2);
  CHECK(answers[0].second);
  CHECK_FALSE(answers[1].second);
  REQUIRE(second->assigned.size() == 1);
  CHECK(second->assigned[0].offset == Offset(7));
  one.reset();
  two.reset();
  room.Restart();
  CHECK(room.Lag("billing", 1).committed_offset() == 7);
}

TEST_CASE("a commit that the engine refuses moves nothing", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 1);
  room.Publish("orders", 0, 10, 100);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}, GroupsRoom::Earliest()));
  auto member = std::make_shared<Member>();
  auto membership = *room.Join("billing", member);
  room.engine.refuse = Error(v1::SERVER_STOPPING, "the server is stopping");
  CHECK(ReasonOf(room.Commit(*membership, member->Handle(0), 7).status) == v1::SERVER_STOPPING);
  CHECK(ReasonOf(room.MakeGroup("other", {"orders"})) == v1::SERVER_STOPPING);
  CHECK(room.groups->group_count() == 1);
  CHECK(room.Lag("billing", 0).committed_offset() == 0);
  room.engine.refuse = absl::OkStatus();
  CHECK_OK(room.Commit(*membership, member->Handle(0), 3).status);
  CHECK(room.Lag("billing", 0).committed_offset() == 3);
}

TEST_CASE("a partition that is not released is taken at the deadline", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 2);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}));
  auto first = std::make_shared<Member>();
  auto second = std::make_shared<Member>();
  auto one = *room.Join("billing", first);
  CHECK(room.timer.waiting() == 0);  // Nothing to wait for costs nothing.
  auto two = *room.Join("billing", second);
  const uint64_t handle = first->Handle(1);
  room.Advance(absl::Seconds(29));
  CHECK(first->revoked.empty());
  room.Advance(absl::Seconds(2));
  CHECK(first->revoked == std::vector<uint64_t>{handle});
  CHECK(second->assigned.size() == 1);
  CHECK(room.timer.waiting() == 0);
}

TEST_CASE("one timer waits for the next deadline of all groups", "[groups]") {
  GroupLimits limits;
  limits.revoke_deadline = absl::Seconds(20);
  GroupsRoom room(limits);
  room.MakeTopic("orders", 2);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}));
  REQUIRE_OK(room.MakeGroup("shipping", {"orders"}));
  room.Join("billing", std::make_shared<Member>(), "a")->reset();  // Its place is kept until 30 s.
  CHECK(room.timer.waiting() == 1);
  auto first = std::make_shared<Member>();
  auto one = *room.Join("shipping", first);
  auto two = *room.Join("shipping", std::make_shared<Member>());  // Gets one at 20 s.
  auto three = *room.Join("shipping", std::make_shared<Member>(), "c");
  CHECK(room.timer.waiting() == 1);
  room.Advance(absl::Seconds(10));
  three.reset();  // Its place is kept until 40 s.
  CHECK(room.timer.waiting() == 1);
  room.Advance(absl::Seconds(10));
  CHECK(first->revoked.size() == 1);
  CHECK(room.timer.waiting() == 1);
  room.Advance(absl::Seconds(10));
  CHECK(room.timer.waiting() == 1);
  room.Advance(absl::Seconds(10));
  CHECK(room.timer.waiting() == 0);
}

TEST_CASE("deadlines of members pass while the time of the engine stands still", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 2);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}));
  auto first = std::make_shared<Member>();
  auto second = std::make_shared<Member>();
  auto one = *room.Join("billing", first, "a");
  auto two = *room.Join("billing", second);
  const uint64_t handle = first->Handle(1);
  room.Pass(absl::Seconds(31));
  CHECK(first->revoked == std::vector<uint64_t>{handle});
  CHECK(second->held.size() == 1);
  one.reset();
  room.Pass(absl::Seconds(31));
  CHECK(second->held.size() == 2);
  CHECK(room.timer.waiting() == 0);
}

TEST_CASE("time of the engine that leaps ends no deadline of a member", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 2);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}));
  auto first = std::make_shared<Member>();
  auto second = std::make_shared<Member>();
  auto one = *room.Join("billing", first, "a");
  auto two = *room.Join("billing", second);
  room.engine.Advance(absl::Hours(1));
  room.Pass(absl::Seconds(29));
  auto third = std::make_shared<Member>();
  auto three = *room.Join("billing", third);  // Whatever happens in the group.
  CHECK(first->revoked.empty());
  one.reset();
  room.engine.Advance(absl::Hours(1));
  room.Pass(absl::Seconds(29));
  CHECK(second->held.size() + third->held.size() == 1);  // The other is kept for "a".
  room.Pass(absl::Seconds(2));
  CHECK(second->held.size() + third->held.size() == 2);
}

TEST_CASE("a commit overtaken by the next owner is not confirmed", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 2);
  room.Publish("orders", 1, 10, 100);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}, GroupsRoom::Earliest()));
  auto first = std::make_shared<Member>();
  auto second = std::make_shared<Member>();
  auto one = *room.Join("billing", first);
  auto two = *room.Join("billing", second);
  room.engine.hold = true;
  std::optional<absl::Status> answer;
  one->Commit(first->Handle(1), Offset(7), [&](absl::Status status, bool changed) {
    answer = status;
    CHECK_FALSE(changed);
  });
  room.Advance(absl::Seconds(31));
  REQUIRE(second->assigned.size() == 1);
  CHECK(second->assigned[0].offset == Offset(0));
  CHECK_FALSE(answer.has_value());
  room.engine.LetGo();
  room.pool.Run();
  REQUIRE(answer.has_value());
  CHECK(ReasonOf(*answer) == v1::FENCED);
  CHECK_OK(room.Commit(*two, second->Handle(1), 8).status);
}

TEST_CASE("a named member finds its place again, another's moves at once", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 2);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}));
  auto named = std::make_shared<Member>();
  auto one = *room.Join("billing", named, "a");
  const uint64_t old = named->Handle(0);
  one.reset();
  auto other = std::make_shared<Member>();
  auto two = *room.Join("billing", other);
  CHECK(other->assigned.empty());
  auto back = std::make_shared<Member>();
  one = *room.Join("billing", back, "a");
  CHECK(back->Handle(0) > old);
  CHECK(other->assigned.size() + back->assigned.size() == 2);
  two.reset();
  room.pool.Run();
  CHECK(back->held.size() == 2);
  one.reset();
  auto third = std::make_shared<Member>();
  auto three = *room.Join("billing", third);
  room.Advance(absl::Seconds(31));
  CHECK(third->held.size() == 2);
  v1::GetGroupRequest get;
  get.set_name("billing");
  const auto group = room.groups->Get(room.caller, get);
  REQUIRE_OK(group);
  REQUIRE(group->group().members_size() == 1);
  CHECK(group->group().members(0).partitions_size() == 2);
}

TEST_CASE("a second connection of a member replaces the first", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 1);
  room.Publish("orders", 0, 3, 30);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}, GroupsRoom::Earliest()));
  auto first = std::make_shared<Member>();
  auto second = std::make_shared<Member>();
  auto one = *room.Join("billing", first, "a");
  auto two = *room.Join("billing", second, "a");
  REQUIRE(first->ended.size() == 1);
  CHECK(ReasonOf(first->ended[0]) == v1::MEMBER_REPLACED);
  CHECK(ReasonOf(room.Commit(*one, first->Handle(0), 1).status) == v1::FENCED);
  one.reset();  // The end of the old stream changes nothing for the new one.
  CHECK_OK(room.Commit(*two, second->Handle(0), 1).status);
}

}  // namespace
}  // namespace acta
