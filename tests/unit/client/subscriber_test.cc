#include "client/cpp/subscriber.h"

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/support/error.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/client/fake_broker.h"
#include "tests/unit/client/to_grpc.h"

namespace acta::client {
namespace {

constexpr int kEvents = 20;  // In each partition.

void Fill(FakeBroker& broker) {
  for (int32_t partition = 0; partition < FakeBroker::kPartitions; ++partition) {
    for (int i = 0; i < kEvents; ++i) {
      v1::Event event;
      event.set_subject(absl::StrCat(i));
      broker.Store(partition, event.SerializeAsString());
    }
  }
}

SubscriberOptions Reading(const std::string& topic) {
  SubscriberOptions options;
  options.topics.emplace_back().set_topic(topic);
  options.topics[0].set_until_end(true);
  return options;
}

// A waiting call gives up here; nothing waits so long when all is well.
absl::Time Patience() { return absl::Now() + absl::Seconds(60); }

TEST_CASE("a reader gets everything once across a break, then the end", "[client]") {
  FakeBroker broker;
  broker.BreakWith(GENERATE(grpc::StatusCode::UNAVAILABLE, grpc::StatusCode::RESOURCE_EXHAUSTED));
  Fill(broker);
  broker.BreakSubscribeAfter(kEvents + 5);
  Subscriber subscriber(Connect(broker), Reading("t"));
  std::vector<int64_t> next(FakeBroker::kPartitions, 0);
  while (true) {
    const auto delivery = subscriber.Next(Patience());
    REQUIRE_OK(delivery);
    if (!delivery->has_value()) break;
    int64_t& expected = next[static_cast<size_t>((*delivery)->partition())];
    CHECK((*delivery)->base_offset() == expected);
    expected = (*delivery)->next_offset();
  }
  CHECK(subscriber.ended());
  CHECK(next == std::vector<int64_t>(FakeBroker::kPartitions, kEvents));
  CHECK(broker.subscriptions() == 2);
  CHECK_OK(subscriber.Close());
}

TEST_CASE("a member gets again what it had not committed", "[client]") {
  FakeBroker broker;
  Fill(broker);
  SubscriberOptions options = Reading("t");
  options.group = std::string("g");
  {
    Subscriber subscriber(Connect(broker), options);
    for (int i = 0; i < 7; ++i) {
      const auto delivery = subscriber.Next(Patience());
      REQUIRE_OK(delivery);
      REQUIRE(delivery->has_value());
      if (i < 5) subscriber.CommitDelivered();
    }
    REQUIRE_OK(subscriber.FlushCommits());
    REQUIRE_OK(subscriber.Close());
  }
  CHECK(broker.Committed(0) == 5);
  Subscriber subscriber(Connect(broker), options);
  const auto delivery = subscriber.Next(Patience());
  REQUIRE_OK(delivery);
  REQUIRE(delivery->has_value());
  CHECK((*delivery)->base_offset() == 5);
}

TEST_CASE("a member whose group was reset comes back, and commits nothing of before", "[client]") {
  FakeBroker broker;
  broker.BreakWith(ToGrpc(ErrorRetryAfter(v1::GROUP_RESET, "begins anew", absl::Milliseconds(1))));
  Fill(broker);
  broker.BreakSubscribeAfter(kEvents + 5);
  SubscriberOptions options = Reading("t");
  options.group = std::string("g");
  std::string told;
  options.on_notice = [&told](const v1::Notice& notice, const SubscribedPartition*) {
    told = absl::StrCat(notice.code(), ": ", notice.text());
  };
  Subscriber subscriber(Connect(broker), options);
  std::optional<Delivery> delivery;
  while (told.empty()) {  // How many come before is a matter of luck.
    auto next = subscriber.Next(Patience());
    REQUIRE_OK(next);
    REQUIRE(next->has_value());
    delivery = **std::move(next);
  }
  CHECK(told == "GROUP_RESET: begins anew");
  CHECK(broker.subscriptions() == 2);
  CHECK(delivery->base_offset() == 0);
  CHECK(ReasonOf(subscriber.Commit("t", 0, kEvents)) == v1::FENCED);
  REQUIRE_OK(subscriber.Commit("t", 0, 1));
  CHECK_OK(subscriber.FlushCommits());
  CHECK(broker.Committed(0) == 1);
  CHECK_OK(subscriber.Close());
}

TEST_CASE("a member whose name another one took does not come back", "[client]") {
  FakeBroker broker;
  Fill(broker);
  broker.BreakWith(ToGrpc(Error(v1::MEMBER_REPLACED, "another has the name")));
  broker.BreakSubscribeAfter(0);
  SubscriberOptions options = Reading("t");
  options.group = std::string("g");
  Subscriber subscriber(Connect(broker), options);
  CHECK(ReasonOf(subscriber.Next(Patience()).status()) == v1::MEMBER_REPLACED);
  CHECK(broker.subscriptions() == 1);
}

TEST_CASE("a reader asks for no larger frames than its channel takes", "[client]") {
  FakeBroker broker;
  ChannelOptions channel;
  SubscriberOptions options = Reading("t");
  const auto asked = [&] {
    Subscriber subscriber(std::make_shared<Channel>(broker.address(), channel), options);
    REQUIRE_OK(subscriber.Next(Patience()));
    return broker.max_frame_bytes();
  };
  CHECK(asked() == 4 << 20);
  channel.max_receive_bytes = 1 << 20;
  CHECK(asked() == 1 << 20);
  options.max_frame_bytes = 0;
  CHECK(asked() == 1 << 20);
  options.max_frame_bytes = 64 << 10;
  CHECK(asked() == 64 << 10);
}

TEST_CASE("an error for good ends the subscription and stays", "[client]") {
  FakeBroker broker;
  Subscriber subscriber(Connect(broker), Reading("nothing"));
  CHECK(ReasonOf(subscriber.Next(Patience()).status()) == v1::TOPIC_NOT_FOUND);
  CHECK(ReasonOf(subscriber.Next(Patience()).status()) == v1::TOPIC_NOT_FOUND);
  CHECK(subscriber.failed());
}

TEST_CASE("without a broker the last error is told when its time is over", "[client]") {
  SubscriberOptions options = Reading("t");
  options.retry_for = absl::ZeroDuration();
  Subscriber subscriber(std::make_shared<Channel>("127.0.0.1:1"), options);
  CHECK(subscriber.Next(Patience()).status().code() == absl::StatusCode::kUnavailable);
}

TEST_CASE("a stream that does not end in time is told by the time", "[client]") {
  FakeBroker broker;
  broker.HoldAnswers(true);
  Subscriber subscriber(Connect(broker), Reading("t"));
  CHECK(subscriber.Close(absl::Milliseconds(5)).code() == absl::StatusCode::kDeadlineExceeded);
}

TEST_CASE("Next ends at its deadline and when it is cancelled", "[client]") {
  FakeBroker broker;
  SubscriberOptions options = Reading("t");
  options.group = std::string("g");
  Subscriber subscriber(Connect(broker), options);
  const auto nothing = subscriber.Next(absl::Now() + absl::Milliseconds(5));
  REQUIRE_OK(nothing);
  CHECK_FALSE(nothing->has_value());
  std::thread canceller([&subscriber] { subscriber.Cancel(); });
  const auto cancelled = subscriber.Next(Patience());
  canceller.join();
  REQUIRE_OK(cancelled);
  CHECK_FALSE(cancelled->has_value());
}

}  // namespace
}  // namespace acta::client
