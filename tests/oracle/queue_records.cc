#include "tests/oracle/queue_records.h"

#include <array>
#include <filesystem>
#include <fstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "storage/base/status_macros.h"

namespace acta::oracle {
namespace {

constexpr std::array<absl::string_view, 12> kQueueKinds = {
    "group", "leased", "held",   "ok",     "fail",     "info",
    "gone",  "end",    "letter", "result", "redriven", "skipped"};
constexpr size_t kNumbers = 15;

}  // namespace

std::string FormatRecord(const QueueRecord& record) {
  const std::array<int64_t, kNumbers> numbers = {record.time_us,
                                                 record.group,
                                                 record.worker,
                                                 record.session,
                                                 record.partition,
                                                 record.offset,
                                                 record.attempt,
                                                 record.until_us,
                                                 record.since_us,
                                                 record.delay_us,
                                                 static_cast<int64_t>(record.op),
                                                 record.detail,
                                                 record.key,
                                                 record.step,
                                                 record.redrives};
  return absl::StrCat(kQueueKinds[static_cast<size_t>(record.kind)], " ",
                      absl::StrJoin(numbers, " "), "\n");
}

absl::StatusOr<QueueRecord> ParseQueueRecord(absl::string_view line) {
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
  std::array<int64_t, kNumbers> numbers = {};
  bool good = words.size() == kNumbers + 1;
  for (size_t i = 0; good && i < kNumbers; ++i) good = absl::SimpleAtoi(words[i + 1], &numbers[i]);
  for (size_t kind = 0; good && kind < kQueueKinds.size(); ++kind) {
    if (words[0] != kQueueKinds[kind]) continue;
    QueueRecord record;
    record.kind = static_cast<QueueRecord::Kind>(kind);
    record.time_us = numbers[0];
    record.group = static_cast<int32_t>(numbers[1]);
    record.worker = static_cast<int32_t>(numbers[2]);
    record.session = numbers[3];
    record.partition = static_cast<int32_t>(numbers[4]);
    record.offset = numbers[5];
    record.attempt = static_cast<int32_t>(numbers[6]);
    record.until_us = numbers[7];
    record.since_us = numbers[8];
    record.delay_us = numbers[9];
    record.op = static_cast<SettleOp>(numbers[10]);
    record.detail = static_cast<int32_t>(numbers[11]);
    record.key = numbers[12];
    record.step = numbers[13] != 0;
    record.redrives = static_cast<int32_t>(numbers[14]);
    return record;
  }
  return absl::InvalidArgumentError(absl::StrCat("not a line of a queue's history: '", line, "'"));
}

absl::StatusOr<std::vector<QueueRecord>> ReadQueueHistory(const std::string& folder) {
  std::vector<QueueRecord> records;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".queue") continue;
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);) {
      ASSIGN_OR_RETURN(const QueueRecord record, ParseQueueRecord(line));
      records.push_back(record);
    }
  }
  return records;
}

}  // namespace acta::oracle
