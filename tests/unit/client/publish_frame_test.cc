// How much a publisher sends in one frame.
#include <memory>
#include <string>

#include "client/cpp/publish_queue.h"
#include "tests/support/status_matchers.h"

namespace acta::client {
namespace {

const absl::Time kFramed = absl::FromUnixSeconds(1'000'000);

TEST_CASE("a frame has at most 131,072 events", "[client]") {
  PublishQueue queue{PublishQueue::Options()};
  const auto payload = std::make_shared<const std::string>("events");
  const auto add = [&](int32_t partition, uint32_t count) {
    queue.AddBatch("t", partition, payload, count, nullptr, kFramed);
  };
  add(0, 65'536);
  add(1, 65'536);
  add(2, 1);
  const auto full = queue.Take([] { return kFramed; });
  REQUIRE(full.has_value());
  CHECK(full->batches.size() == 2);
  const auto rest = queue.Take([] { return kFramed; });
  REQUIRE(rest.has_value());
  REQUIRE(rest->batches.size() == 1);
  CHECK(rest->batches[0]->partition() == 2);
}

}  // namespace
}  // namespace acta::client
