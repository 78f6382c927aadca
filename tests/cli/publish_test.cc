#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/publish/latencies.h"
#include "tools/acta/publish/line_reader.h"
#include "tools/acta/publish/pacer.h"

namespace acta::cli {
namespace {

std::vector<std::string> Lines(LineReader reader) {
  std::vector<std::string> lines;
  absl::string_view line;
  while (true) {
    const absl::StatusOr<bool> more = reader.Next(&line);
    REQUIRE_OK(more);
    if (!*more) return lines;
    lines.emplace_back(line);
    CHECK(reader.line_number() == static_cast<int64_t>(lines.size()));
  }
}

TEST_CASE("lines come one by one, the last one without a break too", "[cli]") {
  const TempDir dir;
  const std::string path = dir.File("lines");
  std::ofstream(path) << "a\r\n\n" << std::string(1 << 20, 'b') << "\nc";
  CHECK(Lines(*LineReader::OpenFile(path)) ==
        std::vector<std::string>{"a", "", std::string(1 << 20, 'b'), "c"});
}

TEST_CASE("a byte order mark in front of a file is no part of its first line", "[cli]") {
  const TempDir dir;
  const std::string path = dir.File("lines");
  std::ofstream(path) << "\xEF\xBB\xBF{\"n\":1}\r\n\xEF\xBB\xBF{}\n";
  CHECK(Lines(*LineReader::OpenFile(path)) ==
        std::vector<std::string>{"{\"n\":1}", "\xEF\xBB\xBF{}"});
  std::ofstream(path) << "\xEF\xBB\xBFone";
  CHECK(Lines(*LineReader::OpenFile(path)) == std::vector<std::string>{"one"});
  std::ofstream(path) << "\xEF\xBB\xBF";
  CHECK(Lines(*LineReader::OpenFile(path)).empty());
}

TEST_CASE("gzip is unpacked, and a cut file is an error", "[cli]") {
  const TempDir dir;
  const std::string path = dir.File("lines.gz");
  gzFile file = gzopen(path.c_str(), "wb");
  std::string text;
  for (int i = 0; i < 10000; ++i) text += std::to_string(i * 7919) + "\n";
  gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  gzclose(file);
  CHECK(Lines(*LineReader::OpenFile(path)).size() == 10000);

  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  std::ofstream(path, std::ios::binary) << bytes.substr(0, bytes.size() / 2);
  LineReader reader = *LineReader::OpenFile(path);
  absl::string_view line;
  absl::StatusOr<bool> more = true;
  while (more.ok() && *more) more = reader.Next(&line);
  CHECK(more.status().code() == absl::StatusCode::kUnknown);
  CHECK(ExitStatusOf(more.status()) == kExitFailed);
  CHECK(DescribeError(more.status()) == more.status().message());
}

TEST_CASE("a line may have 32 MiB", "[cli]") {
  const TempDir dir;
  const std::string path = dir.File("line");
  std::ofstream(path).close();
  std::filesystem::resize_file(path, LineReader::kMaxLineBytes);  // Zeros that are on no disk.
  const std::vector<std::string> lines = Lines(*LineReader::OpenFile(path));
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].size() == LineReader::kMaxLineBytes);
  std::filesystem::resize_file(path, LineReader::kMaxLineBytes + 1);
  LineReader reader = *LineReader::OpenFile(path);
  absl::string_view line;
  const absl::Status refused = reader.Next(&line).status();
  CHECK(refused.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(refused.message()), Catch::EndsWith("line 1 is longer than 32 MiB"));
}

TEST_CASE("a text is one line, whatever it holds", "[cli]") {
  CHECK(Lines(LineReader::OfText("a\nb")) == std::vector<std::string>{"a\nb"});
}

TEST_CASE("a file that is not there, or a folder, is a usage error", "[cli]") {
  CHECK(ExitStatusOf(LineReader::OpenFile("/nothing/here").status()) == kExitUsage);
  CHECK(ExitStatusOf(LineReader::OpenFile("/").status()) == kExitUsage);
}

TEST_CASE("quantiles are right within a bucket of 6 percent", "[cli]") {
  Latencies latencies;
  CHECK(latencies.Quantile(0.5) == absl::ZeroDuration());
  for (int i = 1; i <= 10000; ++i) latencies.Add(absl::Microseconds(i));
  for (const double fraction : {0.5, 0.9, 0.99, 1.0}) {
    const double micros = absl::ToDoubleMicroseconds(latencies.Quantile(fraction));
    CHECK(micros >= fraction * 10000);
    CHECK(micros <= fraction * 10000 * 1.07);
  }
  latencies.Add(absl::Hours(100000));
  CHECK(latencies.count() == 10001);
}

TEST_CASE("a rate is not exceeded to make up for what came late", "[cli]") {
  absl::Duration now = absl::Seconds(5);
  Pacer pacer(100, now);
  const auto send = [&](int events) {
    const absl::Duration begin = now;
    for (int i = 0; i < events; ++i) now += pacer.Wait(now);
    return now - begin;
  };
  CHECK(send(101) == absl::Seconds(1));
  now += absl::Milliseconds(15);  // Slept for too long.
  CHECK(send(2) == absl::Milliseconds(5));
  now += absl::Minutes(1);  // Nothing came.
  CHECK(send(100) == absl::Milliseconds(970));
}

}  // namespace
}  // namespace acta::cli
