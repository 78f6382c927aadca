#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "proto/support/error.h"
#include "storage/base/status_macros.h"
#include "tools/bench/acks.h"
#include "tools/bench/consumer.h"
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

// Publishes one event after the other by unary calls.
class UnaryPublisher {
 public:
  UnaryPublisher(const Bed& bed, const EventForm& form, const std::string& topic,
                 v1::AckLevel level, int32_t number)
      : form_(form), admin_(bed.NewChannel()) {
    // Numbers of different publishers never meet.
    next_number_ = static_cast<uint64_t>(number) << 40;
    frame_.set_level(level);
    v1::PartitionBatch* const batch = frame_.add_batches();
    batch->set_topic(topic);
    batch->set_partition(number % form.partitions());
    *batch->add_events() = form.Make(batch->partition(), 0, 0);
  }

  absl::Status Publish() {
    form_.Renew(next_number_++, 0, frame_.mutable_batches(0)->mutable_events(0));
    ASSIGN_OR_RETURN(const v1::PublishResults answer, admin_.Publish(frame_));
    if (answer.results_size() != 1) return absl::InternalError("a publish was not answered once");
    const v1::FrameResult& result = answer.results(0);
    if (result.has_error()) return FromProto(result.error());
    if (result.batches_size() == 1 && result.batches(0).has_error()) {
      return FromProto(result.batches(0).error());
    }
    return absl::OkStatus();
  }

  // Until the window ends; latencies inside of it.
  absl::Status Run(const Window& window, Latencies* latencies) {
    for (int64_t before = NowNanos(); before < window.end;) {
      RETURN_IF_ERROR(Publish());
      const int64_t now = NowNanos();
      if (before >= window.begin) latencies->Add(now - before);
      before = now;
    }
    return absl::OkStatus();
  }

 private:
  const EventForm& form_;
  client::Admin admin_;
  v1::PublishFrame frame_;
  uint64_t next_number_ = 0;
};

absl::StatusOr<Outcome> RunUnary(Bed& bed, v1::AckLevel level) {
  const EventForm form(kEventBytes, kPartitions);
  ASSIGN_OR_RETURN(const std::string topic, bed.NewTopic(kPartitions, level, Profile::kLog));
  UnaryPublisher publisher(bed, form, topic, level, 0);
  const CpuWatch cpu(bed);
  Latencies latencies;
  RETURN_IF_ERROR(publisher.Run(Window(bed.durations()), &latencies));
  Outcome outcome;
  outcome.values = {latencies.Millis(0.5), latencies.Millis(0.99)};
  return outcome;
}

absl::StatusOr<Outcome> RunManyUnary(Bed& bed, int32_t publishers, v1::AckLevel level) {
  const EventForm form(kEventBytes, kPartitions);
  ASSIGN_OR_RETURN(const std::string topic, bed.NewTopic(kPartitions, level, Profile::kLog));
  const Window window(bed.durations());
  std::vector<Latencies> latencies(static_cast<size_t>(publishers));
  std::vector<absl::Status> statuses(static_cast<size_t>(publishers));
  std::vector<std::thread> threads;
  for (int32_t i = 0; i < publishers; ++i) {
    threads.emplace_back([&, i] {
      UnaryPublisher publisher(bed, form, topic, level, i);
      statuses[static_cast<size_t>(i)] = publisher.Run(window, &latencies[static_cast<size_t>(i)]);
    });
  }
  SleepUntilNanos(window.begin);
  const CpuWatch cpu(bed);
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : statuses) RETURN_IF_ERROR(status);
  int64_t events = 0;
  for (const Latencies& each : latencies) events += each.count();
  Outcome outcome;
  cpu.Read(static_cast<double>(events), &outcome);
  outcome.values = {static_cast<double>(events) / bed.durations().seconds};
  return outcome;
}

// Sends the next event as soon as the last is answered, from the answer's callback.
class PingPong {
 public:
  PingPong(const Bed& bed, const EventForm& form, std::string topic, v1::AckLevel level)
      : window_(bed.durations()),
        topic_(std::move(topic)),
        event_(std::make_shared<const std::string>(form.Batch(0, 1, 0, 0))),
        publisher_(bed.NewChannel(), BenchPublisher(level)) {}

  absl::Status Run(Latencies* latencies) {
    latencies_ = latencies;
    RETURN_IF_ERROR(Send());
    RETURN_IF_ERROR(Await("the round trips", kPatience, [&] { return over_.load(); }));
    RETURN_IF_ERROR(publisher_.Close(kPatience));
    return status_;
  }

 private:
  absl::Status Send() {
    sent_ = NowNanos();
    return publisher_.PublishPrepared(
        topic_, 0, event_, 1,
        [this](const client::BatchOutcome& outcome) { Answered(outcome.status); });
  }

  void Answered(const absl::Status& status) {
    const int64_t now = NowNanos();
    status_ = status;
    if (status_.ok() && sent_ >= window_.begin) latencies_->Add(now - sent_);
    if (status_.ok() && now < window_.end) {
      status_ = Send();
      if (status_.ok()) return;
    }
    over_ = true;
  }

  const Window window_;
  const std::string topic_;
  const std::shared_ptr<const std::string> event_;
  Latencies* latencies_ = nullptr;
  int64_t sent_ = 0;
  absl::Status status_;  // Of the callback until `over_`.
  std::atomic<bool> over_ = false;
  client::Publisher publisher_;
};

absl::StatusOr<Outcome> RunStream(Bed& bed, v1::AckLevel level) {
  const EventForm form(kEventBytes, kPartitions);
  ASSIGN_OR_RETURN(std::string topic, bed.NewTopic(kPartitions, level, Profile::kLog));
  Latencies latencies;
  PingPong ping(bed, form, std::move(topic), level);
  RETURN_IF_ERROR(ping.Run(&latencies));
  Outcome outcome;
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
  const auto unary = [](v1::AckLevel level) {
    return [level](Bed& bed) { return RunUnary(bed, level); };
  };
  const auto stream = [](v1::AckLevel level) {
    return [level](Bed& bed) { return RunStream(bed, level); };
  };
  const std::string one = "one event in flight, from the call to its answer; ";
  measures->push_back(
      {"unary_os",
       one + "unary calls",
       {Millis("", {"grpc_unary"}, 0.30, 0.17), Millis(".p99", {"grpc_unary.p99"}, {}, {})},
       false,
       unary(kOs)});
  measures->push_back({"unary_fsync",
                       one + "unary calls",
                       {Millis("", {"grpc_unary", "disk_append_sync"}, 0.55, 0.35),
                        Millis(".p99", {"grpc_unary.p99", "disk_append_sync.p99"}, 1.2, 0.6)},
                       false,
                       unary(kFsync)});
  measures->push_back({"stream_os",
                       one + "a stream",
                       {Millis("", {"grpc_stream_round_trip"}, 0.25, 0.12),
                        Millis(".p99", {"grpc_stream_round_trip.p99"}, {}, {})},
                       false,
                       stream(kOs)});
  measures->push_back(
      {"stream_fsync",
       one + "a stream",
       {Millis("", {"grpc_stream_round_trip", "disk_append_sync"}, 0.5, 0.3),
        Millis(".p99", {"grpc_stream_round_trip.p99", "disk_append_sync.p99"}, {}, {})},
       false,
       stream(kFsync)});
  Figure rate;
  rate.unit = "events/s";
  rate.least = 15'000;
  rate.goal = 30'000;
  rate.limits = {"disk_append_sync.rate"};
  measures->push_back({"unary_64_fsync",
                       "64 unary publishers, one event in flight each",
                       {rate},
                       false,
                       [](Bed& bed) { return RunManyUnary(bed, 64, kFsync); }});
}

}  // namespace acta::bench
