#include <vector>

#include "storage/layout/rows.h"
#include "tests/unit/groups/groups_room.h"

namespace acta {
namespace {

TEST_CASE("retention waits for a change of a group that has its partition in hand", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 1);
  room.MakeTopic("flights", 1);
  room.Publish("orders", 0, 3, 30);
  const PartitionId partition = room.topics->Find("default", "orders")->partition(0);
  v1::CreateGroupRequest create;
  create.mutable_group()->set_name("workers");
  create.mutable_group()->add_topics("orders");
  create.mutable_group()->set_mode(v1::GROUP_MODE_QUEUE);
  REQUIRE_OK(room.groups->Create(room.caller, create));
  CHECK_OK(room.groups->KeepCopies(partition, Offset(1)));
  std::vector<absl::Status> meanwhile;
  room.engine.on_submit = [&] {
    meanwhile.push_back(room.groups->KeepCopies(partition, Offset(1)));
  };
  v1::UpdateGroupRequest update;
  update.mutable_group()->set_name("workers");
  update.mutable_group()->add_topics("flights");
  update.mutable_update_mask()->add_paths("topics");
  REQUIRE_OK(room.groups->Update(room.caller, update));
  room.engine.on_submit = nullptr;
  REQUIRE(meanwhile.size() == 2);
  CHECK(meanwhile[0].code() == absl::StatusCode::kUnavailable);
  CHECK_OK(meanwhile[1]);  // The group reads it no more, and forgets what it kept.
  CHECK_OK(room.groups->KeepCopies(partition, Offset(1)));
}

TEST_CASE("a STREAM group skips events where it stands, and its members join again behind them",
          "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 2);
  room.Publish("orders", 0, 10, 100);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}, GroupsRoom::Earliest()));
  const auto member = std::make_shared<RecordingMember>();
  const auto membership = room.Join("billing", member);
  REQUIRE_OK(membership);
  REQUIRE(room.Commit(**membership, member->Handle(0), 3).changed);
  v1::SkipOffsetsRequest skip;
  skip.set_group("billing");
  skip.set_topic("orders");
  skip.set_reason("a poisoned order");
  const auto refusal = [&] { return ReasonOf(room.groups->Skip(room.caller, skip).status()); };
  skip.set_offset(2);
  CHECK(refusal() == v1::OFFSET_OUT_OF_RANGE);  // It does not go back.
  skip.set_offset(4);
  CHECK(refusal() == v1::OFFSET_OUT_OF_RANGE);  // Nor over what is not named.
  CHECK(member->ended.empty());
  skip.set_offset(3);
  skip.set_count(2);
  skip.set_dry_run(true);
  CHECK(room.groups->Skip(room.caller, skip)->skipped() == 2);
  CHECK(member->ended.empty());
  skip.set_dry_run(false);
  CHECK(room.groups->Skip(room.caller, skip)->skipped() == 2);
  room.pool.Run();
  REQUIRE(member->ended.size() == 1);
  CHECK(ReasonOf(member->ended[0]) == v1::GROUP_RESET);
  CHECK(room.Lag("billing", 0).committed_offset() == 5);
  const auto again = std::make_shared<RecordingMember>();
  REQUIRE_OK(room.Join("billing", again));
  REQUIRE(again->held.contains({"orders", 0}));
  CHECK(again->held.at({"orders", 0}).offset == Offset(5));
  room.Restart();
  CHECK(room.Lag("billing", 0).committed_offset() == 5);
}

TEST_CASE("positions in a topic whose deletion a kill cut short go at the next start", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 2);
  room.MakeTopic("flights", 1);
  REQUIRE_OK(room.MakeGroup("billing", {"orders", "flights"}));
  const auto positions = [&] {
    return room.engine.LoadRows(Family::kState, kPositionRows)->size();
  };
  REQUIRE(positions() == 3);
  Transaction deletion;
  deletion.rows.push_back({Family::kMeta, TopicRow("default", "orders"), std::nullopt});
  REQUIRE_OK(room.engine.Submit(std::move(deletion)));
  room.Restart();
  CHECK(positions() == 1);
  v1::GetGroupRequest request;
  request.set_name("billing");
  const auto group = room.groups->Get(room.caller, request);
  REQUIRE_OK(group);
  REQUIRE(group->group().topics_size() == 1);
  CHECK(group->group().topics(0) == "flights");
}

TEST_CASE("an update of a group that names a field twice is refused", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 1);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}));
  v1::UpdateGroupRequest update;
  update.mutable_group()->set_name("billing");
  update.mutable_group()->add_topics("orders");
  for (int i = 0; i < 2; ++i) update.mutable_update_mask()->add_paths("topics");
  const absl::Status twice = room.groups->Update(room.caller, update).status();
  CHECK(ReasonOf(twice) == v1::INVALID_ARGUMENT);
  CHECK(DetailsOf(twice).at("field") == "update_mask");
  update.mutable_update_mask()->mutable_paths()->RemoveLast();
  CHECK_OK(room.groups->Update(room.caller, update).status());
}

TEST_CASE("what the server says of a group is not taken from who creates it", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 1);
  v1::CreateGroupRequest create;
  create.mutable_group()->set_name("billing");
  create.mutable_group()->add_topics("orders");
  create.mutable_group()->add_members()->set_member_id("nobody");
  create.mutable_group()->mutable_pause()->set_by("somebody else");
  const auto made = room.groups->Create(room.caller, create);
  REQUIRE_OK(made);
  CHECK(made->group().members().empty());
  CHECK_FALSE(made->group().has_pause());
  const auto member = std::make_shared<RecordingMember>();
  REQUIRE_OK(room.Join("billing", member));
  CHECK_FALSE(member->paused);
}

TEST_CASE("more offsets than a group has positions are refused", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 2);
  room.Publish("orders", 0, 5, 50);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}, GroupsRoom::Earliest()));
  v1::CommitOffsetsRequest commit;
  commit.set_group("billing");
  v1::ResetOffsetsRequest reset;
  reset.set_group("billing");
  reset.set_reason("test");
  for (int i = 0; i < 3; ++i) {
    v1::GroupOffset* const offset = commit.add_offsets();
    offset->set_topic("orders");
    offset->set_partition(i % 2);
    *reset.mutable_to_offsets()->add_offsets() = *offset;
  }
  const absl::Status refused = room.groups->CommitOffsets(room.caller, commit).status();
  CHECK(ReasonOf(refused) == v1::INVALID_ARGUMENT);
  CHECK(DetailsOf(refused).at("field") == "offsets");
  const absl::Status unmoved = room.groups->ResetOffsets(room.caller, reset).status();
  CHECK(ReasonOf(unmoved) == v1::INVALID_ARGUMENT);
  CHECK(DetailsOf(unmoved).at("field") == "offsets");
  commit.mutable_offsets()->RemoveLast();
  reset.mutable_to_offsets()->mutable_offsets()->RemoveLast();
  commit.mutable_offsets(0)->set_offset(3);
  CHECK_OK(room.groups->CommitOffsets(room.caller, commit).status());
  CHECK(room.Lag("billing", 0).committed_offset() == 3);
  CHECK_OK(room.groups->ResetOffsets(room.caller, reset).status());
  CHECK(room.Lag("billing", 0).committed_offset() == 0);
}

// Goal: an error keeps its reason, which is metadata of the call (8 KiB), whatever it names.
TEST_CASE("errors about groups show of a long name how it begins", "[groups]") {
  GroupsRoom room;
  room.MakeTopic("orders", 1);
  REQUIRE_OK(room.MakeGroup("billing", {"orders"}));
  const std::string longer(5000, 'n');
  const auto reason = [](const absl::Status& status) {
    CHECK(status.message().size() < 1000);
    CHECK(EncodeStatusDetails(status).size() < 2000);
    return ReasonOf(status);
  };
  v1::GetGroupRequest get;
  get.set_name(longer);
  CHECK(reason(room.groups->Get(room.caller, get).status()) == v1::GROUP_NOT_FOUND);
  v1::GetLagRequest lag;
  lag.set_group("billing");
  lag.set_topic(longer);
  CHECK(reason(room.groups->GetLag(room.caller, lag).status()) == v1::TOPIC_NOT_FOUND);
  v1::CommitOffsetsRequest commit;
  commit.set_group("billing");
  commit.add_offsets()->set_topic(longer);
  CHECK(reason(room.groups->CommitOffsets(room.caller, commit).status()) ==
        v1::PARTITION_NOT_FOUND);
  v1::SkipOffsetsRequest skip;
  skip.set_group("billing");
  skip.set_topic(longer);
  skip.set_reason("test");
  CHECK(reason(room.groups->Skip(room.caller, skip).status()) == v1::PARTITION_NOT_FOUND);
  v1::UpdateGroupRequest update;
  update.mutable_group()->set_name("billing");
  update.mutable_update_mask()->add_paths(longer);
  CHECK(reason(room.groups->Update(room.caller, update).status()) == v1::INVALID_ARGUMENT);
  for (int i = 0; i < 2; ++i) update.mutable_group()->add_topics(longer);
  update.mutable_update_mask()->set_paths(0, "topics");
  CHECK(reason(room.groups->Update(room.caller, update).status()) == v1::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace acta
