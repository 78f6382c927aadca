#include "tests/unit/client/fake_queue.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace acta::client {

class FakeQueue::Subscriber final : public v1::Subscriber::Service {
 public:
  explicit Subscriber(FakeQueue& queue) : queue_(queue) {}

  grpc::Status Settle(grpc::ServerContext*, const v1::SettleRequest* request,
                      v1::SettleResponse* response) override {
    return queue_.steps_.Settle(*request, response);
  }

  using Stream = grpc::ServerReaderWriter<v1::DeliveryFrame, v1::SubscribeControl>;
  grpc::Status Subscribe(grpc::ServerContext*, Stream* stream) override {
    v1::SubscribeControl control;
    if (!stream->Read(&control) || !control.has_start()) return grpc::Status::OK;
    stream->Write(Begin(control.start()));
    while (stream->Read(&control)) {
      v1::DeliveryFrame answer;
      answer.set_acked_through(control.frame_id());
      if (control.has_settle()) {
        const auto broken = Take(control.frame_id(), control.settle(), &answer);
        if (broken.has_value()) return *broken;
      }
      stream->Write(answer);
    }
    return grpc::Status::OK;
  }

 private:
  v1::DeliveryFrame Begin(const v1::SubscribeStart& start) {
    MutexLock lock(queue_.mu_);
    ++queue_.streams_;
    queue_.held_ = 0;
    for (const v1::HeldEvents& held : start.held()) queue_.held_ += held.count();
    v1::DeliveryFrame frame;
    frame.set_acked_through(1);
    frame.add_notice()->set_code("MEMBER_ID");
    frame.mutable_notice(0)->set_text("m");
    frame.add_assigned()->set_assignment(static_cast<uint64_t>(queue_.streams_));
    frame.mutable_assigned(0)->set_topic("t");
    v1::DeliveredBatch* batch = nullptr;
    for (int64_t offset = 0; offset < queue_.events_; ++offset) {
      if (queue_.settled_.count(offset) > 0) {
        batch = nullptr;
        continue;
      }
      if (batch == nullptr || batch->events_size() == kBatch) {
        batch = frame.add_batches();
        batch->set_assignment(static_cast<uint64_t>(queue_.streams_));
        batch->set_base_offset(offset);
        batch->set_attempt(queue_.streams_);
      }
      batch->add_events()->set_subject(absl::StrCat(offset));
      if (start.wanted_features_size() == 0) continue;
      batch->set_delivery_token(FakeSteps::TokenOf(0, batch->base_offset(), batch->events_size()));
    }
    return frame;
  }

  // How the stream breaks here, if it does.
  std::optional<grpc::Status> Take(uint64_t frame_id, const v1::Settle& settle,
                                   v1::DeliveryFrame* answer) {
    MutexLock lock(queue_.mu_);
    for (const v1::Settlement& one : settle.settlements()) {
      if (one.kind() == v1::SETTLE_KIND_EXTEND) continue;
      for (int64_t offset = one.offset(); offset < one.offset() + std::max(1, one.count());
           ++offset) {
        if (queue_.settled_.try_emplace(offset, one.kind()).second) continue;
        v1::ControlError* const error = answer->add_errors();
        error->set_frame_id(frame_id);
        error->set_assignment(one.assignment());
        error->set_offset(offset);
        error->set_count(1);
        *error->mutable_status() = ToProto(Error(v1::ALREADY_SETTLED, "before"));
      }
    }
    return std::exchange(queue_.break_, std::nullopt);
  }

  FakeQueue& queue_;
};

FakeQueue::FakeQueue(int events)
    : events_(events), subscriber_(std::make_unique<Subscriber>(*this)) {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(subscriber_.get());
  server_ = builder.BuildAndStart();
  address_ = absl::StrCat("127.0.0.1:", port);
}

FakeQueue::~FakeQueue() {
  steps_.Hold(false);
  server_->Shutdown(std::chrono::system_clock::now());
}

std::shared_ptr<Channel> FakeQueue::Connect() const {
  ChannelOptions options;
  options.min_backoff = absl::Milliseconds(1);
  return std::make_shared<Channel>(address_, options);
}

void FakeQueue::BreakAtSettle(const grpc::Status& status) {
  MutexLock lock(mu_);
  break_ = status;
}

std::map<int64_t, v1::SettleKind> FakeQueue::settled() {
  MutexLock lock(mu_);
  return settled_;
}

int FakeQueue::streams() {
  MutexLock lock(mu_);
  return streams_;
}

int64_t FakeQueue::held() {
  MutexLock lock(mu_);
  return held_;
}

}  // namespace acta::client
