#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <thread>

#include "absl/time/clock.h"
#include "acta/v1/admin.pb.h"
#include "acta/v1/groups.pb.h"
#include "proto/support/error.h"
#include "tests/support/status_matchers.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/output.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

// What one Print writes in this format.
std::string Printed(const std::string& format, const google::protobuf::Message& message,
                    const Table& table) {
  char* text = nullptr;
  size_t size = 0;
  FILE* file = open_memstream(&text, &size);
  REQUIRE_OK((*MakeOutput(format, file))->Print({&message}, table));
  std::fclose(file);
  const std::string out(text, size);
  free(text);
  return out;
}

Table SampleTable() {
  Table table({"TOPIC", "LAG", "MEMBER"});
  table.Row("orders", 7, "-");
  table.Row(
      "gr\xC3\xB6\xC3\x9F"
      "e",
      1200, "a,b");
  table.Total("total", 1207, "");
  return table;
}

TEST_CASE("a table aligns text to the left and numbers to the right", "[cli]") {
  CHECK(Printed("table", v1::GetLagResponse(), SampleTable()) ==
        "TOPIC    LAG  MEMBER\n"
        "orders     7  -\n"
        "gr\xC3\xB6\xC3\x9F"
        "e   1200  a,b\n"
        "total   1207\n");
}

TEST_CASE("what others wrote into a table moves no cursor and begins no line", "[cli]") {
  Table table({"TEXT", "APP"});
  table.Row("\x1b[2J\nx", "\xC2\x9B\x31m");
  table.Row("gr\xC3\xB6\xC3\x9F", "a");
  CHECK(Printed("table", v1::GetLagResponse(), table) ==
        "TEXT    APP\n"
        "?[2J?x  ?1m\n"
        "gr\xC3\xB6\xC3\x9F    a\n");
  // For programs it is what it was.
  CHECK(Printed("csv", v1::GetLagResponse(), table) ==
        "TEXT,APP\n\"\x1b[2J\nx\",\xC2\x9B\x31m\ngr\xC3\xB6\xC3\x9F,a\n");
}

TEST_CASE("CSV has no total and quotes what needs it", "[cli]") {
  CHECK(Printed("csv", v1::GetLagResponse(), SampleTable()) ==
        "TOPIC,LAG,MEMBER\norders,7,-\ngr\xC3\xB6\xC3\x9F"
        "e,1200,\"a,b\"\n");
}

TEST_CASE("JSON is the message with its plain fields, integers of 64 bits as text", "[cli]") {
  v1::ResetOffsetsResponse response;
  v1::OffsetChange* change = response.add_changes();
  change->set_topic("t");
  change->set_new_offset(int64_t{1} << 60);
  CHECK(Printed("json", response, SampleTable()) ==
        "{\"changes\":[{\"topic\":\"t\",\"partition\":0,\"oldOffset\":\"0\","
        "\"newOffset\":\"1152921504606846976\"}],\"dryRun\":false}\n");
}

TEST_CASE("several messages become one document", "[cli]") {
  v1::ResetOffsetsResponse reset;
  v1::GetGroupResponse group;
  group.mutable_group()->set_name("g");
  const std::string merged = *MergedJson({&reset, &group});
  CHECK(merged.find("\"changes\":[],\"dryRun\":false,\"group\":{\"name\":\"g\"") == 1);
  CHECK(*MergedJson({}) == "{}");
}

TEST_CASE("a document has each name once: of fields of one name the last", "[cli]") {
  v1::GetStatusResponse status;
  status.set_groups(2);
  status.set_connections(1);
  v1::MeasureGroupsResponse groups;
  groups.add_groups()->set_group("billing");
  const std::string merged = *MergedJson({&status, &groups});
  CHECK(merged.find("\"connections\":\"1\"") != std::string::npos);
  CHECK(merged.find("\"groups\":[{\"group\":\"billing\"") != std::string::npos);
  CHECK(merged.find("\"groups\"") == merged.rfind("\"groups\""));
}

TEST_CASE("a message that has no JSON is an error, and nothing is printed of it", "[cli]") {
  v1::PauseGroupResponse paused;
  paused.mutable_group()->mutable_pause()->mutable_until()->set_seconds(int64_t{1'700'000'000'000});
  CHECK_FALSE(MergedJson({&paused}).ok());
  char* text = nullptr;
  size_t size = 0;
  FILE* file = open_memstream(&text, &size);
  CHECK_FALSE((*MakeOutput("json", file))->Print({&paused}, SampleTable()).ok());
  std::fclose(file);
  CHECK(size == 0);
  free(text);
}

// Until nothing more has room in it.
void AwaitFull(int pipe) {
  int waiting = 0;
  while (waiting < fcntl(pipe, F_GETPIPE_SZ)) ioctl(pipe, FIONREAD, &waiting);
}

std::string ReadToEnd(int pipe) {
  std::string all;
  char buffer[4096];
  for (ssize_t size; (size = read(pipe, buffer, sizeof(buffer))) > 0;) {
    all.append(buffer, static_cast<size_t>(size));
  }
  return all;
}

TEST_CASE("a signal does not cut short what is written to somebody slow", "[cli]") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  FILE* const file = fdopen(ends[1], "w");
  struct sigaction before = {};
  struct sigaction noticed = {};
  noticed.sa_handler = [](int) {};  // Without SA_RESTART.
  REQUIRE(sigaction(SIGUSR1, &noticed, &before) == 0);
  std::string text(1 << 20, 'x');
  for (size_t i = 0; i < text.size(); i += 100) text[i] = static_cast<char>('a' + i / 100 % 26);
  std::string read_back;
  std::thread reader([&, writer = pthread_self()] {
    AwaitFull(ends[0]);
    for (int i = 0; i < 50; ++i) {
      pthread_kill(writer, SIGUSR1);
      absl::SleepFor(absl::Milliseconds(1));
    }
    read_back = ReadToEnd(ends[0]);
  });
  const absl::Status written = WriteAll(file, text);
  std::fclose(file);
  reader.join();
  close(ends[0]);
  sigaction(SIGUSR1, &before, nullptr);
  CHECK_OK(written);
  CHECK((read_back == text));
}

TEST_CASE("an output that does not block is waited for", "[cli]") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  REQUIRE(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
  FILE* const file = fdopen(ends[1], "w");
  const std::string text(1 << 20, 'x');
  std::string read_back;
  std::thread reader([&] {
    AwaitFull(ends[0]);
    read_back = ReadToEnd(ends[0]);
  });
  const absl::Status written = WriteAll(file, text);
  std::fclose(file);
  reader.join();
  close(ends[0]);
  CHECK_OK(written);
  CHECK((read_back == text));
}

TEST_CASE("an unknown output is a usage error", "[cli]") {
  CHECK(ExitStatusOf(MakeOutput("yaml", stdout).status()) == kExitUsage);
}

TEST_CASE("durations and bytes are said shortly", "[cli]") {
  CHECK(DurationText(absl::ZeroDuration()) == "0s");
  CHECK(DurationText(absl::Hours(168)) == "7d");
  CHECK(DurationText(absl::Minutes(90) + absl::Seconds(5)) == "1h30m");
  CHECK(DurationText(absl::Milliseconds(1500)) == "1.5s");
  CHECK(DurationText(absl::Microseconds(59'999'900)) == "59.999s");
  CHECK(DurationText(absl::Microseconds(2'500)) == "2.5ms");
  CHECK(DurationText(absl::Microseconds(12'008)) == "12.008ms");
  CHECK(DurationText(absl::Milliseconds(250)) == "250ms");
  CHECK(DurationText(absl::Microseconds(326)) == "326us");
  CHECK(DurationText(absl::Nanoseconds(326)) == "0s");
  CHECK(DurationText(-absl::Microseconds(2'500)) == "-2.5ms");
  CHECK(DurationText(absl::Hours(24) + absl::Seconds(1)) == "1d");
  CHECK(DurationText(-absl::Seconds(2)) == "-2s");
  CHECK(BytesText(17) == "17 B");
  CHECK(BytesText(1536) == "1.5 KiB");
  CHECK(BytesText(int64_t{5} << 30) == "5.0 GiB");
}

TEST_CASE("a time is said to the second, or to the millisecond", "[cli]") {
  const auto time = ToProtoTime(absl::FromUnixMicros(1'517'363'399'650'999));
  CHECK(TimeText(time) == "2018-01-31 01:49:59Z");
  CHECK(MillisTimeText(time) == "2018-01-31 01:49:59.650Z");
  CHECK(MillisTimeText(ToProtoTime(absl::FromUnixSeconds(1'517'363'399))) ==
        "2018-01-31 01:49:59.000Z");
  CHECK(MillisTimeText(google::protobuf::Timestamp()) == "-");
}

TEST_CASE("exit codes tell a script what to do", "[cli]") {
  CHECK(ExitStatusOf(absl::OkStatus()) == 0);
  CHECK(ExitStatusOf(absl::UnknownError("")) == 1);
  CHECK(ExitStatusOf(UsageError("")) == 2);
  CHECK(ExitStatusOf(Error(v1::INVALID_NAME, "")) == 2);
  CHECK(ExitStatusOf(Error(v1::TOPIC_NOT_FOUND, "")) == 3);
  CHECK(ExitStatusOf(Error(v1::TOPIC_ALREADY_EXISTS, "")) == 4);
  CHECK(ExitStatusOf(Error(v1::FENCED, "")) == 4);
  CHECK(ExitStatusOf(Error(v1::PERMISSION_DENIED, "")) == 4);
  CHECK(ExitStatusOf(Error(v1::SERVER_STOPPING, "")) == 5);
  CHECK(ExitStatusOf(Error(v1::PUBLISH_QUEUE_FULL, "")) == 5);
  CHECK(ExitStatusOf(absl::DeadlineExceededError("")) == 5);
  CHECK(ExitStatusOf(PartlyDoneError("")) == 6);
}

TEST_CASE("the first error counts, and output that nobody reads hides none", "[cli]") {
  const absl::Status partly = PartlyDoneError("1 of 2");
  const absl::Status lost = absl::UnavailableError("gone");
  CHECK(FirstError(partly, lost) == partly);
  CHECK(FirstError(partly, OutputClosedError()) == partly);
  CHECK(FirstError(OutputClosedError(), partly) == partly);
  CHECK(FirstError(absl::OkStatus(), lost) == lost);
  CHECK(FirstError(lost, absl::OkStatus()) == lost);
  CHECK(FirstError(OutputClosedError(), absl::OkStatus()) == OutputClosedError());
  CHECK(FirstError(absl::OkStatus(), OutputClosedError()) == OutputClosedError());
  CHECK_OK(FirstError(absl::OkStatus(), absl::OkStatus()));
}

TEST_CASE("an error is its message and its reason", "[cli]") {
  CHECK(DescribeError(Error(v1::TOPIC_NOT_FOUND, "topic 'x' does not exist")) ==
        "topic 'x' does not exist [TOPIC_NOT_FOUND]");
  CHECK(DescribeError(absl::UnavailableError("no")) == "no [UNAVAILABLE]");
  CHECK(DescribeError(absl::UnknownError("cannot write")) == "cannot write");
  CHECK(DescribeError(UsageError("--x needs a value")) == "--x needs a value");
}

}  // namespace
}  // namespace acta::cli
