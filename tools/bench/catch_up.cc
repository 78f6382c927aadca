#include <algorithm>
#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/bench/consumer.h"
#include "tools/bench/cpu_watch.h"
#include "tools/bench/event_form.h"
#include "tools/bench/fill.h"
#include "tools/bench/latencies.h"
#include "tools/bench/live_load.h"
#include "tools/bench/measure.h"

namespace acta::bench {
namespace {

constexpr int32_t kPartitions = 16;
constexpr int32_t kEventBytes = 100;

// Less than the broker keeps in memory.
constexpr int64_t kHotBytes = int64_t{64} << 20;

struct CatchUp {
  int32_t event_bytes = 100;
  bool parse = false;
  Profile profile = Profile::kLog;
};

// What was just written and is in memory, again and again.
absl::StatusOr<Outcome> RunHot(Bed& bed, const CatchUp& kind) {
  const EventForm form(kind.event_bytes, kPartitions);
  ASSIGN_OR_RETURN(const std::string topic,
                   bed.NewTopic(kPartitions, v1::ACK_LEVEL_OS, kind.profile));
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
                   bed.NewTopic(kPartitions, v1::ACK_LEVEL_OS, kind.profile));
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

// From the first event on, until the last of `events` or `stop`.
absl::Status ReadSome(const Bed& bed, const std::string& topic, int64_t events,
                      const std::atomic<bool>& stop, std::atomic<int64_t>* read) {
  Consumer::Options options;
  options.topic = topic;
  Consumer consumer(bed, std::move(options));
  const absl::Status waited = Await("a reader beside live traffic", absl::Minutes(15), [&] {
    return stop || consumer.ended() || consumer.count() >= events;
  });
  *read += consumer.count();
  RETURN_IF_ERROR(waited);
  return consumer.ended() ? consumer.AwaitEnd(absl::ZeroDuration()) : absl::OkStatus();
}

// Live traffic by itself, and while others read a log of `bytes` (0: as the others are filled) from
// its start and from the disk, again and again.
absl::StatusOr<Outcome> RunBesideLive(Bed& bed, v1::AckLevel level, Profile profile,
                                      int64_t bytes) {
  const EventForm form(kEventBytes, kPartitions);
  ASSIGN_OR_RETURN(const std::string topic,
                   bed.NewTopic(kPartitions, v1::ACK_LEVEL_OS, Profile::kLog));
  ASSIGN_OR_RETURN(const int64_t events,
                   Fill(bed, form, topic, bytes > 0 ? bytes : bed.durations().preload_bytes));
  RETURN_IF_ERROR(bed.Restart(true).status());
  const EndToEnd live = {level, profile, Pace()};
  const double warm_up_s = bed.durations().warm_up_s, seconds = bed.durations().seconds;
  ASSIGN_OR_RETURN(const LiveRun alone, RunLive(bed, live, warm_up_s, seconds));

  std::atomic<bool> stop = false;
  std::atomic<int64_t> read = 0;
  absl::Status reader_status;
  std::thread reader;
  int64_t begin = 0;
  const absl::StatusOr<LiveRun> beside = RunLive(bed, live, warm_up_s, seconds, [&](const auto&) {
    begin = NowNanos();
    reader = std::thread([&] {
      while (!stop && reader_status.ok()) {
        reader_status = ReadSome(bed, topic, events, stop, &read);
      }
    });
  });
  stop = true;
  if (reader.joinable()) reader.join();
  const double read_s = static_cast<double>(NowNanos() - begin) / 1e9;
  RETURN_IF_ERROR(beside.status());
  RETURN_IF_ERROR(reader_status);
  const double p99 = beside->latencies.Millis(0.99), alone_p99 = alone.latencies.Millis(0.99);
  Outcome outcome;
  outcome.values = {p99 / alone_p99, alone_p99, p99,
                    static_cast<double>(read) * form.event_bytes() / read_s / 1e6};
  return outcome;
}

}  // namespace

void AddCatchUpMeasures(std::vector<Measure>* measures) {
  const auto add = [&](const std::string& name, const std::string& what, const CatchUp& kind,
                       double least, double goal) {
    const Figure rate = {"", "MB/s", false, least, goal, {"grpc_stream_256k"}};
    Measure hot;
    const std::string profile = kind.profile == Profile::kFull ? "_full" : "";
    hot.name = absl::StrCat(name, "_hot", profile);
    hot.help = what + "; what was just written, from memory";
    hot.figures = {rate, {".events", "events/s", false}};
    hot.run = [kind](Bed& bed) { return RunHot(bed, kind); };
    measures->push_back(std::move(hot));
    Measure cold;
    cold.name = absl::StrCat(name, "_cold", profile);
    cold.help = what + "; after a restart, from the disk; .again: once more";
    cold.figures = {rate,
                    {".events", "events/s", false},
                    {".again", "MB/s", false},
                    {".read_bytes_per_byte", "B/B", true}};
    cold.needs_own_broker = true;
    cold.run = [kind](Bed& bed) { return RunCold(bed, kind); };
    measures->push_back(std::move(cold));
  };
  const auto beside = [&](const std::string& name, v1::AckLevel level, Profile profile,
                          int64_t bytes) {
    Measure measure;
    measure.name = NameOfMeasure(name, level, profile);
    measure.help =
        "p99 of 20,000 events/s from due to delivered, beside a reader from the start of a log on "
        "the disk, as a multiple of alone; .read: how fast that one was";
    measure.figures = {{"", "x", true, 2, 1.3},
                       {".alone_p99", "ms", true},
                       {".beside_p99", "ms", true},
                       {".read", "MB/s"}};
    measure.needs_own_broker = true;
    measure.large = bytes > 0;
    measure.run = [=](Bed& bed) { return RunBesideLive(bed, level, profile, bytes); };
    measures->push_back(std::move(measure));
  };
  for (const Profile profile : {Profile::kLog, Profile::kFull}) {
    add("catch_up", "100 B events, a consumer that counts", {100, false, profile}, 400, 800);
    add("catch_up_1k", "1 KiB events, a consumer that parses", {1024, true, profile}, 250, 500);
    add("catch_up_1k_counting", "1 KiB events, a consumer that counts", {1024, false, profile}, 600,
        1000);
    beside("live_beside_catch_up", v1::ACK_LEVEL_OS, profile, 0);
    beside("live_beside_catch_up", v1::ACK_LEVEL_FSYNC, profile, 0);
  }
  beside("live_beside_catch_up_20g", v1::ACK_LEVEL_FSYNC, Profile::kLog, int64_t{20} << 30);
}

}  // namespace acta::bench
