#include "tools/acta/commands/doctor_checks.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

using State = Finding::State;

constexpr absl::Duration kClockTolerance = absl::Seconds(1);
constexpr absl::Duration kOldBackup = absl::Hours(48);
constexpr absl::Duration kSlowSync = absl::Milliseconds(100);
constexpr absl::Duration kLittleHeadroom = absl::Hours(1);
constexpr absl::Duration kLongBehind = absl::Minutes(10);
constexpr double kNearLimit = 0.8;
constexpr int64_t kIndexBehind = 1'000'000;
// What a broker keeps for itself, and for each connection; with less it takes fewer connections.
constexpr int64_t kFilesOfBroker = 3'072;
constexpr int64_t kFilesPerConnection = 2;

const v1::Alarm* AlarmOf(const v1::GetStatusResponse& status, absl::string_view code) {
  for (const v1::Alarm& alarm : status.alarms()) {
    if (alarm.code() == code) return &alarm;
  }
  return nullptr;
}

const v1::Limit* LimitOf(const v1::GetLimitsResponse& limits, absl::string_view name) {
  for (const v1::Limit& limit : limits.limits()) {
    if (limit.name() == name) return &limit;
  }
  return nullptr;
}

Finding Reached(const Examination& of) {
  Finding finding{
      "server", State::kGood,
      absl::StrCat(of.address, " (", of.from, ") answers in ", DurationText(of.round_trip), ", up ",
                   DurationText(of.status.uptime())),
      ""};
  if (of.status.ready()) return finding;
  finding.state = State::kBad;
  absl::StrAppend(&finding.found, "; it is not ready");
  finding.advice = AlarmOf(of.status, "LOG_STALLED") != nullptr
                       ? "its disk does not answer: see fsync"
                       : "it starts or stops: look at its log";
  return finding;
}

Finding Versions(const Examination& of) {
  Finding finding{"versions", State::kGood,
                  absl::StrCat("acta ", of.own_version, ", actad ", of.server.version()), ""};
  if (!of.unknown.empty()) {
    absl::StrAppend(&finding.found, ", which does not know ", absl::StrJoin(of.unknown, ", "));
  } else if (of.own_version == of.server.version()) {
    return finding;
  }
  finding.state = State::kWarn;
  finding.advice = "use the command line of the broker's version: it may know other options";
  return finding;
}

Finding ClockOf(const Examination& of) {
  const absl::Duration off = absl::AbsDuration(of.clock_ahead);
  Finding finding{
      "clock", State::kGood,
      absl::StrCat(
          "the broker's is ",
          off < absl::Milliseconds(1)
              ? "that of this machine"
              : absl::StrCat(DurationText(off),
                             of.clock_ahead > absl::ZeroDuration() ? " ahead" : " behind")),
      ""};
  if (const v1::Alarm* const jump = AlarmOf(of.status, "CLOCK_JUMP"); jump != nullptr) {
    finding = {"clock", State::kBad, jump->text(),
               "mend the machine's clock, or accept it: acta admin accept-clock"};
  } else if (off > kClockTolerance + of.round_trip) {
    finding.state = State::kWarn;
    finding.advice =
        "one of the two machines has a wrong clock: times in events differ from those "
        "of the broker";
  }
  return finding;
}

Finding Disk(const Examination& of) {
  Finding finding{"disk", State::kGood,
                  absl::StrCat(BytesText(of.status.disk_free_bytes()), " free of ",
                               BytesText(of.status.disk_total_bytes()), ", log ",
                               BytesText(of.status.log_bytes())),
                  "free disk, or lower retention: acta topic alter TOPIC --retention TIME"};
  for (const char* const code : {"DISK_HARD", "DISK_SOFT", "DISK_WARN"}) {
    const v1::Alarm* const alarm = AlarmOf(of.status, code);
    if (alarm == nullptr) continue;
    finding.state = absl::string_view(code) == "DISK_WARN" ? State::kWarn : State::kBad;
    finding.found = alarm->text();
    return finding;
  }
  finding.advice.clear();
  return finding;
}

Finding Stored(const Examination& of) {
  if (const v1::Alarm* const damaged = AlarmOf(of.status, "DATA_DAMAGED"); damaged != nullptr) {
    return {"stored events", State::kBad, damaged->text(),
            "look what the disk says of itself; a backup may have them whole: acta backup list"};
  }
  if (!of.status.has_scrub()) {
    return {"stored events", State::kGood, "no scrub has read them since the start", ""};
  }
  return {"stored events", State::kGood, "no scrub has found one damaged", ""};
}

Finding Syncs(const Examination& of) {
  if (const v1::Alarm* const stalled = AlarmOf(of.status, "LOG_STALLED"); stalled != nullptr) {
    return {"fsync", State::kBad, stalled->text(),
            "repair the disk or the way to it: dmesg has what the kernel says of it"};
  }
  if (!of.status.has_sync_p99_us()) {
    return {"fsync", State::kGood, "nothing was synced since the start", ""};
  }
  const absl::Duration half = absl::Microseconds(of.status.sync_p50_us());
  const absl::Duration most = absl::Microseconds(of.status.sync_p99_us());
  Finding finding{"fsync", State::kGood,
                  absl::StrCat("half of the syncs took at most ", DurationText(half),
                               ", 99 of 100 ", DurationText(most)),
                  ""};
  if (most <= kSlowSync) return finding;
  finding.state = State::kWarn;
  finding.advice = "acks wait for the disk: look what else writes to it, or use a faster one";
  return finding;
}

Finding Folder(const Examination& of) {
  const std::string path = ValueOf(of.config, "storage.data");
  if (!of.folder.has_value()) {
    return {"data folder", State::kGood,
            path.empty() ? "the broker does not tell"
                         : absl::StrCat(path, ", which is not seen from here"),
            ""};
  }
  if (of.folder->in_memory) {
    return {"data folder", State::kBad, absl::StrCat(path, " is in memory (tmpfs)"),
            "everything is lost when the machine ends: use a disk"};
  }
  if (of.folder->open_to_others) {
    return {"data folder", State::kWarn, absl::StrCat("others may read ", path),
            absl::StrCat("chmod 700 '", path, "'")};
  }
  return {"data folder", State::kGood, path, ""};
}

Finding Ports(const Examination& of) {
  Finding finding{
      "ports", State::kGood,
      absl::StrCat("gRPC ", of.server.grpc_address(), ", HTTP ", of.server.http_address()), ""};
  if (!of.server.insecure()) return finding;
  finding.state = State::kWarn;
  absl::StrAppend(&finding.found, "; everybody who reaches them may do everything");
  finding.advice = "listen on loopback, or let only those in who may: a firewall, a tunnel";
  return finding;
}

Finding Descriptors(const Examination& of) {
  const v1::Limit* const files = LimitOf(of.limits, "max_open_files");
  const v1::Limit* const connections = LimitOf(of.limits, "listen.max_connections");
  if (files == nullptr || connections == nullptr) {
    return {"descriptors", State::kWarn, "the broker does not tell", "use one of this version"};
  }
  Finding finding{"descriptors", State::kGood,
                  absl::StrCat(files->current(), " open of ", files->value(), ", connections ",
                               connections->current(), " of ", connections->value()),
                  ""};
  int64_t wanted = 0;
  if (!absl::SimpleAtoi(ValueOf(of.config, "listen.max_connections"), &wanted)) {
    wanted = connections->value();
  }
  const int64_t needed = kFilesOfBroker + kFilesPerConnection * wanted;
  if (files->value() >= needed) return finding;
  finding.state = State::kWarn;
  absl::StrAppend(&finding.found, "; ", wanted, " are wanted");
  finding.advice =
      absl::StrCat("allow ", needed, ": LimitNOFILE= of its unit, or ulimit -n before it starts");
  return finding;
}

// Caches and queues are meant to be full, and of the watermarks of the disk other checks tell.
bool IsMeantToFill(absl::string_view name) { return absl::StartsWith(name, "storage."); }

void AddLimits(const Examination& of, std::vector<Finding>* out) {
  bool near = false;
  for (const v1::Limit& limit : of.limits.limits()) {
    const bool counts = limit.has_current() && limit.value() > 0 && !IsMeantToFill(limit.name());
    if (!counts ||
        static_cast<double>(limit.current()) < kNearLimit * static_cast<double>(limit.value())) {
      continue;
    }
    near = true;
    const bool fixed = !absl::StrContains(limit.name(), '.');
    out->push_back(
        {"limits", State::kWarn,
         absl::StrCat(limit.name(), ": ", limit.current(), " of ", limit.value(), " ",
                      limit.unit()),
         fixed ? "what is above it is refused" : "raise it in the configuration in time"});
  }
  if (!near) out->push_back({"limits", State::kGood, "none is near", ""});
}

// Of topics that keep events for a short time: in the last fifth of it, as the alert of this name.
bool IsAboutToLose(const v1::GroupFigures& group) {
  if (!group.has_headroom() || group.lag_events() == 0) return false;
  const absl::Duration headroom = FromProtoDuration(group.headroom());
  if (headroom >= kLittleHeadroom) return false;
  return !group.has_behind() || FromProtoDuration(group.behind()) >= 4 * headroom;
}

// Empty: all is well.
Finding GroupFinding(const v1::GroupFigures& group) {
  const std::string explain = absl::StrCat("acta group explain ", group.group());
  const std::string name = absl::StrCat("group ", group.group());
  if (group.lost_events() > 0) {
    return {name, State::kBad,
            absl::StrCat("retention took ", CountText(group.lost_events(), "event"),
                         " that it had not read"),
            absl::StrCat("decide where it goes on: ", explain)};
  }
  if (IsAboutToLose(group)) {
    return {name, State::kBad,
            absl::StrCat("retention takes events that it has not read in ",
                         DurationText(group.headroom())),
            explain};
  }
  if (group.has_queue() && group.queue().dead_letters() > 0) {
    return {name, State::kWarn, CountText(group.queue().dead_letters(), "dead letter"),
            absl::StrCat("acta deadletter list ", group.group())};
  }
  if (group.paused()) {
    return {name, State::kWarn, "it is paused", absl::StrCat("acta group resume ", group.group())};
  }
  const bool shrinks = group.has_drain();
  const absl::Duration behind = FromProtoDuration(group.behind());
  if (group.lag_events() > 0 && group.members() > 0 && !shrinks && behind >= kLongBehind) {
    return {name, State::kWarn,
            group.lag_events() == 1
                ? absl::StrCat("an event waits for ", DurationText(behind))
                : absl::StrCat("the oldest of ", group.lag_events(), " events waits for ",
                               DurationText(behind), ", and they do not become fewer"),
            explain};
  }
  if (group.lag_events() > 0 && group.members() == 0) {
    return {name, State::kWarn,
            absl::StrCat(CountText(group.lag_events(), "event"),
                         group.lag_events() == 1 ? " waits" : " wait", ", and it has no members"),
            explain};
  }
  if (group.queue().held() > 0) {
    return {name, State::kWarn, absl::StrCat("it holds ", CountText(group.queue().held(), "event")),
            explain};
  }
  return {};
}

void AddGroups(const Examination& of, std::vector<Finding>* out) {
  const size_t before = out->size();
  for (const v1::GroupFigures& group : of.groups.groups()) {
    if (Finding finding = GroupFinding(group); !finding.check.empty()) {
      out->push_back(std::move(finding));
    }
  }
  if (out->size() > before) return;
  out->push_back(
      {"groups", State::kGood,
       absl::StrCat("none of ", CountText(of.groups.groups_size(), "group"), " stands still"), ""});
}

Finding Journeys(const Examination& of) {
  Finding finding{
      "journeys", State::kGood,
      absl::StrCat("the index is ", CountText(of.status.index_lag_events(), "event"), " behind"),
      ""};
  if (of.status.index_lag_events() < kIndexBehind) return finding;
  finding.state = State::kWarn;
  finding.advice = "journeys miss what is newer: it catches up when less is published";
  return finding;
}

Finding BackupOf(const Examination& of) {
  const v1::GetStatusResponse& status = of.status;
  if (ValueOf(of.config, "storage.backup_dir").empty()) {
    return {"backup", State::kGood, "none is made here (storage.backup_dir is not set)", ""};
  }
  for (const v1::Alarm& alarm : status.alarms()) {
    if (alarm.code() == "BACKUP_FAILED") {
      return {"backup", State::kBad, absl::StrCat("the last one failed: ", alarm.text()),
              "mend that, then: acta backup create"};
    }
  }
  if (!status.has_last_backup_time()) {
    return {"backup", State::kWarn, "there is none yet", "acta backup create"};
  }
  const absl::Duration age =
      FromProtoTime(status.server_time()) - FromProtoTime(status.last_backup_time());
  Finding finding{"backup", State::kGood, absl::StrCat("the newest is ", DurationText(age), " old"),
                  ""};
  if (age <= kOldBackup) return finding;
  finding.state = State::kWarn;
  finding.advice = "see what should have made one since, and: acta backup create";
  return finding;
}

}  // namespace

std::string ValueOf(const v1::GetConfigResponse& config, absl::string_view name) {
  for (const v1::Property& property : config.properties()) {
    if (property.name() == name) return property.value();
  }
  return "";
}

absl::string_view StateText(State state) {
  switch (state) {
    case State::kGood:
      return "ok";
    case State::kWarn:
      return "warn";
    case State::kBad:
      return "BAD";
  }
  return "";
}

std::string FindingsText(const std::vector<Finding>& findings) {
  size_t width = 0;
  for (const Finding& finding : findings) width = std::max(width, finding.check.size());
  std::string text;
  for (const Finding& finding : findings) {
    absl::StrAppend(&text, absl::StrFormat("%-4s  %-*s  %s\n", StateText(finding.state),
                                           static_cast<int>(width), Plain(finding.check),
                                           Plain(finding.found)));
    if (finding.advice.empty()) continue;
    absl::StrAppend(&text, std::string(width + 8, ' '), "-> ", Plain(finding.advice), "\n");
  }
  return text;
}

std::vector<Finding> Examine(const Examination& of) {
  std::vector<Finding> findings = {Reached(of), Versions(of), ClockOf(of),
                                   Ports(of),   Folder(of),   Disk(of),
                                   Stored(of),  Syncs(of),    Descriptors(of)};
  AddLimits(of, &findings);
  AddGroups(of, &findings);
  findings.push_back(Journeys(of));
  findings.push_back(BackupOf(of));
  return findings;
}

Finding ExamineUnreachable(absl::string_view address, absl::string_view from,
                           const absl::Status& status) {
  Finding finding{"server", State::kBad, absl::StrCat(address, " (", from, "): ", status.message()),
                  ""};
  if (absl::StrContains(status.message(), "refused")) {
    finding.advice =
        "nothing listens there: start the broker (actad --data DIR), or name another "
        "with --server or a context";
  } else if (absl::StrContains(status.message(), "DNS") ||
             absl::StrContains(status.message(), "not found")) {
    finding.advice = "nobody knows this name: correct it, or the name server's entry";
  } else if (absl::StrContains(status.message(), "http1") ||
             absl::StrContains(status.message(), "HTTP")) {
    finding.advice =
        "another program listens there: the port of gRPC is 7450 unless it was changed";
  } else {
    finding.advice = "it is silent: a firewall in between, or a machine that is down";
  }
  return finding;
}

}  // namespace acta::cli
