#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/wire.h"
#include "storage/base/status_macros.h"
#include "tools/bench/consumer.h"
#include "tools/bench/cpu_watch.h"
#include "tools/bench/event_form.h"
#include "tools/bench/event_pacer.h"
#include "tools/bench/latencies.h"
#include "tools/bench/measure.h"

namespace acta::bench {
namespace {

constexpr int32_t kEventBytes = 100;
constexpr int32_t kPartitions = 16;
constexpr int32_t kPartitionsPerTopic = 250;
constexpr absl::Duration kPatience = absl::Minutes(2);
constexpr auto kLevel = v1::ACK_LEVEL_FSYNC;

// A topic that gets events at a pace, and who reads it.
class Lane {
 public:
  Lane(const Bed& bed, std::string topic, int32_t partitions)
      : bed_(bed),
        form_(kEventBytes, partitions),
        topic_(std::move(topic)),
        pacer_(bed, form_, topic_, kLevel) {}

  // The first of them takes the latencies. `grouped`: each is a group, and commits.
  absl::Status Subscribe(int32_t consumers, bool grouped = false) {
    for (int32_t i = 0; i < consumers; ++i) {
      Consumer::Options options;
      options.topic = topic_;
      if (grouped) {
        options.group = absl::StrCat(topic_, "-", consumers_.size());
        options.commit_every = absl::Seconds(1);
      }
      if (consumers_.empty()) {
        options.on_delivery = [this](const client::Delivery& delivery) {
          Take(delivery);
          return absl::OkStatus();
        };
      }
      consumers_.push_back(std::make_unique<Consumer>(bed_, std::move(options)));
    }
    for (const auto& consumer : consumers_) {
      RETURN_IF_ERROR(
          consumer->AwaitPartitions(static_cast<size_t>(form_.partitions()), kPatience));
    }
    return absl::OkStatus();
  }

  // Until everybody has everything. `counts`: latencies count.
  absl::Status Run(const Pace& pace, int64_t begin, int64_t end, bool counts) {
    if (counts) counts_from_ = begin;
    RETURN_IF_ERROR(pacer_.Run(pace, std::max(begin, NowNanos()), end));
    published_ += pacer_.count();
    for (const auto& consumer : consumers_) {
      RETURN_IF_ERROR(consumer->AwaitCount(published_, kPatience));
    }
    counts_from_ = std::numeric_limits<int64_t>::max();
    return absl::OkStatus();
  }

  int64_t published() const { return published_; }
  // Those so far, and none are left. While Run() is not running.
  Latencies TakeLatencies() { return std::exchange(latencies_, {}); }

 private:
  void Take(const client::Delivery& delivery) {
    const int64_t now = NowNanos(), from = counts_from_;
    EventElements elements(delivery.payload());
    for (absl::string_view event; elements.Next(&event);) {
      const int64_t due = form_.TimeOf(event);
      if (due >= from) latencies_.Add(now - due);
    }
  }

  const Bed& bed_;
  const EventForm form_;
  const std::string topic_;
  EventPacer pacer_;
  int64_t published_ = 0;
  std::atomic<int64_t> counts_from_ = std::numeric_limits<int64_t>::max();
  Latencies latencies_;  // Of the first consumer's thread while Run() is running.
  std::vector<std::unique_ptr<Consumer>> consumers_;
};

// The busy ones by themselves, and among many that get nothing.
absl::StatusOr<Outcome> RunSubscriptions(Bed& bed) {
  const Pace pace = {.events_per_second = 2000};
  const int32_t busy = std::max(1, bed.durations().subscriptions / 100);
  ASSIGN_OR_RETURN(std::string topic, bed.NewTopic(kPartitions, kLevel, Profile::kLog));
  ASSIGN_OR_RETURN(const std::string quiet, bed.NewTopic(1, kLevel, Profile::kLog));
  Lane lane(bed, std::move(topic), kPartitions);
  RETURN_IF_ERROR(lane.Subscribe(busy));
  const auto nanos = [](double seconds) { return static_cast<int64_t>(seconds * 1e9); };
  const int64_t warm_up = nanos(bed.durations().warm_up_s), window = nanos(bed.durations().seconds);
  const auto p99 = [&]() -> absl::StatusOr<double> {
    int64_t begin = NowNanos();
    RETURN_IF_ERROR(lane.Run(pace, begin, begin + warm_up, false));
    begin = NowNanos();
    RETURN_IF_ERROR(lane.Run(pace, begin, begin + window, true));
    return lane.TakeLatencies().Millis(0.99);
  };
  ASSIGN_OR_RETURN(const double alone, p99());
  std::vector<std::unique_ptr<Consumer>> others;
  for (int32_t i = busy; i < bed.durations().subscriptions; ++i) {
    Consumer::Options options;
    options.topic = quiet;
    others.push_back(std::make_unique<Consumer>(bed, std::move(options)));
  }
  for (const auto& other : others) RETURN_IF_ERROR(other->AwaitPartitions(1, kPatience));
  const int64_t before = lane.published();
  const CpuWatch cpu(bed);
  ASSIGN_OR_RETURN(const double among, p99());
  Outcome outcome;
  cpu.Read(static_cast<double>((lane.published() - before) * busy), &outcome);
  const std::optional<ProcessUse> use = bed.BrokerUse();
  outcome.values = {among, alone, among / alone, outcome.broker_cpu_s_per_million,
                    use ? std::optional(use->rss_mib) : std::nullopt};
  return outcome;
}

// What so many groups cost that all read the same topic: latency, and CPU of the broker.
absl::StatusOr<std::pair<double, std::optional<double>>> RunGroupsOf(Bed& bed, int32_t groups) {
  const Pace pace = {.events_per_second = 100};
  ASSIGN_OR_RETURN(std::string topic, bed.NewTopic(kPartitions, kLevel, Profile::kFull));
  Lane lane(bed, std::move(topic), kPartitions);
  RETURN_IF_ERROR(lane.Subscribe(groups, true));
  const auto nanos = [](double seconds) { return static_cast<int64_t>(seconds * 1e9); };
  int64_t begin = NowNanos();
  RETURN_IF_ERROR(lane.Run(pace, begin, begin + nanos(bed.durations().warm_up_s), false));
  const int64_t before = lane.published();
  const CpuWatch cpu(bed);
  begin = NowNanos();
  RETURN_IF_ERROR(lane.Run(pace, begin, begin + nanos(bed.durations().seconds), true));
  Outcome outcome;
  cpu.Read(static_cast<double>((lane.published() - before) * groups), &outcome);
  return std::pair(lane.TakeLatencies().Millis(0.99), outcome.broker_cpu_s_per_million);
}

absl::StatusOr<Outcome> RunGroups(Bed& bed) {
  constexpr int32_t kFew = 16;
  ASSIGN_OR_RETURN(const auto few, RunGroupsOf(bed, kFew));
  ASSIGN_OR_RETURN(const auto many, RunGroupsOf(bed, bed.durations().many));
  Outcome outcome;
  outcome.values = {many.first, few.first, many.second, few.second};
  return outcome;
}

// Every lane on a thread of its own. The first failure.
absl::Status RunAll(const std::vector<std::unique_ptr<Lane>>& lanes, const Pace& pace,
                    int64_t begin, int64_t end, bool counts) {
  std::vector<absl::Status> statuses(lanes.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < lanes.size(); ++i) {
    threads.emplace_back([&, i] { statuses[i] = lanes[i]->Run(pace, begin, end, counts); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : statuses) RETURN_IF_ERROR(status);
  return absl::OkStatus();
}

absl::StatusOr<Outcome> RunPartitions(Bed& bed) {
  const Durations& durations = bed.durations();
  const int64_t begin_create = NowNanos();
  std::vector<std::unique_ptr<Lane>> lanes;
  const int32_t each = std::min(durations.partitions, kPartitionsPerTopic);
  for (int32_t made = 0; made < durations.partitions; made += each) {
    ASSIGN_OR_RETURN(std::string topic, bed.NewTopic(each, kLevel, Profile::kLog));
    lanes.push_back(std::make_unique<Lane>(bed, std::move(topic), each));
  }
  const double create_s = static_cast<double>(NowNanos() - begin_create) / 1e9;
  for (const auto& lane : lanes) RETURN_IF_ERROR(lane->Subscribe(1));
  const Pace pace = {.events_per_second = static_cast<double>(each), .stay = 1};
  int64_t begin = NowNanos();
  RETURN_IF_ERROR(
      RunAll(lanes, pace, begin, begin + static_cast<int64_t>(durations.warm_up_s * 1e9), false));
  const auto count = [&] {
    int64_t events = 0;
    for (const auto& lane : lanes) events += lane->published();
    return static_cast<double>(events);
  };
  const double before = count();
  const std::optional<ProcessUse> use_before = bed.BrokerUse();
  const CpuWatch cpu(bed);
  begin = NowNanos();
  RETURN_IF_ERROR(
      RunAll(lanes, pace, begin, begin + static_cast<int64_t>(durations.seconds * 1e9), true));
  const double events = count() - before;
  Outcome outcome;
  cpu.Read(events, &outcome);
  const std::optional<ProcessUse> use = bed.BrokerUse();
  Latencies latencies;
  for (const auto& lane : lanes) latencies.Add(lane->TakeLatencies());
  outcome.values = {latencies.Millis(0.5), latencies.Millis(0.99), outcome.broker_cpu_s_per_million,
                    std::nullopt,          std::nullopt,           create_s};
  if (use && use_before) {
    outcome.values[3] = use->rss_mib;
    const double written = use->written_bytes - use_before->written_bytes;
    if (written > 0) outcome.values[4] = written / (events * kEventBytes);
  }
  lanes.clear();
  ASSIGN_OR_RETURN(const double restart_s, bed.Restart(false));
  outcome.values.push_back(restart_s);
  return outcome;
}

}  // namespace

void AddScaleMeasures(std::vector<Measure>* measures) {
  Measure subscriptions;
  subscriptions.name = "subscriptions_1000_fsync";
  subscriptions.help =
      "1,000 open subscriptions, 10 of which get 2,000 events/s each: p99 from due to delivered; "
      ".alone: without the other 990";
  subscriptions.figures = {{"", "ms", true},
                           {".alone", "ms", true},
                           {".ratio", "x", true},
                           {".broker_cpu", "s/M deliveries", true},
                           {".rss", "MiB", true}};
  subscriptions.run = RunSubscriptions;
  measures->push_back(std::move(subscriptions));
  Measure groups;
  groups.name = "groups_1000_fsync_full";
  groups.help =
      "1,000 groups with a member each, which all read 100 events/s and commit once a second: p99 "
      "from due to delivered to the first; .groups_16: of 16 groups";
  groups.figures = {{"", "ms", true},
                    {".groups_16", "ms", true},
                    {".broker_cpu", "s/M deliveries", true},
                    {".broker_cpu_16", "s/M deliveries", true}};
  groups.run = RunGroups;
  measures->push_back(std::move(groups));
  Measure partitions;
  partitions.name = "partitions_10000_fsync";
  partitions.help =
      "10,000 partitions in 40 topics with an event a second each: p50 from due to delivered";
  partitions.figures = {{"", "ms", true},
                        {".p99", "ms", true},
                        {".broker_cpu", "s/M events", true},
                        {".rss", "MiB", true},
                        {".disk_bytes_per_byte", "B/B", true},
                        {".create", "s", true},
                        {".restart", "s", true}};
  partitions.needs_own_broker = true;
  partitions.run = RunPartitions;
  measures->push_back(std::move(partitions));
}

}  // namespace acta::bench
