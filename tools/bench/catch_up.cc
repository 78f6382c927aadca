#include <memory>
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

struct CatchUp {
  int32_t event_bytes = 100;
  bool parse = false;
  // After a restart, from the disk; else what was just written.
  bool cold = false;
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

// From the subscription to the last event.
absl::StatusOr<Outcome> RunCatchUp(Bed& bed, const CatchUp& kind) {
  const EventForm form(kind.event_bytes, kPartitions);
  ASSIGN_OR_RETURN(const std::string topic,
                   bed.NewTopic(kPartitions, v1::ACK_LEVEL_OS, Profile::kLog));
  ASSIGN_OR_RETURN(const int64_t events, Fill(bed, form, topic, bed.durations().preload_bytes));
  if (kind.cold) RETURN_IF_ERROR(bed.Restart(true).status());
  const CpuWatch cpu(bed);
  const int64_t begin = NowNanos();
  Consumer::Options options;
  options.topic = topic;
  options.until_end = true;
  options.parse = kind.parse;
  Consumer consumer(bed, std::move(options));
  RETURN_IF_ERROR(consumer.AwaitEnd(kPatience));
  const double seconds = static_cast<double>(NowNanos() - begin) / 1e9;
  RETURN_IF_ERROR(consumer.AwaitCount(events, absl::ZeroDuration()));
  Outcome outcome;
  cpu.Read(static_cast<double>(events), &outcome);
  outcome.values = {static_cast<double>(events) * form.event_bytes() / seconds / 1e6,
                    static_cast<double>(events) / seconds};
  return outcome;
}

}  // namespace

void AddCatchUpMeasures(std::vector<Measure>* measures) {
  const auto add = [&](const char* name, const char* help, const CatchUp& kind,
                       std::optional<double> least, std::optional<double> goal) {
    Measure measure;
    measure.name = name;
    measure.help = help;
    measure.figures = {{"", "MB/s", false, least, goal, {"grpc_stream_256k"}},
                       {".events", "events/s", false}};
    measure.needs_own_broker = kind.cold;
    measure.run = [kind](Bed& bed) { return RunCatchUp(bed, kind); };
    measures->push_back(std::move(measure));
  };
  add("catch_up_hot", "100 B events just written, a consumer that counts", {100, false, false}, 400,
      800);
  add("catch_up_cold", "the same after a restart, from the disk", {100, false, true}, 400, 800);
  add("catch_up_1k_hot", "1 KiB events just written, a consumer that parses", {1024, true, false},
      250, 500);
  add("catch_up_1k_cold", "the same after a restart, from the disk", {1024, true, true}, 250, 500);
}

}  // namespace acta::bench
