// Steps of workers and of members of STREAM groups: what is sent, and what becomes of the events.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/subscriber.h"
#include "client/cpp/worker.h"
#include "proto/support/error.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/client/fake_broker.h"
#include "tests/unit/client/fake_queue.h"
#include "tests/unit/client/to_grpc.h"

namespace acta::client {
namespace {

using Texts = std::vector<std::string>;

template <typename Options>
Options Stepping() {
  Options options;
  options.group = std::string("g");
  options.app = std::string("biller");
  options.app_version = std::string("7");
  options.instance = std::string("host-1");
  options.delivery_tokens = true;
  return options;
}

std::vector<v1::PartitionBatch> Bill() {
  std::vector<v1::PartitionBatch> batches(1);
  batches[0].set_topic("bills");
  batches[0].add_events()->set_data("bill");
  return batches;
}

std::vector<v1::CompletedClaim> Paid() {
  std::vector<v1::CompletedClaim> claims(1);
  claims[0].set_key("17/pay");
  claims[0].set_token("c1");
  claims[0].set_result("receipt 4");
  return claims;
}

// What every step of here says beside its events.
void CheckStep(const v1::SettleRequest& request) {
  CHECK(request.group() == "g");
  CHECK(request.app() == "biller");
  CHECK(request.app_version() == "7");
  CHECK(request.instance() == "host-1");
  REQUIRE(request.publish_size() == 1);
  CHECK(request.publish(0).SerializeAsString() == Bill()[0].SerializeAsString());
  REQUIRE(request.claims_size() == 1);
  CHECK(request.claims(0).SerializeAsString() == Paid()[0].SerializeAsString());
  CHECK_FALSE(request.has_caused_by());  // The broker takes the first event.
}

// A worker with the first four events of a queue.
struct AtWork {
  explicit AtWork(int events = FakeQueue::kBatch)
      : queue(events), worker(queue.Connect(), Stepping<WorkerOptions>()), item(NextOf(worker)) {}

  absl::Status Step() { return worker.AckAndPublish(item, Bill(), Paid()).status(); }
  // The worker has no say in what becomes of the events.
  void CheckOver() {
    worker.Ack(item);
    CHECK(ReasonOf(worker.Flush()) == v1::LEASE_LOST);
    CHECK_OK(worker.Close());
    CHECK(queue.settled().empty());
  }

  FakeQueue queue;
  Worker worker;
  WorkItem item;
};

// A member of a STREAM group with the first event of partition 0.
struct AtReading {
  AtReading() : subscriber(Begin(), Options()), delivery(First()) {}

  absl::Status Step() { return subscriber.CommitAndPublish(delivery, Bill(), Paid()).status(); }

  FakeBroker broker;
  Subscriber subscriber;
  Delivery delivery;

 private:
  std::shared_ptr<Channel> Begin() {
    for (int i = 0; i < 3; ++i) broker.Store(0, v1::Event().SerializeAsString());
    return Connect(broker);
  }
  static SubscriberOptions Options() {
    auto options = Stepping<SubscriberOptions>();
    options.topics.emplace_back().set_topic("t");
    return options;
  }
  Delivery First() {
    absl::StatusOr<std::optional<Delivery>> first = subscriber.Next(Deadline());
    REQUIRE_OK(first);
    REQUIRE(first->has_value());
    return **std::move(first);
  }
};

// As the transport says it, once the broker may have done it.
grpc::Status AnswerLost() { return {grpc::StatusCode::UNAVAILABLE, "connection reset"}; }

// Two calls of a step whose answer was lost, of which the broker did one.
void CheckRepeated(const std::vector<v1::SettleRequest>& asked, const Texts& published) {
  REQUIRE(asked.size() == 2);
  CheckStep(asked[0]);
  CHECK(asked[1].SerializeAsString() == asked[0].SerializeAsString());
  CHECK(published == Texts{"bill"});
}

// A step that the broker holds back until the client has closed; how it ended.
template <typename Client>
absl::Status StepWhileItCloses(FakeSteps& steps, Client& client,
                               const std::function<absl::Status()>& step) {
  absl::Status ended = absl::UnknownError("it has not ended");
  steps.Hold(true);
  std::thread stepping([&] { ended = step(); });
  while (steps.asked().empty()) std::this_thread::yield();
  CHECK_OK(client.Close());
  CHECK(steps.published().empty());
  steps.Hold(false);
  stepping.join();
  CHECK(steps.published() == Texts{"bill"});
  return ended;
}

TEST_CASE("a step names all events of its item, what follows and the claims it completes",
          "[client]") {
  AtWork at;
  const auto answer = at.worker.AckAndPublish(at.item, Bill(), Paid());
  REQUIRE_OK(answer);
  CHECK(answer->batches(0).parts_size() == 1);
  const v1::SettleRequest request = at.queue.steps().asked().at(0);
  CheckStep(request);
  REQUIRE(request.processed_size() == 1);
  CHECK(request.processed(0).delivery_token() == FakeSteps::TokenOf(0, 0, FakeQueue::kBatch));
  CHECK(request.processed(0).offset() == 0);
  CHECK(request.processed(0).count() == 0);
  CHECK(request.failed_size() == 0);
}

TEST_CASE("a step whose events failed says how and why", "[client]") {
  AtWork at(2 * FakeQueue::kBatch);
  const WorkItem second = NextOf(at.worker);
  NackOptions later;
  later.delay = absl::Milliseconds(1500);
  later.reason = std::string("busy");
  later.text = std::string("the bank is closed");
  REQUIRE_OK(at.worker.NackAndPublish(at.item, later, Bill(), Paid()));
  RejectOptions never;
  never.reason = std::string("no-money");
  never.text = std::string("account 17");
  REQUIRE_OK(at.worker.RejectAndPublish(second, never, Bill(), Paid()));

  const std::vector<v1::SettleRequest> asked = at.queue.steps().asked();
  REQUIRE(asked.size() == 2);
  for (const v1::SettleRequest& request : asked) {
    CheckStep(request);
    CHECK(request.processed_size() == 0);
    REQUIRE(request.failed_size() == 1);
  }
  const v1::FailedEvents& nack = asked[0].failed(0);
  CHECK(nack.delivery_token() == FakeSteps::TokenOf(0, 0, FakeQueue::kBatch));
  CHECK(nack.kind() == v1::SETTLE_KIND_NACK);
  CHECK(nack.delay().seconds() == 1);
  CHECK(nack.delay().nanos() == 500'000'000);
  CHECK(nack.reason() == "busy");
  CHECK(nack.text() == "the bank is closed");
  const v1::FailedEvents& reject = asked[1].failed(0);
  CHECK(reject.delivery_token() == FakeSteps::TokenOf(0, FakeQueue::kBatch, FakeQueue::kBatch));
  CHECK(reject.kind() == v1::SETTLE_KIND_REJECT);
  CHECK_FALSE(reject.has_delay());
  CHECK(reject.reason() == "no-money");
  CHECK(reject.text() == "account 17");
}

TEST_CASE("what a step has settled is not held any more, and not settled again", "[client]") {
  AtWork at(2 * FakeQueue::kBatch);
  const WorkItem second = NextOf(at.worker);
  REQUIRE_OK(at.Step());
  at.queue.BreakAtSettle();
  at.worker.Ack(second);
  REQUIRE_OK(at.worker.Flush());
  CHECK(at.queue.streams() == 2);
  CHECK(at.queue.held() == FakeQueue::kBatch);
  CHECK(at.queue.settled().count(0) == 0);
  at.worker.Ack(at.item);
  CHECK(ReasonOf(at.worker.Flush()) == v1::LEASE_LOST);
  CHECK_OK(at.worker.Close());
  CHECK(at.queue.settled().size() == FakeQueue::kBatch);
}

TEST_CASE("events that a step finds to be somebody else's are not settled by the worker",
          "[client]") {
  const v1::ErrorReason reason = GENERATE(v1::LEASE_LOST, v1::ALREADY_SETTLED, v1::NEVER_LEASED);
  AtWork at;
  at.queue.steps().AnswerNext(ToGrpc(Error(reason, "not yours")), /*done=*/false);
  CHECK(ReasonOf(at.Step()) == reason);
  CHECK(at.queue.steps().asked().size() == 1);
  at.CheckOver();
}

TEST_CASE("after any other failure of a step its events are still the worker's", "[client]") {
  const v1::ErrorReason reason = GENERATE(v1::DISK_FULL, v1::CLAIM_LOST, v1::OUTCOME_UNKNOWN);
  AtWork at;
  at.queue.steps().AnswerNext(ToGrpc(Error(reason, "no")), /*done=*/false);
  CHECK(ReasonOf(at.Step()) == reason);
  SECTION("which may fail them") {
    at.worker.Nack(at.item);
    REQUIRE_OK(at.worker.Flush());
    CHECK(at.queue.settled().at(3) == v1::SETTLE_KIND_NACK);
  }
  SECTION("which may try again") {
    REQUIRE_OK(at.Step());
    CheckRepeated(at.queue.steps().asked(), at.queue.steps().published());
    at.CheckOver();
  }
}

TEST_CASE("a step whose answer is lost is not repeated by itself, and by the caller does nothing",
          "[client]") {
  AtWork at;
  at.queue.steps().AnswerNext(AnswerLost(), /*done=*/true);
  CHECK(absl::IsUnavailable(at.Step()));
  CHECK(at.queue.steps().asked().size() == 1);
  CHECK(ReasonOf(at.Step()) == v1::ALREADY_SETTLED);
  CheckRepeated(at.queue.steps().asked(), at.queue.steps().published());
  at.CheckOver();
}

TEST_CASE("a step that never came to the broker is done when the caller repeats it", "[client]") {
  AtWork at;
  at.queue.steps().AnswerNext(AnswerLost(), /*done=*/false);
  CHECK(absl::IsUnavailable(at.Step()));
  REQUIRE_OK(at.Step());
  CheckRepeated(at.queue.steps().asked(), at.queue.steps().published());
  at.CheckOver();
}

TEST_CASE("a worker that is closed while a step is under way learns what became of it",
          "[client]") {
  AtWork at;
  CHECK_OK(StepWhileItCloses(at.queue.steps(), at.worker, [&] { return at.Step(); }));
  CHECK(at.queue.settled().empty());
}

TEST_CASE("a reader's step names its delivery, what follows and the claims it completes",
          "[client]") {
  AtReading at;
  const auto answer = at.subscriber.CommitAndPublish(at.delivery, Bill(), Paid());
  REQUIRE_OK(answer);
  CHECK(answer->batches(0).parts_size() == 1);
  const v1::SettleRequest request = at.broker.steps().asked().at(0);
  CheckStep(request);
  REQUIRE(request.processed_size() == 1);
  CHECK(request.processed(0).delivery_token() == FakeSteps::TokenOf(0, 0, 1));
  CHECK(request.processed(0).count() == 0);
  CHECK(request.failed_size() == 0);
  REQUIRE_OK(at.subscriber.Close());
  CHECK(at.broker.Committed(0) == 0);  // By the step alone.
}

TEST_CASE("a reader's step that is refused is told as it is and not repeated", "[client]") {
  const v1::ErrorReason reason = GENERATE(v1::FENCED, v1::ALREADY_SETTLED, v1::DISK_FULL);
  AtReading at;
  at.broker.steps().AnswerNext(ToGrpc(Error(reason, "no")), /*done=*/false);
  CHECK(ReasonOf(at.Step()) == reason);
  CHECK(at.broker.steps().asked().size() == 1);
  REQUIRE_OK(at.Step());
  CheckRepeated(at.broker.steps().asked(), at.broker.steps().published());
}

TEST_CASE("a reader's step whose answer is lost does nothing when the caller repeats it",
          "[client]") {
  AtReading at;
  at.broker.steps().AnswerNext(AnswerLost(), /*done=*/true);
  CHECK(absl::IsUnavailable(at.Step()));
  CHECK(ReasonOf(at.Step()) == v1::ALREADY_SETTLED);
  CheckRepeated(at.broker.steps().asked(), at.broker.steps().published());
}

TEST_CASE("a reader that is closed while a step is under way learns what became of it",
          "[client]") {
  AtReading at;
  CHECK_OK(StepWhileItCloses(at.broker.steps(), at.subscriber, [&] { return at.Step(); }));
}

}  // namespace
}  // namespace acta::client
