#pragma once

#include <grpcpp/server.h>
#include <grpcpp/support/status.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "acta/v1/publisher.grpc.pb.h"
#include "acta/v1/subscriber.grpc.pb.h"
#include "acta/v1/topics.grpc.pb.h"
#include "client/cpp/channel.h"
#include "storage/base/mutex.h"
#include "tests/unit/client/fake_steps.h"
#include "tests/unit/client/model_log.h"

namespace acta::client {

// A server on a free port with one topic "t" of two partitions, which breaks streams when it is
// told to. Its group positions belong to one group.
//
// Threads: any.
class FakeBroker {
 public:
  static constexpr int32_t kPartitions = 2;

  FakeBroker();
  ~FakeBroker();

  const std::string& address() const { return address_; }

  // The next publish stream stores its `count`-th frame and breaks instead of answering it.
  void BreakPublishAfter(int64_t count);
  // How streams break from now on, instead of UNAVAILABLE.
  void BreakWith(grpc::StatusCode code);
  void BreakWith(const grpc::Status& status);
  // Answers to publishes, and ends of subscriptions, wait until it is taken back.
  void HoldAnswers(bool hold);
  // The next subscription breaks behind its `count`-th event.
  void BreakSubscribeAfter(int64_t count);

  std::vector<std::string> Stored(int32_t partition);
  void Store(int32_t partition, const std::string& event);
  int64_t Committed(int32_t partition);
  // Commit nothing here.
  FakeSteps& steps() { return steps_; }
  int64_t subscriptions();
  // What the last subscription asked for.
  int32_t max_frame_bytes();

 private:
  grpc::Status Broken();

  class Topics;
  class Publisher;
  class Subscriber;

  Mutex mu_;
  CondVar changed_;
  ModelLog log_ ABSL_GUARDED_BY(mu_);
  std::map<int32_t, int64_t> committed_ ABSL_GUARDED_BY(mu_);
  int64_t break_publish_after_ ABSL_GUARDED_BY(mu_) = 0;  // 0: never.
  int64_t break_subscribe_after_ ABSL_GUARDED_BY(mu_) = -1;
  grpc::Status break_with_ ABSL_GUARDED_BY(mu_);
  int64_t subscriptions_ ABSL_GUARDED_BY(mu_) = 0;
  int32_t max_frame_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  bool hold_ ABSL_GUARDED_BY(mu_) = false;
  FakeSteps steps_;

  std::unique_ptr<v1::Topics::Service> topics_;
  std::unique_ptr<v1::Publisher::Service> publisher_;
  std::unique_ptr<v1::Subscriber::Service> subscriber_;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

// A channel to it that tries again at once.
inline std::shared_ptr<Channel> Connect(const FakeBroker& broker) {
  ChannelOptions options;
  options.min_backoff = absl::Milliseconds(1);
  return std::make_shared<Channel>(broker.address(), options);
}

}  // namespace acta::client
