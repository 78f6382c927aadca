#include "tools/bench/load.h"

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
#include "tools/bench/cpu_watch.h"
#include "tools/bench/event_form.h"
#include "tools/bench/latencies.h"

namespace acta::bench {
namespace {

constexpr absl::Duration kPatience = absl::Minutes(2);
constexpr uint32_t kBatchBytes = 64 << 10;

// Publishes until it is told to stop, on a thread of its own.
class LoadPublisher {
 public:
  LoadPublisher(const Bed& bed, const Load& load, const EventForm& form, std::string topic)
      : load_(load),
        form_(form),
        topic_(std::move(topic)),
        publisher_(bed.NewChannel(), BenchPublisher(load.level)),
        thread_([this] { status_ = prepared() ? SendBatches() : BuildEvents(); }) {}
  ~LoadPublisher() { (void)Stop(); }

  // Acknowledged; with the SDK's events: taken.
  int64_t count() const { return prepared() ? acks_.stored() : taken_.load(); }

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
  bool prepared() const { return load_.source == Source::kPrepared; }
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
    const uint64_t stay = load_.source == Source::kKeyed ? 1 : BatchCount();
    for (uint64_t number = 1; !stop_;) {
      const size_t partition = number / stay % events.size();
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
    if (load.consumers > 1 || load.grouped) options.group = absl::StrCat(topic, "-", i);
    options.parse = load.source == Source::kSdk;
    consumers.push_back(std::make_unique<Consumer>(bed, std::move(options)));
  }
  for (const auto& consumer : consumers) {
    RETURN_IF_ERROR(
        consumer->AwaitPartitions(static_cast<size_t>(load.partitions), absl::Seconds(30)));
  }
  return consumers;
}

void ReadUse(const std::optional<ProcessUse>& before, const std::optional<ProcessUse>& after,
             double bytes, LoadRun* run) {
  if (!before || !after) return;
  run->peak_rss_mib = after->peak_rss_mib;
  const double written = after->written_bytes - before->written_bytes;
  if (written > 0) run->disk_bytes_per_byte = written / bytes;
}

}  // namespace

absl::StatusOr<LoadRun> RunLoad(Bed& bed, const Load& load, double warm_up_s, double seconds) {
  const EventForm form(load.event_bytes, load.partitions);
  ASSIGN_OR_RETURN(const std::string topic,
                   bed.NewTopic(load.partitions, load.level, load.profile));
  ASSIGN_OR_RETURN(const Consumers consumers, Subscribe(bed, load, topic));
  LoadPublisher publisher(bed, load, form, topic);
  SleepUntilNanos(NowNanos() + static_cast<int64_t>(warm_up_s * 1e9));

  const CpuWatch cpu(bed);
  const std::optional<ProcessUse> use_before = bed.BrokerUse();
  const int64_t begin = NowNanos();
  const int64_t published_before = publisher.count(), consumed_before = Total(consumers);
  SleepUntilNanos(begin + static_cast<int64_t>(seconds * 1e9));
  // A disk may stall for longer than a short window.
  RETURN_IF_ERROR(Await("the first events", kPatience, [&] {
    return publisher.count() > published_before &&
           (consumers.empty() || Total(consumers) > consumed_before);
  }));
  const double passed_s = static_cast<double>(NowNanos() - begin) / 1e9;
  const auto published = static_cast<double>(publisher.count() - published_before);
  const auto consumed = static_cast<double>(Total(consumers) - consumed_before);

  // A consumer that falls behind is not carried by the publisher, nor the other way round.
  const double events = load.consumers == 0   ? published
                        : load.consumers == 1 ? std::min(published, consumed)
                                              : consumed;
  Outcome use;
  cpu.Read(events, &use);
  LoadRun run;
  run.events_per_second = events / passed_s;
  run.broker_cpu_s_per_million = use.broker_cpu_s_per_million;
  run.client_cpu_s_per_million = use.client_cpu_s_per_million;
  ReadUse(use_before, bed.BrokerUse(), published * form.event_bytes(), &run);
  RETURN_IF_ERROR(publisher.Stop());
  for (const auto& consumer : consumers) {
    RETURN_IF_ERROR(consumer->AwaitCount(publisher.count(), kPatience));
  }
  return run;
}

absl::StatusOr<std::vector<LoadRun>> CompareLoads(Bed& bed, const std::vector<Load>& loads) {
  constexpr int kTurns = 2;
  const auto mean = [](std::optional<double> sum, std::optional<double> value) {
    return value ? std::optional(sum.value_or(0) + *value / kTurns) : std::nullopt;
  };
  std::vector<LoadRun> means(loads.size());
  for (int turn = 0; turn < kTurns; ++turn) {
    for (size_t i = 0; i < loads.size(); ++i) {
      ASSIGN_OR_RETURN(const LoadRun run, RunLoad(bed, loads[i], bed.durations().warm_up_s / kTurns,
                                                  bed.durations().seconds / kTurns));
      LoadRun& sum = means[i];
      sum.events_per_second += run.events_per_second / kTurns;
      sum.broker_cpu_s_per_million =
          mean(sum.broker_cpu_s_per_million, run.broker_cpu_s_per_million);
      sum.client_cpu_s_per_million =
          mean(sum.client_cpu_s_per_million, run.client_cpu_s_per_million);
      sum.peak_rss_mib = mean(sum.peak_rss_mib, run.peak_rss_mib);
      sum.disk_bytes_per_byte = mean(sum.disk_bytes_per_byte, run.disk_bytes_per_byte);
    }
  }
  return means;
}

}  // namespace acta::bench
