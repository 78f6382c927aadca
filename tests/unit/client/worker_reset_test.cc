// A worker whose group was reset.
#include <cstdint>
#include <string>

#include "absl/time/clock.h"
#include "client/cpp/worker.h"
#include "client/cpp/worker_state.h"
#include "proto/support/error.h"
#include "tests/unit/client/fake_queue.h"
#include "tests/unit/client/talk_to.h"
#include "tests/unit/client/to_grpc.h"

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
  CHECK_FALSE(talk.state.HasItem());  // It is told once.
  CHECK_FALSE(talk.state.HasControl());
  CHECK(talk.state.Settled());
  CHECK(ReasonOf(talk.state.TakeFailure()) == v1::LEASE_LOST);
}

TEST_CASE("a reset that came while the stream was broken is told, too", "[client]") {
  TalkTo<WorkerState> talk(OfResetGroup());
  talk.Open();
  NamePartition(talk, 1, 7);
  talk.Deliver(1, 0, 3);
  const auto running = talk.NextItem<WorkItem>();
  talk.state.OnEnd();
  talk.Open();
  NamePartition(talk, 2, 8);
  talk.Deliver(2, 0, 3);
  CHECK(talk.NextItem<v1::Notice>().code() == "GROUP_RESET");
  talk.state.Settle(running, {v1::SETTLE_KIND_ACK});
  CHECK(ReasonOf(talk.state.TakeFailure()) == v1::LEASE_LOST);
  const auto again = talk.NextItem<WorkItem>();
  talk.state.Settle(again, {v1::SETTLE_KIND_ACK});
  // Nothing of before is left when the next one comes.
  talk.Ack(talk.NextControl().frame_id());
  talk.state.OnEnd();
  talk.Open();
  NamePartition(talk, 3, 9);
  CHECK_FALSE(talk.state.HasItem());
}

TEST_CASE("nothing is leased before the caller has heard of a reset", "[client]") {
  FakeQueue queue(2 * FakeQueue::kBatch);
  queue.BreakAtSettle(
      ToGrpc(ErrorRetryAfter(v1::GROUP_RESET, "begins anew", absl::Milliseconds(1))));
  WorkerOptions options = OfResetGroup();
  int streams_when_told = 0;
  options.on_notice = [&](const v1::Notice& notice) {
    if (notice.code() != "GROUP_RESET") return;
    absl::SleepFor(absl::Milliseconds(30));  // Somebody ends what is under way.
    streams_when_told = queue.streams();
  };
  Worker worker(queue.Connect(), options);
  worker.Ack(NextOf(worker));
  int64_t attempt = 0;  // Of the fake: the number of the stream.
  while (streams_when_told == 0) attempt = NextOf(worker).attempt();
  CHECK(streams_when_told == 1);
  CHECK(attempt == 2);
}

TEST_CASE("a flush under which a reset comes does not wait for who is to hear of it", "[client]") {
  FakeQueue queue(FakeQueue::kBatch);
  queue.BreakAtSettle(
      ToGrpc(ErrorRetryAfter(v1::GROUP_RESET, "begins anew", absl::Milliseconds(1))));
  Worker worker(queue.Connect(), OfResetGroup());
  worker.Ack(NextOf(worker));
  CHECK_OK(worker.Flush(absl::Seconds(60)));  // The fake keeps what is held.
  CHECK(queue.streams() == 2);
}

}  // namespace
}  // namespace acta::client
