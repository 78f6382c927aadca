#include "server/otlp/collector_channel.h"

#include <grpc/grpc.h>

#include <catch2/catch.hpp>

#include <map>
#include <string>

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

}  // namespace
}  // namespace acta
