#include "tools/bench/live_load.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <utility>

#include "proto/support/wire.h"
#include "storage/base/status_macros.h"
#include "tools/bench/consumer.h"
#include "tools/bench/cpu_watch.h"
#include "tools/bench/event_form.h"

namespace acta::bench {
namespace {

constexpr int32_t kEventBytes = 100;
constexpr int32_t kPartitions = 16;
constexpr int64_t kMilli = 1'000'000;

}  // namespace

absl::StatusOr<LiveRun> RunLive(Bed& bed, const EndToEnd& kind, double warm_up_s, double seconds,
                                const std::function<void(const std::string&)>& meanwhile) {
  const EventForm form(kEventBytes, kPartitions);
  ASSIGN_OR_RETURN(const std::string topic, bed.NewTopic(kPartitions, kind.level, kind.profile));
  // Of the consumer's thread, until it is stopped.
  LiveRun run;
  std::atomic<int64_t> counts_from = std::numeric_limits<int64_t>::max();
  Consumer::Options options;
  options.topic = topic;
  options.on_delivery = [&](const client::Delivery& delivery) {
    const int64_t now = NowNanos(), from = counts_from;
    EventElements elements(delivery.payload());
    for (absl::string_view event; elements.Next(&event);) {
      const int64_t due = form.TimeOf(event);
      if (due >= from) run.latencies.Add(now - due);
    }
    return absl::OkStatus();
  };
  Consumer consumer(bed, std::move(options));
  RETURN_IF_ERROR(consumer.AwaitPartitions(kPartitions, absl::Seconds(30)));

  EventPacer pacer(bed, form, topic, kind.level);
  const int64_t begin = NowNanos() + 10 * kMilli;
  const int64_t middle = begin + static_cast<int64_t>(warm_up_s * 1e9);
  RETURN_IF_ERROR(pacer.Run(kind.pace, begin, middle));
  const int64_t warm_up_events = pacer.count();
  if (meanwhile) meanwhile(topic);
  // A disk that was slow in the warm-up may have taken longer than that.
  const int64_t from = std::max(middle, NowNanos());
  counts_from = from;
  const CpuWatch cpu(bed);
  RETURN_IF_ERROR(pacer.Run(kind.pace, from, from + static_cast<int64_t>(seconds * 1e9)));
  RETURN_IF_ERROR(consumer.AwaitCount(warm_up_events + pacer.count(), absl::Minutes(1)));
  cpu.Read(static_cast<double>(pacer.count()), &run.cpu);
  RETURN_IF_ERROR(consumer.Stop());
  return run;
}

}  // namespace acta::bench
