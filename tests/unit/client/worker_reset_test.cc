// A worker whose group was reset.
#include <string>

#include "client/cpp/worker_state.h"
#include "tests/unit/client/talk_to.h"

namespace acta::client {
namespace {

WorkerOptions OfResetGroup() {
  WorkerOptions options;
  options.group = std::string("g");
  return options;
}

// The partition of "t", of this generation.
void NamePartition(TalkTo<WorkerState>& talk, uint64_t assignment, int64_t generation) {
  v1::DeliveryFrame frame;
  v1::Assigned* const assigned = frame.add_assigned();
  assigned->set_assignment(assignment);
  assigned->set_topic("t");
  assigned->set_generation(generation);
  talk.Hear(frame);
  talk.Ack(1);
}

TEST_CASE("what came before a reset is not settled behind it", "[client]") {
  const bool reset = GENERATE(false, true);
  TalkTo<WorkerState> talk(OfResetGroup());
  talk.Open();
  NamePartition(talk, 1, 7);
  talk.Deliver(1, 0, 3);
  const auto done = talk.NextItem<WorkItem>();
  talk.Deliver(1, 3, 2);
  const auto running = talk.NextItem<WorkItem>();
  talk.state.Settle(done, {v1::SETTLE_KIND_ACK});
  REQUIRE(talk.NextControl().has_settle());  // And no answer comes.
  talk.state.OnEnd();
  if (reset) talk.state.OnReset({});
  talk.Open();
  NamePartition(talk, 2, reset ? 8 : 7);
  talk.state.Settle(running, {v1::SETTLE_KIND_ACK});
  if (!reset) {
    CHECK(talk.NextControl().settle().settlements_size() == 2);
    return;
  }
  talk.NextItem<v1::Notice>();
  CHECK_FALSE(talk.state.HasControl());
  CHECK(talk.state.Settled());
  CHECK(ReasonOf(talk.state.TakeFailure()) == v1::LEASE_LOST);
}

}  // namespace
}  // namespace acta::client
