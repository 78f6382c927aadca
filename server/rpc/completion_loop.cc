#include "server/rpc/completion_loop.h"

#include <grpcpp/server_builder.h>
#include <pthread.h>

#include <algorithm>

namespace acta {
namespace {

void RunQueue(grpc::ServerCompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) {
    TakeOver(tag);
    static_cast<CompletionTag*>(tag)->Proceed(ok);
  }
}

}  // namespace

CompletionLoop::CompletionLoop(grpc::ServerBuilder& builder) {
  const unsigned count = std::max(1u, std::thread::hardware_concurrency() / 2);
  for (unsigned i = 0; i < count; ++i) queues_.push_back(builder.AddCompletionQueue());
}

CompletionLoop::~CompletionLoop() { Stop(); }

void CompletionLoop::Run() {
  for (const auto& queue : queues_) {
    threads_.emplace_back([&queue] { RunQueue(*queue); });
    pthread_setname_np(threads_.back().native_handle(), "acta-rpc");
  }
}

void CompletionLoop::Stop() {
  for (const auto& queue : queues_) queue->Shutdown();
  if (threads_.empty()) {
    for (const auto& queue : queues_) RunQueue(*queue);  // A queue must be empty when it goes.
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  queues_.clear();
}

}  // namespace acta
