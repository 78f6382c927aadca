#include "client/cpp/publisher.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/partitioner.h"
#include "tests/support/status_matchers.h"
#include "tests/support/wait_until.h"
#include "tests/unit/client/fake_broker.h"

namespace acta::client {
namespace {

v1::Event Numbered(int number, const std::string& key) {
  v1::Event event;
  event.set_key(key);
  event.set_subject(absl::StrCat(number));
  return event;
}

std::vector<std::string> Subjects(const std::vector<std::string>& events) {
  std::vector<std::string> subjects;
  for (const std::string& bytes : events) {
    v1::Event event;
    REQUIRE(event.ParseFromString(bytes));
    subjects.push_back(event.subject());
  }
  return subjects;
}

// What key "k" and number 0 to `count` - 1 leave in the partition.
std::vector<std::string> Numbers(int count) {
  std::vector<std::string> numbers;
  for (int i = 0; i < count; ++i) numbers.push_back(absl::StrCat(i));
  return numbers;
}

TEST_CASE("an event is stored in the partition of its key and its place is told", "[client]") {
  FakeBroker broker;
  Publisher publisher(Connect(broker));
  const EventResult result = publisher.PublishAndWait("t", Numbered(0, "k"));
  REQUIRE_OK(result.status);
  CHECK(result.partition == PartitionOfKey("k", FakeBroker::kPartitions));
  CHECK(result.offset == 0);
  CHECK(publisher.PublishAndWait("t", Numbered(1, "k")).offset == 1);
  REQUIRE_OK(publisher.Close());
  CHECK(Subjects(broker.Stored(result.partition)) == Numbers(2));
  CHECK(publisher.Publish("t", Numbered(2, "k")).code() == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("a topic that is not there refuses the event before it is taken", "[client]") {
  FakeBroker broker;
  Publisher publisher(Connect(broker));
  CHECK(ReasonOf(publisher.Publish("nothing", Numbered(0, "k"))) == v1::TOPIC_NOT_FOUND);
  CHECK_OK(publisher.Flush());
}

TEST_CASE("broken streams cost neither order nor events", "[client]") {
  FakeBroker broker;
  PublisherOptions options;
  options.batch_bytes = 200;
  options.max_frame_bytes = 400;
  Publisher publisher(Connect(broker), options);
  const int32_t partition = PartitionOfKey("k", FakeBroker::kPartitions);
  int done = 0;
  constexpr int kCount = 3000;
  for (int i = 0; i < kCount; ++i) {
    if (i % 1000 == 500) broker.BreakPublishAfter(3);
    REQUIRE_OK(publisher.Publish("t", Numbered(i, "k"), [&done](const EventResult& result) {
      if (result.status.ok()) ++done;
    }));
  }
  REQUIRE_OK(publisher.Close(absl::Seconds(60)));
  CHECK(done == kCount);
  CHECK(Subjects(broker.Stored(partition)) == Numbers(kCount));
}

TEST_CASE("an event is stored although gRPC had no room for its stream", "[client]") {
  FakeBroker broker;
  broker.BreakWith(grpc::StatusCode::RESOURCE_EXHAUSTED);
  broker.BreakPublishAfter(1);
  Publisher publisher(Connect(broker));
  CHECK_OK(publisher.PublishAndWait("t", Numbered(0, "k")).status);
  CHECK_OK(publisher.Close());
  CHECK(broker.Stored(PartitionOfKey("k", FakeBroker::kPartitions)).size() == 1);
}

TEST_CASE("what no broker takes is refused before it is taken", "[client]") {
  FakeBroker broker;
  Publisher publisher(Connect(broker));
  v1::Event event;
  event.set_key("k");
  event.set_data(std::string(17 << 20, 'x'));
  CHECK(ReasonOf(publisher.Publish("t", event)) == v1::EVENT_TOO_LARGE);
  auto payload = std::make_shared<std::string>();
  AppendElement(event, payload.get());
  CHECK(ReasonOf(publisher.PublishPrepared("t", 0, payload, 1)) == v1::BATCH_TOO_LARGE);
  CHECK(publisher.unanswered_bytes() == 0);
  CHECK_OK(publisher.Close());
}

TEST_CASE("memory is bounded: a full publisher refuses or waits", "[client]") {
  FakeBroker broker;
  broker.HoldAnswers(true);
  PublisherOptions options;
  options.max_memory_bytes = 1000;
  options.block_when_full = false;
  Publisher publisher(Connect(broker), options);
  absl::Status status;
  int taken = 0;
  while ((status = publisher.Publish("t", Numbered(taken, "k"))).ok()) ++taken;
  CHECK(ReasonOf(status) == v1::PUBLISH_QUEUE_FULL);
  CHECK(publisher.unanswered_bytes() <= 1000);
  CHECK(publisher.Flush(absl::Milliseconds(10)).code() == absl::StatusCode::kDeadlineExceeded);
  broker.HoldAnswers(false);
  REQUIRE_OK(publisher.Flush(absl::Seconds(60)));
  CHECK(publisher.unanswered_bytes() == 0);

  options.block_when_full = true;
  Publisher patient(Connect(broker), options);
  for (int i = 0; i < 1000; ++i) REQUIRE_OK(patient.Publish("t", Numbered(i, "k")));
  REQUIRE_OK(patient.Close(absl::Seconds(60)));
  const int32_t partition = PartitionOfKey("k", FakeBroker::kPartitions);
  CHECK(broker.Stored(partition).size() == static_cast<size_t>(taken) + 1000);
}

TEST_CASE("a full publisher waits no longer than it was told", "[client]") {
  FakeBroker broker;
  broker.HoldAnswers(true);
  PublisherOptions options;
  options.max_memory_bytes = 1;
  options.block_for = absl::Milliseconds(20);
  Publisher publisher(Connect(broker), options);
  REQUIRE_OK(publisher.Publish("t", Numbered(0, "k")));
  CHECK(ReasonOf(publisher.Publish("t", Numbered(1, "k"))) == v1::PUBLISH_QUEUE_FULL);
  broker.HoldAnswers(false);
  CHECK_OK(publisher.Close(absl::Seconds(60)));
}

TEST_CASE("a cancelled publisher lets go of everybody who waits", "[client]") {
  FakeBroker broker;
  broker.HoldAnswers(true);
  PublisherOptions options;
  options.max_memory_bytes = 1;
  Publisher publisher(Connect(broker), options);
  absl::Status result;
  REQUIRE_OK(publisher.Publish("t", Numbered(0, "k"),
                               [&result](const EventResult& one) { result = one.status; }));
  absl::Status published;
  absl::Status flushed;
  std::thread publishes([&] { published = publisher.Publish("t", Numbered(1, "k")); });
  std::thread flushes([&] { flushed = publisher.Flush(); });
  publisher.Cancel();
  publishes.join();
  flushes.join();
  CHECK(published.code() == absl::StatusCode::kCancelled);
  CHECK(flushed.code() == absl::StatusCode::kCancelled);
  CHECK(publisher.Close().code() == absl::StatusCode::kCancelled);
  CHECK(result.code() == absl::StatusCode::kCancelled);
}

TEST_CASE("what a closing publisher could not deliver fails", "[client]") {
  FakeBroker broker;
  broker.HoldAnswers(true);
  Publisher publisher(Connect(broker));
  absl::Status result;
  REQUIRE_OK(publisher.Publish("t", Numbered(0, "k"),
                               [&result](const EventResult& one) { result = one.status; }));
  CHECK(publisher.Close(absl::Milliseconds(20)).code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(result.code() == absl::StatusCode::kDeadlineExceeded);
}

// ThreadSanitizer finds what the two do to each other.
TEST_CASE("events may be published while the publisher is being closed", "[client]") {
  FakeBroker broker;
  Publisher publisher(Connect(broker));
  REQUIRE_OK(publisher.PublishAndWait("t", Numbered(0, "k")).status);
  std::atomic<bool> over{false};
  std::thread publishes([&] {
    while (!over) (void)publisher.Publish("t", Numbered(1, "k"));
  });
  CHECK_OK(publisher.Close(absl::Seconds(60)));
  over = true;
  publishes.join();
  CHECK(publisher.Publish("t", Numbered(2, "k")).code() == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("a prepared batch travels as it is", "[client]") {
  FakeBroker broker;
  Publisher publisher(Connect(broker));
  auto payload = std::make_shared<std::string>();
  AppendElement(Numbered(0, ""), payload.get());
  AppendElement(Numbered(1, ""), payload.get());
  BatchOutcome outcome;
  REQUIRE_OK(publisher.PublishPrepared("t", 1, payload, 2,
                                       [&outcome](const BatchOutcome& one) { outcome = one; }));
  REQUIRE_OK(publisher.Close());
  CHECK_OK(outcome.status);
  CHECK(outcome.stored == 2);
  CHECK(outcome.base_offset == 0);
  CHECK(Subjects(broker.Stored(1)) == Numbers(2));
}

TEST_CASE("without a broker an event fails when its time is over", "[client]") {
  auto broker = std::make_unique<FakeBroker>();
  PublisherOptions options;
  options.retry_for = absl::Milliseconds(50);
  Publisher publisher(Connect(*broker), options);
  // On a slow machine it has its time behind it before there is a stream, or before it is broken.
  const auto ends_as = [&publisher](absl::StatusCode code) {
    return publisher.PublishAndWait("t", Numbered(0, "k")).status.code() == code;
  };
  REQUIRE(WaitUntil([&] { return ends_as(absl::StatusCode::kOk); }));
  broker.reset();
  CHECK(WaitUntil([&] { return ends_as(absl::StatusCode::kUnavailable); }));
}

}  // namespace
}  // namespace acta::client
