#pragma once

#include <grpcpp/server.h>
#include <grpcpp/support/status.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "acta/v1/subscriber.grpc.pb.h"
#include "client/cpp/channel.h"
#include "client/cpp/worker.h"
#include "storage/base/mutex.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/client/fake_steps.h"

namespace acta::client {

// A server on a free port with one QUEUE group, whose one partition has so many events. Each stream
// is sent all that are not settled, four at a time and whatever its credit.
//
// Threads: any.
class FakeQueue {
 public:
  static constexpr int kBatch = 4;

  explicit FakeQueue(int events);
  ~FakeQueue();

  const std::string& address() const { return address_; }
  // A channel to it that tries again at once.
  std::shared_ptr<Channel> Connect() const;

  // The next settle frame is taken and not answered: the stream breaks like this.
  void BreakAtSettle(const grpc::Status& status = {grpc::StatusCode::UNAVAILABLE,
                                                   "broken on purpose"});
  // What every event was settled as; those that were not are missing.
  std::map<int64_t, v1::SettleKind> settled();
  // Starts of streams.
  int streams();
  // Events that the last start said are held.
  int64_t held();
  // They leave `settled` alone.
  FakeSteps& steps() { return steps_; }

 private:
  class Subscriber;

  Mutex mu_;
  const int events_;
  std::map<int64_t, v1::SettleKind> settled_ ABSL_GUARDED_BY(mu_);
  std::optional<grpc::Status> break_ ABSL_GUARDED_BY(mu_);
  int streams_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t held_ ABSL_GUARDED_BY(mu_) = 0;
  FakeSteps steps_;

  std::unique_ptr<v1::Subscriber::Service> subscriber_;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

// A waiting call gives up here; nothing waits so long when all is well.
inline absl::Time Deadline() { return absl::Now() + absl::Seconds(60); }

inline WorkItem NextOf(Worker& worker) {
  absl::StatusOr<std::optional<WorkItem>> item = worker.Next(Deadline());
  REQUIRE_OK(item);
  REQUIRE(item->has_value());
  return **std::move(item);
}

}  // namespace acta::client
