#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/byte_buffer.h>

#include <memory>

#include "absl/status/status.h"
#include "server/core/subscribe/event_sink.h"
#include "server/core/subscribe/subscription.h"
#include "server/rpc/async_services.h"
#include "server/rpc/completion_loop.h"
#include "server/rpc/edge.h"
#include "storage/base/mutex.h"

namespace acta {

// One Subscribe call: carries control frames to its subscription and delivery frames back. When
// the server stops, the subscription ends it; what is still open when the grace is over is cut.
//
// Threads:   loop; the subscription's for the sink.
// Ownership: borrows all it is made with. gRPC keeps it until the call is over, and the
//            subscription has finished or was told by then.
class SubscribeStream final : public EventSink,
                              public std::enable_shared_from_this<SubscribeStream> {
 public:
  // Waits for the next caller, and after that for the one after it.
  static void Listen(Edge& edge, RawSubscriber& service, grpc::ServerCompletionQueue& queue);
  SubscribeStream(Edge& edge, RawSubscriber& service, grpc::ServerCompletionQueue& queue);
  ~SubscribeStream() override;

  void Send(OutgoingFrame frame) override;
  void Finish(const absl::Status& status) override;

 private:
  void OnStarted(bool ok);
  void OnRead(bool ok);
  void OnWritten(bool ok);
  void OnFinished(bool) {}
  void OnDone(bool);
  void Read();
  bool finished() const;

  const LiveCall live_;
  Edge& edge_;
  RawSubscriber& service_;
  grpc::ServerCompletionQueue& queue_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer> stream_{&context_};
  CallTag<SubscribeStream> on_started_{&SubscribeStream::OnStarted};
  CallTag<SubscribeStream> on_read_{&SubscribeStream::OnRead};
  CallTag<SubscribeStream> on_written_{&SubscribeStream::OnWritten};
  CallTag<SubscribeStream> on_finished_{&SubscribeStream::OnFinished};
  CallTag<SubscribeStream> on_done_{&SubscribeStream::OnDone};

  // Of the loop's thread.
  std::shared_ptr<Subscription> subscription_;  // Null before it is opened and once it is over.
  bool opened_ = false;
  grpc::ByteBuffer incoming_;

  mutable Mutex mu_;  // Leaf.
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace acta
