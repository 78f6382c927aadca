// Steps over a reset of their group.
#include "storage/layout/rows.h"
#include "tests/unit/settle/step_room.h"

namespace acta {
namespace {

void ResetAll(StepRoom& room) {
  v1::ResetOffsetsRequest reset;
  reset.set_group("workers");
  reset.mutable_to()->set_earliest(true);
  reset.set_reason("again");
  reset.set_force(true);
  REQUIRE_OK(room.groups.ResetOffsets(room.caller, reset));
  room.Run();
}

TEST_CASE("a delivery token of before a reset settles nothing", "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 1);
  Client& old = room.Work();
  const v1::SettleRequest step = room.Step(old.sink.leased.at(0), "bill");
  ResetAll(room);
  SECTION("while nobody has the event") {
    CHECK(room.Refused(step) == v1::NEVER_LEASED);
    CHECK(room.Outstanding() == 1);
    Client& now = room.Work();
    REQUIRE_OK(room.Settle(room.Step(now.sink.leased.at(0), "bill")));
  }
  SECTION("while another has it") {
    Client& now = room.Work();
    CHECK(room.Refused(step) == v1::LEASE_LOST);
    CHECK(room.Outstanding() == 1);
    REQUIRE_OK(room.Settle(room.Step(now.sink.leased.at(0), "bill")));
  }
  SECTION("after a restart") {
    StepRoom next(room.engine.Restart());
    CHECK(next.Refused(step) == v1::LEASE_LOST);
    CHECK(next.Outstanding() == 1);
    CHECK(next.Bills().empty());
    return;
  }
  CHECK(room.Bills() == Strings{"bill"});
  CHECK(room.Outstanding() == 0);
}

}  // namespace
}  // namespace acta
