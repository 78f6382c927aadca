#include "tests/unit/rpc/raw_call.h"

#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/slice.h>

#include <vector>

namespace acta {
namespace {

// Waits for the one operation under way.
bool Await(grpc::CompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  return queue.Next(&tag, &ok) && ok;
}

}  // namespace

RawAnswer CallRaw(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                  const std::string& message, grpc::ClientContext* context) {
  RawAnswer answer;
  grpc::CompletionQueue queue;
  grpc::GenericStub stub(channel);
  const auto call = stub.PrepareCall(context, method, &queue);
  call->StartCall(nullptr);
  bool alive = Await(queue);
  const grpc::Slice slice(message);
  if (alive) {
    call->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), nullptr);
    alive = Await(queue);
  }
  if (alive) {
    grpc::ByteBuffer incoming;
    call->Read(&incoming, nullptr);
    answer.answered = Await(queue);
    std::vector<grpc::Slice> slices;
    if (answer.answered && incoming.Dump(&slices).ok()) {
      for (const grpc::Slice& one : slices) {
        answer.message.append(reinterpret_cast<const char*>(one.begin()), one.size());
      }
    }
  }
  call->Finish(&answer.status, nullptr);
  Await(queue);
  return answer;
}

}  // namespace acta
