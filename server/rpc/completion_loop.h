#pragma once

#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "storage/base/handover.h"

namespace grpc {
class ServerBuilder;
class ServerCompletionQueue;
}  // namespace grpc

namespace acta {

// What a completion queue gives back: one operation has ended.
class CompletionTag {
 public:
  // `ok` as gRPC says it of the operation. On a thread of the loop; must not block.
  virtual void Proceed(bool ok) = 0;

 protected:
  ~CompletionTag() = default;
};

// The tag of one operation of a call: keeps the call alive until the queue gives it back, then runs
// a step of the call. One operation at a time.
template <typename Call>
class CallTag final : public CompletionTag {
 public:
  explicit CallTag(void (Call::*step)(bool)) : step_(step) {}

  // What to give to gRPC. The operation must be started after it.
  void* Arm(std::shared_ptr<Call> call) {
    call_ = std::move(call);
    CompletionTag* const tag = this;
    HandOver(tag);
    return tag;
  }
  // For an operation that gRPC will not give back.
  void Disarm() { call_.reset(); }
  void Proceed(bool ok) override {
    const std::shared_ptr<Call> call = std::exchange(call_, nullptr);
    ((*call).*step_)(ok);
  }

 private:
  void (Call::*const step_)(bool);
  std::shared_ptr<Call> call_;
};

// CompletionLoop is the completion queues of the hot calls, with a thread each: one for every two
// cores (more gained nothing when measured). gRPC's callback API is not used: it sleeps up to
// 100 ms after a second of idleness.
//
// Ownership: outlives the gRPC server that was built with it.
class CompletionLoop {
 public:
  explicit CompletionLoop(grpc::ServerBuilder& builder);
  ~CompletionLoop();  // After Stop(), or before Run().

  // After the server was built.
  void Run();
  // After the server was shut down and no call is left: waits for the threads.
  void Stop();

  const std::vector<std::unique_ptr<grpc::ServerCompletionQueue>>& queues() const {
    return queues_;
  }

 private:
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues_;
  std::vector<std::thread> threads_;
};

}  // namespace acta
