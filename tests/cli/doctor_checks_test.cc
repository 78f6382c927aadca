#include <map>
#include <string>

#include "tests/support/status_matchers.h"
#include "tools/acta/commands/doctor_checks.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

using State = Finding::State;

void AddLimit(Examination* of, const std::string& name, int64_t value, int64_t current) {
  v1::Limit* const limit = of->limits.add_limits();
  limit->set_name(name);
  limit->set_value(value);
  limit->set_current(current);
  limit->set_unit("things");
}

Examination Healthy() {
  Examination of;
  of.address = "127.0.0.1:7450";
  of.from = "default";
  of.own_version = "0.1.0";
  of.round_trip = absl::Milliseconds(2);
  of.server.set_version("0.1.0");
  of.server.set_grpc_address("127.0.0.1:7450");
  of.status.set_ready(true);
  of.status.set_disk_free_bytes(int64_t{50} << 30);
  of.status.set_disk_total_bytes(int64_t{100} << 30);
  of.status.set_sync_p50_us(250);
  of.status.set_sync_p99_us(100'000);
  v1::Property* const data = of.config.add_properties();
  data->set_name("storage.data");
  data->set_value("/var/lib/acta");
  of.folder.emplace();
  AddLimit(&of, "max_open_files", 3'072 + 2 * 4'096, 100);
  AddLimit(&of, "listen.max_connections", 4'096, 3'276);
  AddLimit(&of, "storage.tail_cache", 100, 100);  // It is meant to be full.
  v1::GroupFigures* const group = of.groups.add_groups();
  group->set_group("billing");
  group->set_members(1);
  group->set_lag_events(10);
  return of;
}

// Those that are not good, by check.
std::map<std::string, Finding> Complaints(const Examination& of) {
  std::map<std::string, Finding> found;
  for (const Finding& finding : Examine(of)) {
    CHECK(finding.advice.empty() == (finding.state == State::kGood));
    if (finding.state != State::kGood) found[finding.check] = finding;
  }
  return found;
}

// The one complaint there is.
Finding Complaint(const Examination& of) {
  const auto found = Complaints(of);
  REQUIRE(found.size() == 1);
  return found.begin()->second;
}

void RaiseAlarm(Examination* of, const std::string& code) {
  v1::Alarm* const alarm = of->status.add_alarms();
  alarm->set_code(code);
  alarm->set_text("alarmed");
}

TEST_CASE("backups are looked at where they are made", "[cli]") {
  Examination of = Healthy();
  v1::Property* const folder = of.config.add_properties();
  folder->set_name("storage.backup_dir");
  CHECK(Complaints(of).empty());
  folder->set_value("/var/backups/acta");
  CHECK(Complaint(of).advice == "acta backup create");
  of.status.mutable_server_time()->set_seconds(1'000'000);
  of.status.mutable_last_backup_time()->set_seconds(1'000'000 - 47 * 3600);
  CHECK(Complaints(of).empty());
  of.status.mutable_last_backup_time()->set_seconds(1'000'000 - 49 * 3600);
  CHECK(Complaint(of).state == State::kWarn);
  CHECK(Complaint(of).found == "the newest is 2d1h old");
  RaiseAlarm(&of, "BACKUP_FAILED");
  const Finding failed = Complaints(of).at("backup");
  CHECK(failed.state == State::kBad);
  CHECK(failed.found == "the last one failed: alarmed");
}

TEST_CASE("a broker that is well has nothing to complain of", "[cli]") {
  CHECK(Complaints(Healthy()).empty());
  Examination elsewhere = Healthy();
  elsewhere.folder.reset();
  elsewhere.status.clear_sync_p50_us();
  elsewhere.status.clear_sync_p99_us();
  CHECK(Complaints(elsewhere).empty());
}

// On another machine, or in a folder that only the broker may enter.
TEST_CASE("of a data folder that is not seen no more is said than that", "[cli]") {
  const auto found = [](const Examination& of) {
    std::string text;
    for (const Finding& finding : Examine(of)) {
      if (finding.check == "data folder") text = finding.found;
    }
    return text;
  };
  Examination of = Healthy();
  of.folder.reset();
  CHECK(found(of) == "/var/lib/acta, which is not seen from here");
  of.config.Clear();
  CHECK(found(of) == "the broker does not tell");
}

TEST_CASE("damage of what is stored is found", "[cli]") {
  Examination of = Healthy();
  of.status.mutable_scrub();
  CHECK(Complaints(of).empty());
  RaiseAlarm(&of, "DATA_DAMAGED");
  CHECK(Complaint(of).check == "stored events");
  CHECK(Complaint(of).state == State::kBad);
}

TEST_CASE("a log that stalls is found, also where nothing was synced yet", "[cli]") {
  Examination of = Healthy();
  RaiseAlarm(&of, "LOG_STALLED");
  const bool synced = GENERATE(true, false);
  if (!synced) {
    of.status.clear_sync_p50_us();
    of.status.clear_sync_p99_us();
  }
  CHECK(Complaint(of).check == "fsync");
  CHECK(Complaint(of).state == State::kBad);
  CHECK(Complaint(of).found == "alarmed");
}

TEST_CASE("a broker of another version is looked at as far as it answers", "[cli]") {
  Examination of = Healthy();
  of.groups.Clear();
  of.unknown = {"MeasureGroups"};
  CHECK(Complaint(of).found == "acta 0.1.0, actad 0.1.0, which does not know MeasureGroups");
}

TEST_CASE("a group whose members do not keep up is found", "[cli]") {
  Examination of = Healthy();
  v1::GroupFigures& group = *of.groups.mutable_groups(0);
  group.mutable_behind()->set_seconds(599);
  CHECK(Complaints(of).empty());
  group.mutable_behind()->set_seconds(600);
  CHECK(Complaint(of).found ==
        "the oldest of 10 events waits for 10m, and they do not become fewer");
  group.mutable_drain()->set_seconds(60);
  CHECK(Complaints(of).empty());
}

TEST_CASE("what is wrong with the broker itself is found", "[cli]") {
  Examination of = Healthy();
  of.status.set_ready(false);
  CHECK(Complaint(of).state == State::kBad);
  CHECK(Complaint(of).advice == "it starts or stops: look at its log");
  RaiseAlarm(&of, "LOG_STALLED");
  CHECK(Complaints(of).at("server").advice == "its disk does not answer: see fsync");
  of = Healthy();
  of.own_version = "0.2.0";
  CHECK(Complaint(of).found == "acta 0.2.0, actad 0.1.0");
  of = Healthy();
  of.server.set_insecure(true);
  CHECK(Complaint(of).check == "ports");
  of = Healthy();
  of.status.set_index_lag_events(1'000'000);
  CHECK(Complaint(of).check == "journeys");
}

TEST_CASE("a clock that is off by more than the call took is found", "[cli]") {
  Examination of = Healthy();
  of.clock_ahead = absl::Milliseconds(1'002);
  CHECK(Complaints(of).empty());
  of.clock_ahead = -absl::Milliseconds(1'003);
  CHECK(Complaint(of).check == "clock");
  CHECK(Complaint(of).found == "the broker's is 1.003s behind");
  RaiseAlarm(&of, "CLOCK_JUMP");
  CHECK(Complaint(of).state == State::kBad);
  CHECK(Complaint(of).advice.find("acta admin accept-clock") != std::string::npos);
}

TEST_CASE("disk, syncs and folder are found", "[cli]") {
  for (const auto& [code, state] : std::map<std::string, State>{
           {"DISK_WARN", State::kWarn}, {"DISK_SOFT", State::kBad}, {"DISK_HARD", State::kBad}}) {
    Examination of = Healthy();
    RaiseAlarm(&of, code);
    CHECK(Complaint(of).check == "disk");
    CHECK(Complaint(of).state == state);
  }
  Examination of = Healthy();
  of.status.set_sync_p99_us(100'001);
  CHECK(Complaint(of).check == "fsync");
  of = Healthy();
  of.folder->in_memory = true;
  CHECK(Complaint(of).state == State::kBad);
  of = Healthy();
  of.folder->open_to_others = true;
  CHECK(Complaint(of).advice == "chmod 700 '/var/lib/acta'");
}

TEST_CASE("limits that are near and too few descriptors are found", "[cli]") {
  Examination of = Healthy();
  of.limits.mutable_limits(1)->set_current(3'277);  // 80 %.
  CHECK(Complaint(of).found == "listen.max_connections: 3277 of 4096 things");
  of = Healthy();
  of.limits.mutable_limits(0)->set_value(3'072 + 2 * 4'096 - 1);
  CHECK(Complaint(of).check == "descriptors");
  of = Healthy();
  // The broker takes as many as there are descriptors for.
  of.limits.mutable_limits(0)->set_value(4'096);
  of.limits.mutable_limits(1)->set_value(512);
  of.limits.mutable_limits(1)->set_current(1);
  v1::Property* const configured = of.config.add_properties();
  configured->set_name("listen.max_connections");
  configured->set_value("4096");
  CHECK(Complaint(of).found == "100 open of 4096, connections 1 of 512; 4096 are wanted");
  CHECK(Complaint(of).advice ==
        "allow 11264: LimitNOFILE= of its unit, or ulimit -n before it starts");
  of = Healthy();
  of.limits.clear_limits();
  CHECK(Complaint(of).check == "descriptors");
}

TEST_CASE("groups that stand still are found, each once, with what to do", "[cli]") {
  const auto complaint_of = [](auto change) {
    Examination of = Healthy();
    change(of.groups.mutable_groups(0));
    return Complaint(of);
  };
  using Group = v1::GroupFigures*;
  CHECK(complaint_of([](Group group) { group->set_lost_events(3); }).state == State::kBad);
  CHECK(complaint_of([](Group group) { group->set_lost_events(3); }).advice ==
        "decide where it goes on: acta group explain billing");
  CHECK(complaint_of([](Group group) {
          *group->mutable_headroom() = ToProtoDuration(absl::Minutes(59));
        }).state == State::kBad);
  CHECK(complaint_of([](Group group) { group->mutable_queue()->set_dead_letters(2); }).advice ==
        "acta deadletter list billing");
  CHECK(complaint_of([](Group group) { group->set_paused(true); }).advice ==
        "acta group resume billing");
  CHECK(complaint_of([](Group group) { group->set_members(0); }).found ==
        "10 events wait, and it has no members");
  CHECK(complaint_of([](Group group) { group->mutable_queue()->set_held(1); }).check ==
        "group billing");
  Examination of = Healthy();
  of.groups.mutable_groups(0)->set_lag_events(0);
  of.groups.mutable_groups(0)->set_members(0);
  *of.groups.mutable_groups(0)->mutable_headroom() = ToProtoDuration(absl::Minutes(59));
  CHECK(Complaints(of).empty());
}

TEST_CASE("of events that are kept for a short time a group may take the most of it", "[cli]") {
  Examination of = Healthy();
  v1::GroupFigures& group = *of.groups.mutable_groups(0);
  *group.mutable_behind() = ToProtoDuration(absl::Minutes(7));
  *group.mutable_headroom() = ToProtoDuration(absl::Minutes(3));
  CHECK(Complaints(of).empty());
  *group.mutable_behind() = ToProtoDuration(absl::Minutes(8));
  *group.mutable_headroom() = ToProtoDuration(absl::Minutes(2));
  CHECK(Complaint(of).state == State::kBad);
}

TEST_CASE("what a broker says of itself commands no terminal", "[cli]") {
  CHECK(FindingsText({{"versions", State::kGood, "actad 0.1.0\x1b[2J", ""},
                      {"disk", State::kBad, "it is\r\nfull", "free\x07 some"}}) ==
        "ok    versions  actad 0.1.0?[2J\n"
        "BAD   disk      it is??full\n"
        "                -> free? some\n");
}

TEST_CASE("of a broker that does not answer it is told what to try", "[cli]") {
  const auto advice = [](const char* message) {
    const Finding finding =
        ExamineUnreachable("h:1", "context prod", absl::UnavailableError(message));
    CHECK(finding.state == State::kBad);
    CHECK(finding.found == std::string("h:1 (context prod): ") + message);
    return finding.advice;
  };
  CHECK(advice("Connection refused").find("actad --data DIR") != std::string::npos);
  CHECK(advice("DNS resolution failed for h").find("name") != std::string::npos);
  CHECK(advice("Trying to connect an http1.x server").find("7450") != std::string::npos);
  CHECK(advice("Deadline Exceeded").find("firewall") != std::string::npos);
}

}  // namespace
}  // namespace acta::cli
