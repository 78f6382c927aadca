#include "server/core/admin/server_status.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/proto_time.h"
#include "storage/base/log.h"
#include "storage/base/status_macros.h"
#include "storage/layout/engine_rows.h"

namespace acta {
namespace {

constexpr absl::Duration kDefaultScrub = absl::Seconds(10);
constexpr absl::Duration kMostScrub = absl::Seconds(25);
constexpr size_t kMaxReasonBytes = 1024;

int64_t Count(const std::function<int64_t()>& count) { return count ? count() : 0; }

absl::Status Invalid(absl::string_view field, absl::string_view what) {
  return Error(v1::INVALID_ARGUMENT, absl::StrCat(field, " ", what),
               {{"field", std::string(field)}});
}

absl::StatusOr<absl::Duration> ScrubBudget(const v1::ScrubRequest& request) {
  const auto budget = GetDuration(request.budget());
  if (!budget.has_value() || *budget < absl::ZeroDuration() || *budget > kMostScrub) {
    return Invalid("budget", absl::StrCat("of ", request.budget().seconds(),
                                          " s is not between 0 (the default, ",
                                          absl::FormatDuration(kDefaultScrub), ") and ",
                                          absl::FormatDuration(kMostScrub)));
  }
  return *budget == absl::ZeroDuration() ? kDefaultScrub : *budget;
}

absl::Status CheckReason(absl::string_view reason) {
  if (absl::StripAsciiWhitespace(reason).empty()) {
    return Invalid("reason", "is missing: say why the jump is right");
  }
  if (reason.size() <= kMaxReasonBytes) return absl::OkStatus();
  return Invalid("reason",
                 absl::StrCat("has ", reason.size(), " bytes: at most ", kMaxReasonBytes));
}

v1::Alarm MakeAlarm(absl::string_view code, std::string text) {
  v1::Alarm alarm;
  alarm.set_code(std::string(code));
  alarm.set_text(std::move(text));
  return alarm;
}

// At most one: the worst.
void AddDiskAlarm(const LogEngine& engine, std::vector<v1::Alarm>* alarms) {
  const std::string free = absl::StrCat(engine.Stats().disk_free_bytes, " bytes are free");
  switch (engine.disk_state()) {
    case DiskState::kOk:
      return;
    case DiskState::kWarn:
      alarms->push_back(MakeAlarm(
          "DISK_WARN", absl::StrCat(free, ": free disk or lower retention before writes stop")));
      return;
    case DiskState::kSoft:
      alarms->push_back(MakeAlarm(
          "DISK_SOFT", absl::StrCat(free, ": publishes are refused, commits and deletes go on")));
      return;
    case DiskState::kHard:
      alarms->push_back(MakeAlarm("DISK_HARD", absl::StrCat(free, ": every write is refused")));
      return;
  }
}

// At most one: what has lasted longer, as the other one may wait for it.
void AddLogAlarm(const LogEngine& engine, std::vector<v1::Alarm>* alarms) {
  const LogUnderWay log = engine.UnderWay();
  const bool sync = log.sync > log.write;
  const absl::Duration lasts = sync ? log.sync : log.write;
  if (lasts < kLogStalls) return;
  alarms->push_back(MakeAlarm(
      "LOG_STALLED",
      absl::StrCat("a ", sync ? "sync" : "write", " of the log has not ended for ",
                   absl::FormatDuration(absl::Trunc(lasts, absl::Seconds(1))),
                   ": the disk does not answer, and nothing that waits for it is answered")));
}

void FillEngine(const EngineStats& stats, v1::GetStatusResponse* out) {
  out->set_events_published(stats.events_appended);
  out->set_bytes_published(stats.bytes_appended);
  out->set_duplicates(stats.duplicates);
  out->set_disk_free_bytes(stats.disk_free_bytes);
  out->set_disk_total_bytes(stats.disk_total_bytes);
  out->set_log_bytes(stats.log_bytes);
  out->set_wal_bytes(stats.wal_bytes);
  out->set_slices(stats.slices);
  out->set_tail_cache_bytes(stats.tail_cache_bytes);
  out->set_commit_queue_bytes(stats.commit_queue_bytes);
  out->set_last_group(static_cast<int64_t>(stats.last_group.value()));
  out->set_synced_group(static_cast<int64_t>(stats.synced_group.value()));
  if (stats.sync_times == nullptr) return;
  if (const auto half = stats.sync_times->Quantile(0.5); half.has_value()) {
    // No disk hangs for longer.
    const auto bounded = [](absl::Duration sync) {
      return absl::ToInt64Microseconds(std::min(sync, absl::Hours(1)));
    };
    out->set_sync_p50_us(bounded(*half));
    out->set_sync_p99_us(bounded(*stats.sync_times->Quantile(0.99)));
  }
}

}  // namespace

std::string WhyNotReady(bool open, const LogEngine& engine) {
  if (!open) return "it starts or stops";
  // Readers and publishes at level OS do not wait for a sync.
  if (engine.UnderWay().write < kLogStalls) return "";
  return "a write of the log does not end: the disk does not answer";
}

ServerStatus::ServerStatus(Deps deps) : deps_(std::move(deps)) {}

v1::GetServerResponse ServerStatus::GetServer() const {
  const ServerFacts& facts = deps_.facts;
  v1::GetServerResponse response;
  response.set_version(facts.version);
  response.set_store_id(deps_.engine.store_id());
  response.set_incarnation(deps_.engine.incarnation().value());
  SetTime(facts.start_time, response.mutable_start_time());
  response.set_grpc_address(facts.grpc_address);
  response.set_http_address(facts.http_address);
  for (const auto& [name, version] : facts.libraries) {
    v1::Library* library = response.add_libraries();
    library->set_name(name);
    library->set_version(version);
  }
  response.set_pid(facts.pid);
  response.set_insecure(facts.insecure);
  response.set_format_version(facts.format_version);
  return response;
}

v1::GetStatusResponse ServerStatus::GetStatus() const {
  const ServerFacts& facts = deps_.facts;
  const absl::Time now = deps_.engine.Now();
  v1::GetStatusResponse response;
  SetTime(now, response.mutable_server_time());
  SetDuration(now - facts.start_time, response.mutable_uptime());
  response.set_ready(WhyNotReady(!facts.open || facts.open(), deps_.engine).empty());
  response.set_topics(deps_.topics.topic_count());
  response.set_partitions(deps_.topics.partition_count());
  response.set_groups(deps_.groups.group_count());
  response.set_connections(Count(facts.connections));
  response.set_publish_streams(Count(facts.publish_streams));
  response.set_subscriptions(deps_.hub.subscription_count());
  response.set_events_delivered(deps_.hub.events_delivered());
  response.set_bytes_delivered(deps_.hub.bytes_delivered());
  FillEngine(deps_.engine.Stats(), &response);
  const IndexSize index = deps_.engine.SizeOfIndex();
  response.set_index_bytes(index.bytes);
  response.set_index_runs(index.runs);
  response.set_index_lag_events(Count(facts.index_lag_events));
  if (const auto ledger = deps_.engine.Extent(kLedgerPartition); ledger.ok()) {
    response.set_ledger_bytes(
        static_cast<int64_t>(ledger->visible_end_bytes - ledger->first_bytes));
  }
  if (deps_.scrub != nullptr) {
    if (auto run = deps_.scrub->run(); run.has_value()) *response.mutable_scrub() = *std::move(run);
  }
  if (deps_.backups != nullptr) {
    const BackupFigures backups = deps_.backups->figures();
    if (backups.newest.has_value()) SetTime(*backups.newest, response.mutable_last_backup_time());
  }
  for (v1::Alarm& alarm : Alarms()) *response.add_alarms() = std::move(alarm);
  return response;
}

std::vector<v1::Alarm> ServerStatus::Alarms() const {
  std::vector<v1::Alarm> alarms;
  if (deps_.facts.insecure) {
    alarms.push_back(MakeAlarm("INSECURE", "every listener lets everybody do everything"));
  }
  if (const absl::Duration jump = deps_.engine.ClockJump(); jump != absl::ZeroDuration()) {
    alarms.push_back(MakeAlarm(
        "CLOCK_JUMP", absl::StrCat("a jump of the wall clock by ", absl::FormatDuration(jump),
                                   " is ignored: accept it with `acta admin accept-clock`")));
  }
  if (deps_.backups != nullptr && !deps_.backups->last_error().empty()) {
    alarms.push_back(MakeAlarm("BACKUP_FAILED", deps_.backups->last_error()));
  }
  AddDiskAlarm(deps_.engine, &alarms);
  const int64_t damaged = deps_.scrub == nullptr ? 0 : deps_.scrub->damage().Count();
  if (damaged > 0) {
    alarms.push_back(MakeAlarm(
        "DATA_DAMAGED", absl::StrCat("a scrub found ", damaged, damaged == 1 ? " range" : " ranges",
                                     " of stored events damaged: `acta admin scrub` names ",
                                     damaged == 1 ? "it" : "them")));
  }
  AddLogAlarm(deps_.engine, &alarms);
  const absl::Time now = deps_.engine.Now();
  MutexLock lock(mu_);
  std::map<std::string, absl::Time> since;
  for (v1::Alarm& alarm : alarms) {
    const auto known = since_.find(alarm.code());
    absl::Time first = known == since_.end() ? now : known->second;
    if (alarm.code() == "INSECURE") first = deps_.facts.start_time;
    since[alarm.code()] = first;
    SetTime(first, alarm.mutable_since());
  }
  since_ = std::move(since);
  return alarms;
}

v1::GetLimitsResponse ServerStatus::GetLimits() const {
  const ServerFacts& facts = deps_.facts;
  const EngineStats stats = deps_.engine.Stats();
  LimitUse use;
  use.partitions = deps_.topics.partition_count();
  use.scheduled_events = deps_.schedules.waiting();
  use.groups = deps_.groups.group_count();
  use.connections = Count(facts.connections);
  use.http_connections = Count(facts.http_connections);
  use.open_files = Count(facts.open_files);
  use.waiting_fetches = deps_.hub.waiting_fetches();
  use.fetch_bytes = deps_.hub.fetch_bytes();
  use.in_flight_bytes = stats.commit_queue_bytes;
  use.tail_cache_bytes = stats.tail_cache_bytes;
  use.dedupe_bytes = stats.dedupe_bytes;
  use.slices = stats.slices + stats.indexes;
  use.disk_free_bytes = stats.disk_free_bytes;
  use.disk_total_bytes = stats.disk_total_bytes;
  v1::GetLimitsResponse response;
  for (v1::Limit& row : LimitsTable(facts.limits, use)) *response.add_limits() = std::move(row);
  return response;
}

absl::StatusOr<v1::ScrubResponse> ServerStatus::Scrub(const Caller& caller,
                                                      const v1::ScrubRequest& request) const {
  ASSIGN_OR_RETURN(const absl::Duration budget, ScrubBudget(request));
  const auto go_on = [&caller] { return CheckStopping(caller.stopping).ok(); };
  ASSIGN_OR_RETURN(const ScrubPage page, deps_.engine.Scrub({request.token(), budget, go_on}));
  v1::ScrubResponse response;
  response.set_batches(page.batches);
  response.set_bytes(page.bytes);
  response.set_next_token(page.next_token);
  for (const ScrubProblem& problem : page.problems) {
    std::string topic = NameOfDamaged(deps_.topics, problem);
    if (topic.empty()) continue;
    if (deps_.scrub != nullptr) deps_.scrub->damage().Note(problem);
    v1::DamagedBatch* damaged = response.add_damaged();
    damaged->set_topic(std::move(topic));
    damaged->set_partition(problem.partition.partition());
    damaged->set_first_offset(problem.first.value());
    damaged->set_last_offset(problem.last.value());
    damaged->set_problem(problem.problem);
  }
  return response;
}

absl::StatusOr<v1::AcceptClockResponse> ServerStatus::AcceptClock(
    const Caller& caller, const v1::AcceptClockRequest& request) const {
  RETURN_IF_ERROR(CheckReason(request.reason()));
  const absl::Duration moved = deps_.engine.AcceptClock();
  LogWarn("clock jump accepted", {{"moved", absl::FormatDuration(moved)},
                                  {"principal", caller.principal},
                                  {"reason", absl::CHexEscape(request.reason())}});
  v1::AcceptClockResponse response;
  SetTime(deps_.engine.Now(), response.mutable_server_time());
  SetDuration(moved, response.mutable_moved());
  return response;
}

absl::StatusOr<v1::SetLogLevelResponse> ServerStatus::SetLogLevel(
    const Caller& caller, const v1::SetLogLevelRequest& request) const {
  // The numbers of the enum are one above those of LogLevel.
  const auto level_now = [] {
    return static_cast<v1::LogLevel>(static_cast<int>(CurrentLogLevel()) + 1);
  };
  if (!v1::LogLevel_IsValid(request.level())) {
    return Error(v1::UNKNOWN_ENUM_VALUE,
                 absl::StrCat("level ", static_cast<int>(request.level()),
                              " is not a level of log lines; use LOG_LEVEL_DEBUG (1) to "
                              "LOG_LEVEL_ERROR (4)"),
                 {{"field", "level"}});
  }
  v1::SetLogLevelResponse response;
  response.set_previous(level_now());
  if (request.level() != v1::LOG_LEVEL_UNSPECIFIED) {
    ::acta::SetLogLevel(static_cast<LogLevel>(request.level() - 1));
    // Written whatever the level is: a log that ends says why.
    Log(LogLevel::kError, "log level changed",
        {{"from", v1::LogLevel_Name(response.previous())},
         {"to", v1::LogLevel_Name(request.level())},
         {"principal", caller.principal}});
  }
  response.set_level(level_now());
  return response;
}

}  // namespace acta
