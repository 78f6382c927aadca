#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/support/async_unary_call.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "acta/v1/publisher.grpc.pb.h"
#include "client/cpp/admin.h"
#include "proto/support/error.h"
#include "storage/base/status_macros.h"
#include "tools/bench/acks.h"
#include "tools/bench/consumer.h"
#include "tools/bench/cpu_watch.h"
#include "tools/bench/event_form.h"
#include "tools/bench/latencies.h"
#include "tools/bench/measure.h"

namespace acta::bench {
namespace {

constexpr int32_t kEventBytes = 100;
constexpr int32_t kPartitions = 16;
constexpr absl::Duration kPatience = absl::Minutes(1);

// The time over which a measure looks, from now on.
struct Window {
  explicit Window(const Durations& durations)
      : begin(NowNanos() + static_cast<int64_t>(durations.warm_up_s * 1e9)),
        end(begin + static_cast<int64_t>(durations.seconds * 1e9)) {}
  const int64_t begin;
  const int64_t end;
};

// One unary publish of one event.
v1::PublishFrame FrameOf(const EventForm& form, const std::string& topic, int32_t partition,
                         v1::AckLevel level) {
  v1::PublishFrame frame;
  frame.set_level(level);
  v1::PartitionBatch* const batch = frame.add_batches();
  batch->set_topic(topic);
  batch->set_partition(partition);
  *batch->add_events() = form.Make(partition, 0, 0);
  return frame;
}

absl::Status Check(const v1::PublishResults& answer) {
  if (answer.results_size() != 1) return absl::InternalError("a publish was not answered once");
  const v1::FrameResult& result = answer.results(0);
  if (result.has_error()) return FromProto(result.error());
  if (result.batches_size() == 1 && result.batches(0).has_error()) {
    return FromProto(result.batches(0).error());
  }
  return absl::OkStatus();
}

absl::StatusOr<Outcome> RunUnary(Bed& bed, v1::AckLevel level, Profile profile) {
  const EventForm form(kEventBytes, kPartitions);
  ASSIGN_OR_RETURN(const std::string topic, bed.NewTopic(kPartitions, level, profile));
  client::Admin admin(bed.NewChannel());
  v1::PublishFrame frame = FrameOf(form, topic, 0, level);
  const Window window(bed.durations());
  Latencies latencies;
  std::optional<CpuWatch> cpu;
  uint64_t number = 0;
  for (int64_t before = NowNanos(); before < window.end || latencies.count() == 0;) {
    form.Renew(number++, 0, frame.mutable_batches(0)->mutable_events(0));
    ASSIGN_OR_RETURN(const v1::PublishResults answer, admin.Publish(frame));
    RETURN_IF_ERROR(Check(answer));
    const int64_t now = NowNanos();
    if (before >= window.begin) latencies.Add(now - before);
    if (now >= window.begin && !cpu.has_value()) cpu.emplace(bed);
    before = now;
  }
  Outcome outcome;
  cpu->Read(static_cast<double>(latencies.count()), &outcome);
  outcome.values = {latencies.Millis(0.5), latencies.Millis(0.99)};
  return outcome;
}

// Publishers with a connection each and one event in flight each, on one completion queue and one
// thread, so that the load leaves most of the machine to the broker.
class UnaryCrowd {
 public:
  UnaryCrowd(const Bed& bed, const EventForm& form, const std::string& topic, v1::AckLevel level,
             int32_t publishers)
      : form_(form) {
    for (int32_t i = 0; i < publishers; ++i) {
      auto one = std::make_unique<One>();
      one->channel = bed.NewChannel();
      one->stub = v1::Publisher::NewStub(one->channel->grpc());
      one->frame = FrameOf(form, topic, i % form.partitions(), level);
      crowd_.push_back(std::move(one));
    }
  }
  // All calls are over.
  ~UnaryCrowd() {
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  // Answers the calls that were over within the window; the first failure ends all.
  absl::StatusOr<int64_t> Run(const Window& window, const std::function<void()>& on_begin) {
    for (const auto& one : crowd_) Send(*one);
    bool begun = false;
    int64_t counted = 0;
    absl::Status status;
    for (size_t under_way = crowd_.size(); under_way > 0;) {
      void* tag = nullptr;
      bool ok = false;
      queue_.Next(&tag, &ok);
      One& one = *static_cast<One*>(tag);
      const absl::Status done =
          one.status.ok() ? Check(one.answer) : absl::UnavailableError(one.status.error_message());
      if (status.ok()) status = done;
      const int64_t now = NowNanos();
      if (!begun && now >= window.begin) {
        begun = true;
        on_begin();
      } else if (begun) {
        ++counted;
      }
      if (status.ok() && (now < window.end || counted == 0)) {
        Send(one);
      } else {
        --under_way;
      }
    }
    RETURN_IF_ERROR(status);
    return counted;
  }

 private:
  struct One {
    std::shared_ptr<client::Channel> channel;
    std::unique_ptr<v1::Publisher::Stub> stub;
    v1::PublishFrame frame;
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::PublishResults>> call;
    v1::PublishResults answer;
    grpc::Status status;
  };

  void Send(One& one) {
    form_.Renew(next_number_++, 0, one.frame.mutable_batches(0)->mutable_events(0));
    one.context = std::make_unique<grpc::ClientContext>();
    one.answer.Clear();
    one.call = one.stub->AsyncPublish(one.context.get(), one.frame, &queue_);
    one.call->Finish(&one.answer, &one.status, &one);
  }

  const EventForm& form_;
  uint64_t next_number_ = 0;  // No two events have the same id.
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<One>> crowd_;
};

absl::StatusOr<Outcome> RunManyUnary(Bed& bed, int32_t publishers, v1::AckLevel level,
                                     Profile profile) {
  const EventForm form(kEventBytes, kPartitions);
  ASSIGN_OR_RETURN(const std::string topic, bed.NewTopic(kPartitions, level, profile));
  UnaryCrowd crowd(bed, form, topic, level, publishers);
  std::optional<CpuWatch> cpu;
  int64_t begin = 0;
  ASSIGN_OR_RETURN(const int64_t events, crowd.Run(Window(bed.durations()), [&] {
    begin = NowNanos();
    cpu.emplace(bed);
  }));
  const double seconds = static_cast<double>(NowNanos() - begin) / 1e9;
  Outcome outcome;
  cpu->Read(static_cast<double>(events), &outcome);
  outcome.values = {static_cast<double>(events) / seconds};
  return outcome;
}

// Sends the next event as soon as the last is answered, from the answer's callback.
class PingPong {
 public:
  PingPong(const Bed& bed, const EventForm& form, std::string topic, v1::AckLevel level)
      : bed_(bed),
        window_(bed.durations()),
        topic_(std::move(topic)),
        form_(form),
        publisher_(bed.NewChannel(), BenchPublisher(level)) {}

  absl::Status Run(Latencies* latencies, Outcome* outcome) {
    latencies_ = latencies;
    outcome_ = outcome;
    RETURN_IF_ERROR(Send());
    RETURN_IF_ERROR(Await("the round trips", kPatience, [&] { return over_.load(); }));
    RETURN_IF_ERROR(publisher_.Close(kPatience));
    return status_;
  }

 private:
  absl::Status Send() {
    auto event = std::make_shared<std::string>(form_.Batch(0, 1, next_number_++, 0));
    sent_ = NowNanos();
    return publisher_.PublishPrepared(
        topic_, 0, std::move(event), 1,
        [this](const client::BatchOutcome& outcome) { Answered(outcome.status); });
  }

  void Answered(const absl::Status& status) {
    const int64_t now = NowNanos();
    status_ = status;
    if (status_.ok() && sent_ >= window_.begin) latencies_->Add(now - sent_);
    if (now >= window_.begin && !cpu_.has_value()) cpu_.emplace(bed_);
    if (status_.ok() && (now < window_.end || latencies_->count() == 0)) {
      status_ = Send();
      if (status_.ok()) return;
    }
    if (cpu_.has_value()) cpu_->Read(static_cast<double>(latencies_->count()), outcome_);
    over_ = true;
  }

  const Bed& bed_;
  const Window window_;
  const std::string topic_;
  const EventForm& form_;
  uint64_t next_number_ = 0;
  // Of the callback until `over_`.
  Latencies* latencies_ = nullptr;
  Outcome* outcome_ = nullptr;
  std::optional<CpuWatch> cpu_;
  int64_t sent_ = 0;
  absl::Status status_;
  std::atomic<bool> over_ = false;
  client::Publisher publisher_;
};

absl::StatusOr<Outcome> RunStream(Bed& bed, v1::AckLevel level, Profile profile) {
  const EventForm form(kEventBytes, kPartitions);
  ASSIGN_OR_RETURN(std::string topic, bed.NewTopic(kPartitions, level, profile));
  Latencies latencies;
  PingPong ping(bed, form, std::move(topic), level);
  Outcome outcome;
  RETURN_IF_ERROR(ping.Run(&latencies, &outcome));
  outcome.values = {latencies.Millis(0.5), latencies.Millis(0.99)};
  return outcome;
}

Figure Millis(const char* suffix, std::vector<std::string> limits, std::optional<double> least,
              std::optional<double> goal) {
  Figure figure;
  figure.suffix = suffix;
  figure.unit = "ms";
  figure.lower_is_better = true;
  figure.least = least;
  figure.goal = goal;
  figure.limits = std::move(limits);
  return figure;
}

}  // namespace

void AddRoundTripMeasures(std::vector<Measure>* measures) {
  constexpr auto kOs = v1::ACK_LEVEL_OS, kFsync = v1::ACK_LEVEL_FSYNC;
  Figure rate;
  rate.unit = "events/s";
  rate.least = 15'000;
  rate.goal = 30'000;
  for (const Profile profile : {Profile::kLog, Profile::kFull}) {
    const auto add = [&](const std::string& what, v1::AckLevel level, const std::string& help,
                         std::vector<Figure> figures, auto run) {
      measures->push_back({NameOfMeasure(what, level, profile), help, std::move(figures), false,
                           [=](Bed& bed) { return run(bed, level, profile); }});
    };
    const std::string one = "one event in flight, from the call to its answer; ";
    add("unary", kOs, one + "unary calls",
        {Millis("", {"grpc_unary"}, 0.30, 0.17), Millis(".p99", {"grpc_unary.p99"}, {}, {})},
        RunUnary);
    add("unary", kFsync, one + "unary calls",
        {Millis("", {"grpc_unary", "disk_overwrite_sync"}, 0.55, 0.35),
         Millis(".p99", {"grpc_unary.p99", "disk_overwrite_sync.p99"}, 1.2, 0.6)},
        RunUnary);
    add("stream", kOs, one + "a stream",
        {Millis("", {"grpc_stream_round_trip"}, 0.25, 0.12),
         Millis(".p99", {"grpc_stream_round_trip.p99"}, {}, {})},
        RunStream);
    add("stream", kFsync, one + "a stream",
        {Millis("", {"grpc_stream_round_trip", "disk_overwrite_sync"}, 0.5, 0.3),
         Millis(".p99", {"grpc_stream_round_trip.p99", "disk_overwrite_sync.p99"}, {}, {})},
        RunStream);
    add("unary_64", kFsync, "64 unary publishers, one event in flight each", {rate},
        [](Bed& bed, v1::AckLevel level, Profile checked) {
          return RunManyUnary(bed, 64, level, checked);
        });
  }
}

}  // namespace acta::bench
