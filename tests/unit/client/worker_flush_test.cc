#include <cstdint>
#include <string>

#include "client/cpp/worker_state.h"
#include "tests/unit/client/talk_to.h"

namespace acta::client {
namespace {

// A worker that has events 0 to 8 of a partition.
class Flushing : public TalkTo<WorkerState> {
 public:
  Flushing() : TalkTo(OfGroup()) {
    Open();
    Assign(1, 0, 0);
    Ack(1);
    Deliver(1, 0, 9);
    NextItem<WorkItem>();
  }

  void Say(int64_t offset, v1::SettleKind kind) { state.Settle("t", 0, offset, 1, {kind}); }

 private:
  static WorkerOptions OfGroup() {
    WorkerOptions options;
    options.group = std::string("g");
    return options;
  }
};

TEST_CASE("a worker that is flushed does not wait for what is settled meanwhile", "[client]") {
  Flushing worker;
  CHECK(worker.state.Settled(worker.state.Mark()));
  worker.Say(5, v1::SETTLE_KIND_ACK);
  const uint64_t last = worker.state.Mark();
  CHECK_FALSE(worker.state.Settled(last));
  const uint64_t first = worker.NextControl().frame_id();
  worker.Say(4, v1::SETTLE_KIND_ACK);
  worker.Say(3, v1::SETTLE_KIND_NACK);
  CHECK(worker.NextControl().settle().settlements_size() == 2);
  CHECK_FALSE(worker.state.Settled(last));
  worker.Ack(first);
  CHECK(worker.state.Settled(last));
  CHECK_FALSE(worker.state.Settled());
}

TEST_CASE("a worker that is flushed waits for what goes again after a break", "[client]") {
  Flushing worker;
  worker.Say(5, v1::SETTLE_KIND_ACK);
  const uint64_t last = worker.state.Mark();
  worker.NextControl();
  worker.Say(4, v1::SETTLE_KIND_ACK);  // Travels behind it, though it lies before.
  worker.state.OnEnd();
  worker.Open();
  worker.Assign(1, 0, 0);
  worker.Ack(1);
  CHECK_FALSE(worker.state.Settled(last));
  const v1::SubscribeControl again = worker.NextControl();
  REQUIRE(again.settle().settlements_size() == 2);
  CHECK(again.settle().settlements(0).offset() == 5);
  worker.Ack(again.frame_id());
  CHECK(worker.state.Settled());
}

}  // namespace
}  // namespace acta::client
