#include "client/cpp/worker.h"

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/support/error.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/client/fake_queue.h"

namespace acta::client {
namespace {

using Settled = std::map<int64_t, v1::SettleKind>;

WorkerOptions Working() {
  WorkerOptions options;
  options.group = std::string("g");
  return options;
}

TEST_CASE("what a worker settles is durable when it is flushed", "[client]") {
  FakeQueue queue(8);
  Worker worker(queue.Connect(), Working());
  const WorkItem first = NextOf(worker);
  CHECK(first.base_offset() == 0);
  CHECK(first.count() == FakeQueue::kBatch);
  CHECK(first.attempt() == 1);
  CHECK((*first.Parse())[3].subject() == "3");
  worker.Extend(first, absl::Minutes(5));
  worker.Nack("t", 0, 1, 1, {.delay = absl::Seconds(3), .reason = "busy"});
  worker.Reject("t", 0, 2, 1, {.text = "never"});
  worker.Ack(first);
  worker.Release(NextOf(worker));
  REQUIRE_OK(worker.Flush());
  CHECK(queue.settled() == Settled{{0, v1::SETTLE_KIND_ACK},
                                   {1, v1::SETTLE_KIND_NACK},
                                   {2, v1::SETTLE_KIND_REJECT},
                                   {3, v1::SETTLE_KIND_ACK},
                                   {4, v1::SETTLE_KIND_RELEASE},
                                   {5, v1::SETTLE_KIND_RELEASE},
                                   {6, v1::SETTLE_KIND_RELEASE},
                                   {7, v1::SETTLE_KIND_RELEASE}});
  CHECK(worker.member_id() == "m");
  CHECK_OK(worker.Close());
}

TEST_CASE("a settlement whose answer a break took is repeated and counts", "[client]") {
  FakeQueue queue(6);
  Worker worker(queue.Connect(), Working());
  const WorkItem first = NextOf(worker);
  const WorkItem second = NextOf(worker);
  queue.BreakAtSettle();
  worker.Ack(first);
  REQUIRE_OK(worker.Flush());
  CHECK(queue.streams() == 2);
  CHECK(queue.held() == 6);
  CHECK(queue.settled().size() == 4);
  // The second was leased again: its old lease is over.
  CHECK(NextOf(worker).attempt() == 2);
  worker.Nack(second);
  CHECK(ReasonOf(worker.Flush()) == v1::LEASE_LOST);
}

TEST_CASE("settlements that did not count are told inside Next() and Flush()", "[client]") {
  FakeQueue queue(8);
  std::vector<std::string> told;
  WorkerOptions options = Working();
  options.on_settle_error = [&told](const SettleError& error) {
    told.push_back(absl::StrCat(error.offset, " ", v1::ErrorReason_Name(ReasonOf(error.status))));
  };
  Worker worker(queue.Connect(), options);
  const WorkItem first = NextOf(worker);
  worker.Ack(first);
  worker.Ack(first);
  NextOf(worker);
  CHECK(told == std::vector<std::string>{"0 LEASE_LOST"});
  worker.Ack("t", 0, 100);
  CHECK(ReasonOf(worker.Flush()) == v1::LEASE_LOST);
  CHECK(told == std::vector<std::string>{"0 LEASE_LOST", "100 LEASE_LOST"});
  CHECK_OK(worker.Flush());
}

TEST_CASE("a worker that is closed has settled what it was told to", "[client]") {
  FakeQueue queue(400);
  {
    Worker worker(queue.Connect(), Working());
    for (int i = 0; i < 50; ++i) worker.Ack(NextOf(worker));
    CHECK_OK(worker.Close());
    CHECK_OK(worker.Close());
  }
  CHECK(queue.settled().size() == 50 * FakeQueue::kBatch);
}

TEST_CASE("a worker that is closed connects again for what it settled", "[client]") {
  FakeQueue queue(FakeQueue::kBatch);
  Worker worker(queue.Connect(), Working());
  const WorkItem item = NextOf(worker);
  queue.BreakAtSettle();
  worker.Ack(item);
  CHECK_OK(worker.Close());
  CHECK(queue.streams() == 2);
  CHECK(queue.held() == FakeQueue::kBatch);
}

TEST_CASE("a worker that is closed waits no longer than it may for a broker that is gone",
          "[client]") {
  std::vector<SettleError> told;
  WorkerOptions options = Working();
  options.on_settle_error = [&told](const SettleError& error) { told.push_back(error); };
  auto queue = std::make_unique<FakeQueue>(FakeQueue::kBatch);
  Worker worker(queue->Connect(), options);
  const WorkItem item = NextOf(worker);
  queue.reset();
  worker.Ack(item);
  CHECK_FALSE(worker.Close(absl::Milliseconds(20)).ok());
  REQUIRE(told.size() == 1);
  CHECK(told[0].count == FakeQueue::kBatch);
}

TEST_CASE("a worker that is closed before its stream is open ends it in good order", "[client]") {
  FakeQueue queue(4);
  for (int i = 0; i < 20; ++i) {
    Worker worker(queue.Connect(), Working());
    CHECK_OK(worker.Close());
  }
}

TEST_CASE("without a broker a worker fails, and so do its settlements", "[client]") {
  WorkerOptions options = Working();
  options.retry_for = absl::ZeroDuration();
  Worker worker(std::make_shared<Channel>("127.0.0.1:1"), options);
  CHECK(worker.Next(Deadline()).status().code() == absl::StatusCode::kUnavailable);
  CHECK(worker.failed());
  worker.Ack("t", 0, 0);
  CHECK_FALSE(worker.Flush().ok());
}

TEST_CASE("a worker waits until its deadline and until it is cancelled", "[client]") {
  FakeQueue queue(0);
  Worker worker(queue.Connect(), Working());
  const auto nothing = worker.Next(absl::Now() + absl::Milliseconds(5));
  REQUIRE_OK(nothing);
  CHECK_FALSE(nothing->has_value());
  std::thread canceller([&worker] { worker.Cancel(); });
  const auto cancelled = worker.Next(Deadline());
  canceller.join();
  REQUIRE_OK(cancelled);
  CHECK_FALSE(cancelled->has_value());
}

TEST_CASE("a worker that was cancelled connects again for what it settles", "[client]") {
  FakeQueue queue(FakeQueue::kBatch);
  Worker worker(queue.Connect(), Working());
  const WorkItem item = NextOf(worker);
  worker.Cancel();
  queue.BreakAtSettle();
  worker.Ack(item);
  CHECK_OK(worker.Flush());
  CHECK(queue.streams() == 2);
  CHECK(queue.held() == FakeQueue::kBatch);
}

}  // namespace
}  // namespace acta::client
