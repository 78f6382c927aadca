#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "client/cpp/publisher.h"
#include "client/cpp/worker.h"
#include "storage/base/status_macros.h"
#include "tools/bench/consumer.h"
#include "tools/bench/cpu_watch.h"
#include "tools/bench/event_form.h"
#include "tools/bench/fill.h"
#include "tools/bench/latencies.h"
#include "tools/bench/measure.h"

namespace acta::bench {
namespace {

constexpr int32_t kPartitions = 16;
constexpr int32_t kEventBytes = 100;
constexpr int kKeys = 1000;
// Acks of a scattered worker come in any order within so many events.
constexpr size_t kScattered = 1000;
constexpr absl::Duration kPatience = absl::Minutes(5);

struct Work {
  int members = 1;
  bool scattered = false;
  v1::QueueOrder order = v1::QUEUE_ORDER_UNORDERED;
  // Each event is acked in one step with the publish of another.
  bool steps = false;
  // Beside as many events that failed and wait.
  int64_t parked = 0;
  // While they are published.
  bool live = false;
  int64_t bytes = int64_t{100} << 20;  // At most.
  Profile profile = Profile::kLog;
};

// Each acks every event by itself; what is acked together travels together.
class WorkingMember {
 public:
  // `results`: where steps publish.
  WorkingMember(const Bed& bed, const std::string& group, const std::string& results,
                const Work& work, uint64_t seed)
      : work_(work),
        results_(results),
        random_(seed),
        worker_(bed.NewChannel(), Options(group, work.steps)) {
    thread_ = std::thread([this] { Run(); });
  }
  ~WorkingMember() {
    stopped_ = true;
    worker_.Cancel();
    thread_.join();
  }
  int64_t acked() const { return acked_.load(std::memory_order_relaxed); }

 private:
  struct Held {
    std::string topic;
    int32_t partition = 0;
    int64_t offset = 0;
  };

  static client::WorkerOptions Options(const std::string& group, bool steps) {
    client::WorkerOptions options;
    options.group = group;
    options.credit_events = steps ? 1 : 20'000;
    options.delivery_tokens = steps;
    options.app = "acta-bench";
    return options;
  }

  void Run() {
    while (true) {
      const auto next = worker_.Next(absl::Now() + absl::Milliseconds(50));
      if (!next.ok()) return;
      if (next->has_value()) {
        Take(**next);
      } else {
        if (stopped_) return;
        AckHeld();
      }
    }
  }
  void Take(const client::WorkItem& item) {
    if (work_.steps) return Step(item);
    for (int64_t i = 0; i < item.count(); ++i) {
      if (work_.scattered) {
        held_.push_back({item.topic(), item.partition(), item.OffsetOf(i)});
      } else {
        worker_.Ack(item.topic(), item.partition(), item.OffsetOf(i));
        acked_.fetch_add(1, std::memory_order_relaxed);
      }
    }
    if (held_.size() >= kScattered) AckHeld();
  }
  // What fails comes again.
  void Step(const client::WorkItem& item) {
    v1::PartitionBatch batch;
    batch.set_topic(results_);
    for (int64_t i = 0; i < item.count(); ++i) {
      batch.add_events()->set_data(std::string(kEventBytes, 'x'));
    }
    if (worker_.AckAndPublish(item, {std::move(batch)}).ok()) {
      acked_.fetch_add(item.count(), std::memory_order_relaxed);
    }
  }
  void AckHeld() {
    std::shuffle(held_.begin(), held_.end(), random_);
    for (const Held& one : held_) worker_.Ack(one.topic, one.partition, one.offset);
    acked_.fetch_add(static_cast<int64_t>(held_.size()), std::memory_order_relaxed);
    held_.clear();
  }

  const Work work_;
  const std::string results_;
  std::mt19937_64 random_;
  std::atomic<int64_t> acked_ = 0;
  std::atomic<bool> stopped_ = false;
  std::vector<Held> held_;
  client::Worker worker_;
  std::thread thread_;
};

absl::StatusOr<int64_t> FillKeyed(const Bed& bed, const std::string& topic, int64_t bytes) {
  client::PublisherOptions options;
  options.level = v1::ACK_LEVEL_OS;
  client::Publisher publisher(bed.NewChannel(), options);
  v1::Event event;
  event.set_data(std::string(kEventBytes - 30, 'x'));
  const int64_t events = bytes / kEventBytes;
  for (int64_t i = 0; i < events; ++i) {
    event.set_id(absl::StrCat("event-", i));
    event.set_key(absl::StrCat("key-", i % kKeys));
    RETURN_IF_ERROR(publisher.Publish(topic, event));
  }
  RETURN_IF_ERROR(publisher.Close(kPatience));
  return events;
}

absl::StatusOr<std::string> NewQueue(const Bed& bed, const std::string& topic, const Work& work) {
  v1::CreateGroupRequest request;
  const std::string name = absl::StrCat(topic, "-workers");
  request.mutable_group()->set_name(name);
  request.mutable_group()->add_topics(topic);
  request.mutable_group()->set_mode(v1::GROUP_MODE_QUEUE);
  request.mutable_group()->mutable_queue()->set_order(work.order);
  request.mutable_start()->set_earliest(true);
  RETURN_IF_ERROR(client::Admin(bed.NewChannel()).CreateGroup(request).status());
  return name;
}

// What filling left to be flushed and compacted is not what consuming costs.
absl::Status AwaitIdle(const Bed& bed) {
  constexpr double kIdle = 0.05;  // Of a core.
  constexpr absl::Duration kLook = absl::Milliseconds(200);
  auto before = bed.BrokerUse();
  return Await("the broker to be idle", kPatience, [&] {
    absl::SleepFor(kLook);
    const auto now = std::exchange(before, bed.BrokerUse());
    return !now || !before ||
           before->cpu_seconds - now->cpu_seconds < kIdle * absl::ToDoubleSeconds(kLook);
  });
}

std::vector<std::unique_ptr<WorkingMember>> StartMembers(const Bed& bed, const std::string& group,
                                                         const std::string& results,
                                                         const Work& work) {
  std::vector<std::unique_ptr<WorkingMember>> members;
  for (int i = 0; i < work.members; ++i) {
    members.push_back(std::make_unique<WorkingMember>(bed, group, results, work, i));
  }
  return members;
}

// Events that are there are leased and acked, one by one, until none but those that wait is
// outstanding.
absl::StatusOr<Outcome> RunQueue(Bed& bed, const Work& work) {
  ASSIGN_OR_RETURN(const std::string topic,
                   bed.NewTopic(kPartitions, v1::ACK_LEVEL_FSYNC, work.profile));
  const bool keyed = work.order != v1::QUEUE_ORDER_UNORDERED;
  std::string results;
  if (work.steps) {
    ASSIGN_OR_RETURN(results, bed.NewTopic(kPartitions, v1::ACK_LEVEL_FSYNC, work.profile));
  }
  const Durations& durations = bed.durations();
  const int64_t most =
      work.steps ? std::min(durations.preload_bytes / 64, int64_t{2} << 20) : durations.queue_bytes;
  const int64_t bytes = std::min(most, work.bytes);
  const EventForm form(kEventBytes, kPartitions);
  ASSIGN_OR_RETURN(const std::string group, NewQueue(bed, topic, work));
  int64_t parked = 0;
  if (work.parked > 0) {
    ASSIGN_OR_RETURN(parked, Fill(bed, form, topic, work.parked * form.event_bytes()));
    RETURN_IF_ERROR(Park(bed, group, parked));
  }
  int64_t events = 0;
  if (!work.live) {
    ASSIGN_OR_RETURN(events,
                     keyed ? FillKeyed(bed, topic, bytes / 2) : Fill(bed, form, topic, bytes));
  }
  RETURN_IF_ERROR(AwaitIdle(bed));
  const CpuWatch cpu(bed);
  const auto before = bed.BrokerUse();
  const int64_t begin = NowNanos();
  const auto members = StartMembers(bed, group, results, work);
  if (work.live) {
    ASSIGN_OR_RETURN(events, Fill(bed, form, topic, bytes, v1::ACK_LEVEL_FSYNC));
  }
  client::Admin admin(bed.NewChannel());
  v1::GetLagRequest lag;
  lag.set_group(group);
  absl::Status status;
  RETURN_IF_ERROR(Await("everything to be processed", kPatience, [&] {
    int64_t acked = 0;
    for (const auto& member : members) acked += member->acked();
    if (acked < events) return false;
    const auto answer = admin.GetLag(lag);
    status = answer.status();
    if (!answer.ok()) return true;
    int64_t outstanding = 0;
    for (const v1::PartitionLag& one : answer->partitions()) outstanding += one.lag_events();
    return outstanding <= parked;
  }));
  RETURN_IF_ERROR(status);
  const double seconds = static_cast<double>(NowNanos() - begin) / 1e9;
  const auto count = static_cast<double>(events);
  Outcome outcome;
  cpu.Read(count, &outcome);
  outcome.values = {count / seconds, std::nullopt};
  const auto after = bed.BrokerUse();
  if (before && after) {
    outcome.values[1] = (after->written_bytes - before->written_bytes) / count;
  }
  return outcome;
}

// How much is left when others wait.
absl::StatusOr<Outcome> RunBesideParked(Bed& bed, const Work& work) {
  Work alone = work;
  alone.parked = 0;
  ASSIGN_OR_RETURN(const Outcome without, RunQueue(bed, alone));
  ASSIGN_OR_RETURN(Outcome beside, RunQueue(bed, work));
  beside.values = {*beside.values[0] / *without.values[0], without.values[0], beside.values[0]};
  return beside;
}

// What a group may have at most, less what does not fill a batch.
int64_t MostParked(const Bed& bed) {
  return std::clamp<int64_t>(bed.durations().preload_bytes / 1000, 1'000, 99'000);
}

}  // namespace

void AddQueueMeasures(std::vector<Measure>* measures) {
  const auto add = [&](const std::string& name, const std::string& what, const Work& work) {
    Measure measure;
    measure.name =
        absl::StrCat("queue_", name, work.profile == Profile::kFull ? "_fsync_full" : "_fsync");
    measure.help = absl::StrCat("100 B events of a QUEUE group, each acked by itself: ", what);
    measure.figures = {{"", "events/s"}, {".disk_bytes_per_ack", "B", true}};
    if (!work.steps) {
      measure.figures[0].least = 0.2e6;
      measure.figures[0].goal = 0.5e6;
    }
    measure.run = [work](Bed& bed) { return RunQueue(bed, work); };
    measures->push_back(std::move(measure));
  };
  add("runs_1", "one member, in order", {1, false});
  add("runs_8", "eight members, each in order", {8, false});
  add("scattered_1", "one member, in any order", {1, true});
  add("scattered_8", "eight members, in any order", {8, true});
  add("key_1", "one member, order KEY with 1,000 keys", {1, false, v1::QUEUE_ORDER_KEY});
  add("key_8", "eight members, order KEY with 1,000 keys", {8, false, v1::QUEUE_ORDER_KEY});
  Work backlog = {.members = 1, .order = v1::QUEUE_ORDER_KEY, .bytes = int64_t{400} << 20};
  add("key_backlog_1", "one member, order KEY, behind more than windows and cache have", backlog);
  backlog.members = 8;
  add("key_backlog_8", "eight members, order KEY, behind more than windows and cache have",
      backlog);
  add("live_1", "one member, in order, while they are published", {.live = true});
  add("live_8", "eight members, each in order, while they are published",
      {.members = 8, .live = true});
  add("steps_8", "eight members, each event in one step with a publish",
      {8, false, v1::QUEUE_ORDER_UNORDERED, true});
  add("steps_64", "the same with 64 members", {64, false, v1::QUEUE_ORDER_UNORDERED, true});
  add("runs_1", "one member, in order", {.profile = Profile::kFull});
  add("scattered_8", "eight members, in any order",
      {.members = 8, .scattered = true, .profile = Profile::kFull});
  add("key_8", "eight members, order KEY with 1,000 keys",
      {.members = 8, .order = v1::QUEUE_ORDER_KEY, .profile = Profile::kFull});
  add("live_8", "eight members, each in order, while they are published",
      {.members = 8, .live = true, .profile = Profile::kFull});
  Measure parked;
  parked.name = "queue_parked_1_fsync";
  parked.help =
      "one member, in order, beside 99,000 events that failed and wait: the rate that is left";
  parked.figures = {{"", "x", false, 0.9, 1.0}, {".alone", "events/s"}, {".beside", "events/s"}};
  parked.run = [](Bed& bed) {
    Work work;
    work.parked = MostParked(bed);
    work.bytes = int64_t{400} << 20;  // Less is gone before it is under way.
    return RunBesideParked(bed, work);
  };
  measures->push_back(std::move(parked));
}

}  // namespace acta::bench
