#include "server/otlp/collector_channel.h"

#include <grpc/grpc.h>
#include <grpcpp/security/credentials.h>

#include <catch2/catch.hpp>

#include <map>
#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/otlp/span_exporter.h"

namespace acta {
namespace {

TEST_CASE("a collector that is back is connected to within the pause of the exporter") {
  std::map<std::string, int> numbers;
  const grpc::ChannelArguments made = CollectorArguments();
  const grpc_channel_args arguments = made.c_channel_args();
  for (size_t i = 0; i < arguments.num_args; ++i) {
    const grpc_arg& argument = arguments.args[i];
    if (argument.type == GRPC_ARG_INTEGER) numbers[argument.key] = argument.value.integer;
  }
  const int64_t pause_ms = absl::ToInt64Milliseconds(SpanExporter::kMostDelay);
  CHECK(pause_ms == 30'000);
  // gRPC adds up to a fifth.
  REQUIRE(numbers.contains("grpc.max_reconnect_backoff_ms"));
  CHECK(numbers["grpc.max_reconnect_backoff_ms"] * 6 / 5 <= pause_ms);
  // A connection on which nothing is answered.
  REQUIRE(numbers.contains("grpc.keepalive_time_ms"));
  CHECK(numbers["grpc.keepalive_time_ms"] <= pause_ms);
  REQUIRE(numbers.contains("grpc.keepalive_timeout_ms"));
  CHECK(numbers["grpc.keepalive_timeout_ms"] == 10'000);
}

// Its pause would go on: 2 minutes where a name could not be resolved.
TEST_CASE("a channel to a collector that could not connect is not called again") {
  CollectorChannel to("unix:/nobody/listens/here", grpc::InsecureChannelCredentials());
  const std::shared_ptr<grpc::Channel> first = to.Get();
  CHECK(to.Get() == first);
  const auto give_up = absl::ToChronoTime(absl::Now() + absl::Seconds(30));
  for (auto state = first->GetState(true); state != GRPC_CHANNEL_TRANSIENT_FAILURE;
       state = first->GetState(true)) {
    REQUIRE(first->WaitForStateChange(state, give_up));
  }
  const std::shared_ptr<grpc::Channel> second = to.Get();
  CHECK(second != first);
  CHECK(to.Get() == second);
}

}  // namespace
}  // namespace acta
