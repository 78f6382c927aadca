#include "client/cpp/hooks.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cpp/publisher.h"
#include "client/cpp/subscriber.h"
#include "client/cpp/subscription_state.h"
#include "client/cpp/worker_state.h"
#include "proto/support/error.h"
#include "storage/base/mutex.h"
#include "tests/support/status_matchers.h"
#include "tests/support/wait_until.h"
#include "tests/unit/client/fake_broker.h"
#include "tests/unit/client/fake_queue.h"
#include "tests/unit/client/talk_to.h"

namespace acta::client {
namespace {

// What the hooks were told. Read it when the clients are closed.
class Heard : public Metrics {
 public:
  void OnStream(const StreamChange& change) override {
    MutexLock lock(mu_);
    streams.push_back(change);
  }
  void OnPublished(const PublishedBatch& batch) override {
    MutexLock lock(mu_);
    published.push_back(batch);
  }
  void OnReceived(const ReceivedEvents& events) override {
    MutexLock lock(mu_);
    received.push_back(events);
  }
  void OnSettled(const SettledEvents& events) override {
    MutexLock lock(mu_);
    settled.push_back(events);
  }
  void OnLine(LogLevel level, absl::string_view line) {
    MutexLock lock(mu_);
    lines.emplace_back(level, std::string(line));
  }
  bool Logged(LogLevel level, absl::string_view words) const {
    for (const auto& [of, line] : lines) {
      if (of == level && absl::StrContains(line, words)) return true;
    }
    return false;
  }

  std::vector<StreamChange> streams;
  std::vector<PublishedBatch> published;
  std::vector<ReceivedEvents> received;
  std::vector<SettledEvents> settled;
  std::vector<std::pair<LogLevel, std::string>> lines;

 private:
  Mutex mu_;
};

std::shared_ptr<Channel> Connect(const std::string& address, const std::shared_ptr<Heard>& heard) {
  ChannelOptions options;
  options.min_backoff = absl::Milliseconds(1);
  options.metrics = heard;
  options.log = [heard](LogLevel level, absl::string_view line) { heard->OnLine(level, line); };
  return std::make_shared<Channel>(address, options);
}

v1::Event Keyed() {
  v1::Event event;
  event.set_key("k");
  return event;
}

template <typename Told>
int64_t Sum(const std::vector<Told>& all) {
  int64_t events = 0;
  for (const Told& one : all) events += one.events;
  return events;
}

// "open 1, broken 1, open 2, ended 2".
std::string StoryOf(const std::vector<StreamChange>& streams) {
  std::string story;
  for (const StreamChange& one : streams) {
    const absl::string_view what = one.open ? "open" : one.status.ok() ? "ended" : "broken";
    absl::StrAppend(&story, story.empty() ? "" : ", ", what, " ", one.number);
  }
  return story;
}

TEST_CASE("a publisher tells its streams, and of each event once that it is stored", "[client]") {
  FakeBroker broker;
  const auto heard = std::make_shared<Heard>();
  Publisher publisher(Connect(broker.address(), heard));
  broker.BreakPublishAfter(2);
  for (int i = 0; i < 3; ++i) REQUIRE_OK(publisher.PublishAndWait("t", Keyed()).status);
  REQUIRE_OK(publisher.Close());
  CHECK(StoryOf(heard->streams) == "open 1, broken 1, open 2, ended 2");
  CHECK(heard->Logged(LogLevel::kWarning, "publisher: stream 1 to '"));
  CHECK(heard->Logged(LogLevel::kInfo, "publisher: stream 2 to '"));
  REQUIRE(heard->published.size() == 3);
  for (const PublishedBatch& batch : heard->published) {
    CHECK_OK(batch.status);
    CHECK(batch.topic == "t");
    CHECK(batch.events == 1);
    CHECK(batch.bytes > 0);
    CHECK(batch.latency > absl::ZeroDuration());
    CHECK(batch.latency < absl::Seconds(60));
  }
}

TEST_CASE("a publisher tells what it gave up", "[client]") {
  auto broker = std::make_unique<FakeBroker>();
  const auto heard = std::make_shared<Heard>();
  PublisherOptions options;
  options.retry_for = absl::Milliseconds(50);
  Publisher publisher(Connect(broker->address(), heard), options);
  // On a slow machine it has its time behind it before there is a stream, or before it is broken.
  size_t tries = 0;
  const auto ends_as = [&](absl::StatusCode code) {
    ++tries;
    return publisher.PublishAndWait("t", Keyed()).status.code() == code;
  };
  REQUIRE(WaitUntil([&] { return ends_as(absl::StatusCode::kOk); }));
  broker.reset();
  REQUIRE(WaitUntil([&] { return ends_as(absl::StatusCode::kUnavailable); }));
  (void)publisher.Close(absl::ZeroDuration());
  REQUIRE(heard->published.size() == tries);
  CHECK(heard->published.back().status.code() == absl::StatusCode::kUnavailable);
  CHECK(heard->published.back().latency >= options.retry_for);
  CHECK(heard->Logged(LogLevel::kError, "publisher: 1 events for partition"));
}

TEST_CASE("a subscriber tells what it received and what its commits moved over", "[client]") {
  FakeBroker broker;
  for (int i = 0; i < 5; ++i) broker.Store(0, v1::Event().SerializeAsString());
  const auto heard = std::make_shared<Heard>();
  SubscriberOptions options;
  options.group = std::string("g");
  options.topics.emplace_back().set_topic("t");
  Subscriber subscriber(Connect(broker.address(), heard), options);
  for (int i = 0; i < 5; ++i) {
    const auto delivery = subscriber.Next(Deadline());
    REQUIRE_OK(delivery);
    REQUIRE(delivery->has_value());
    if (i == 1) subscriber.CommitDelivered();
  }
  subscriber.CommitDelivered();
  REQUIRE_OK(subscriber.FlushCommits());
  REQUIRE_OK(subscriber.Close());
  CHECK(StoryOf(heard->streams) == "open 1, ended 1");
  REQUIRE(heard->received.size() == 5);
  CHECK(heard->received[0].client == ClientKind::kSubscriber);
  CHECK(heard->received[0].topic == "t");
  CHECK(Sum(heard->received) == 5);
  CHECK(Sum(heard->settled) == 5);
  for (const SettledEvents& one : heard->settled) {
    CHECK_OK(one.status);
    CHECK(one.client == ClientKind::kSubscriber);
    CHECK(one.kind == v1::SETTLE_KIND_ACK);
  }
}

TEST_CASE("a worker tells what it received and settled, also what did not count", "[client]") {
  FakeQueue queue(8);
  const auto heard = std::make_shared<Heard>();
  WorkerOptions options;
  options.group = std::string("g");
  options.on_settle_error = [](const SettleError&) {};
  Worker worker(Connect(queue.address(), heard), options);
  const WorkItem first = NextOf(worker);
  worker.Ack(first);
  worker.Reject(NextOf(worker), {.reason = "bad"});
  worker.Ack(first);  // It has none of them any more.
  CHECK_FALSE(worker.Flush().ok());
  REQUIRE_OK(worker.Close());
  CHECK(Sum(heard->received) == 8);
  int64_t acked = 0;
  int64_t rejected = 0;
  int64_t failed = 0;
  for (const SettledEvents& one : heard->settled) {
    if (one.kind == v1::SETTLE_KIND_REJECT) rejected += one.events;
    if (one.kind == v1::SETTLE_KIND_ACK) (one.status.ok() ? acked : failed) += one.events;
  }
  CHECK(acked == 4);
  CHECK(rejected == 4);
  CHECK(failed == 4);
  CHECK(heard->Logged(LogLevel::kWarning, "worker: SETTLE_KIND_ACK of 4 events of partition 0"));
}

TEST_CASE("a subscription that ends by itself is logged once", "[client]") {
  FakeBroker broker;
  const auto heard = std::make_shared<Heard>();
  SubscriberOptions options;
  options.topics.emplace_back().set_topic("nothing");
  Subscriber subscriber(Connect(broker.address(), heard), options);
  CHECK(ReasonOf(subscriber.Next(Deadline()).status()) == v1::TOPIC_NOT_FOUND);
  (void)subscriber.Close();
  CHECK(heard->Logged(LogLevel::kError, "subscriber has ended: "));
  int errors = 0;
  for (const auto& [level, line] : heard->lines) errors += level == LogLevel::kError ? 1 : 0;
  CHECK(errors == 1);
}

TEST_CASE("of a settlement that failed in part both parts are told", "[client]") {
  WorkerOptions options;
  options.group = std::string("g");
  TalkTo<WorkerState> work(options);
  work.state.KeepSettled();
  work.Open();
  work.Assign(1, 0, 0);
  work.Ack(1);
  work.Deliver(1, 0, 4);
  work.state.Settle(work.NextItem<WorkItem>(), {v1::SETTLE_KIND_ACK});
  v1::DeliveryFrame answer;
  answer.set_acked_through(work.NextControl().frame_id());
  v1::ControlError* const error = answer.add_errors();
  error->set_frame_id(answer.acked_through());
  error->set_assignment(1);
  error->set_offset(1);
  error->set_count(1);
  *error->mutable_status() = ToProto(Error(v1::LEASE_LOST, "gone"));
  work.Hear(answer);
  const std::vector<SettledEvents> settled = work.state.TakeSettled();
  REQUIRE(settled.size() == 2);
  CHECK(ReasonOf(settled[0].status) == v1::LEASE_LOST);
  CHECK(settled[0].events == 1);
  CHECK_OK(settled[1].status);
  CHECK(settled[1].events == 3);
  CHECK(work.state.TakeSettled().empty());
}

TEST_CASE("a refused commit is told with its error", "[client]") {
  SubscriberOptions options;
  options.group = std::string("g");
  TalkTo<SubscriptionState> talk(options);
  talk.state.KeepSettled();
  talk.Open();
  talk.Assign(1, 0, 10);
  talk.Ack(1);
  REQUIRE_OK(talk.state.Commit("t", 0, 12));
  const uint64_t frame = talk.NextControl().frame_id();
  talk.Ack(frame, frame);
  const std::vector<SettledEvents> settled = talk.state.TakeSettled();
  REQUIRE(settled.size() == 1);
  CHECK(ReasonOf(settled[0].status) == v1::FENCED);
  CHECK(settled[0].events == 2);
}

}  // namespace
}  // namespace acta::client
