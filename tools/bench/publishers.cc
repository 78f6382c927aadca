#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/support/async_stream.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "acta/v1/publisher.grpc.pb.h"
#include "proto/support/error.h"
#include "storage/base/status_macros.h"
#include "tools/bench/cpu_watch.h"
#include "tools/bench/event_form.h"
#include "tools/bench/latencies.h"
#include "tools/bench/measure.h"

namespace acta::bench {
namespace {

constexpr int32_t kEventBytes = 100;
constexpr int32_t kPartitions = 16;
constexpr double kEventsPerPublisher = 100;  // A second.
constexpr int64_t kPatienceNanos = 60'000'000'000;

// Publishers with a connection and a stream each, on one completion queue and one thread, so that
// the load leaves most of the machine to the broker. Events are due on one open-loop schedule, for
// one publisher after the other; what is due while a publisher waits for an answer goes into its
// next frame.
//
// Threads: one.
class StreamCrowd {
 public:
  StreamCrowd(const Bed& bed, const EventForm& form, const std::string& topic, v1::AckLevel level,
              int32_t publishers)
      : form_(form), level_(level) {
    for (int32_t i = 0; i < publishers; ++i) {
      auto one = std::make_unique<One>();
      one->number = i;
      one->channel = bed.NewChannel();
      one->stub = v1::Publisher::NewStub(one->channel->grpc());
      one->frame.mutable_open()->set_topic(topic);
      one->stream = one->stub->AsyncPublishStream(&one->context, &queue_, &one->started);
      crowd_.push_back(std::move(one));
    }
  }
  ~StreamCrowd() {
    for (const auto& one : crowd_) one->context.TryCancel();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  // Returns when every stream is open.
  absl::Status Open() {
    const int64_t deadline = NowNanos() + kPatienceNanos;
    while (open_ < crowd_.size()) RETURN_IF_ERROR(Step(deadline, deadline));
    return absl::OkStatus();
  }

  // Events due from `begin` to `end`; the latencies of those due from `counts_from` on.
  absl::Status Run(int64_t begin, int64_t counts_from, int64_t end, Latencies* latencies) {
    begin_ = begin;
    counts_from_ = counts_from;
    latencies_ = latencies;
    for (int64_t next; (next = DueOf(scheduled_)) < end;) {
      RETURN_IF_ERROR(Step(next, end + kPatienceNanos));
      for (const int64_t now = NowNanos(); DueOf(scheduled_) <= std::min(now, end - 1);) {
        One& one = *crowd_[static_cast<size_t>(scheduled_++) % crowd_.size()];
        ++one.due;
        if (one.idle()) Send(one);
      }
    }
    while (answered_ < scheduled_) {
      RETURN_IF_ERROR(Step(end + kPatienceNanos, end + kPatienceNanos));
    }
    return absl::OkStatus();
  }

  int64_t answered() const { return answered_; }
  uint64_t frames() const { return next_frame_id_ - 1; }

 private:
  struct One;
  enum class Kind { kStarted, kWritten, kRead };
  struct Tag {
    One* one;
    Kind kind;
  };
  struct One {
    bool idle() const { return open && !writing && !reading; }

    int64_t number = 0;
    std::shared_ptr<client::Channel> channel;
    std::unique_ptr<v1::Publisher::Stub> stub;
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::PublishFrame, v1::PublishResults>> stream;
    v1::PublishFrame frame;
    v1::PublishResults answer;
    bool open = false, writing = false, reading = false;
    int64_t due = 0, sent = 0, answered = 0;  // Events.
    Tag started{this, Kind::kStarted}, written{this, Kind::kWritten}, read{this, Kind::kRead};
  };

  // Of the event with this number on the schedule of all.
  int64_t DueOf(int64_t event) const {
    const double interval = 1e9 / (kEventsPerPublisher * static_cast<double>(crowd_.size()));
    return begin_ + static_cast<int64_t>(static_cast<double>(event) * interval);
  }

  // Waits until something happens or it is `until`. Errors: DEADLINE_EXCEEDED after `deadline`.
  absl::Status Step(int64_t until, int64_t deadline) {
    const auto wait = std::chrono::nanoseconds(std::max<int64_t>(0, until - NowNanos()));
    void* tag = nullptr;
    bool ok = false;
    switch (queue_.AsyncNext(&tag, &ok, std::chrono::system_clock::now() + wait)) {
      case grpc::CompletionQueue::GOT_EVENT:
        return Take(*static_cast<Tag*>(tag), ok);
      case grpc::CompletionQueue::TIMEOUT:
        if (NowNanos() < deadline) return absl::OkStatus();
        return absl::DeadlineExceededError("the publishers got no answers");
      case grpc::CompletionQueue::SHUTDOWN:
        break;
    }
    return absl::InternalError("the completion queue is shut down");
  }

  absl::Status Take(const Tag& tag, bool ok) {
    One& one = *tag.one;
    if (!ok) return absl::UnavailableError(absl::StrCat("publisher ", one.number, " was cut off"));
    switch (tag.kind) {
      case Kind::kStarted:
        Write(one);
        return absl::OkStatus();
      case Kind::kWritten:
        one.writing = false;
        break;
      case Kind::kRead:
        one.reading = false;
        RETURN_IF_ERROR(Answered(one));
        break;
    }
    if (one.idle() && one.due > one.sent) Send(one);
    return absl::OkStatus();
  }

  absl::Status Answered(One& one) {
    for (const v1::FrameResult& result : one.answer.results()) {
      if (result.has_error()) return FromProto(result.error());
      for (const v1::BatchResult& batch : result.batches()) {
        if (batch.has_error()) return FromProto(batch.error());
      }
    }
    if (!one.open) {
      one.open = true;
      ++open_;
    }
    const int64_t now = NowNanos(), publishers = static_cast<int64_t>(crowd_.size());
    for (; one.answered < one.sent; ++one.answered, ++answered_) {
      const int64_t due = DueOf(one.answered * publishers + one.number);
      if (due >= counts_from_) latencies_->Add(now - due);
    }
    return absl::OkStatus();
  }

  // Everything that is due.
  void Send(One& one) {
    const auto partition = static_cast<int32_t>(one.number % form_.partitions());
    one.frame.Clear();
    one.frame.set_level(level_);
    v1::PartitionBatch* const batch = one.frame.add_batches();
    batch->set_partition(partition);
    for (; one.sent < one.due; ++one.sent) {
      *batch->add_events() = form_.Make(partition, next_number_++, 0);
    }
    Write(one);
  }

  void Write(One& one) {
    one.frame.set_frame_id(next_frame_id_++);
    one.writing = one.reading = true;
    one.stream->Write(one.frame, &one.written);
    one.stream->Read(&one.answer, &one.read);
  }

  const EventForm& form_;
  const v1::AckLevel level_;
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<One>> crowd_;
  size_t open_ = 0;
  int64_t begin_ = 0, counts_from_ = 0;
  Latencies* latencies_ = nullptr;
  int64_t scheduled_ = 0, answered_ = 0;
  uint64_t next_number_ = 0;  // No two events have the same id.
  uint64_t next_frame_id_ = 1;
};

absl::StatusOr<Outcome> RunPublishers(Bed& bed, Profile profile) {
  const Durations& durations = bed.durations();
  const EventForm form(kEventBytes, kPartitions);
  ASSIGN_OR_RETURN(const std::string topic,
                   bed.NewTopic(kPartitions, v1::ACK_LEVEL_FSYNC, profile));
  StreamCrowd crowd(bed, form, topic, v1::ACK_LEVEL_FSYNC, durations.publishers);
  RETURN_IF_ERROR(crowd.Open());
  Latencies latencies;
  const CpuWatch cpu(bed);
  const int64_t begin = NowNanos();
  const int64_t middle = begin + static_cast<int64_t>(durations.warm_up_s * 1e9);
  const int64_t end = middle + static_cast<int64_t>(durations.seconds * 1e9);
  RETURN_IF_ERROR(crowd.Run(begin, middle, end, &latencies));
  Outcome outcome;
  cpu.Read(static_cast<double>(crowd.answered()), &outcome);
  const double seconds = static_cast<double>(NowNanos() - begin) / 1e9;
  outcome.values = {latencies.Millis(0.99), latencies.Millis(0.5),
                    static_cast<double>(crowd.answered()) / seconds,
                    static_cast<double>(crowd.frames()) / seconds};
  return outcome;
}

}  // namespace

void AddPublisherMeasures(std::vector<Measure>* measures) {
  for (const Profile profile : {Profile::kLog, Profile::kFull}) {
    Measure measure;
    measure.name = NameOfMeasure("publishers_1000", v1::ACK_LEVEL_FSYNC, profile);
    measure.help = "p99 of 1,000 publishers with 100 events/s each, from due to acknowledged";
    // What is due waits for the trip under way, and then for its own.
    measure.figures = {{"", "ms", true, 50, 20, {"grpc_crowd", "grpc_crowd.p99"}},
                       {".p50", "ms", true, {}, {}, {"grpc_crowd"}, 1.5},
                       {".rate", "events/s"},
                       {".frames", "frames/s"}};
    measure.run = [profile](Bed& bed) { return RunPublishers(bed, profile); };
    measures->push_back(std::move(measure));
  }
}

}  // namespace acta::bench
