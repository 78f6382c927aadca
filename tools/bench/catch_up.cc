#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/bench/acks.h"
#include "tools/bench/consumer.h"
#include "tools/bench/event_form.h"
#include "tools/bench/latencies.h"
#include "tools/bench/measure.h"

namespace acta::bench {
namespace {

constexpr int32_t kPartitions = 16;
constexpr int64_t kBatchBytes = 64 << 10;
constexpr absl::Duration kPatience = absl::Minutes(5);

// Less than the broker keeps in memory.
constexpr int64_t kHotBytes = int64_t{64} << 20;

struct CatchUp {
  int32_t event_bytes = 100;
  bool parse = false;
};

// Answers how many events.
absl::StatusOr<int64_t> Fill(const Bed& bed, const EventForm& form, const std::string& topic,
                             int64_t bytes) {
  Acks acks;
  client::Publisher publisher(bed.NewChannel(), BenchPublisher(v1::ACK_LEVEL_OS));
  BatchSource source(form, static_cast<uint32_t>(kBatchBytes / form.element_bytes()), false);
  int64_t events = 0;
  for (; events * form.event_bytes() < bytes; events += source.count()) {
    int32_t partition = 0;
    auto batch = source.Next(&partition);
    RETURN_IF_ERROR(publisher.PublishPrepared(topic, partition, std::move(batch), source.count(),
                                              acks.Count()));
  }
  RETURN_IF_ERROR(publisher.Close(kPatience));
  RETURN_IF_ERROR(acks.status());
  return events;
}

// From a new subscription to the last event. Answers the seconds it took.
absl::StatusOr<double> ReadAll(const Bed& bed, const std::string& topic, bool parse,
                               int64_t events) {
  const int64_t begin = NowNanos();
  Consumer::Options options;
  options.topic = topic;
  options.until_end = true;
  options.parse = parse;
  Consumer consumer(bed, std::move(options));
  RETURN_IF_ERROR(consumer.AwaitEnd(kPatience));
  const double seconds = static_cast<double>(NowNanos() - begin) / 1e9;
  RETURN_IF_ERROR(consumer.AwaitCount(events, absl::ZeroDuration()));
  return seconds;
}

// What was just written and is in memory, again and again.
absl::StatusOr<Outcome> RunHot(Bed& bed, const CatchUp& kind) {
  const EventForm form(kind.event_bytes, kPartitions);
  ASSIGN_OR_RETURN(const std::string topic,
                   bed.NewTopic(kPartitions, v1::ACK_LEVEL_OS, Profile::kLog));
  ASSIGN_OR_RETURN(const int64_t events,
                   Fill(bed, form, topic, std::min(kHotBytes, bed.durations().preload_bytes)));
  RETURN_IF_ERROR(ReadAll(bed, topic, kind.parse, events).status());
  const CpuWatch cpu(bed);
  double read = 0, total_s = 0;
  while (total_s < bed.durations().seconds) {
    ASSIGN_OR_RETURN(const double seconds, ReadAll(bed, topic, kind.parse, events));
    read += static_cast<double>(events);
    total_s += seconds;
  }
  Outcome outcome;
  cpu.Read(read, &outcome);
  outcome.values = {read * form.event_bytes() / total_s / 1e6, read / total_s};
  return outcome;
}

// From the disk, after a restart, and then once more.
absl::StatusOr<Outcome> RunCold(Bed& bed, const CatchUp& kind) {
  const EventForm form(kind.event_bytes, kPartitions);
  ASSIGN_OR_RETURN(const std::string topic,
                   bed.NewTopic(kPartitions, v1::ACK_LEVEL_OS, Profile::kLog));
  ASSIGN_OR_RETURN(const int64_t events, Fill(bed, form, topic, bed.durations().preload_bytes));
  RETURN_IF_ERROR(bed.Restart(true).status());
  const CpuWatch cpu(bed);
  const std::optional<ProcessUse> before = bed.BrokerUse();
  ASSIGN_OR_RETURN(const double first_s, ReadAll(bed, topic, kind.parse, events));
  const std::optional<ProcessUse> after = bed.BrokerUse();
  Outcome outcome;
  cpu.Read(static_cast<double>(events), &outcome);
  ASSIGN_OR_RETURN(const double again_s, ReadAll(bed, topic, kind.parse, events));
  const double bytes = static_cast<double>(events) * form.event_bytes();
  outcome.values = {bytes / first_s / 1e6, static_cast<double>(events) / first_s,
                    bytes / again_s / 1e6, std::nullopt};
  if (before && after) outcome.values[3] = (after->read_bytes - before->read_bytes) / bytes;
  return outcome;
}

}  // namespace

void AddCatchUpMeasures(std::vector<Measure>* measures) {
  const auto add = [&](const std::string& name, const std::string& what, const CatchUp& kind,
                       double least, double goal) {
    const Figure rate = {"", "MB/s", false, least, goal, {"grpc_stream_256k"}};
    Measure hot;
    hot.name = name + "_hot";
    hot.help = what + "; what was just written, from memory";
    hot.figures = {rate, {".events", "events/s", false}};
    hot.run = [kind](Bed& bed) { return RunHot(bed, kind); };
    measures->push_back(std::move(hot));
    Measure cold;
    cold.name = name + "_cold";
    cold.help = what + "; after a restart, from the disk; .again: once more";
    cold.figures = {rate,
                    {".events", "events/s", false},
                    {".again", "MB/s", false},
                    {".read_bytes_per_byte", "B/B", true}};
    cold.needs_own_broker = true;
    cold.run = [kind](Bed& bed) { return RunCold(bed, kind); };
    measures->push_back(std::move(cold));
  };
  add("catch_up", "100 B events, a consumer that counts", {100, false}, 400, 800);
  add("catch_up_1k", "1 KiB events, a consumer that parses", {1024, true}, 250, 500);
}

}  // namespace acta::bench
