#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "acta/v1/publisher.pb.h"
#include "server/core/publish/publish_session.h"
#include "server/rpc/async_services.h"
#include "server/rpc/completion_loop.h"
#include "server/rpc/edge.h"
#include "server/rpc/waiting_publishes.h"
#include "storage/base/mutex.h"

namespace acta {

// One PublishStream call. Frames are read while less than RpcLimits::max_unanswered_bytes of them
// and of their answers wait for the answer to be sent, and while the engine's queue has room; one
// that may wait for the disk is taken in its turn (WaitingPublishes) before the next one is read.
// Answers go out in the order they come, as many in a message as there are, written by the thread
// that has them. While a client waits for each answer before it sends more, the next frame is read
// when the answer is there: gRPC tells the client of its window, with a send of its own, at once
// when somebody waits to read, and with the next message otherwise. A half-close, a malformed frame
// or the stop of the server ends the reading; the stream ends once every frame taken is answered.
//
// Threads:   loop, engine, pool, and whoever changes the server's state.
// Ownership: borrows all it is made with. gRPC keeps it until the call is over; answers that come
//            later are dropped.
class PublishStream final : public OpenStream, public std::enable_shared_from_this<PublishStream> {
 public:
  // Waits for the next caller, and after that for the one after it.
  static void Listen(Edge& edge, RawPublisher& service, grpc::ServerCompletionQueue& queue);
  PublishStream(Edge& edge, RawPublisher& service, grpc::ServerCompletionQueue& queue);
  ~PublishStream() override;

  void OnServerChange() override;

 private:
  struct Answer {
    int64_t cost = 0;  // Of the frame and its answer.
    v1::FrameResult result;
  };

  void OnStarted(bool ok);
  void OnRead(bool ok);
  void OnAnswer(Answer answer);
  void OnWritten(bool ok);
  void OnEnd(bool) {}

  // Begins with the frame that was read, unless the stream is ending.
  void BeginFrame();
  // Of a frame that may wait for the disk. Until its turn the bytes stay where gRPC counts them.
  void AwaitPool(int64_t cost);
  void TakeOnPool(int64_t cost, WaitingPublishes::Lease lease);
  // Hands it to the session; the next one may be read then.
  void TakeFrame(int64_t cost);
  void OnTaken(const absl::Status& status, int64_t cost);
  // No frame is taken any more. The first status given is the stream's.
  void EndWith(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The next frame is not read before those taken are answered.
  bool AnswersFirst() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Advance();  // Starts what is due of reading, writing and finishing.
  void WaitForRoom();
  void WriteSome();  // By the holder of the turn: the next message of in_hand_.

  const LiveCall live_;
  Edge& edge_;
  RawPublisher& service_;
  grpc::ServerCompletionQueue& queue_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer> stream_{&context_};
  CallTag<PublishStream> on_started_{&PublishStream::OnStarted};
  CallTag<PublishStream> on_read_{&PublishStream::OnRead};
  CallTag<PublishStream> on_written_{&PublishStream::OnWritten};
  CallTag<PublishStream> on_finished_{&PublishStream::OnEnd};
  CallTag<PublishStream> on_done_{&PublishStream::OnEnd};
  // Of the loop's thread, and of the pool's while a frame is taken there.
  std::unique_ptr<PublishSession> session_;
  grpc::ByteBuffer incoming_;  // Also of a frame that waits for its turn: it begins again then.
  // Of the holder of the turn.
  std::vector<Answer> in_hand_;
  size_t sent_of_hand_ = 0;
  int64_t cost_of_write_ = 0;
  bool features_told_ = false;

  Mutex mu_;                                   // Leaf.
  bool reading_ ABSL_GUARDED_BY(mu_) = false;  // A frame is awaited or being taken.
  CountedIn paused_ ABSL_GUARDED_BY(mu_);
  bool waits_for_room_ ABSL_GUARDED_BY(mu_) = false;
  bool turn_ ABSL_GUARDED_BY(mu_) = false;  // Somebody writes or finishes, or nobody may.
  bool hand_empty_ ABSL_GUARDED_BY(mu_) = true;
  int64_t unanswered_frames_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t unanswered_cost_ ABSL_GUARDED_BY(mu_) = 0;
  // One after the other, that nothing else was unanswered when they were taken.
  int64_t frames_alone_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<Answer> answers_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);
};

}  // namespace acta
