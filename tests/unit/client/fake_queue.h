#pragma once

#include <grpcpp/server.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "acta/v1/subscriber.grpc.pb.h"
#include "client/cpp/channel.h"
#include "storage/base/mutex.h"

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

  // The next settle frame is taken and not answered: the stream breaks.
  void BreakAtSettle();
  // What every event was settled as; those that were not are missing.
  std::map<int64_t, v1::SettleKind> settled();
  // Starts of streams.
  int streams();
  // Events that the last start said are held.
  int64_t held();

 private:
  class Subscriber;

  Mutex mu_;
  const int events_;
  std::map<int64_t, v1::SettleKind> settled_ ABSL_GUARDED_BY(mu_);
  bool break_ ABSL_GUARDED_BY(mu_) = false;
  int streams_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t held_ ABSL_GUARDED_BY(mu_) = 0;

  std::unique_ptr<v1::Subscriber::Service> subscriber_;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace acta::client
