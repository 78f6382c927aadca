#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "client/cpp/admin.h"
#include "proto/support/error.h"
#include "storage/base/status_macros.h"
#include "tools/bench/consumer.h"
#include "tools/bench/event_form.h"
#include "tools/bench/fill.h"
#include "tools/bench/latencies.h"
#include "tools/bench/measure.h"

namespace acta::bench {
namespace {

constexpr int32_t kEventBytes = 100;
constexpr int32_t kPartitions = 16;
constexpr int kCallers = 8;
constexpr int kEventsOfCall = 500;
constexpr absl::Duration kPatience = absl::Minutes(5);

// 100,000 in a full run.
int64_t Parked(const Bed& bed) {
  return std::clamp<int64_t>(bed.durations().preload_bytes / 10'000, 1'000, 100'000);
}

v1::PublishFrame LaterFrame(const std::string& topic, absl::Time at) {
  v1::PublishFrame frame;
  v1::PartitionBatch* batch = frame.add_batches();
  batch->set_topic(topic);
  batch->set_deliver_at_us(absl::ToUnixMicros(at));
  for (int i = 0; i < kEventsOfCall; ++i) {
    batch->add_events()->set_data(std::string(kEventBytes, 'x'));
  }
  return frame;
}

// Events a second.
absl::StatusOr<double> Schedule(const Bed& bed, const std::string& topic, absl::Time at,
                                int64_t events) {
  const v1::PublishFrame frame = LaterFrame(topic, at);
  std::atomic<int64_t> left = events / kEventsOfCall;
  std::vector<absl::Status> failures(kCallers);
  std::vector<std::thread> callers;
  const int64_t begin = NowNanos();
  for (absl::Status& failure : failures) {
    callers.emplace_back([&] {
      client::Admin admin(bed.NewChannel());
      while (failure.ok() && left.fetch_sub(1) > 0) {
        const auto answer = admin.Publish(frame);
        failure.Update(answer.status());
        if (!answer.ok()) break;
        const v1::BatchResult& batch = answer->results(0).batches(0);
        if (batch.has_error()) failure.Update(FromProto(batch.error()));
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (const absl::Status& failure : failures) RETURN_IF_ERROR(failure);
  return static_cast<double>(events) * 1e9 / static_cast<double>(NowNanos() - begin);
}

// A QUEUE group with so many events that wait.
absl::Status MakeParked(Bed& bed, int64_t events) {
  ASSIGN_OR_RETURN(const std::string topic,
                   bed.NewTopic(kPartitions, v1::ACK_LEVEL_FSYNC, Profile::kLog));
  const EventForm form(kEventBytes, kPartitions);
  RETURN_IF_ERROR(Fill(bed, form, topic, events * kEventBytes).status());
  v1::CreateGroupRequest create;
  create.mutable_group()->set_name(topic);
  create.mutable_group()->add_topics(topic);
  create.mutable_group()->set_mode(v1::GROUP_MODE_QUEUE);
  create.mutable_start()->set_earliest(true);
  RETURN_IF_ERROR(client::Admin(bed.NewChannel()).CreateGroup(create).status());
  return Park(bed, topic, events);
}

absl::StatusOr<int64_t> EventsOf(const Bed& bed, const std::string& topic) {
  v1::ListPartitionsRequest request;
  request.set_topic(topic);
  ASSIGN_OR_RETURN(const auto response, client::Admin(bed.NewChannel()).ListPartitions(request));
  int64_t events = 0;
  for (const v1::PartitionInfo& one : response.partitions()) events += one.end_offset();
  return events;
}

// Events a second from the moment they are due.
absl::StatusOr<double> Deliver(Bed& bed, int64_t events) {
  ASSIGN_OR_RETURN(const std::string topic,
                   bed.NewTopic(kPartitions, v1::ACK_LEVEL_FSYNC, Profile::kLog));
  // So much later that all of it is scheduled by then.
  const absl::Time due = absl::Now() + absl::Seconds(1) + events * absl::Microseconds(90);
  RETURN_IF_ERROR(Schedule(bed, topic, due, events).status());
  absl::Status status;
  RETURN_IF_ERROR(Await("what is due", kPatience, [&] {
    const auto stored = EventsOf(bed, topic);
    status = stored.status();
    return !stored.ok() || *stored >= events;
  }));
  RETURN_IF_ERROR(status);
  return static_cast<double>(events) / absl::ToDoubleSeconds(absl::Now() - due);
}

absl::StatusOr<Outcome> RunSchedules(Bed& bed) {
  const int64_t parked = Parked(bed) / kEventsOfCall * kEventsOfCall;
  const int64_t scheduled = parked * 10;
  bed.SetFlags({"--limits.scheduled_events=2000000"});  // Those of the end come beside them.
  RETURN_IF_ERROR(bed.Restart(false).status());
  RETURN_IF_ERROR(MakeParked(bed, parked));
  ASSIGN_OR_RETURN(const std::string topic,
                   bed.NewTopic(kPartitions, v1::ACK_LEVEL_FSYNC, Profile::kLog));
  ASSIGN_OR_RETURN(const double rate,
                   Schedule(bed, topic, absl::Now() + absl::Hours(24), scheduled));
  ASSIGN_OR_RETURN(const double seconds, bed.RestartAfterKill());
  const std::optional<ProcessUse> use = bed.BrokerUse();
  ASSIGN_OR_RETURN(const double delivered, Deliver(bed, parked));
  Outcome outcome;
  outcome.values = {seconds, use ? std::optional(use->rss_mib) : std::nullopt, rate, delivered};
  return outcome;
}

}  // namespace

void AddScheduleMeasures(std::vector<Measure>* measures) {
  Measure start;
  start.name = "start_schedules";
  start.help =
      "from kill -9 to ready with a million scheduled events and 100,000 parked ones; .scheduled: "
      "of "
      "100 B in calls of 500, FSYNC; .delivered: of 100,000 that are due at once";
  start.figures = {{"", "s", true, 3},
                   {".rss", "MiB", true},
                   {".scheduled", "events/s"},
                   {".delivered", "events/s"}};
  start.needs_own_broker = true;
  start.run = RunSchedules;
  measures->push_back(std::move(start));
}

}  // namespace acta::bench
