#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/cpp/channel.h"
#include "client/cpp/hooks.h"
#include "storage/base/handover.h"
#include "storage/base/mutex.h"

namespace acta::client {

// One bidirectional stream of encoded messages after the other, on a completion queue and a thread
// of its own. (gRPC's callback API sleeps up to 100 ms after a second of idleness.)
//
// Threads: Handler runs on the stream's thread, but for WriteNext(), which whoever calls Wake() may
//          run, one thread at a time and only while the stream is open.
class RawStream {
 public:
  class Handler {
   public:
    // The stream is open; nothing was written yet.
    virtual void OnOpen() = 0;
    virtual void OnMessage(const grpc::ByteBuffer& message) = 0;
    // Calls Write() or WritesDone() once and answers true, or has nothing to write: false.
    virtual bool WriteNext() = 0;
    // The stream is gone; Start() may be called again.
    virtual void OnEnd(const absl::Status& status) = 0;
    // Now and then; `now` is SteadyNow(). Answers when to be called again; at most half a second is
    // waited.
    virtual absl::Duration OnTick(absl::Time now) = 0;

   protected:
    ~Handler() = default;
  };

  // `method` as on the wire: "/acta.v1.Publisher/PublishStream".
  RawStream(std::shared_ptr<Channel> channel, ClientKind client, std::string method,
            Handler& handler);
  ~RawStream();  // Stop().
  RawStream(const RawStream&) = delete;
  RawStream& operator=(const RawStream&) = delete;

  // Runs the thread. Once.
  void Run();
  // Begins a stream unless there is one. False: there is one, or Stop() was called.
  bool Start();
  // Breaks the stream, if any; OnEnd() follows.
  void Cancel();
  // Breaks the stream and ends the thread, after which no handler runs. Not on the stream's thread.
  void Stop();

  // There may be something to write. No lock that the handler takes may be held.
  void Wake();
  // Inside WriteNext() only.
  void Write(const grpc::ByteBuffer& message);
  // Half-close; nothing is written after it.
  void WritesDone();

  // On the stream's thread: OnTick() is due in `wait`, unless it is due before.
  void TickWithin(absl::Duration wait);
  bool OnOwnThread() const { return std::this_thread::get_id() == thread_.get_id(); }

 private:
  enum class Op : intptr_t { kStart = 1, kRead, kWrite, kWritesDone, kFinish };
  // The operation must be started after it.
  void* Tag(Op op) {
    HandOver(this);
    return reinterpret_cast<void*>(op);
  }

  bool TryTakeTurn() { return !busy_.exchange(true); }
  void Loop();
  void OnOp(Op op, bool ok);
  void OnStarted(bool ok);
  void OnRead(bool ok);
  void OnWriteEnded(bool ok, bool half_close);
  void Finish();
  void OnFinished();
  void Tell(bool open, const absl::Status& status);

  const std::shared_ptr<Channel> channel_;
  const ClientKind client_;
  const std::string method_;
  Handler& handler_;
  grpc::CompletionQueue queue_;
  std::thread thread_;
  // Nobody may write: somebody does, or no stream is open for writing.
  std::atomic<bool> busy_{true};
  std::atomic<uint64_t> wakes_{0};

  // Of the stream in hand. `call_` is used by the holder of the turn and the thread.
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  grpc::ByteBuffer incoming_;
  grpc::Status final_status_;
  // Of the thread.
  absl::Time next_tick_ = absl::InfinitePast();
  bool reads_ended_ = false;
  bool writes_ended_ = false;  // The turn stays taken.
  bool finishing_ = false;

  Mutex mu_;                                  // Leaf but for gRPC's own locks.
  int64_t streams_ ABSL_GUARDED_BY(mu_) = 0;  // Started so far.
  bool active_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::unique_ptr<grpc::ClientContext> context_ ABSL_GUARDED_BY(mu_);
  CondVar ended_;
};

}  // namespace acta::client
