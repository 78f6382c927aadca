#include "client/cpp/steady_time.h"

#include <cstdint>
#include <memory>

#include "absl/time/clock.h"
#include "client/cpp/publisher.h"
#include "client/cpp/subscriber.h"
#include "proto/support/partitioner.h"
#include "storage/base/clock.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/client/fake_broker.h"

namespace acta::client {
namespace {

// A channel on which nothing happens again before an hour is over.
std::shared_ptr<Channel> ConnectHourly(const FakeBroker& broker) {
  ChannelOptions options;
  options.min_backoff = options.max_backoff = absl::Hours(1);
  options.deadline = absl::Hours(10'000);
  return std::make_shared<Channel>(broker.address(), options);
}

// Lets time pass by the steady clock alone until `done` says true, for some weeks at most.
template <typename Done>
absl::Duration PassUntil(Done done) {
  constexpr absl::Duration kStep = absl::Minutes(10);
  absl::Duration passed;
  while (!done() && passed < absl::Hours(1000)) {
    PassSteadyTime(kStep);
    passed += kStep;
  }
  return passed;
}

TEST_CASE("the steady time of a client is that since boot", "[client]") {
  const absl::Duration passed = SteadyNow() - absl::UnixEpoch() - SystemClock().SinceBoot();
  PassSteadyTime(absl::Hours(1));
  const absl::Duration later = SteadyNow() - absl::UnixEpoch() - SystemClock().SinceBoot();
  CHECK(later - passed > absl::Minutes(59));
  CHECK(later - passed < absl::Minutes(61));
  CHECK(ToSteady(absl::InfiniteFuture()) == absl::InfiniteFuture());
}

// Goal: setting the clock of the machine neither keeps a client offline nor lets it give up.
// Method: intervals are over when they are by the steady clock, which the wall clock does not move.
TEST_CASE("a publisher connects again by the steady clock", "[client]") {
  FakeBroker broker;
  broker.BreakPublishAfter(1);
  PublisherOptions options;
  options.retry_for = absl::InfiniteDuration();
  Publisher publisher(ConnectHourly(broker), options);
  v1::Event event;
  event.set_key("k");
  EventResult result;
  REQUIRE_OK(publisher.Publish("t", event, [&result](const EventResult& one) { result = one; }));
  const absl::Duration passed =
      PassUntil([&] { return publisher.Flush(absl::Milliseconds(10)).ok(); });
  CHECK(passed >= absl::Hours(1));
  CHECK(passed < absl::Hours(1000));
  CHECK_OK(result.status);
  CHECK(result.duplicate);
  CHECK_OK(publisher.Close());
}

TEST_CASE("a publisher gives up by the steady clock what it could not send", "[client]") {
  PublisherOptions options;
  options.retry_for = absl::Hours(2);
  FakeBroker broker;
  broker.HoldAnswers(true);
  Publisher publisher(ConnectHourly(broker), options);
  v1::Event event;
  event.set_key("k");
  REQUIRE_OK(publisher.Publish("t", event));
  const int32_t partition = PartitionOfKey("k", FakeBroker::kPartitions);
  while (broker.Stored(partition).empty()) (void)publisher.Flush(absl::Milliseconds(10));
  EventResult result;
  // It waits for the answer to the first one.
  REQUIRE_OK(publisher.Publish("t", event, [&result](const EventResult& one) { result = one; }));
  const int64_t both = publisher.unanswered_bytes();
  const absl::Duration passed = PassUntil([&] {
    (void)publisher.Flush(absl::Milliseconds(10));
    return publisher.unanswered_bytes() < both;
  });
  CHECK(passed >= absl::Hours(2));
  CHECK(passed < absl::Hours(1000));
  broker.HoldAnswers(false);
  (void)publisher.Close();
  CHECK(result.status.code() == absl::StatusCode::kDeadlineExceeded);
}

TEST_CASE("a reader connects again by the steady clock", "[client]") {
  FakeBroker broker;
  v1::Event event;
  broker.Store(0, event.SerializeAsString());
  broker.BreakSubscribeAfter(0);
  SubscriberOptions options;
  options.topics.emplace_back().set_topic("t");
  options.topics[0].set_until_end(true);
  options.retry_for = absl::InfiniteDuration();
  Subscriber subscriber(ConnectHourly(broker), options);
  int64_t events = 0;
  const absl::Duration passed = PassUntil([&] {
    const auto delivery = subscriber.Next(absl::Now() + absl::Milliseconds(10));
    REQUIRE_OK(delivery);
    if (delivery->has_value()) events += (*delivery)->count();
    return subscriber.ended();
  });
  CHECK(passed >= absl::Hours(1));
  CHECK(passed < absl::Hours(1000));
  CHECK(events == 1);
  CHECK_OK(subscriber.Close());
}

}  // namespace
}  // namespace acta::client
