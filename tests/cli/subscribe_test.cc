#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tools/acta/subscribe/command_pool.h"
#include "tools/acta/subscribe/command_verdict.h"
#include "tools/acta/subscribe/end_offsets.h"
#include "tools/acta/subscribe/last_line.h"
#include "tools/acta/subscribe/running_leases.h"
#include "tools/acta/subscribe/shell_command.h"

namespace acta::cli {
namespace {

TEST_CASE("reading ends when every partition that has an end is at it", "[cli]") {
  EndOffsets ends;
  CHECK_FALSE(ends.bounded());
  CHECK_FALSE(ends.AllReached());
  ends.Set("t", 0, 10);
  ends.Set("t", 1, 0);
  CHECK(ends.Wants("t", 0, 9));
  CHECK_FALSE(ends.Wants("t", 0, 10));
  CHECK(ends.Wants("other", 0, 10));
  ends.Advance("t", 0, 9);
  ends.Advance("t", 1, 0);
  ends.Advance("other", 0, 99);
  CHECK_FALSE(ends.AllReached());
  ends.Advance("t", 0, 10);
  ends.Advance("t", 0, 11);
  CHECK(ends.AllReached());
}

TEST_CASE("a command sees the event and its failure is an error", "[cli]") {
  v1::Event event;
  event.set_id("7");
  const EventPlace place = {"orders", 1, 9, 0};
  CHECK_OK(RunShellCommand("read line; test \"$line\" = x -a $ACTA_OFFSET = 9 -a $ACTA_ID = 7",
                           "x\n", event, place));
  CHECK_OK(RunShellCommand("true", std::string(1 << 20, 'x'), event, place));
  CHECK(RunShellCommand("exit 3", "", event, place).message() ==
        "the command exited with 3 at orders/1 offset 9");
}

CommandEnd EndOf(const std::string& text) {
  ShellCommand command;
  command.command = text;
  command.keep_last_line = command.own_group = true;
  const absl::StatusOr<CommandEnd> end = RunShell(command);
  REQUIRE_OK(end);
  return *end;
}

// "NACK exit-3: no room".
std::string Verdict(const std::string& command) {
  const v1::Settlement verdict = VerdictOf(EndOf(command));
  return absl::StrCat(
      v1::SettleKind_Name(verdict.kind()).substr(std::string("SETTLE_KIND_").size()), " ",
      verdict.reason(), ": ", verdict.text());
}

TEST_CASE("how a command ends says what becomes of its event", "[cli]") {
  CHECK(Verdict("true") == "ACK : ");
  CHECK(Verdict("echo noise >&2") == "ACK : ");
  CHECK(Verdict("echo later >&2; exit 75") == "NACK : later");
  CHECK(Verdict("echo one >&2; echo two >&2; echo >&2; exit 65") == "REJECT : two");
  CHECK(Verdict("printf 'no room' >&2; exit 3") == "NACK exit-3: no room");
  CHECK(Verdict("echo dying >&2; kill -9 $$") == "NACK signal-9: dying");
  CHECK(Verdict("no-such-command 2>/dev/null") == "RELEASE : ");
  CHECK(Verdict("/dev/null 2>/dev/null") == "RELEASE : ");
}

TEST_CASE("a command finds the whole envelope in its environment", "[cli]") {
  v1::Event event;
  event.set_key("k");
  event.set_type("OrderPlaced");
  event.set_source("/shop");
  event.set_subject("order/7");
  event.set_time_us(1'700'000'000'000'000);
  event.set_correlation_id("c-1");
  event.set_causation_id("e-6");
  event.set_process("ordering");
  event.set_schema("urn:order:2");
  event.set_content_type("application/json");
  event.set_traceparent("00-1-2-01");
  event.set_expires_at_us(1'700'000'060'000'000);
  for (const char* id : {"7", "8"}) {
    v1::Affected& affected = *event.add_affected();
    affected.set_kind("user");
    affected.set_id(id);
  }
  (*event.mutable_attributes())["region.of-sale"] = "north west";
  CHECK_OK(RunShellCommand(
      "test \"$ACTA_KEY $ACTA_TYPE $ACTA_SOURCE $ACTA_SUBJECT $ACTA_CORRELATION_ID "
      "$ACTA_CAUSATION_ID $ACTA_PROCESS $ACTA_SCHEMA $ACTA_CONTENT_TYPE $ACTA_TRACEPARENT "
      "$ACTA_ATTRIBUTE_REGION_OF_SALE\" = 'k OrderPlaced /shop order/7 c-1 e-6 ordering "
      "urn:order:2 "
      "application/json 00-1-2-01 north west' -a \"$ACTA_TIME\" = 2023-11-14T22:13:20Z "
      "-a \"$ACTA_EXPIRES_AT\" = 2023-11-14T22:14:20Z "
      "-a \"$(echo $ACTA_AFFECTED)\" = 'user:7 user:8'",
      "", event, {"orders", 1, 9, 0, ""}));
}

TEST_CASE("what is too long for an environment is left out of it", "[cli]") {
  v1::Event event;
  event.set_source(std::string(64 << 10, 's'));
  event.add_affected()->set_id(std::string(200 << 10, 'x'));
  CHECK_OK(RunShellCommand("test ${#ACTA_SOURCE} = 65536 -a -z \"$ACTA_AFFECTED\"", "", event,
                           {"orders", 1, 9, 0}));
}

TEST_CASE("a command is not waited for by what it leaves running", "[cli]") {
  const TempDir dir;
  const std::string go_on = dir.File("go_on"), over = dir.File("over");
  // It has the standard error of the command, half a minute or until it is told to end.
  const std::string left = absl::StrCat("{ for i in $(seq 3000); do test -e ", go_on,
                                        " && break; sleep 0.01; done; echo >", over, "; }");
  CHECK(EndOf(absl::StrCat("echo left >&2; ", left, " >/dev/null & exit 4")).exit_code == 4);
  CHECK_FALSE(std::filesystem::exists(over));
  std::ofstream(go_on) << "x";
  for (int looks = 0; looks < 60'000 && !std::filesystem::exists(over); ++looks) {
    absl::SleepFor(absl::Milliseconds(1));
  }
  CHECK(std::filesystem::exists(over));
}

TEST_CASE("what a command adds to its environment wins", "[cli]") {
  ShellCommand command;
  command.command = "test \"$ACTA_ATTEMPT\" = 2 -a -n \"$PATH\" -a \"$HOME\" = here";
  command.variables = {{"ACTA_ATTEMPT", "2"}, {"HOME", "here"}};
  CHECK(RunShell(command)->exit_code == 0);
}

TEST_CASE("the last line is found whatever the pieces", "[cli]") {
  LastLine lines;
  CHECK(lines.line().empty());
  for (const char* piece : {"on", "e\ntw", "o\r\n", "\n  \n"}) lines.Add(piece);
  CHECK(lines.line() == "two");
  lines.Add("thr");
  CHECK(lines.line() == "thr");
  lines.Add(std::string(10'000, 'x') + "\nlast");
  CHECK(lines.line() == "last");
  lines.Add(std::string(10'000, 'x'));
  CHECK(lines.line().size() == 4096);
}

TEST_CASE("a text is cut between characters and made UTF-8", "[cli]") {
  CHECK(Utf8Front("abc", 3) == "abc");
  CHECK(Utf8Front("ab\xC3\xB6", 3) == "ab");
  CHECK(Utf8Front("ab\xC3\xB6", 4) == "ab\xC3\xB6");
  CHECK(Utf8Front("a\xFF\xC3z", 9) == "a??z");
  CommandEnd end;
  end.exit_code = 65;
  end.last_line = std::string(1'023, 'a') + "\xC3\xB6";
  CHECK(VerdictOf(end).text() == std::string(1'023, 'a'));
}

TEST_CASE("a pool runs as many commands at once as it may", "[cli]") {
  Mutex mu;
  std::map<int64_t, int> ended;
  const SystemClock clock;
  {
    CommandPool pool(
        2,
        [&](const EventPlace& place, const absl::StatusOr<CommandEnd>& end) {
          MutexLock lock(mu);
          ended[place.offset] = end->exit_code;
        },
        clock);
    const TempDir dir;
    // Each waits until the other has begun.
    const std::string meet = absl::StrCat("touch ", dir.File("$A"), "; until test -e ",
                                          dir.File("$B"), "; do sleep 0.01; done; exit $A");
    CHECK(pool.WaitForRoom(absl::ZeroDuration()));
    pool.Run({"t", 0, 1, 0}, {meet, "", {{"A", "1"}, {"B", "2"}}});
    CHECK(pool.WaitForRoom(absl::ZeroDuration()));
    pool.Run({"t", 0, 2, 0}, {meet, "", {{"A", "2"}, {"B", "1"}}});
    CHECK(pool.WaitUntilIdle(absl::Seconds(60)));
    pool.Run({"t", 0, 3, 0}, {"exit 3", "", {}});
  }
  CHECK(ended == std::map<int64_t, int>{{1, 1}, {2, 2}, {3, 3}});
}

// Whenever somebody looks 50 ms have passed, and the wall clock was set back by an hour.
class SetBackClock final : public Clock {
 public:
  absl::Time Wall() const override {
    clock_.Jump(-absl::Hours(1));
    return clock_.Wall();
  }
  absl::Duration SinceBoot() const override {
    clock_.Advance(absl::Milliseconds(50));
    return clock_.SinceBoot();
  }

 private:
  mutable FakeClock clock_;
};

TEST_CASE("a pool is waited for no longer when the clock is set back", "[cli]") {
  const TempDir dir;
  const SetBackClock clock;
  CommandPool pool(
      1, [](const EventPlace&, const absl::StatusOr<CommandEnd>&) {}, clock);
  const std::string go_on = dir.File("go_on");
  pool.Run({"t", 0, 1, 0},
           {absl::StrCat("for i in $(seq 300); do test -e ", go_on, " && exit; sleep 0.01; done"),
            "",
            {}});
  CHECK_FALSE(pool.WaitForRoom(absl::Milliseconds(50)));
  std::ofstream(go_on) << "x";
}

TEST_CASE("leases are extended in time when the clock is set back", "[cli]") {
  using Places = std::vector<RunningLeases::Place>;
  const RunningLeases::Place whole = {"t", 0, 1}, old = {"t", 0, 2}, over = {"t", 1, 0};
  FakeClock clock;
  RunningLeases leases(clock, absl::Seconds(30));
  leases.Begin(whole, absl::Seconds(30));
  leases.Begin(old, absl::Seconds(6));
  // By the clock here, which is not the broker's.
  leases.Begin(over, -absl::Minutes(5));
  clock.Jump(-absl::Hours(1));
  CHECK(leases.TakeDue().empty());
  clock.Advance(absl::Seconds(1));
  CHECK(leases.TakeDue() == Places{over});
  clock.Advance(absl::Seconds(1));
  CHECK(leases.TakeDue() == Places{old});
  leases.End(over);
  CHECK_FALSE(leases.Contains(over));
  clock.Advance(absl::Seconds(8));
  CHECK(leases.TakeDue() == Places{whole});
  clock.Advance(absl::Seconds(2));
  CHECK(leases.TakeDue() == Places{old});
}

}  // namespace
}  // namespace acta::cli
