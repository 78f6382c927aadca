#include "storage/base/clock.h"
#include "tests/unit/groups/groups_room.h"

namespace acta {
namespace {

using Member = RecordingMember;

TEST_CASE("creating a group fixes where each partition starts", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 2);
  room.Publish("orders", 0, 4, 40);
  room.Advance(absl::Seconds(10));
  const int64_t later_us = absl::ToUnixMicros(room.engine.Now());
  room.Publish("orders", 0, 2, 20);
  REQUIRE_OK(room.MakeGroup("earliest", {"orders"}, GroupsRoom::Earliest()));
  REQUIRE_OK(room.MakeGroup("latest", {"orders"}));
  v1::StartPosition time;
  time.set_time_us(later_us);
  REQUIRE_OK(room.MakeGroup("time", {"orders"}, time));
  time.set_time_us(later_us + int64_t{3600} * 1000000);
  REQUIRE_OK(room.MakeGroup("future", {"orders"}, time));
  REQUIRE_OK(room.MakeGroup("zero", {"orders"}, GroupsRoom::At(0)));
  CHECK(room.Lag("earliest", 0).committed_offset() == 0);
  CHECK(room.Lag("latest", 0).committed_offset() == 6);
  CHECK(room.Lag("time", 0).committed_offset() == 4);
  CHECK(room.Lag("future", 0).committed_offset() == 6);
  CHECK(room.Lag("zero", 0).committed_offset() == 0);
  // Partition 1 ends at 0.
  CHECK(ReasonOf(room.MakeGroup("three", {"orders"}, GroupsRoom::At(3))) ==
        v1::OFFSET_OUT_OF_RANGE);
  CHECK(ReasonOf(room.MakeGroup("minus", {"orders"}, GroupsRoom::At(-1))) ==
        v1::OFFSET_OUT_OF_RANGE);
  CHECK(room.groups->group_count() == 5);
}

TEST_CASE("no group is changed once the deadline of the call passed", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 1);
  REQUIRE_OK(room.MakeGroup("g", {"orders"}));
  const uint64_t written = room.engine.Stats().last_group.value();
  room.caller.deadline = SystemClock().SinceBoot() - absl::Seconds(1);
  CHECK(ReasonOf(room.MakeGroup("late", {"orders"})) == v1::DEADLINE_PASSED);
  v1::DeleteGroupRequest deletion;
  deletion.set_name("g");
  CHECK(ReasonOf(room.groups->Delete(room.caller, deletion).status()) == v1::DEADLINE_PASSED);
  v1::UpdateGroupRequest update;
  update.mutable_group()->set_name("g");
  CHECK(ReasonOf(room.groups->Update(room.caller, update).status()) == v1::DEADLINE_PASSED);
  v1::CommitOffsetsRequest commit;
  commit.set_group("g");
  CHECK(ReasonOf(room.groups->CommitOffsets(room.caller, commit).status()) == v1::DEADLINE_PASSED);
  v1::ResetOffsetsRequest reset;
  reset.set_group("g");
  CHECK(ReasonOf(room.groups->ResetOffsets(room.caller, reset).status()) == v1::DEADLINE_PASSED);
  CHECK(room.engine.Stats().last_group.value() == written);
}

TEST_CASE("creating a group refuses what it cannot be", "[groups]") {
  GroupLimits limits;
  limits.max_groups = 1;
  limits.max_topics_per_group = 1;
  GroupsRoom room(limits);
  room.MakeTopic("orders", 1);
  room.MakeTopic("flights", 1);
  CHECK(ReasonOf(room.MakeGroup("", {"orders"})) == v1::INVALID_NAME);
  CHECK(ReasonOf(room.MakeGroup("a b", {"orders"})) == v1::INVALID_NAME);
  CHECK(ReasonOf(room.MakeGroup("a", {})) == v1::INVALID_ARGUMENT);
  CHECK(ReasonOf(room.MakeGroup("a", {"missing"})) == v1::TOPIC_NOT_FOUND);
  const absl::Status wide = room.MakeGroup("a", {"orders", "flights"});
  CHECK(ReasonOf(wide) == v1::LIMIT_EXCEEDED);
  CHECK(DetailsOf(wide).at("limit") == "limits.topics_per_group");
  CHECK(DetailsOf(wide).at("limit_value") == "1");
  CHECK(DetailsOf(wide).at("value") == "2");
  v1::CreateGroupRequest request;
  request.mutable_group()->set_name("a");
  request.mutable_group()->add_topics("orders");
  request.mutable_group()->set_mode(static_cast<v1::GroupMode>(9));
  CHECK(ReasonOf(room.groups->Create(room.caller, request).status()) == v1::UNKNOWN_ENUM_VALUE);
  request.mutable_group()->set_mode(v1::GROUP_MODE_STREAM);
  request.set_tenant("elsewhere");
  CHECK(ReasonOf(room.groups->Create(room.caller, request).status()) == v1::TENANT_NOT_FOUND);
  CHECK_OK(room.MakeGroup("a", {"orders"}));
  CHECK(ReasonOf(room.MakeGroup("a", {"orders"})) == v1::GROUP_ALREADY_EXISTS);
  const absl::Status many = room.MakeGroup("b", {"orders"});
  CHECK(ReasonOf(many) == v1::LIMIT_EXCEEDED);
  CHECK(DetailsOf(many).at("limit") == "limits.groups");
}

TEST_CASE("a topic that a group is given is asked for before it is looked up", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 1);
  room.MakeTopic("secret", 1);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}));
  room.authorizer.refused_topic = GENERATE("secret", "missing");
  const std::string refused = room.authorizer.refused_topic;
  CHECK(ReasonOf(room.MakeGroup("other", {"orders", refused})) == v1::PERMISSION_DENIED);
  // Also when another topic is not there: what is answered first tells of nothing.
  CHECK(ReasonOf(room.MakeGroup("other", {"gone", refused})) == v1::PERMISSION_DENIED);
  v1::UpdateGroupRequest update;
  update.mutable_group()->set_name("billing");
  update.mutable_group()->add_topics("orders");
  update.mutable_group()->add_topics(refused);
  update.mutable_update_mask()->add_paths("topics");
  CHECK(ReasonOf(room.groups->Update(room.caller, update).status()) == v1::PERMISSION_DENIED);
  JoinRequest join;
  join.group = "other";
  join.create_mode = v1::GROUP_MODE_STREAM;
  join.create_at.set_earliest(true);
  join.create_topics = {refused};
  CHECK(ReasonOf(room.groups->Join(room.caller, join, std::make_shared<Member>()).status()) ==
        v1::PERMISSION_DENIED);
  CHECK(room.groups->group_count() == 1);
  update.mutable_update_mask()->set_paths(0, "description");
  CHECK_OK(room.groups->Update(room.caller, update));
}

TEST_CASE("extents of a topic are shown to whoever may see the topic", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 1);
  room.MakeTopic("secret", 1);
  REQUIRE_OK(room.MakeGroup("billing", {"orders", "secret"}, GroupsRoom::Earliest()));
  room.authorizer.refused_topic = "secret";
  room.authorizer.refused_verb = Verb::kObserve;
  v1::GetLagRequest lag;
  lag.set_group("billing");
  const auto lag_refusal = [&] { return ReasonOf(room.groups->GetLag(room.caller, lag).status()); };
  CHECK(lag_refusal() == v1::PERMISSION_DENIED);
  lag.set_topic("secret");
  CHECK(lag_refusal() == v1::PERMISSION_DENIED);
  lag.set_topic("orders");
  CHECK_OK(room.groups->GetLag(room.caller, lag));

  room.authorizer.refused_verb = Verb::kSubscribe;
  v1::CommitOffsetsRequest commit;
  commit.set_group("billing");
  commit.add_offsets()->set_topic("secret");
  commit.mutable_offsets(0)->set_offset(100);
  CHECK(ReasonOf(room.groups->CommitOffsets(room.caller, commit).status()) ==
        v1::PERMISSION_DENIED);
  v1::ResetOffsetsRequest reset;
  reset.set_group("billing");
  reset.set_reason("test");
  reset.set_dry_run(true);
  reset.mutable_to()->set_latest(true);
  const auto reset_refusal = [&] {
    return ReasonOf(room.groups->ResetOffsets(room.caller, reset).status());
  };
  CHECK(reset_refusal() == v1::PERMISSION_DENIED);
  reset.set_topic("orders");
  CHECK_OK(room.groups->ResetOffsets(room.caller, reset));
  reset.clear_topic();
  reset.mutable_to_offsets()->add_offsets()->set_topic("secret");
  CHECK(reset_refusal() == v1::PERMISSION_DENIED);
}

TEST_CASE("what a group says of itself is limited", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 1);
  v1::CreateGroupRequest request;
  v1::Group* group = request.mutable_group();
  group->set_name("billing");
  group->add_topics("orders");
  const auto limit = [&] {
    const absl::Status refused = room.groups->Create(room.caller, request).status();
    CHECK(ReasonOf(refused) == v1::LIMIT_EXCEEDED);
    return DetailsOf(refused)["limit"];
  };
  group->set_description(std::string(1025, 'd'));
  CHECK(limit() == "max_description_bytes");
  group->set_description(std::string(1024, 'd'));
  (*group->mutable_labels())["k"] = std::string(8192, 'v');
  CHECK(limit() == "max_label_bytes");
  (*group->mutable_labels())["k"] = std::string(8191, 'v');
  group->GetReflection()->MutableUnknownFields(group)->AddLengthDelimited(
      999, std::string(100'000, 'u'));
  const auto made = room.groups->Create(room.caller, request);
  REQUIRE_OK(made);
  CHECK(made->group().ByteSizeLong() < 10'000);

  v1::UpdateGroupRequest update;
  update.mutable_group()->set_name("billing");
  update.mutable_group()->set_description(std::string(1025, 'd'));
  (*update.mutable_group()->mutable_labels())[""] = "v";
  for (const char* path : {"description", "labels"}) {
    update.mutable_update_mask()->clear_paths();
    update.mutable_update_mask()->add_paths(path);
    const absl::Status status = room.groups->Update(room.caller, update).status();
    CHECK(ReasonOf(status) ==
          (std::string(path) == "labels" ? v1::INVALID_ARGUMENT : v1::LIMIT_EXCEEDED));
  }
}

TEST_CASE("groups are listed by name in pages", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 1);
  for (const char* name : {"c", "a", "b"}) REQUIRE_OK(room.MakeGroup(name, {"orders"}));
  v1::ListGroupsRequest request;
  request.set_page_size(2);
  const auto first = room.groups->List(room.caller, request);
  REQUIRE_OK(first);
  REQUIRE(first->groups_size() == 2);
  CHECK(first->groups(0).name() == "a");
  request.set_page_token(first->next_page_token());
  const auto second = room.groups->List(room.caller, request);
  REQUIRE_OK(second);
  REQUIRE(second->groups_size() == 1);
  CHECK(second->groups(0).name() == "c");
  CHECK(second->next_page_token().empty());
  request.Clear();
  request.set_topic("other");
  CHECK(ReasonOf(room.groups->List(room.caller, request).status()) == v1::TOPIC_NOT_FOUND);
  room.MakeTopic("other", 1);
  CHECK(room.groups->List(room.caller, request)->groups_size() == 0);
  room.authorizer.refused_topic = GENERATE("other", "missing");
  room.authorizer.refused_verb = Verb::kObserve;
  request.set_topic(room.authorizer.refused_topic);
  CHECK(ReasonOf(room.groups->List(room.caller, request).status()) == v1::PERMISSION_DENIED);
}

TEST_CASE("a page of groups has at most 1000, and goes on only by a token of ours", "[groups]") {
  GroupsRoom room;
  v1::ListGroupsRequest request;
  const auto refused = [&room, &request](absl::string_view field) {
    const auto status = room.groups->List(room.caller, request).status();
    return ReasonOf(status) == v1::INVALID_ARGUMENT && DetailsOf(status)["field"] == field;
  };
  request.set_page_size(1000);
  CHECK_OK(room.groups->List(room.caller, request));
  request.set_page_size(1001);
  CHECK(refused("page_size"));
  request.set_page_size(-1);
  CHECK(refused("page_size"));
  request.set_page_size(0);
  request.set_page_token("a/b");
  CHECK(refused("page_token"));
}

TEST_CASE("lag is exact in events, bytes and seconds", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 1);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}, GroupsRoom::Earliest()));
  room.Publish("orders", 0, 4, 400);
  room.Advance(absl::Seconds(60));
  room.Publish("orders", 0, 6, 300);
  room.Advance(absl::Seconds(5));
  v1::PartitionLag lag = room.Lag("billing", 0);
  CHECK(lag.lag_events() == 10);
  CHECK(lag.lag_bytes() == 700);
  CHECK(lag.behind().seconds() == 65);
  CHECK(lag.exact());
  CHECK(lag.gap_events() == 0);
  v1::CommitOffsetsRequest commit;
  commit.set_group("billing");
  v1::GroupOffset* offset = commit.add_offsets();
  offset->set_topic("orders");
  offset->set_offset(4);
  REQUIRE_OK(room.groups->CommitOffsets(room.caller, commit));
  lag = room.Lag("billing", 0);
  CHECK(lag.lag_events() == 6);
  CHECK(lag.lag_bytes() == 300);
  CHECK(lag.behind().seconds() == 5);
  offset->set_offset(10);
  REQUIRE_OK(room.groups->CommitOffsets(room.caller, commit));
  lag = room.Lag("billing", 0);
  CHECK(lag.lag_events() == 0);
  CHECK(lag.lag_bytes() == 0);
  CHECK(lag.behind().seconds() == 0);
}

TEST_CASE("what retention took from a group shows as a gap until the group decides", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 1);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}, GroupsRoom::Earliest()));
  room.Publish("orders", 0, 4, 400);
  room.Publish("orders", 0, 6, 300);
  REQUIRE_OK(room.MakeGroup("shipping", {"orders"}, GroupsRoom::At(4)));
  room.engine.TrimTo(room.topics->Find("default", "orders")->partition(0), Offset(4));
  if (GENERATE(false, true)) room.Restart();
  v1::PartitionLag lag = room.Lag("billing", 0);
  CHECK(lag.committed_offset() == 0);
  CHECK(lag.first_offset() == 4);
  CHECK(lag.gap_events() == 4);
  CHECK(lag.lag_events() == 10);
  CHECK(lag.lag_bytes() == 300);
  CHECK(room.Lag("shipping", 0).gap_events() == 0);
  v1::ResetOffsetsRequest reset;
  reset.set_group("billing");
  reset.mutable_to()->set_earliest(true);
  reset.set_reason("what is gone is not needed");
  REQUIRE_OK(room.groups->ResetOffsets(room.caller, reset));
  CHECK(room.Lag("billing", 0).committed_offset() == 4);
  CHECK(room.Lag("billing", 0).gap_events() == 0);
}

TEST_CASE("a group that stands before a damaged event still has a lag, as an upper bound",
          "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 1);
  room.Publish("orders", 0, 4, 400);
  room.Advance(absl::Seconds(60));
  room.Publish("orders", 0, 6, 300);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}, GroupsRoom::At(4)));
  REQUIRE_OK(room.MakeGroup("shipping", {"orders"}, GroupsRoom::At(0)));
  room.engine.CorruptBatch(room.topics->Find("default", "orders")->partition(0), Offset(4));
  const v1::PartitionLag lag = room.Lag("billing", 0);
  CHECK(lag.lag_events() == 6);
  CHECK(lag.lag_bytes() == 700);
  CHECK(lag.behind().seconds() == 60);
  CHECK_FALSE(lag.exact());
  CHECK(room.Lag("shipping", 0).exact());
}

TEST_CASE("offsets are committed from outside only without members, all or nothing", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 2);
  room.Publish("orders", 0, 5, 50);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}, GroupsRoom::Earliest()));
  v1::CommitOffsetsRequest request;
  request.set_group("billing");
  auto* good = request.add_offsets();
  good->set_topic("orders");
  good->set_offset(5);
  auto* bad = request.add_offsets();
  bad->set_topic("orders");
  bad->set_partition(1);
  bad->set_offset(1);
  CHECK(ReasonOf(room.groups->CommitOffsets(room.caller, request).status()) ==
        v1::OFFSET_BEYOND_END);
  bad->set_partition(7);
  CHECK(ReasonOf(room.groups->CommitOffsets(room.caller, request).status()) ==
        v1::PARTITION_NOT_FOUND);
  CHECK(room.Lag("billing", 0).committed_offset() == 0);
  request.mutable_offsets()->RemoveLast();
  auto member = std::make_shared<Member>();
  auto membership = *room.Join("billing", member);
  CHECK(ReasonOf(room.groups->CommitOffsets(room.caller, request).status()) == v1::FENCED);
  membership.reset();
  CHECK_OK(room.groups->CommitOffsets(room.caller, request));
  room.Restart();
  CHECK(room.Lag("billing", 0).committed_offset() == 5);
}

TEST_CASE("a reset needs a reason, can be tried dry, and ends members when forced", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 1);
  room.Publish("orders", 0, 5, 50);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}));
  v1::ResetOffsetsRequest request;
  request.set_group("billing");
  *request.mutable_to() = GroupsRoom::At(2);
  const auto reset = [&] { return room.groups->ResetOffsets(room.caller, request); };
  CHECK(ReasonOf(reset().status()) == v1::INVALID_ARGUMENT);
  request.set_reason(std::string(1001, 'x'));
  CHECK(ReasonOf(reset().status()) == v1::INVALID_ARGUMENT);
  request.set_reason(std::string(1000, 'x'));
  *request.mutable_to() = GroupsRoom::At(6);
  CHECK(ReasonOf(reset().status()) == v1::OFFSET_OUT_OF_RANGE);
  *request.mutable_to() = GroupsRoom::At(2);
  auto member = std::make_shared<Member>();
  auto membership = *room.Join("billing", member, "a");
  CHECK(ReasonOf(reset().status()) == v1::FENCED);
  request.set_dry_run(true);
  const auto dry = reset();
  REQUIRE_OK(dry);
  REQUIRE(dry->changes_size() == 1);
  CHECK(dry->changes(0).old_offset() == 5);
  CHECK(dry->changes(0).new_offset() == 2);
  CHECK(room.Lag("billing", 0).committed_offset() == 5);
  request.set_dry_run(false);
  request.set_force(true);
  REQUIRE_OK(reset());
  room.pool.Run();
  REQUIRE(member->ended.size() == 1);
  CHECK(ReasonOf(member->ended[0]) == v1::GROUP_RESET);
  CHECK(RetryAfterOf(member->ended[0]) > absl::ZeroDuration());  // They come back by themselves.
  CHECK(ReasonOf(room.Commit(*membership, member->Handle(0), 5).status) == v1::FENCED);
  CHECK(room.Lag("billing", 0).committed_offset() == 2);
  auto again = std::make_shared<Member>();
  membership = *room.Join("billing", again, "a");
  REQUIRE(again->assigned.size() == 1);
  CHECK(again->assigned[0].offset == Offset(2));
  membership->Leave();
  room.Restart();
  CHECK(room.Lag("billing", 0).committed_offset() == 2);
}

TEST_CASE("a group follows its topics as they grow and go", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 1);
  room.MakeTopic("flights", 1);
  REQUIRE_OK(room.MakeGroup("billing", {"orders", "flights"}));
  auto member = std::make_shared<Member>();
  auto membership = *room.Join("billing", member);
  CHECK(member->held.size() == 2);
  v1::UpdateTopicRequest grow;
  grow.mutable_topic()->set_name("orders");
  grow.mutable_topic()->set_partitions(3);
  grow.mutable_update_mask()->add_paths("partitions");
  grow.set_accept_reorder(true);
  REQUIRE_OK(room.topics->Update(room.caller, grow));
  room.pool.Run();
  CHECK(member->held.size() == 4);
  CHECK(room.Lag("billing", 2).committed_offset() == 0);

  v1::DeleteTopicRequest remove;
  remove.set_name("orders");
  const absl::Status used = room.topics->Delete(room.caller, remove).status();
  CHECK(ReasonOf(used) == v1::TOPIC_IN_USE);
  CHECK(DetailsOf(used)["groups"] == "billing");
  remove.set_force(true);
  REQUIRE_OK(room.topics->Delete(room.caller, remove));
  room.pool.Run();
  CHECK(member->held.size() == 1);
  membership->Leave();
  remove.set_name("flights");
  remove.set_force(false);
  REQUIRE_OK(room.topics->Delete(room.caller, remove));
  room.Restart();
  v1::GetGroupRequest get;
  get.set_name("billing");
  const auto group = room.groups->Get(room.caller, get);
  REQUIRE_OK(group);
  CHECK(group->group().topics_size() == 0);
}

TEST_CASE("members end with the last topic of their group", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 1);
  room.MakeTopic("flights", 1);
  REQUIRE_OK(room.MakeGroup("billing", {"orders", "flights"}));
  auto member = std::make_shared<Member>();
  auto membership = *room.Join("billing", member);
  v1::DeleteTopicRequest remove;
  remove.set_force(true);
  remove.set_name("orders");
  REQUIRE_OK(room.topics->Delete(room.caller, remove));
  room.pool.Run();
  CHECK(member->ended.empty());
  remove.set_name("flights");
  REQUIRE_OK(room.topics->Delete(room.caller, remove));
  room.pool.Run();
  REQUIRE(member->ended.size() == 1);
  CHECK(ReasonOf(member->ended[0]) == v1::TOPIC_NOT_FOUND);
  CHECK(DetailsOf(member->ended[0])["topic"] == "flights");
}

TEST_CASE("an update changes the fields of its mask only", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 1);
  room.MakeTopic("flights", 1);
  room.Publish("flights", 0, 3, 30);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}));
  auto member = std::make_shared<Member>();
  auto membership = *room.Join("billing", member);
  v1::UpdateGroupRequest request;
  request.mutable_group()->set_name("billing");
  request.mutable_group()->add_topics("flights");
  request.mutable_group()->set_description("not in the mask");
  CHECK(ReasonOf(room.groups->Update(room.caller, request).status()) == v1::INVALID_ARGUMENT);
  request.mutable_update_mask()->add_paths("topics");
  const auto updated = room.groups->Update(room.caller, request);
  REQUIRE_OK(updated);
  room.pool.Run();
  CHECK(updated->group().description().empty());
  CHECK(member->Handle(0, "orders") == 0);
  CHECK(member->Handle(0, "flights") != 0);
  CHECK(room.Lag("billing", 0, "flights").committed_offset() == 3);
  request.mutable_update_mask()->set_paths(0, "mode");
  CHECK(ReasonOf(room.groups->Update(room.caller, request).status()) == v1::INVALID_ARGUMENT);
}

TEST_CASE("deleting a group asks, and ends its members when forced", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 1);
  room.Publish("orders", 0, 3, 30);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}, GroupsRoom::Earliest()));
  auto member = std::make_shared<Member>();
  auto membership = *room.Join("billing", member);
  REQUIRE_OK(room.Commit(*membership, member->Handle(0), 2).status);
  v1::DeleteGroupRequest request;
  request.set_name("billing");
  CHECK(ReasonOf(room.groups->Delete(room.caller, request).status()) == v1::GROUP_IN_USE);
  request.set_force(true);
  REQUIRE_OK(room.groups->Delete(room.caller, request));
  room.pool.Run();
  REQUIRE(member->ended.size() == 1);
  CHECK(ReasonOf(member->ended[0]) == v1::GROUP_NOT_FOUND);
  CHECK(ReasonOf(room.groups->Delete(room.caller, request).status()) == v1::GROUP_NOT_FOUND);
  room.Restart();
  CHECK(room.groups->group_count() == 0);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}, GroupsRoom::Earliest()));
  CHECK(room.Lag("billing", 0).committed_offset() == 0);
}

}  // namespace
}  // namespace acta
