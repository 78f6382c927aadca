#include "client/cpp/raw_stream.h"

#include <grpc/support/time.h>
#include <grpcpp/channel.h>

#include <algorithm>
#include <utility>

#include "client/cpp/grpc_status.h"
#include "client/cpp/steady_time.h"
#include "client/cpp/tell.h"

namespace acta::client {
namespace {

constexpr absl::Duration kLongestTick = absl::Milliseconds(500);

}  // namespace

RawStream::RawStream(std::shared_ptr<Channel> channel, ClientKind client, std::string method,
                     Handler& handler)
    : channel_(std::move(channel)),
      client_(client),
      method_(std::move(method)),
      handler_(handler) {}

RawStream::~RawStream() { Stop(); }

void RawStream::Run() {
  thread_ = std::thread([this] { Loop(); });
}

bool RawStream::Start() {
  MutexLock lock(mu_);
  if (active_ || stopping_) return false;
  active_ = true;
  ++streams_;
  context_ = std::make_unique<grpc::ClientContext>();
  grpc::GenericStub stub(channel_->grpc());
  call_ = stub.PrepareCall(context_.get(), method_, &queue_);
  call_->StartCall(Tag(Op::kStart));
  return true;
}

void RawStream::Cancel() {
  MutexLock lock(mu_);
  if (context_ != nullptr) context_->TryCancel();
}

void RawStream::Stop() {
  {
    MutexLock lock(mu_);
    if (!thread_.joinable()) return;
    stopping_ = true;
    if (context_ != nullptr) context_->TryCancel();
    while (active_) ended_.Wait(mu_);
  }
  queue_.Shutdown();
  thread_.join();
}

void RawStream::Write(const grpc::ByteBuffer& message) { call_->Write(message, Tag(Op::kWrite)); }

void RawStream::WritesDone() { call_->WritesDone(Tag(Op::kWritesDone)); }

void RawStream::Wake() {
  wakes_.fetch_add(1);
  while (TryTakeTurn()) {
    const uint64_t seen = wakes_.load();
    if (handler_.WriteNext()) return;
    busy_.exchange(false);
    // Who woke us meanwhile found the turn taken.
    if (wakes_.load() == seen) return;
  }
}

void RawStream::Loop() {
  while (true) {
    void* tag = nullptr;
    bool ok = false;
    const absl::Duration wait = std::max(next_tick_ - SteadyNow(), absl::ZeroDuration());
    const gpr_timespec until =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                     gpr_time_from_micros(absl::ToInt64Microseconds(wait), GPR_TIMESPAN));
    const auto next = queue_.AsyncNext(&tag, &ok, until);
    if (next == grpc::CompletionQueue::SHUTDOWN) return;
    if (next == grpc::CompletionQueue::GOT_EVENT) {
      TakeOver(this);
      OnOp(static_cast<Op>(reinterpret_cast<intptr_t>(tag)), ok);
    }
    // Whoever holds the turn gives it back or has a write that fails.
    if (reads_ended_ && !finishing_ && (writes_ended_ || TryTakeTurn())) Finish();
    const absl::Time now = SteadyNow();
    if (now < next_tick_) continue;
    next_tick_ = now + kLongestTick;
    TickWithin(handler_.OnTick(now));
  }
}

void RawStream::TickWithin(absl::Duration wait) {
  next_tick_ = std::min(next_tick_, SteadyNow() + std::max(wait, absl::Milliseconds(1)));
}

void RawStream::OnOp(Op op, bool ok) {
  switch (op) {
    case Op::kStart:
      return OnStarted(ok);
    case Op::kRead:
      return OnRead(ok);
    case Op::kWrite:
      return OnWriteEnded(ok, false);
    case Op::kWritesDone:
      return OnWriteEnded(ok, true);
    case Op::kFinish:
      return OnFinished();
  }
}

void RawStream::OnStarted(bool ok) {
  if (!ok) {
    reads_ended_ = true;
    writes_ended_ = true;
    return;
  }
  Tell(/*open=*/true, absl::OkStatus());
  call_->Read(&incoming_, Tag(Op::kRead));
  handler_.OnOpen();
  busy_.exchange(false);
  Wake();
}

void RawStream::OnRead(bool ok) {
  if (!ok) {
    reads_ended_ = true;
    return;
  }
  grpc::ByteBuffer message;
  message.Swap(&incoming_);
  call_->Read(&incoming_, Tag(Op::kRead));
  handler_.OnMessage(message);
}

void RawStream::OnWriteEnded(bool ok, bool half_close) {
  // A stream that is broken or closed for writing keeps the turn: nobody writes any more.
  if (!ok || half_close || reads_ended_) {
    writes_ended_ = true;
    return;
  }
  busy_.exchange(false);
  Wake();
}

void RawStream::Finish() {
  finishing_ = true;
  call_->Finish(&final_status_, Tag(Op::kFinish));
}

void RawStream::OnFinished() {
  const absl::Status status = FromGrpc(final_status_, channel_->address());
  call_.reset();
  final_status_ = grpc::Status();
  reads_ended_ = writes_ended_ = finishing_ = false;
  Tell(/*open=*/false, status);
  {
    MutexLock lock(mu_);
    context_.reset();
    active_ = false;
    if (stopping_) ended_.SignalAll();
  }
  handler_.OnEnd(status);
}

void RawStream::Tell(bool open, const absl::Status& status) {
  if (!HasHooks(*channel_)) return;
  StreamChange change;
  change.client = client_;
  change.open = open;
  change.status = status;
  {
    MutexLock lock(mu_);
    change.number = streams_;
  }
  TellStream(*channel_, change);
}

}  // namespace acta::client
