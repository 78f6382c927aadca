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
  absl::Status meanwhile;
  room.engine.on_submit = [&] { meanwhile = room.groups->KeepCopies(partition, Offset(1)); };
  v1::UpdateGroupRequest update;
  update.mutable_group()->set_name("workers");
  update.mutable_group()->add_topics("flights");
  update.mutable_update_mask()->add_paths("topics");
  REQUIRE_OK(room.groups->Update(room.caller, update));
  room.engine.on_submit = nullptr;
  CHECK(meanwhile.code() == absl::StatusCode::kUnavailable);
  CHECK_OK(room.groups->KeepCopies(partition, Offset(1)));
}

}  // namespace
}  // namespace acta
