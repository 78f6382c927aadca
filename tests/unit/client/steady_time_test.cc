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

constexpr absl::Duration kRetryFor = absl::Hours(2);

PublisherOptions OneAtATime() {
  PublisherOptions options;
  options.max_frames_in_flight = 1;
  options.retry_for = kRetryFor;
  return options;
}

// How an event ends that waits behind one which is not answered.
absl::Status GiveUp(FakeBroker& broker, Publisher& publisher) {
  v1::Event event;
  event.set_key("k");
  const int32_t partition = PartitionOfKey("k", FakeBroker::kPartitions);
  const size_t stored = broker.Stored(partition).size();
  broker.HoldAnswers(true);
  REQUIRE_OK(publisher.Publish("t", event));
  while (broker.Stored(partition).size() == stored) (void)publisher.Flush(absl::Milliseconds(10));
  EventResult result;
  REQUIRE_OK(publisher.Publish("t", event, [&result](const EventResult& one) { result = one; }));
  const int64_t both = publisher.unanswered_bytes();
  const absl::Duration passed = PassUntil([&] {
    (void)publisher.Flush(absl::Milliseconds(10));
    return publisher.unanswered_bytes() < both;
  });
  CHECK(passed >= kRetryFor);
  CHECK(passed < absl::Hours(1000));
  broker.HoldAnswers(false);
  (void)publisher.Close();
  return result.status;
}

TEST_CASE("a publisher gives up by the steady clock what it could not send", "[client]") {
  FakeBroker broker;
  Publisher publisher(ConnectHourly(broker), OneAtATime());
  CHECK(GiveUp(broker, publisher).code() == absl::StatusCode::kDeadlineExceeded);
}

TEST_CASE("an event that is given up does not fail with an error of long ago", "[client]") {
  FakeBroker broker;
  ChannelOptions channel;
  channel.min_backoff = absl::Milliseconds(1);
  channel.deadline = absl::Hours(10'000);
  Publisher publisher(std::make_shared<Channel>(broker.address(), channel), OneAtATime());
  v1::Event event;
  event.set_key("k");
  broker.BreakPublishAfter(1);
  REQUIRE_OK(publisher.PublishAndWait("t", event).status);
  CHECK(GiveUp(broker, publisher).code() == absl::StatusCode::kDeadlineExceeded);
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
