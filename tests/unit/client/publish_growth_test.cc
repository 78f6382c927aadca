// What a publisher does when a topic has more partitions than it had.
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/publish_queue.h"
#include "client/cpp/publisher.h"
#include "proto/support/error.h"
#include "proto/support/partitioner.h"
#include "proto/support/wire.h"
#include "tests/support/status_matchers.h"

namespace acta::client {
namespace {

const absl::Time kGrown = absl::FromUnixSeconds(1'000'000);

// Events with keys, and a broker whose topic has so many partitions.
class GrownTopic {
 public:
  explicit GrownTopic(int32_t partitions) : partitions_(partitions) {}

  void Publish(const std::string& key, int32_t partition, bool by_key) {
    v1::Event event;
    event.set_key(key);
    std::string element;
    AppendElement(event, &element);
    auto done = [this, key](const EventResult& result) { results[key] = result; };
    queue.AddEvent("t", partition, {element, std::move(done), {}, by_key}, [] { return kGrown; });
  }
  // Until nothing is left to send. Before its end nothing counts as finished.
  void Drain(uint64_t order) {
    while (const auto frame = queue.Take([] { return kGrown; })) {
      CHECK_FALSE(queue.FinishedThrough(order));
      v1::FrameResult answer;
      answer.set_frame_id(frame->id);
      for (const PublishBatch* batch : frame->batches) *answer.add_batches() = ResultOf(*batch);
      PublishQueue::Finished finished;
      queue.OnAnswer(std::move(answer), kGrown, &finished);
      for (FinishedBatch& batch : finished) RunCallbacks(batch);
    }
    CHECK(queue.FinishedThrough(order));
    CHECK(queue.bytes() == 0);
  }

  PublishQueue queue{PublishQueue::Options()};
  std::map<std::string, EventResult> results;

 private:
  v1::BatchResult ResultOf(const PublishBatch& batch) const {
    v1::BatchResult result;
    EventElements elements(*batch.payload);
    for (absl::string_view bytes; elements.Next(&bytes);) {
      v1::Event event;
      REQUIRE(event.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
      if (PartitionOfKey(event.key(), partitions_) == batch.partition()) continue;
      *result.mutable_error() = ToProto(
          Error(v1::PARTITION_KEY_MISMATCH, "no", {{"partitions", std::to_string(partitions_)}}));
      return result;
    }
    v1::PublishedPart* const part = result.add_parts();
    part->set_partition(batch.partition());
    part->set_count(static_cast<int32_t>(batch.count));
    return result;
  }

  const int32_t partitions_;
};

TEST_CASE("events of a topic that has grown go to where they belong, and are waited for",
          "[client]") {
  constexpr int32_t kBefore = 2, kAfter = 7;
  GrownTopic grown(kAfter);
  for (int i = 0; i < 100; ++i) {
    const std::string key = absl::StrCat("key-", i);
    grown.Publish(key, PartitionOfKey(key, kBefore), true);
  }
  grown.Drain(grown.queue.last_order());
  REQUIRE(grown.results.size() == 100);
  for (const auto& [key, result] : grown.results) {
    REQUIRE_OK(result.status);
    CHECK(result.partition == PartitionOfKey(key, kAfter));
  }
  CHECK_FALSE(grown.queue.TakeGrown().empty());
  CHECK(grown.queue.TakeGrown().empty());
}

TEST_CASE("an event that was sent before its topic grew, and not answered, may be stored",
          "[client]") {
  constexpr int32_t kBefore = 2, kAfter = 7;
  GrownTopic grown(kAfter);
  std::string key = "a";
  while (PartitionOfKey(key, kBefore) == PartitionOfKey(key, kAfter)) key += "a";
  grown.Publish(key, PartitionOfKey(key, kBefore), true);
  REQUIRE(grown.queue.Take([] { return kGrown; }).has_value());
  PublishQueue::Finished finished;
  grown.queue.OnStreamEnd(absl::UnavailableError("gone"), true, kGrown, &finished);
  CHECK(finished.empty());
  grown.Drain(grown.queue.last_order());
  CHECK(ReasonOf(grown.results[key].status) == v1::OUTCOME_UNKNOWN);
}

TEST_CASE("who names a wrong partition is told, also of a topic that has grown", "[client]") {
  constexpr int32_t kPartitions = 7;
  GrownTopic grown(kPartitions);
  const int32_t right = PartitionOfKey("a", kPartitions);
  grown.Publish("a", (right + 1) % kPartitions, false);
  grown.Drain(grown.queue.last_order());
  CHECK(ReasonOf(grown.results["a"].status) == v1::PARTITION_KEY_MISMATCH);
  CHECK(grown.queue.TakeGrown().empty());
}

}  // namespace
}  // namespace acta::client
