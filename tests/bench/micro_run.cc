// Publishes batches and delivers them, in one process and without gRPC: publish session, engine on
// disk and subscription, one frame after the other. Always the same work, so that allocations can
// be counted and, by callgrind with --instr-atstart=no, instructions: of these batches alone,
// behind some that fill what is empty in the beginning.
//
//   micro_run log|full BATCHES    prints {"events": ..., "allocations": ...}

#include <valgrind/callgrind.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "acta/v1/publisher.pb.h"
#include "acta/v1/subscriber.pb.h"
#include "server/core/groups/group_registry.h"
#include "server/core/publish/publish_session.h"
#include "server/core/subscribe/subscription_hub.h"
#include "server/core/topics/topic_registry.h"
#include "storage/base/clock.h"
#include "storage/base/fatal.h"
#include "storage/base/mutex.h"
#include "storage/log/local_log_engine.h"
#include "tests/support/publish_whole.h"
#include "tests/support/scripted_causes.h"
#include "tests/support/stepped_executor.h"
#include "tests/support/temp_dir.h"

namespace {

std::atomic<int64_t> allocations{0};

void* Allocate(size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = malloc(bytes > 0 ? bytes : 1)) return memory;
  abort();
}

}  // namespace

// Of the whole program, also of the libraries it is linked with.
void* operator new(size_t bytes) { return Allocate(bytes); }
void* operator new[](size_t bytes) { return Allocate(bytes); }
void operator delete(void* memory) noexcept { free(memory); }
void operator delete[](void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }
void operator delete[](void* memory, size_t) noexcept { free(memory); }

namespace acta {
namespace {

constexpr int kFirstBatches = 20;  // They are not counted.
constexpr int kMostBatches = 1000;
constexpr int32_t kPartitions = 4;
constexpr int kEventsPerBatch = 640;  // Of about 100 bytes: 64 KiB.
constexpr uint64_t kProducer = 4711;

void Check(const absl::Status& status) {
  if (!status.ok()) CheckFailed(__FILE__, __LINE__, std::string(status.message()));
}

// Tasks of every thread, run on the main one, which sleeps while there are none: spinning would
// count as instructions.
class MainQueue final : public Executor {
 public:
  void Post(absl::AnyInvocable<void()> task) override {
    MutexLock lock(mu_);
    tasks_.push_back(std::move(task));
    wake_.SignalAll();
  }
  template <typename Done>
  void RunUntil(Done done) {
    while (!done()) Take()();
  }

 private:
  absl::AnyInvocable<void()> Take() {
    MutexLock lock(mu_);
    while (tasks_.empty()) wake_.Wait(mu_);
    absl::AnyInvocable<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    return task;
  }

  Mutex mu_;
  CondVar wake_;
  std::deque<absl::AnyInvocable<void()>> tasks_ ABSL_GUARDED_BY(mu_);
};

// A client that reads everything at once.
class CountingSink final : public EventSink {
 public:
  explicit CountingSink(MainQueue& queue) : queue_(queue) {}
  void Send(OutgoingFrame frame) override {
    for (const OutgoingBatch& batch : frame.batches) events_ += batch.count;
    queue_.Post([this] { stream->OnWritten(); });
  }
  void Finish(const absl::Status& status) override { Check(status); }

  int64_t events() const { return events_; }
  std::shared_ptr<Subscription> stream;

 private:
  MainQueue& queue_;
  std::atomic<int64_t> events_ = 0;
};

LocalEngineOptions EngineOptions(const TempDir& folder) {
  LocalEngineOptions options;
  options.data = folder.File("data");
  options.ballast_bytes = 0;
  options.watermarks = {{0, 0}, {0, 0}, {0, 0}};
  // Nothing but the batches happens.
  options.maintenance_interval = options.slice_interval = options.witness_interval =
      absl::Hours(1000);
  return options;
}

// Everything between the bytes of a publish frame and the bytes of a delivery frame.
struct Broker {
  Broker() { Check(topics.Load()), Check(groups.Load()); }

  TempDir folder;
  SystemClock clock;
  ExitFatalSink sink;
  MainQueue queue;
  SteppedTimer timer;
  AllowAll authorizer;
  std::unique_ptr<LocalLogEngine> engine =
      *LocalLogEngine::Open(EngineOptions(folder), sink, clock);
  TopicRegistry topics{*engine, TopicLimits()};
  Schedules schedules{{*engine, topics, queue, timer, {}}};
  ScriptedCauses causes;
  GroupRegistry groups{{*engine, clock, topics, authorizer, queue, timer, GroupLimits()}};
  SubscriptionHub hub{
      {*engine, clock, topics, groups, authorizer, queue, timer, SubscribeLimits()}};
  Caller caller{"micro", "default", "run"};
};

void MakeTopic(Broker& broker, bool full) {
  v1::CreateTopicRequest request;
  v1::Topic* const topic = request.mutable_topic();
  topic->set_name("orders");
  topic->set_partitions(kPartitions);
  topic->set_ack_level(v1::ACK_LEVEL_OS);
  topic->set_visible_at(v1::ACK_LEVEL_OS);
  topic->set_partitioner(v1::PARTITIONER_EXPLICIT);
  topic->set_dedupe(full ? v1::DEDUPE_MODE_IDS : v1::DEDUPE_MODE_SEQUENCES);
  Check(broker.topics.Create(broker.caller, request).status());
}

// The frame that opens the stream, then one for each batch.
std::vector<std::string> MakeFrames(int batches) {
  std::vector<std::string> frames;
  v1::PublishFrame open;
  open.mutable_open()->set_topic("orders");
  open.mutable_open()->set_app("micro-run");
  frames.push_back(open.SerializeAsString());
  v1::Event event;
  event.set_type("OrderPlaced1");
  event.set_key("key00001");
  event.set_data(std::string(56, 'x'));
  for (int number = 0; number < batches; ++number) {
    v1::PublishFrame frame;
    frame.set_frame_id(static_cast<uint64_t>(number) + 1);
    v1::PartitionBatch* const batch = frame.add_batches();
    batch->set_partition(number % kPartitions);
    batch->set_producer_id(kProducer);
    batch->set_first_sequence(static_cast<uint32_t>(number / kPartitions * kEventsPerBatch));
    for (int i = 0; i < kEventsPerBatch; ++i) {
      event.set_id(absl::StrCat(absl::Hex(number * kEventsPerBatch + i, absl::kZeroPad16)));
      *batch->add_events() = event;
    }
    frames.push_back(frame.SerializeAsString());
  }
  return frames;
}

void Subscribe(Broker& broker, CountingSink& sink) {
  sink.stream = broker.hub.Open(broker.caller, sink);
  v1::SubscribeControl control;
  control.set_frame_id(1);
  v1::SubscribeStart* const start = control.mutable_start();
  start->add_topics()->set_topic("orders");
  start->mutable_topics(0)->mutable_from()->set_earliest(true);
  start->mutable_credit()->set_events(10'000'000);
  start->mutable_credit()->set_bytes(int64_t{1} << 30);
  sink.stream->OnControl(control.SerializeAsString());
}

int64_t Run(bool full, int batches) {
  Broker broker;
  MakeTopic(broker, full);
  std::vector<std::string> frames = MakeFrames(kFirstBatches + batches);
  CountingSink sink(broker.queue);
  Subscribe(broker, sink);
  PublishSession session({*broker.engine, broker.topics, broker.schedules, broker.authorizer,
                          broker.causes, PublishLimits()},
                         broker.caller, true);
  int64_t before = 0;
  for (int frame = 0; frame <= kFirstBatches + batches; ++frame) {
    if (frame == kFirstBatches + 1) {
      before = allocations;
      CALLGRIND_START_INSTRUMENTATION;
    }
    bool answered = false;
    Check(PublishWhole(session, SharedBytes(std::move(frames[static_cast<size_t>(frame)])),
                       [&](v1::FrameResult result) {
                         // That it was stored shows when it is delivered.
                         const bool failed = result.has_error() || (result.batches_size() == 1 &&
                                                                    result.batches(0).has_error());
                         ACTA_CHECK(!failed);
                         broker.queue.Post([&answered] { answered = true; });
                       }));
    const int64_t events = int64_t{frame} * kEventsPerBatch;
    broker.queue.RunUntil([&] { return answered && sink.events() == events; });
  }
  CALLGRIND_DUMP_STATS;  // Into FILE.1.
  CALLGRIND_STOP_INSTRUMENTATION;
  const int64_t counted = allocations - before;
  sink.stream->OnDisconnect();
  broker.hub.Stop(absl::ZeroDuration());
  return counted;
}

int Main(const std::vector<std::string>& words) {
  int batches = 0;
  if (words.size() != 2 || (words[0] != "log" && words[0] != "full") ||
      !absl::SimpleAtoi(words[1], &batches) || batches < 1 || batches > kMostBatches) {
    fprintf(stderr, "usage: micro_run log|full BATCHES (1 to %d)\n", kMostBatches);
    return 2;
  }
  const int64_t counted = Run(words[0] == "full", batches);
  printf("{\"events\": %d, \"allocations\": %lld}\n", batches * kEventsPerBatch,
         static_cast<long long>(counted));
  return 0;
}

}  // namespace
}  // namespace acta

int main(int argc, char** argv) { return acta::Main({argv + 1, argv + argc}); }
