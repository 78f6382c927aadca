#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
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
constexpr int64_t kMilli = 1'000'000;

// From the time an event was due to the consumer that has it.
struct EndToEnd {
  v1::AckLevel level = v1::ACK_LEVEL_OS;
  Profile profile = Profile::kLog;
  Pace pace;
};

absl::StatusOr<Outcome> RunEndToEnd(Bed& bed, const EndToEnd& kind) {
  const EventForm form(kEventBytes, kPartitions);
  ASSIGN_OR_RETURN(const std::string topic, bed.NewTopic(kPartitions, kind.level, kind.profile));
  // Of the consumer's thread, until it is stopped.
  Latencies latencies;
  std::atomic<int64_t> counts_from = std::numeric_limits<int64_t>::max();
  Consumer::Options options;
  options.topic = topic;
  options.on_delivery = [&](const client::Delivery& delivery) {
    const int64_t now = NowNanos(), from = counts_from;
    EventElements elements = delivery.elements();
    for (absl::string_view event; elements.Next(&event);) {
      const int64_t due = form.TimeOf(event);
      if (due >= from) latencies.Add(now - due);
    }
  };
  Consumer consumer(bed, std::move(options));
  RETURN_IF_ERROR(consumer.AwaitPartitions(kPartitions, absl::Seconds(30)));

  EventPacer pacer(bed, form, topic, kind.level);
  const int64_t begin = NowNanos() + 10 * kMilli;
  const int64_t middle = begin + static_cast<int64_t>(bed.durations().warm_up_s * 1e9);
  const int64_t end = middle + static_cast<int64_t>(bed.durations().seconds * 1e9);
  RETURN_IF_ERROR(pacer.Run(kind.pace, begin, middle));
  const int64_t warm_up_events = pacer.count();
  counts_from = middle;
  const CpuWatch cpu(bed);
  RETURN_IF_ERROR(pacer.Run(kind.pace, std::max(middle, NowNanos()), end));
  RETURN_IF_ERROR(consumer.AwaitCount(warm_up_events + pacer.count(), absl::Minutes(1)));
  Outcome outcome;
  cpu.Read(static_cast<double>(pacer.count()), &outcome);
  consumer.Stop();
  outcome.values = {latencies.Millis(0.5), latencies.Millis(0.99), latencies.Millis(0.999),
                    outcome.broker_cpu_s_per_million};
  return outcome;
}

struct Targets {
  std::optional<double> least, goal, least_p99, goal_p99, least_cpu, goal_cpu;
};

void Add(std::vector<Measure>* measures, const std::string& name, const std::string& help,
         const EndToEnd& kind, const Targets& targets) {
  std::vector<std::string> limits = {"grpc_stream_round_trip"};
  if (kind.level == v1::ACK_LEVEL_FSYNC) limits.push_back("disk_overwrite_sync");
  Measure measure;
  measure.name = absl::StrCat(name, "_", NameOf(kind.level));
  measure.help = help;
  measure.figures = {{"", "ms", true, targets.least, targets.goal, limits},
                     {".p99", "ms", true, targets.least_p99, targets.goal_p99},
                     {".p999", "ms", true},
                     {".broker_cpu", "s/M events", true, targets.least_cpu, targets.goal_cpu}};
  measure.run = [kind](Bed& bed) { return RunEndToEnd(bed, kind); };
  measures->push_back(std::move(measure));
}

}  // namespace

void AddEndToEndMeasures(std::vector<Measure>* measures) {
  constexpr auto kOs = v1::ACK_LEVEL_OS, kFsync = v1::ACK_LEVEL_FSYNC;
  constexpr auto kLog = Profile::kLog;
  const std::string single = "20,000 events/s of 100 B, one by one, from due to delivered";
  Add(measures, "end_to_end", single, {kOs, kLog, {20'000, 0}}, {1.0, 0.5, 3.0, 1.4, {}, {}});
  Add(measures, "end_to_end", single, {kFsync, kLog, {20'000, 0}}, {1.6, 0.9, 5.0, 2.2, {}, {}});
  const std::string ticks = "20,000 events/s of 100 B, in batches of 1 ms, from due to delivered";
  Add(measures, "end_to_end_1ms", ticks, {kOs, kLog, {20'000, kMilli}}, {{}, {}, {}, {}, 25, 10});
  Add(measures, "end_to_end_1ms", ticks, {kFsync, kLog, {20'000, kMilli}},
      {{}, {}, {}, {}, 38, 18});
  const std::string heavy = "2 M events/s of 100 B, in batches of 1 ms, from due to delivered";
  Add(measures, "end_to_end_2m", heavy, {kOs, kLog, {2e6, kMilli}}, {{}, {}, 12, 5, {}, {}});
  Add(measures, "end_to_end_2m", heavy, {kFsync, kLog, {2e6, kMilli}}, {{}, {}, 25, 12, {}, {}});
}

}  // namespace acta::bench
