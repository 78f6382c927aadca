#include <catch2/catch.hpp>

#include <atomic>
#include <functional>
#include <future>
#include <thread>

#include "server/core/subscribe/sink_gate.h"

namespace acta {
namespace {

class CallingSink final : public EventSink {
 public:
  void Send(OutgoingFrame) override {
    ++sends;
    if (on_send) on_send();
  }
  void Finish(const absl::Status&) override { ++finishes; }
  std::function<void()> on_send;
  int sends = 0;
  int finishes = 0;
};

TEST_CASE("nothing passes a gate that was closed", "[sink_gate]") {
  CallingSink sink;
  SinkGate gate(sink);
  CHECK(gate.Send({}));
  gate.Close();
  CHECK_FALSE(gate.Send({}));
  gate.Finish(absl::OkStatus());
  CHECK(sink.sends == 1);
  CHECK(sink.finishes == 0);
}

TEST_CASE("nothing passes after Finish", "[sink_gate]") {
  CallingSink sink;
  SinkGate gate(sink);
  gate.Finish(absl::OkStatus());
  gate.Finish(absl::OkStatus());
  CHECK_FALSE(gate.Send({}));
  CHECK(sink.sends == 0);
  CHECK(sink.finishes == 1);
}

TEST_CASE("a sink may close the gate from inside a call", "[sink_gate]") {
  CallingSink sink;
  SinkGate gate(sink);
  sink.on_send = [&] { gate.Close(); };
  CHECK(gate.Send({}));
  CHECK_FALSE(gate.Send({}));
}

TEST_CASE("closing waits for the call that is running", "[sink_gate]") {
  CallingSink sink;
  SinkGate gate(sink);
  std::promise<void> inside;
  std::promise<void> go_on;
  std::atomic<bool> left{false};
  sink.on_send = [&] {
    inside.set_value();
    go_on.get_future().wait();
    left = true;
  };
  std::thread sender([&] { gate.Send({}); });
  inside.get_future().wait();
  std::atomic<bool> closed_early{false};
  std::thread closer([&] {
    gate.Close();
    if (!left) closed_early = true;
  });
  go_on.set_value();
  sender.join();
  closer.join();
  CHECK_FALSE(closed_early);
}

}  // namespace
}  // namespace acta
