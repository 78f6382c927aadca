#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cpp/admin.h"
#include "client/cpp/publisher.h"
#include "client/cpp/worker.h"
#include "storage/base/status_macros.h"
#include "tools/bench/acks.h"
#include "tools/bench/consumer.h"
#include "tools/bench/event_form.h"
#include "tools/bench/fill.h"
#include "tools/bench/latencies.h"
#include "tools/bench/measure.h"

namespace acta::bench {
namespace {

constexpr int32_t kPartitions = 16;
constexpr int32_t kEventBytes = 1024;
constexpr int64_t kJourneyEvents = 100;
constexpr int kAsked = 300;
constexpr int64_t kBatchEvents = 64;
constexpr absl::Duration kPatience = absl::Minutes(30);

// A log of journeys whose events lie far apart: event n is of journey n modulo their number.
class JourneyLog {
 public:
  // As many as the bytes hold; of so many events each.
  explicit JourneyLog(int64_t bytes, int64_t journey_events = kJourneyEvents)
      : journeys_(std::max<int64_t>(1, bytes / kEventBytes / journey_events)),
        events_(journeys_ * journey_events) {}

  int64_t journeys() const { return journeys_; }
  int64_t events() const { return events_; }
  static std::string Journey(int64_t number) { return absl::StrFormat("journey-%08d", number); }
  static std::string Id(int64_t number) { return absl::StrFormat("event-%010d", number); }

  absl::Status Publish(const Bed& bed, const std::string& topic) const {
    Acks acks;
    client::Publisher publisher(bed.NewChannel(), BenchPublisher(v1::ACK_LEVEL_OS));
    for (int64_t at = 0; at < events(); at += kBatchEvents) {
      const int64_t end = std::min(events(), at + kBatchEvents);
      auto payload = std::make_shared<std::string>();
      for (int64_t number = at; number < end; ++number) {
        client::AppendElement(Make(number), payload.get());
      }
      const auto partition = static_cast<int32_t>(at / kBatchEvents % kPartitions);
      RETURN_IF_ERROR(publisher.PublishPrepared(topic, partition, std::move(payload),
                                                static_cast<uint32_t>(end - at), acks.Count()));
    }
    RETURN_IF_ERROR(publisher.Close(kPatience));
    return acks.status();
  }

 private:
  v1::Event Make(int64_t number) const {
    v1::Event event;
    event.set_id(Id(number));
    event.set_source("bench");
    event.set_type("StepDone");
    event.set_correlation_id(Journey(number % journeys_));
    if (number >= journeys_) event.set_causation_id(Id(number - journeys_));
    event.set_data(std::string(kEventBytes - event.ByteSizeLong() - 3, 'x'));
    return event;
  }

  const int64_t journeys_;
  const int64_t events_;
};

absl::StatusOr<v1::GetStatusResponse> StatusOf(const Bed& bed) {
  return client::Admin(bed.NewChannel()).GetStatus({});
}

absl::Status AwaitIndex(const Bed& bed) {
  return Await("the index of journeys", kPatience, [&] {
    absl::SleepFor(absl::Milliseconds(20));
    const auto status = StatusOf(bed);
    return status.ok() && status->index_lag_events() == 0;
  });
}

// What stands in the index when nothing comes any more.
absl::Status AwaitTidy(const Bed& bed) {
  absl::Status failed;  // A broker that is gone is not waited for.
  RETURN_IF_ERROR(Await("the files of the index to be joined", kPatience, [&] {
    absl::SleepFor(absl::Seconds(1));
    const auto status = StatusOf(bed);
    failed = status.status();
    return !failed.ok() || status->index_runs() <= status->slices();
  }));
  return failed;
}

v1::Topic WithJourneys(v1::JourneyMode mode) {
  v1::Topic settings;
  settings.set_journey(mode);
  return settings;
}

// Milliseconds of each of kAsked calls.
template <typename Ask>
absl::StatusOr<Latencies> AskMany(Ask ask) {
  Latencies latencies;
  for (int i = 0; i < kAsked; ++i) {
    const int64_t begin = NowNanos();
    RETURN_IF_ERROR(ask());
    latencies.Add(NowNanos() - begin);
  }
  return latencies;
}

// Asks for journeys, and questions, of a log, the same ones after each BeginAgain().
class Asker {
 public:
  Asker(Bed& bed, const JourneyLog& log) : bed_(bed), log_(log) {}

  // By a start that forgot the page cache.
  absl::Status Forget() {
    RETURN_IF_ERROR(bed_.Restart(true).status());
    RETURN_IF_ERROR(AwaitIndex(bed_));
    admin_.emplace(bed_.NewChannel());
    BeginAgain();
    return absl::OkStatus();
  }
  void BeginAgain() { random_.seed(1); }

  absl::StatusOr<Latencies> AskJourneys() {
    return AskMany([&] {
      v1::GetJourneyRequest request;
      request.mutable_selection()->set_correlation_id(JourneyLog::Journey(Draw(log_.journeys())));
      const auto journey = admin_->GetJourney(request);
      RETURN_IF_ERROR(journey.status());
      if (journey->events_size() == kJourneyEvents) return absl::OkStatus();
      return absl::DataLossError(absl::StrCat("a journey has ", journey->events_size(), " events"));
    });
  }
  absl::StatusOr<Latencies> AskQuestions() {
    return AskMany([&] {
      v1::AskQuestionsRequest request;
      request.mutable_selection()->mutable_event()->set_id(JourneyLog::Id(Draw(log_.events())));
      return admin_->AskQuestions(request).status();
    });
  }

 private:
  int64_t Draw(int64_t most) {
    return static_cast<int64_t>(random_() % static_cast<uint64_t>(most));
  }

  Bed& bed_;
  const JourneyLog& log_;
  std::mt19937_64 random_;
  std::optional<client::Admin> admin_;
};

// Four members of a QUEUE group that ack whatever comes.
class AckingMembers {
 public:
  AckingMembers(const Bed& bed, const std::string& group) {
    constexpr int kMembers = 4;
    for (int i = 0; i < kMembers; ++i) {
      threads_.emplace_back([this, &bed, group] { Work(bed, group); });
    }
  }
  ~AckingMembers() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  absl::Status Await(int64_t events) const {
    return bench::Await("all events to be acked", kPatience, [&] {
      absl::SleepFor(absl::Milliseconds(20));
      return acked_ >= events;
    });
  }

 private:
  void Work(const Bed& bed, const std::string& group) {
    client::WorkerOptions options;
    options.group = group;
    options.credit_events = 1'000;
    client::Worker worker(bed.NewChannel(), options);
    while (!stop_) {
      const auto item = worker.Next(absl::Now() + absl::Milliseconds(50));
      if (!item.ok()) return;
      if (!item->has_value()) continue;
      worker.Ack(**item);
      acked_ += (*item)->count();
    }
    (void)worker.Close(kPatience);
  }

  std::atomic<bool> stop_ = false;
  std::atomic<int64_t> acked_ = 0;
  std::vector<std::thread> threads_;
};

absl::StatusOr<std::string> MakeQueue(const Bed& bed, const std::string& topic) {
  v1::CreateGroupRequest request;
  request.mutable_group()->set_name(absl::StrCat(topic, "-workers"));
  request.mutable_group()->add_topics(topic);
  request.mutable_group()->set_mode(v1::GROUP_MODE_QUEUE);
  request.mutable_start()->set_earliest(true);
  RETURN_IF_ERROR(client::Admin(bed.NewChannel()).CreateGroup(request).status());
  return request.group().name();
}

// Whole journeys of a log that is on the disk, then the questions about one event each. `groups`: a
// group has processed each event by itself.
absl::StatusOr<Outcome> RunAsked(Bed& bed, int64_t bytes, bool groups) {
  const JourneyLog log(bytes > 0 ? bytes : bed.durations().preload_bytes);
  ASSIGN_OR_RETURN(const std::string topic,
                   bed.NewTopic(kPartitions, v1::ACK_LEVEL_OS, Profile::kLog,
                                WithJourneys(v1::JOURNEY_MODE_FULL)));
  RETURN_IF_ERROR(log.Publish(bed, topic));
  if (groups) {
    ASSIGN_OR_RETURN(const std::string group, MakeQueue(bed, topic));
    RETURN_IF_ERROR(AckingMembers(bed, group).Await(log.events()));
  }
  const int64_t begin = NowNanos();
  RETURN_IF_ERROR(AwaitIndex(bed));
  const double behind_s = static_cast<double>(NowNanos() - begin) / 1e9;
  ASSIGN_OR_RETURN(const v1::GetStatusResponse status, StatusOf(bed));
  Asker asker(bed, log);
  RETURN_IF_ERROR(asker.Forget());
  ASSIGN_OR_RETURN(Latencies journeys, asker.AskJourneys());
  std::optional<Latencies> busy;  // Of a large log, as the load left its index.
  if (bytes > 0) {
    busy = journeys;
    RETURN_IF_ERROR(AwaitTidy(bed));
    RETURN_IF_ERROR(asker.Forget());
    ASSIGN_OR_RETURN(journeys, asker.AskJourneys());
  }
  asker.BeginAgain();
  ASSIGN_OR_RETURN(const Latencies again, asker.AskJourneys());
  ASSIGN_OR_RETURN(const Latencies questions, asker.AskQuestions());
  // Of a short log nothing is in a file yet.
  std::optional<double> bytes_per_event;
  if (status.index_bytes() > 0) {
    bytes_per_event = static_cast<double>(status.index_bytes()) / static_cast<double>(log.events());
  }
  Outcome outcome;
  outcome.values = {
      journeys.Millis(0.5),  journeys.Millis(0.99),  again.Millis(0.5), again.Millis(0.99),
      questions.Millis(0.5), questions.Millis(0.99), bytes_per_event,   behind_s};
  if (busy.has_value()) {
    outcome.values.push_back(busy->Millis(0.5));
    outcome.values.push_back(busy->Millis(0.99));
  }
  return outcome;
}

// One journey that is all of the log, read by pages.
absl::StatusOr<Outcome> RunLongJourney(Bed& bed) {
  constexpr int32_t kPage = 10'000;
  const int64_t bytes = bed.durations().preload_bytes;
  const JourneyLog log(bytes, bytes / kEventBytes);
  ASSIGN_OR_RETURN(const std::string topic,
                   bed.NewTopic(kPartitions, v1::ACK_LEVEL_OS, Profile::kLog,
                                WithJourneys(v1::JOURNEY_MODE_FULL)));
  RETURN_IF_ERROR(log.Publish(bed, topic));
  RETURN_IF_ERROR(AwaitIndex(bed));
  RETURN_IF_ERROR(bed.Restart(true).status());
  RETURN_IF_ERROR(AwaitIndex(bed));
  client::Admin admin(bed.NewChannel());
  v1::GetJourneyRequest request;
  request.mutable_selection()->mutable_event()->set_id(JourneyLog::Id(log.events() / 2));
  request.set_page_size(kPage);
  Latencies pages;
  int64_t events = 0;
  const int64_t begin = NowNanos();
  do {
    const int64_t asked = NowNanos();
    ASSIGN_OR_RETURN(const v1::GetJourneyResponse page, admin.GetJourney(request));
    pages.Add(NowNanos() - asked);
    events += page.events_size();
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  if (events != log.events()) {
    return absl::DataLossError(absl::StrCat("the pages have ", events, " of ", log.events()));
  }
  Outcome outcome;
  outcome.values = {pages.Millis(0.5), pages.Millis(0.99), static_cast<double>(pages.count()),
                    static_cast<double>(NowNanos() - begin) / 1e9};
  return outcome;
}

// A log that is there, and is to be indexed from its first event on.
absl::StatusOr<Outcome> RunRebuild(Bed& bed, int64_t bytes) {
  const JourneyLog log(bytes > 0 ? bytes : bed.durations().preload_bytes);
  ASSIGN_OR_RETURN(const std::string topic,
                   bed.NewTopic(kPartitions, v1::ACK_LEVEL_OS, Profile::kLog,
                                WithJourneys(v1::JOURNEY_MODE_OFF)));
  RETURN_IF_ERROR(log.Publish(bed, topic));
  RETURN_IF_ERROR(bed.Restart(true).status());
  v1::UpdateTopicRequest request;
  *request.mutable_topic() = WithJourneys(v1::JOURNEY_MODE_FULL);
  request.mutable_topic()->set_name(topic);
  request.mutable_update_mask()->add_paths("journey");
  client::Admin admin(bed.NewChannel());
  const int64_t begin = NowNanos();
  RETURN_IF_ERROR(admin.UpdateTopic(request).status());
  // It waits until the indexer has seen the change, and for the last event.
  v1::AskQuestionsRequest last;
  last.mutable_selection()->mutable_event()->set_id(JourneyLog::Id(log.events() - 1));
  RETURN_IF_ERROR(Await("the last event to be indexed", kPatience,
                        [&] { return admin.AskQuestions(last).ok(); }));
  RETURN_IF_ERROR(AwaitIndex(bed));
  const double seconds = static_cast<double>(NowNanos() - begin) / 1e9;
  Outcome outcome;
  outcome.values = {static_cast<double>(log.events()) * kEventBytes / seconds / 1e6,
                    static_cast<double>(log.events()) / seconds};
  return outcome;
}

// Four workers ack what is published meanwhile: what the ledger takes for each event.
absl::StatusOr<Outcome> RunLedger(Bed& bed) {
  const EventForm form(100, kPartitions);
  ASSIGN_OR_RETURN(const std::string topic,
                   bed.NewTopic(kPartitions, v1::ACK_LEVEL_FSYNC, Profile::kLog,
                                WithJourneys(v1::JOURNEY_MODE_FULL)));
  ASSIGN_OR_RETURN(const std::string group, MakeQueue(bed, topic));
  const int64_t bytes = std::min(int64_t{200} << 20, bed.durations().queue_bytes);
  int64_t events = 0;
  {
    const AckingMembers members(bed, group);
    ASSIGN_OR_RETURN(events, Fill(bed, form, topic, bytes, v1::ACK_LEVEL_FSYNC));
    RETURN_IF_ERROR(members.Await(events));
  }
  ASSIGN_OR_RETURN(const v1::GetStatusResponse status, StatusOf(bed));
  Outcome outcome;
  outcome.values = {static_cast<double>(status.ledger_bytes()) / static_cast<double>(events)};
  return outcome;
}

}  // namespace

void AddJourneyMeasures(std::vector<Measure>* measures) {
  const auto asked = [&](const char* name, int64_t bytes, bool groups) {
    Measure measure;
    measure.name = name;
    measure.help =
        "p50 of a journey of 100 events that lie far apart in a log on the disk, of 1 KiB events, "
        "right after a restart that forgot the page cache; .again: the same once more; .questions: "
        "the eight about one event; .behind: of the index when the last event was stored; of the "
        "large log when nothing was published for minutes, .busy: right behind the load; _groups: "
        "a QUEUE group has acked each event";
    measure.figures = {{"", "ms", true, 10, std::nullopt},
                       {".p99", "ms", true, 50, std::nullopt},
                       {".again", "ms", true},
                       {".again_p99", "ms", true},
                       {".questions", "ms", true, 20, std::nullopt},
                       {".questions_p99", "ms", true},
                       {".index_bytes_per_event", "B", true},
                       {".behind", "s", true}};
    if (bytes > 0) {
      measure.figures.push_back({".busy", "ms", true});
      measure.figures.push_back({".busy_p99", "ms", true});
    }
    measure.needs_own_broker = true;
    measure.large = bytes > 0;
    measure.run = [=](Bed& bed) { return RunAsked(bed, bytes, groups); };
    measures->push_back(std::move(measure));
  };
  const auto rebuild = [&](const char* name, int64_t bytes) {
    Measure measure;
    measure.name = name;
    measure.help = "the index of a log of 1 KiB events on the disk is made from its beginning";
    measure.figures = {{"", "MB/s", false, 200, std::nullopt}, {".events", "events/s", false}};
    measure.needs_own_broker = true;
    measure.large = bytes > 0;
    measure.run = [bytes](Bed& bed) { return RunRebuild(bed, bytes); };
    measures->push_back(std::move(measure));
  };
  asked("journey_100", 0, false);
  asked("journey_100_groups", 0, true);
  rebuild("index_rebuild", 0);
  Measure long_journey;
  long_journey.name = "journey_million";
  long_journey.help =
      "a journey that is a whole log of 1 KiB events, read by pages of 10,000 from one of its "
      "events on, right after a restart that forgot the page cache";
  long_journey.figures = {
      {"", "ms", true}, {".p99", "ms", true}, {".pages", "pages", true}, {".seconds", "s", true}};
  long_journey.needs_own_broker = true;
  long_journey.run = RunLongJourney;
  measures->push_back(std::move(long_journey));
  asked("journey_100_10g", int64_t{10} << 30, false);
  rebuild("index_rebuild_10g", int64_t{10} << 30);
  Measure ledger;
  ledger.name = "ledger_bytes";
  ledger.help = "what the ledger takes for an event and group, with four workers that ack";
  ledger.figures = {{"", "B", true, 24, std::nullopt}};
  ledger.run = RunLedger;
  measures->push_back(std::move(ledger));
}

}  // namespace acta::bench
