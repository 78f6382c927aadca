#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "storage/base/handover.h"
#include "storage/base/mutex.h"

namespace grpc {
class ServerBuilder;
class ServerCompletionQueue;
}  // namespace grpc

namespace acta {

// What a completion queue gives back: one operation has ended.
class CompletionTag {
 public:
  // `ok` as gRPC says it of the operation. On the thread of the queue, or on that of the relief
  // when AnyThread(); must not block, but in the write of a lone transaction.
  virtual void Proceed(bool ok) = 0;
  // It may run while the thread of the queue is in a step of another call, or of this one.
  virtual bool AnyThread() const = 0;

 protected:
  ~CompletionTag() = default;
};

// The tag of one operation of a call: keeps the call alive until the queue gives it back, then runs
// a step of the call. One operation at a time.
template <typename Call>
class CallTag final : public CompletionTag {
 public:
  explicit CallTag(void (Call::*step)(bool), bool any_thread = false)
      : step_(step), any_thread_(any_thread) {}

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
  bool AnyThread() const override { return any_thread_; }

 private:
  void (Call::*const step_)(bool);
  const bool any_thread_;
  std::shared_ptr<Call> call_;
};

// CompletionLoop is the completion queues of the hot calls, with a thread each: one for every two
// cores (more gained nothing when measured). gRPC's callback API is not used: it sleeps up to
// 100 ms after a second of idleness.
//
// A step that writes a lone transaction stands as long as the disk does, and only these threads
// look at the network, also for synchronous services. So one thread more, the relief, looks after
// them all: where a step has stood for a moment it takes from the queue instead, runs what any
// thread may run, and keeps the rest, in its order, for the thread of the queue. What is of that
// thread stays of it. A queue more that is always looked at would cost a hand-over wherever its
// thread reads for another one.
//
// Ownership: outlives the gRPC server that was built with it.
class CompletionLoop {
 public:
  // `look` is called by the relief, some times a second; it must not block.
  CompletionLoop(grpc::ServerBuilder& builder, std::function<void()> look);
  ~CompletionLoop();  // After Stop(), or before Run().

  // After the server was built.
  void Run();
  // After the server was shut down and no call is left: waits for the threads.
  void Stop();

  const std::vector<std::unique_ptr<grpc::ServerCompletionQueue>>& queues() const {
    return queues_;
  }

 private:
  class Line;  // One queue with its thread.
  void Relieve();
  // False: it is time to end.
  bool Nap();

  const std::function<void()> look_;
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues_;
  std::vector<std::unique_ptr<Line>> lines_;
  std::vector<std::thread> threads_;
  std::thread relief_;
  Mutex mu_;  // Leaf.
  CondVar wake_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace acta
