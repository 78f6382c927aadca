#include "tests/unit/client/fake_broker.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "tests/unit/client/to_grpc.h"

namespace acta::client {
namespace {

std::string PayloadOf(const v1::PartitionBatch& batch) {
  std::string payload;
  for (const v1::Event& event : batch.events()) payload += Element(event.SerializeAsString());
  return payload;
}

}  // namespace

class FakeBroker::Topics final : public v1::Topics::Service {
 public:
  grpc::Status GetTopic(grpc::ServerContext*, const v1::GetTopicRequest* request,
                        v1::GetTopicResponse* response) override {
    if (request->name() != "t") return ToGrpc(Error(v1::TOPIC_NOT_FOUND, "no such topic"));
    response->mutable_topic()->set_name("t");
    response->mutable_topic()->set_partitions(kPartitions);
    return grpc::Status::OK;
  }
};

class FakeBroker::Publisher final : public v1::Publisher::Service {
 public:
  explicit Publisher(FakeBroker& broker) : broker_(broker) {}

  using Stream = grpc::ServerReaderWriter<v1::PublishResults, v1::PublishFrame>;
  grpc::Status PublishStream(grpc::ServerContext*, Stream* stream) override {
    v1::PublishFrame frame;
    bool first = true;
    while (stream->Read(&frame)) {
      if (frame.has_open() != std::exchange(first, false)) {
        return ToGrpc(Error(v1::STREAM_NOT_OPENED, "the first frame opens, no other"));
      }
      v1::PublishResults results;
      if (!Apply(frame, results.add_results())) return broker_.Broken();
      stream->Write(results);
    }
    return grpc::Status::OK;
  }

 private:
  // False: the stream breaks here.
  bool Apply(const v1::PublishFrame& frame, v1::FrameResult* result) {
    MutexLock lock(broker_.mu_);
    result->set_frame_id(frame.frame_id());
    for (const v1::PartitionBatch& batch : frame.batches()) {
      *result->add_batches() =
          broker_.log_.Append({batch.partition(), batch.producer_id(), batch.producer_epoch(),
                               batch.first_sequence(), PayloadOf(batch)});
    }
    while (broker_.hold_) broker_.changed_.Wait(broker_.mu_);
    if (broker_.break_publish_after_ == 0) return true;
    return --broker_.break_publish_after_ > 0;
  }

  FakeBroker& broker_;
};

class FakeBroker::Subscriber final : public v1::Subscriber::Service {
 public:
  explicit Subscriber(FakeBroker& broker) : broker_(broker) {}

  grpc::Status Settle(grpc::ServerContext*, const v1::SettleRequest* request,
                      v1::SettleResponse* response) override {
    return broker_.steps_.Settle(*request, response);
  }

  using Stream = grpc::ServerReaderWriter<v1::DeliveryFrame, v1::SubscribeControl>;
  grpc::Status Subscribe(grpc::ServerContext*, Stream* stream) override {
    v1::SubscribeControl control;
    if (!stream->Read(&control)) return grpc::Status::OK;
    if (!control.has_start()) return ToGrpc(Error(v1::STREAM_NOT_OPENED, "start first"));
    if (control.start().topics(0).topic() != "t") {
      return ToGrpc(Error(v1::TOPIC_NOT_FOUND, "no such topic"));
    }
    if (!SendEvents(control.start(), stream)) return broker_.Broken();
    while (stream->Read(&control)) {
      v1::DeliveryFrame answer;
      answer.set_acked_through(control.frame_id());
      if (control.has_commit()) {
        MutexLock lock(broker_.mu_);
        const auto partition = static_cast<int32_t>(control.commit().assignment() - 1);
        broker_.committed_[partition] = control.commit().offset();
      }
      stream->Write(answer);
    }
    MutexLock lock(broker_.mu_);
    while (broker_.hold_) broker_.changed_.Wait(broker_.mu_);
    return grpc::Status::OK;
  }

 private:
  // Every event in a frame of its own. Assignments are partitions from 1. False: the stream breaks.
  bool SendEvents(const v1::SubscribeStart& start, Stream* stream) {
    int64_t break_after = 0;
    {
      MutexLock lock(broker_.mu_);
      ++broker_.subscriptions_;
      broker_.max_frame_bytes_ = start.max_frame_bytes();
      break_after = std::exchange(broker_.break_subscribe_after_, -1);
    }
    v1::DeliveryFrame assigned;
    for (int32_t partition = 0; partition < kPartitions; ++partition) {
      v1::Assigned* one = assigned.add_assigned();
      one->set_assignment(static_cast<uint64_t>(partition) + 1);
      one->set_topic("t");
      one->set_partition(partition);
      one->set_offset(FirstOf(start, partition));
    }
    stream->Write(assigned);
    for (const v1::Assigned& one : assigned.assigned()) {
      const std::vector<std::string> events = broker_.Stored(one.partition());
      for (size_t offset = static_cast<size_t>(one.offset()); offset < events.size(); ++offset) {
        if (break_after-- == 0) return false;
        v1::DeliveryFrame frame;
        v1::DeliveredBatch* batch = frame.add_batches();
        batch->set_assignment(one.assignment());
        batch->set_base_offset(static_cast<int64_t>(offset));
        batch->add_events()->ParseFromString(events[offset]);
        if (start.wanted_features_size() > 0) {
          batch->set_delivery_token(
              FakeSteps::TokenOf(one.partition(), static_cast<int64_t>(offset), 1));
        }
        stream->Write(frame);
      }
      v1::DeliveryFrame end;
      end.add_notice()->set_code("REACHED_END");
      end.mutable_notice(0)->set_assignment(one.assignment());
      if (start.group().empty()) stream->Write(end);
    }
    return true;
  }

  int64_t FirstOf(const v1::SubscribeStart& start, int32_t partition) {
    if (!start.group().empty()) return broker_.Committed(partition);
    for (const v1::PartitionPosition& one : start.topics(0).partitions()) {
      if (one.partition() == partition) return one.offset();
    }
    return 0;
  }

  FakeBroker& broker_;
};

FakeBroker::FakeBroker()
    : topics_(std::make_unique<Topics>()),
      publisher_(std::make_unique<Publisher>(*this)),
      subscriber_(std::make_unique<Subscriber>(*this)) {
  BreakWith(grpc::StatusCode::UNAVAILABLE);
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(topics_.get());
  builder.RegisterService(publisher_.get());
  builder.RegisterService(subscriber_.get());
  server_ = builder.BuildAndStart();
  address_ = absl::StrCat("127.0.0.1:", port);
}

FakeBroker::~FakeBroker() {
  HoldAnswers(false);
  steps_.Hold(false);
  server_->Shutdown(std::chrono::system_clock::now());
}

void FakeBroker::BreakPublishAfter(int64_t count) {
  MutexLock lock(mu_);
  break_publish_after_ = count;
}

void FakeBroker::BreakWith(grpc::StatusCode code) {
  BreakWith(grpc::Status(code, "broken on purpose"));
}

void FakeBroker::BreakWith(const grpc::Status& status) {
  MutexLock lock(mu_);
  break_with_ = status;
}

grpc::Status FakeBroker::Broken() {
  MutexLock lock(mu_);
  return break_with_;
}

void FakeBroker::HoldAnswers(bool hold) {
  MutexLock lock(mu_);
  hold_ = hold;
  changed_.SignalAll();
}

void FakeBroker::BreakSubscribeAfter(int64_t count) {
  MutexLock lock(mu_);
  break_subscribe_after_ = count;
}

std::vector<std::string> FakeBroker::Stored(int32_t partition) {
  MutexLock lock(mu_);
  return log_.stored(partition);
}

void FakeBroker::Store(int32_t partition, const std::string& event) {
  MutexLock lock(mu_);
  const auto next = static_cast<uint32_t>(log_.stored(partition).size());
  log_.Append({partition, 1, 1, next, Element(event)});
}

int64_t FakeBroker::Committed(int32_t partition) {
  MutexLock lock(mu_);
  return committed_[partition];
}

int64_t FakeBroker::subscriptions() {
  MutexLock lock(mu_);
  return subscriptions_;
}

int32_t FakeBroker::max_frame_bytes() {
  MutexLock lock(mu_);
  return max_frame_bytes_;
}

}  // namespace acta::client
