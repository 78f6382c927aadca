#include "tests/oracle/records.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "storage/base/fatal.h"
#include "storage/base/status_macros.h"

namespace acta::oracle {
namespace {

constexpr std::array<absl::string_view, 13> kKindNames = {
    "invoke",    "ok",    "fail",   "info",   "poll", "alien", "assigned",
    "committed", "final", "extent", "joined", "left", "span"};
constexpr size_t kFields = 11;

int64_t SteadyNow() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

std::string FormatRecord(const Record& record) {
  return absl::StrCat(kKindNames[static_cast<size_t>(record.kind)], " ", record.time_ns, " ",
                      record.value.process, " ", record.value.counter, " ", record.reader, " ",
                      record.session, " ", record.partition, " ", record.offset, " ", record.end,
                      " ", record.incarnation, " ", record.os ? 1 : 0, "\n");
}

absl::StatusOr<Record> ParseRecord(absl::string_view line) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ');
  Record record;
  int os = 0;
  if (fields.size() == kFields && absl::SimpleAtoi(fields[1], &record.time_ns) &&
      absl::SimpleAtoi(fields[2], &record.value.process) &&
      absl::SimpleAtoi(fields[3], &record.value.counter) &&
      absl::SimpleAtoi(fields[4], &record.reader) && absl::SimpleAtoi(fields[5], &record.session) &&
      absl::SimpleAtoi(fields[6], &record.partition) &&
      absl::SimpleAtoi(fields[7], &record.offset) && absl::SimpleAtoi(fields[8], &record.end) &&
      absl::SimpleAtoi(fields[9], &record.incarnation) && absl::SimpleAtoi(fields[10], &os)) {
    record.os = os != 0;
    for (size_t kind = 0; kind < kKindNames.size(); ++kind) {
      if (fields[0] != kKindNames[kind]) continue;
      record.kind = static_cast<Record::Kind>(kind);
      return record;
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("not a line of a history: '", line, "'"));
}

absl::StatusOr<std::unique_ptr<RecordFile>> RecordFile::Create(const std::string& path) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return absl::UnavailableError(absl::StrCat("cannot create '", path, "'"));
  return std::unique_ptr<RecordFile>(new RecordFile(file));
}

RecordFile::~RecordFile() { close(file_); }

void RecordFile::Write(std::vector<Record> records, bool durable) {
  std::string lines;
  MutexLock lock(mu_);
  const int64_t now = SteadyNow();
  for (Record& record : records) {
    record.time_ns = now;
    lines += FormatRecord(record);
  }
  Append(lines, durable);
}

void RecordFile::Write(std::vector<QueueRecord> records, bool durable) {
  std::string lines;
  MutexLock lock(mu_);
  const int64_t now_us = absl::ToUnixMicros(absl::Now());
  for (QueueRecord& record : records) {
    record.time_us = now_us;
    lines += FormatRecord(record);
  }
  Append(lines, durable);
}

void RecordFile::Append(const std::string& lines, bool durable) {
  ACTA_CHECK(write(file_, lines.data(), lines.size()) == static_cast<ssize_t>(lines.size()));
  if (durable) ACTA_CHECK(fdatasync(file_) == 0);
}

absl::StatusOr<std::vector<Record>> ReadHistory(const std::string& folder) {
  std::vector<Record> records;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".history") continue;
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);) {
      ASSIGN_OR_RETURN(const Record record, ParseRecord(line));
      records.push_back(record);
    }
  }
  return records;
}

}  // namespace acta::oracle
