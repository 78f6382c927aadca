#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proto/support/wire.h"
#include "storage/base/status_macros.h"
#include "tools/bench/consumer.h"
#include "tools/bench/event_form.h"
#include "tools/bench/event_pacer.h"
#include "tools/bench/latencies.h"
#include "tools/bench/measure.h"

namespace acta::bench {
namespace {

constexpr int32_t kEventBytes = 100;
constexpr int32_t kPartitions = 16;
constexpr absl::Duration kPatience = absl::Minutes(1);

void Rest(const Bed& bed) {
  SleepUntilNanos(NowNanos() + static_cast<int64_t>(bed.durations().idle_s * 1e9));
}

// The first event after a rest, end to end at FSYNC, and the median under load just behind it.
absl::StatusOr<Outcome> RunFirstEvent(Bed& bed, Profile profile) {
  constexpr auto kLevel = v1::ACK_LEVEL_FSYNC;
  const EventForm form(kEventBytes, kPartitions);
  ASSIGN_OR_RETURN(const std::string topic, bed.NewTopic(kPartitions, kLevel, profile));
  Latencies latencies;  // Of the consumer's thread, until it is stopped.
  std::atomic<int64_t> last = 0;
  Consumer::Options options;
  options.topic = topic;
  options.on_delivery = [&](const client::Delivery& delivery) {
    const int64_t now = NowNanos();
    EventElements elements(delivery.payload());
    for (absl::string_view event; elements.Next(&event);) {
      last = now - form.TimeOf(event);
      latencies.Add(last);
    }
    return absl::OkStatus();
  };
  Consumer consumer(bed, std::move(options));
  RETURN_IF_ERROR(consumer.AwaitPartitions(kPartitions, kPatience));
  EventPacer pacer(bed, form, topic, kLevel);
  const Pace pace;
  const int64_t second = 1'000'000'000;
  // Everything is connected and was used once.
  RETURN_IF_ERROR(pacer.Run(pace, NowNanos(), NowNanos() + second / 5));
  int64_t events = pacer.count();
  RETURN_IF_ERROR(consumer.AwaitCount(events, kPatience));
  Rest(bed);
  const int64_t now = NowNanos();
  RETURN_IF_ERROR(pacer.Run(pace, now, now + 1));  // One event.
  events += pacer.count();
  RETURN_IF_ERROR(consumer.AwaitCount(events, kPatience));
  const double first = static_cast<double>(last) / 1e6;
  const int64_t begin = NowNanos();
  RETURN_IF_ERROR(
      pacer.Run(pace, begin, begin + static_cast<int64_t>(bed.durations().seconds / 2 * 1e9)));
  RETURN_IF_ERROR(consumer.AwaitCount(events + pacer.count(), kPatience));
  RETURN_IF_ERROR(consumer.Stop());
  Outcome outcome;
  outcome.values = {first, latencies.Millis(0.5), first / latencies.Millis(0.5)};
  return outcome;
}

// CPU of a broker whose consumers wait.
absl::StatusOr<Outcome> RunIdleConsumers(Bed& bed) {
  ASSIGN_OR_RETURN(const std::string topic,
                   bed.NewTopic(kPartitions, v1::ACK_LEVEL_FSYNC, Profile::kLog));
  std::vector<std::unique_ptr<Consumer>> consumers;
  for (int32_t i = 0; i < bed.durations().consumers; ++i) {
    Consumer::Options options;
    options.topic = topic;
    consumers.push_back(std::make_unique<Consumer>(bed, std::move(options)));
  }
  for (const auto& consumer : consumers) {
    RETURN_IF_ERROR(consumer->AwaitPartitions(kPartitions, kPatience));
  }
  Outcome outcome;
  ASSIGN_OR_RETURN(const double percent, IdleCpuPercent(bed));
  outcome.values = {percent};
  return outcome;
}

}  // namespace

absl::StatusOr<double> IdleCpuPercent(const Bed& bed) {
  const std::optional<ProcessUse> before = bed.BrokerUse();
  const int64_t begin = NowNanos();
  Rest(bed);
  const std::optional<ProcessUse> after = bed.BrokerUse();
  if (!before || !after) return absl::NotFoundError("the broker's process cannot be looked at");
  // The kernel counts in ticks of 10 ms: what is less than one is reported as one.
  const double seconds = static_cast<double>(NowNanos() - begin) / 1e9;
  return std::max(0.01, after->cpu_seconds - before->cpu_seconds) / seconds * 100;
}

void AddIdleMeasures(std::vector<Measure>* measures) {
  for (const Profile profile : {Profile::kLog, Profile::kFull}) {
    Measure first;
    first.name = NameOfMeasure("first_event", v1::ACK_LEVEL_FSYNC, profile);
    first.help = "end to end after 10 s of silence; .loaded: the median at 20,000 events/s";
    first.figures = {{"", "ms", true, 3, 1.3, {"grpc_stream_round_trip", "disk_overwrite_sync"}},
                     {".loaded", "ms", true},
                     {".ratio", "idle/loaded", true}};
    first.run = [profile](Bed& bed) { return RunFirstEvent(bed, profile); };
    measures->push_back(std::move(first));
  }
  Measure consumers;
  consumers.name = "idle_consumers";
  consumers.help = "CPU of a broker with 100 open consumers and nothing to do";
  consumers.figures = {{"", "% of a core", true, 2, 0.5}};
  consumers.needs_own_broker = true;
  consumers.run = RunIdleConsumers;
  measures->push_back(std::move(consumers));
}

}  // namespace acta::bench
