#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/bench/acks.h"
#include "tools/bench/consumer.h"
#include "tools/bench/event_form.h"
#include "tools/bench/latencies.h"
#include "tools/bench/measure.h"

namespace acta::bench {
namespace {

constexpr absl::Duration kPatience = absl::Minutes(2);
constexpr uint32_t kBatchBytes = 64 << 10;

// One way to load the broker as much as it takes.
struct Load {
  v1::AckLevel level = v1::ACK_LEVEL_OS;
  Profile profile = Profile::kLog;
  int32_t event_bytes = 100;
  int32_t partitions = 16;
  int32_t consumers = 1;
  bool sdk = false;        // The SDK builds each event and the consumer parses each.
  bool in_bytes = false;   // The value is MB/s.
  bool resources = false;  // Figures of CPU, memory and disk, too.
};

// Publishes until it is told to stop, on a thread of its own.
class LoadPublisher {
 public:
  LoadPublisher(const Bed& bed, const Load& load, const EventForm& form, std::string topic)
      : load_(load),
        form_(form),
        topic_(std::move(topic)),
        publisher_(bed.NewChannel(), BenchPublisher(load.level)),
        thread_([this] { status_ = load_.sdk ? BuildEvents() : SendBatches(); }) {}
  ~LoadPublisher() { (void)Stop(); }

  // Acknowledged; with the SDK's events: taken.
  int64_t count() const { return load_.sdk ? taken_.load() : acks_.stored(); }

  // Waits until everything is answered.
  absl::Status Stop() {
    stop_ = true;
    if (!thread_.joinable()) return absl::OkStatus();
    thread_.join();
    RETURN_IF_ERROR(publisher_.Close(kPatience));
    RETURN_IF_ERROR(acks_.status());
    return status_;
  }

 private:
  uint32_t BatchCount() const { return kBatchBytes / static_cast<uint32_t>(form_.element_bytes()); }

  absl::Status SendBatches() {
    BatchSource source(form_, BatchCount(), load_.profile == Profile::kFull);
    while (!stop_) {
      int32_t partition = 0;
      auto batch = source.Next(&partition);
      RETURN_IF_ERROR(publisher_.PublishPrepared(topic_, partition, std::move(batch),
                                                 source.count(), acks_.Count()));
    }
    return absl::OkStatus();
  }

  absl::Status BuildEvents() {
    std::vector<v1::Event> events;
    for (int32_t i = 0; i < form_.partitions(); ++i) events.push_back(form_.Make(i, 0, 0));
    for (uint64_t number = 1; !stop_;) {
      const size_t partition = number / BatchCount() % events.size();
      v1::Event& event = events[partition];
      form_.Renew(number, 0, &event);
      RETURN_IF_ERROR(publisher_.PublishTo(topic_, static_cast<int32_t>(partition), event));
      taken_.store(static_cast<int64_t>(number++), std::memory_order_release);
    }
    return absl::OkStatus();
  }

  const Load load_;
  const EventForm& form_;
  const std::string topic_;
  Acks acks_;
  client::Publisher publisher_;
  std::atomic<bool> stop_ = false;
  std::atomic<int64_t> taken_ = 0;
  absl::Status status_;  // Of the thread, until it is joined.
  std::thread thread_;
};

using Consumers = std::vector<std::unique_ptr<Consumer>>;

int64_t Total(const Consumers& consumers) {
  int64_t total = 0;
  for (const auto& consumer : consumers) total += consumer->count();
  return total;
}

absl::StatusOr<Consumers> Subscribe(const Bed& bed, const Load& load, const std::string& topic) {
  Consumers consumers;
  for (int32_t i = 0; i < load.consumers; ++i) {
    Consumer::Options options;
    options.topic = topic;
    if (load.consumers > 1) options.group = absl::StrCat(topic, "-", i);
    options.parse = load.sdk;
    consumers.push_back(std::make_unique<Consumer>(bed, std::move(options)));
  }
  for (const auto& consumer : consumers) {
    RETURN_IF_ERROR(
        consumer->AwaitPartitions(static_cast<size_t>(load.partitions), absl::Seconds(30)));
  }
  return consumers;
}

// Broker CPU, memory and what it wrote for each byte it accepted.
std::vector<std::optional<double>> Resources(const std::optional<ProcessUse>& before,
                                             const std::optional<ProcessUse>& after, double bytes,
                                             const Outcome& outcome) {
  std::vector<std::optional<double>> values = {outcome.broker_cpu_s_per_million, {}, {}};
  if (!before || !after) return values;
  values[1] = after->rss_mib;
  const double written = after->written_bytes - before->written_bytes;
  if (written > 0) values[2] = written / bytes;
  return values;
}

// The publisher's and the consumers' progress over the window; after it, nothing may be missing.
absl::StatusOr<Outcome> RunLoad(Bed& bed, const Load& load) {
  const EventForm form(load.event_bytes, load.partitions);
  ASSIGN_OR_RETURN(const std::string topic,
                   bed.NewTopic(load.partitions, load.level, load.profile));
  ASSIGN_OR_RETURN(const Consumers consumers, Subscribe(bed, load, topic));
  LoadPublisher publisher(bed, load, form, topic);
  SleepUntilNanos(NowNanos() + static_cast<int64_t>(bed.durations().warm_up_s * 1e9));

  const CpuWatch cpu(bed);
  const std::optional<ProcessUse> use_before = bed.BrokerUse();
  const int64_t begin = NowNanos();
  const int64_t published_before = publisher.count(), consumed_before = Total(consumers);
  SleepUntilNanos(begin + static_cast<int64_t>(bed.durations().seconds * 1e9));
  // A disk may stall for longer than a short window.
  RETURN_IF_ERROR(Await("the first events", kPatience, [&] {
    return publisher.count() > published_before &&
           (consumers.empty() || Total(consumers) > consumed_before);
  }));
  const double seconds = static_cast<double>(NowNanos() - begin) / 1e9;
  const auto published = static_cast<double>(publisher.count() - published_before);
  const auto consumed = static_cast<double>(Total(consumers) - consumed_before);

  // A consumer that falls behind is not carried by the publisher, nor the other way round.
  const double events = load.consumers == 0   ? published
                        : load.consumers == 1 ? std::min(published, consumed)
                                              : consumed;
  Outcome outcome;
  cpu.Read(events, &outcome);
  const double bytes = published * form.event_bytes();
  outcome.values = {load.in_bytes ? events * form.event_bytes() / seconds / 1e6 : events / seconds};
  if (load.resources) {
    for (const auto& value : Resources(use_before, bed.BrokerUse(), bytes, outcome)) {
      outcome.values.push_back(value);
    }
  }
  RETURN_IF_ERROR(publisher.Stop());
  for (const auto& consumer : consumers) {
    RETURN_IF_ERROR(consumer->AwaitCount(publisher.count(), kPatience));
  }
  return outcome;
}

struct Target {
  std::optional<double> least, goal;
};

void Add(std::vector<Measure>* measures, const std::string& name, const std::string& help,
         const Load& load, const Target& target, const Target& cpu = {}) {
  Figure figure;
  figure.unit = load.in_bytes ? "MB/s" : load.consumers > 1 ? "deliveries/s" : "events/s";
  figure.least = target.least;
  figure.goal = target.goal;
  figure.limits = {absl::StrCat("rocksdb_", NameOf(load.level))};
  const EventForm form(load.event_bytes, 1);
  figure.limit_scale = load.in_bytes ? static_cast<double>(form.event_bytes()) /
                                           static_cast<double>(form.element_bytes())
                                     : 1e6 / static_cast<double>(form.element_bytes());
  figure.limit_scale *= std::max(1, load.consumers);
  Measure measure;
  measure.name = absl::StrCat(name, "_", NameOf(load.level), "_", NameOf(load.profile));
  measure.help = help;
  measure.figures = {figure};
  if (load.resources) {
    const bool full = load.profile == Profile::kFull;
    measure.figures.push_back({".broker_cpu", "s/M events", true, cpu.least, cpu.goal});
    measure.figures.push_back({".rss", "MiB", true, 800, 400});
    measure.figures.push_back(
        {".disk_bytes_per_byte", "B/B", true, full ? 3.0 : 2.15, full ? 2.6 : 2.05});
  }
  measure.run = [load](Bed& bed) { return RunLoad(bed, load); };
  measures->push_back(std::move(measure));
}

}  // namespace

void AddThroughputMeasures(std::vector<Measure>* measures) {
  constexpr auto kOs = v1::ACK_LEVEL_OS, kFsync = v1::ACK_LEVEL_FSYNC;
  constexpr auto kLog = Profile::kLog, kFull = Profile::kFull;
  const std::string both = "prepared batches of 64 KiB, a consumer that counts";
  const auto main = [&](v1::AckLevel level, Profile profile, Target target, Target cpu) {
    Add(measures, "publish_consume", "100 B, " + both,
        {.level = level, .profile = profile, .resources = true}, target, cpu);
  };
  main(kOs, kLog, {2.0e6, 3.5e6}, {0.5, 0.3});
  main(kFsync, kLog, {1.8e6, 3.5e6}, {0.5, 0.3});
  main(kOs, kFull, {0.8e6, 1.5e6}, {1.2, 0.7});
  main(kFsync, kFull, {0.8e6, 1.5e6}, {1.2, 0.7});

  const auto large = [&](v1::AckLevel level, Profile profile, Target target) {
    Add(measures, "publish_consume_1k", "1 KiB, " + both,
        {.level = level, .profile = profile, .event_bytes = 1024, .in_bytes = true}, target);
  };
  for (const Profile profile : {kLog, kFull}) {
    large(kOs, profile, {260, 380});
    large(kFsync, profile, {240, 380});
  }
  const auto sdk = [&](v1::AckLevel level, Profile profile, Target target) {
    Add(measures, "sdk", "100 B, the SDK builds each event, the consumer parses each",
        {.level = level, .profile = profile, .sdk = true}, target);
  };
  sdk(kOs, kLog, {1.3e6, 2.2e6});
  sdk(kFsync, kLog, {1.2e6, 2.0e6});
  sdk(kOs, kFull, {0.7e6, 1.3e6});
  sdk(kFsync, kFull, {0.7e6, 1.3e6});

  const std::string alone = "100 B, prepared batches, nobody reads";
  Add(measures, "publish", alone, {.level = kOs, .consumers = 0}, {2.2e6, 4e6});
  Add(measures, "publish", alone, {.level = kFsync, .consumers = 0}, {2.0e6, 4e6});
  Add(measures, "publish_consume_256p", "100 B, 256 partitions, " + both,
      {.level = kOs, .partitions = 256}, {});
  Add(measures, "four_groups", "100 B, prepared batches, four groups that count",
      {.level = kOs, .consumers = 4}, {1.5e6, 3e6});
}

}  // namespace acta::bench
