#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "proto/support/error.h"
#include "proto/support/wire.h"
#include "server/core/subscribe/subscription_hub.h"
#include "storage/base/crc32c.h"
#include "storage/base/fatal.h"
#include "tests/fuzz/fuzz_targets.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_log_engine.h"
#include "tests/support/stepped_executor.h"

namespace acta {
namespace {

// Holds what a stream says against the rules of the seam.
class CheckingSink final : public EventSink {
 public:
  void Send(OutgoingFrame frame) override {
    ACTA_CHECK(!unwritten && !finished);
    unwritten = true;
    ACTA_CHECK(frame.control.acked_through() <= last_id_sent);
    for (const v1::ControlError& error : frame.control.errors()) {
      ACTA_CHECK(error.status().reason() != v1::ERROR_REASON_UNSPECIFIED);
    }
    for (const v1::Assigned& assigned : frame.control.assigned()) {
      next_[assigned.assignment()] = assigned.offset();
    }
    for (const OutgoingBatch& batch : frame.batches) {
      ACTA_CHECK(batch.count > 0);
      ACTA_CHECK(EventElements::Count(batch.payload.view()) == batch.count);
      ACTA_CHECK(next_.at(batch.assignment) <= batch.base_offset.value());
      next_[batch.assignment] = batch.base_offset.value() + batch.count;
    }
  }
  void Finish(const absl::Status& status) override {
    ACTA_CHECK(!unwritten && !finished);
    ACTA_CHECK(status.ok() || ReasonOf(status) != v1::ERROR_REASON_UNSPECIFIED);
    finished = true;
  }

  bool unwritten = false;
  bool finished = false;
  uint64_t last_id_sent = 0;  // The highest frame id of the client.

 private:
  std::map<uint64_t, int64_t> next_;  // By assignment.
};

class FuzzedBroker {
 public:
  FuzzedBroker() : topics_(engine_, TopicLimits()), groups_(GroupDeps()), hub_(HubDeps()) {
    ACTA_CHECK(topics_.Load().ok() && groups_.Load().ok());
    v1::CreateTopicRequest request;
    request.mutable_topic()->set_name("t");
    request.mutable_topic()->set_partitions(2);
    ACTA_CHECK(topics_.Create(caller_, request).ok());
    for (int batch = 0; batch < 3; ++batch) Publish();
    stream_ = hub_.Open(caller_, sink_);
  }

  void OnControl(absl::string_view frame) {
    v1::SubscribeControl control;
    if (control.ParseFromArray(frame.data(), static_cast<int>(frame.size()))) {
      sink_.last_id_sent = std::max(sink_.last_id_sent, control.frame_id());
    }
    if (!sink_.finished) stream_->OnControl(frame);
    Run();
  }
  // The client leaves, and everything has to come to an end.
  void End() {
    if (!sink_.finished) stream_->OnHalfClose();
    Run();
    for (int i = 0; i < 8 && !sink_.finished; ++i) {
      clock_.Advance(absl::Seconds(30));
      timer_.Advance(absl::Seconds(30));
      Run();
    }
    stream_->OnDisconnect();
    Run();
  }

 private:
  GroupRegistry::Deps GroupDeps() {
    return {engine_, clock_, topics_, authorizer_, pool_, timer_, GroupLimits()};
  }
  SubscriptionHub::Deps HubDeps() {
    return {engine_, clock_, topics_, groups_, authorizer_, pool_, timer_, SubscribeLimits()};
  }
  void Publish() {
    const std::string payload(
        "\x7a\x03\x32\x01"
        "a\x7a\x03\x32\x01"
        "b",
        10);
    Append append;
    append.partition = topics_.Find("default", "t")->partition(0);
    append.count = 2;
    append.payload_crc32c = Crc32c(payload);
    append.payload = SharedBytes(payload);
    Transaction transaction;
    transaction.appends.push_back(std::move(append));
    ACTA_CHECK(engine_.Submit(std::move(transaction)).ok());
  }
  void Run() {
    for (bool busy = true; busy;) {
      busy = pool_.RunAll() > 0;
      if (!sink_.unwritten) continue;
      sink_.unwritten = false;
      stream_->OnWritten();
      busy = true;
    }
  }

  const Caller caller_{"alice", "default", "fuzz", absl::InfiniteDuration()};
  MemoryLogEngine engine_;
  FakeClock clock_;
  SteppedExecutor pool_;
  SteppedTimer timer_{pool_};
  TopicRegistry topics_;
  AllowAll authorizer_;
  GroupRegistry groups_;
  SubscriptionHub hub_;
  CheckingSink sink_;
  std::shared_ptr<Subscription> stream_;
};

}  // namespace

int FuzzControl(absl::string_view bytes) {
  FuzzedBroker broker;
  WireReader reader(bytes);
  for (absl::string_view frame; reader.ReadBytes(&frame) == WireFault::kNone;) {
    broker.OnControl(frame);
  }
  broker.End();
  return 0;
}

}  // namespace acta
