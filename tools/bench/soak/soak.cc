#include "tools/bench/soak/soak.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/bench/event_form.h"
#include "tools/bench/load.h"
#include "tools/bench/machine.h"
#include "tools/bench/soak/flow.h"
#include "tools/bench/soak/lagging_reader.h"

namespace acta::bench {
namespace {

using nlohmann::json;

constexpr int32_t kEventBytes = 100;
constexpr int32_t kPartitions = 16;
constexpr int64_t kTickNanos = 1'000'000;
constexpr auto kLevel = v1::ACK_LEVEL_FSYNC;
// Of all events, on the topic that is kept by size.
constexpr double kSizedShare = 0.125;
constexpr double kSizedSeconds = 60;  // What that topic keeps, in time.
constexpr int64_t kLeastKeptBytes = 1 << 20;
constexpr int kSliceSeconds = 60;  // The broker makes and drops slices once a minute.
constexpr double kMeasureWarmUp = 5, kMeasureSeconds = 15;
// A rate holds when the end of a trial of it is delivered in time.
constexpr double kTrialSeconds = 20, kTrialInterval = 5, kTrialMostMillis = 200;
constexpr double kNextTrial = 0.85, kMostTimesLess = 8;
constexpr int64_t kLeadNanos = 10'000'000;
constexpr int64_t kQuietNanos = 5'000'000'000;  // After the clients, until they must be forgotten.

using Teller = std::function<void(const json&)>;

// What follows from the options.
struct Plan {
  double events_per_second = 0;
  absl::Duration away;  // Of the group that falls behind, each time.
  absl::Duration kept;  // Of the topic that is kept by time.
};

// In an hour the group is away 90 seconds at a time and all events of 3 minutes are kept.
Plan PlanOf(const SoakOptions& options, double events_per_second) {
  const double away_s = std::clamp(options.seconds / 40, 1.0, 90.0);
  return {events_per_second, absl::Seconds(away_s), absl::Seconds(std::max(30.0, 2 * away_s))};
}

// The ledger is kept as long as events are, or its slices, one a minute too, would be more and
// more.
absl::Status BeginSoak(Bed& bed) {
  bed.SetFlags(
      {absl::StrCat("--storage.slice_seconds=", kSliceSeconds), "--storage.ledger_retention=3m"});
  return bed.Begin();
}

absl::StatusOr<std::string> TopicKeptByTime(Bed& bed, const Plan& plan) {
  v1::Topic settings;
  settings.mutable_retention()->set_seconds(absl::ToInt64Seconds(plan.kept));
  return bed.NewTopic(kPartitions, kLevel, Profile::kFull, settings);
}

absl::StatusOr<std::string> TopicKeptBySize(Bed& bed, const Plan& plan) {
  const double bytes = plan.events_per_second * kSizedShare * kSizedSeconds * kEventBytes;
  v1::Topic settings;
  settings.set_retention_bytes(
      std::max(kLeastKeptBytes, static_cast<int64_t>(bytes) / kPartitions));
  return bed.NewTopic(kPartitions, kLevel, Profile::kFull, settings);
}

// The alarms there are, or why nobody knows.
json Alarms(client::Admin& admin) {
  const absl::StatusOr<v1::GetStatusResponse> status = admin.GetStatus({});
  if (!status.ok()) return {absl::StrCat("NO_STATUS: ", status.status().message())};
  json codes = json::array();
  for (const v1::Alarm& alarm : status->alarms()) codes.push_back(alarm.code());
  return codes;
}

absl::StatusOr<int64_t> LagOf(client::Admin& admin, const std::string& group) {
  v1::GetLagRequest request;
  request.set_group(group);
  ASSIGN_OR_RETURN(const v1::GetLagResponse response, admin.GetLag(request));
  int64_t lag = 0;
  for (const v1::PartitionLag& partition : response.partitions()) lag += partition.lag_events();
  return lag;
}

// Everything that runs.
//
// Threads: one.
class Soak {
 public:
  Soak(const Bed& bed, const Plan& plan, std::string by_time, std::string by_size)
      : form_(kEventBytes, kPartitions),
        admin_(bed.NewChannel()),
        by_time_(bed, form_, std::move(by_time),
                 {plan.events_per_second * (1 - kSizedShare), kTickNanos}),
        by_size_(bed, form_, std::move(by_size),
                 {plan.events_per_second * kSizedShare, kTickNanos}),
        lagging_(bed, form_, by_time_, plan.away) {}

  absl::Status Start(int64_t begin, int64_t end) {
    RETURN_IF_ERROR(by_time_.Start(begin, end));
    return by_size_.Start(begin, end);
  }

  // Something failed, or everything is published.
  bool ended() const { return by_time_.ended() || by_size_.ended() || lagging_.ended(); }

  json Sample() {
    Latencies latencies = by_time_.TakeLatencies();
    latencies.Add(by_size_.TakeLatencies());
    const int64_t delivered = by_time_.delivered() + by_size_.delivered();
    const int64_t acknowledged = by_time_.acknowledged() + by_size_.acknowledged();
    json sample = {{"is", "sample"},
                   {"acknowledged", acknowledged},
                   {"follow_behind", std::max<int64_t>(0, acknowledged - delivered)},
                   {"behind", std::max<int64_t>(0, by_time_.acknowledged() - lagging_.count())},
                   {"returns", lagging_.returns()},
                   {"alarms", Alarms(admin_)}};
    // Nothing arrived: no latency, rather than none.
    const auto millis = [&](double fraction) {
      return latencies.count() > 0 ? json(latencies.Millis(fraction)) : json();
    };
    sample["p50_ms"] = millis(0.5);
    sample["p99_ms"] = millis(0.99);
    sample["p999_ms"] = millis(0.999);
    sample["max_ms"] = millis(1);
    return sample;
  }

  absl::StatusOr<json> Finish() {
    if (lagging_.ended()) return lagging_.Finish(0);
    RETURN_IF_ERROR(by_time_.Finish());
    RETURN_IF_ERROR(by_size_.Finish());
    RETURN_IF_ERROR(lagging_.Finish(by_time_.published()));
    int64_t lag = 0;
    for (const std::string& group : {by_time_.group(), by_size_.group(), lagging_.group()}) {
      ASSIGN_OR_RETURN(const int64_t of_group, LagOf(admin_, group));
      lag += of_group;
    }
    return json{{"is", "end"},
                {"published", by_time_.published() + by_size_.published()},
                {"compared", by_time_.compared() + by_size_.compared() + lagging_.compared()},
                {"returns", lagging_.returns()},
                {"lag", lag}};
  }

 private:
  const EventForm form_;
  client::Admin admin_;
  Flow by_time_;
  Flow by_size_;
  LaggingReader lagging_;
};

absl::StatusOr<json> RunLoads(const Bed& bed, const Plan& plan, const SoakOptions& options,
                              std::string by_time, std::string by_size, const Teller& tell) {
  const int64_t begin = NowNanos() + kLeadNanos;
  const int64_t end = begin + static_cast<int64_t>(options.seconds * 1e9);
  Soak soak(bed, plan, std::move(by_time), std::move(by_size));
  RETURN_IF_ERROR(soak.Start(begin, end));
  const auto interval = static_cast<int64_t>(options.interval_s * 1e9);
  for (int64_t next = begin + interval; next <= end && !soak.ended(); next += interval) {
    SleepUntilNanos(next);
    json sample = soak.Sample();
    sample["seconds"] = static_cast<double>(next - begin) / 1e9;
    tell(sample);
  }
  return soak.Finish();
}

// Errors: also what became of too much.
absl::StatusOr<bool> Holds(Bed& bed, double rate) {
  const Plan plan = {rate, /*away=*/absl::Seconds(kTrialSeconds), /*kept=*/absl::Minutes(30)};
  RETURN_IF_ERROR(BeginSoak(bed));
  ASSIGN_OR_RETURN(std::string by_time, TopicKeptByTime(bed, plan));
  ASSIGN_OR_RETURN(std::string by_size, TopicKeptBySize(bed, plan));
  json p99;
  const auto look = [&](const json& sample) { p99 = sample["p99_ms"]; };
  const SoakOptions options = {.seconds = kTrialSeconds, .interval_s = kTrialInterval};
  const auto outcome = RunLoads(bed, plan, options, std::move(by_time), std::move(by_size), look);
  bed.End();
  RETURN_IF_ERROR(outcome.status());
  return p99.is_number() && p99.get<double>() <= kTrialMostMillis;
}

// What the load itself reaches in its own form, while the group that is away stays there: tried
// from what publisher and one group reach in large batches downwards.
absl::StatusOr<double> MeasureSustainable(Bed& bed) {
  RETURN_IF_ERROR(bed.Begin());
  const Load load = {.level = kLevel, .profile = Profile::kFull, .grouped = true};
  ASSIGN_OR_RETURN(const LoadRun run, RunLoad(bed, load, kMeasureWarmUp, kMeasureSeconds));
  bed.End();
  absl::Status last = absl::UnavailableError("no rate holds");
  for (double rate = run.events_per_second; rate >= run.events_per_second / kMostTimesLess;
       rate *= kNextTrial) {
    const absl::StatusOr<bool> holds = Holds(bed, rate);
    if (holds.ok() && *holds) return rate;
    if (!holds.ok()) last = holds.status();
  }
  return last;
}

}  // namespace

absl::Status RunSoak(Bed& bed, const SoakOptions& options, const Teller& tell) {
  json sustainable;
  double rate = options.events_per_second;
  if (rate == 0) {
    ASSIGN_OR_RETURN(const double measured, MeasureSustainable(bed));
    sustainable = measured;
    rate = measured / 2;
  }
  const Plan plan = PlanOf(options, rate);
  RETURN_IF_ERROR(BeginSoak(bed));
  ASSIGN_OR_RETURN(std::string by_time, TopicKeptByTime(bed, plan));
  ASSIGN_OR_RETURN(std::string by_size, TopicKeptBySize(bed, plan));
  const Machine machine = DescribeMachine("/");
  tell({{"is", "plan"},
        {"sustainable", sustainable},
        {"events_per_second", plan.events_per_second},
        {"away_s", absl::ToDoubleSeconds(plan.away)},
        {"kept_s", absl::ToDoubleSeconds(plan.kept)},
        {"machine", absl::StrCat(machine.cores, " x ", machine.cpu, ", ", machine.kernel)}});

  ASSIGN_OR_RETURN(const json outcome,
                   RunLoads(bed, plan, options, std::move(by_time), std::move(by_size), tell));
  SleepUntilNanos(NowNanos() + kQuietNanos);
  tell({{"is", "quiet"}});
  tell(outcome);
  return absl::OkStatus();
}

}  // namespace acta::bench
