#include "tests/crash/history.h"

#include <fstream>
#include <istream>
#include <ostream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace acta {
namespace {

// Words and numbers, one record a line. "-" stands for nothing, "=" leads what is hexadecimal.
std::string Hex(absl::string_view bytes) { return "=" + absl::BytesToHexString(bytes); }
std::string Bytes(const std::string& word) {
  return absl::HexStringToBytes(absl::string_view(word).substr(1));
}

void Put(std::ostream& out, const HistoryTopic& topic) {
  const TopicSettings& settings = topic.settings;
  out << "topic " << topic.id.value() << ' ' << topic.partitions << ' '
      << static_cast<int>(settings.visible_at) << ' ' << static_cast<int>(settings.dedupe) << ' '
      << absl::ToInt64Microseconds(settings.dedupe_window) << ' '
      << absl::ToInt64Microseconds(settings.retention) << ' ' << settings.retention_bytes << '\n';
}

void Get(std::istream& in, HistoryTopic* topic) {
  uint64_t id = 0;
  int visible_at = 0;
  int dedupe = 0;
  int64_t window_us = 0;
  int64_t retention_us = 0;
  in >> id >> topic->partitions >> visible_at >> dedupe >> window_us >> retention_us >>
      topic->settings.retention_bytes;
  topic->id = TopicId(id);
  topic->settings.visible_at = static_cast<Level>(visible_at);
  topic->settings.dedupe = static_cast<Dedupe>(dedupe);
  topic->settings.dedupe_window = absl::Microseconds(window_us);
  topic->settings.retention = absl::Microseconds(retention_us);
}

void Put(std::ostream& out, const HistoryTransaction& transaction) {
  out << "transaction " << transaction.submitted << ' ' << transaction.acked << ' '
      << static_cast<int>(transaction.level) << ' ' << transaction.now_us << ' '
      << transaction.marked << ' ' << transaction.parts.size() << ' ' << transaction.rows.size();
  for (const HistoryPart& part : transaction.parts) {
    out << ' ' << part.partition.value() << ' ' << part.base.value() << ' ' << part.count << ' '
        << part.bytes << ' ' << part.crc32c << ' ' << part.time_us << ' ' << part.producer << ' '
        << part.epoch << ' ' << part.first_sequence << ' ' << part.sequences;
  }
  for (const RowWrite& row : transaction.rows) {
    out << ' ' << static_cast<int>(row.family) << ' ' << Hex(row.key) << ' '
        << (row.value.has_value() ? Hex(*row.value) : "-");
  }
  out << '\n';
}

void Get(std::istream& in, HistoryTransaction* transaction) {
  int level = 0;
  size_t parts = 0;
  size_t rows = 0;
  in >> transaction->submitted >> transaction->acked >> level >> transaction->now_us >>
      transaction->marked >> parts >> rows;
  transaction->level = static_cast<Level>(level);
  for (size_t i = 0; i < parts && in; ++i) {
    HistoryPart& part = transaction->parts.emplace_back();
    uint64_t partition = 0;
    int64_t base = 0;
    in >> partition >> base >> part.count >> part.bytes >> part.crc32c >> part.time_us >>
        part.producer >> part.epoch >> part.first_sequence >> part.sequences;
    part.partition = PartitionId(partition);
    part.base = Offset(base);
  }
  for (size_t i = 0; i < rows && in; ++i) {
    RowWrite& row = transaction->rows.emplace_back();
    int family = 0;
    std::string key;
    std::string value;
    in >> family >> key >> value;
    row.family = static_cast<Family>(family);
    row.key = Bytes(key);
    if (value != "-") row.value = Bytes(value);
  }
}

void Put(std::ostream& out, const HistorySeen& seen) {
  out << "seen " << seen.operations << ' ' << seen.partition.value() << ' ' << seen.first.value()
      << ' ' << seen.end.value() << '\n';
}

void Get(std::istream& in, HistorySeen* seen) {
  uint64_t partition = 0;
  int64_t first = 0;
  int64_t end = 0;
  in >> seen->operations >> partition >> first >> end;
  seen->partition = PartitionId(partition);
  seen->first = Offset(first);
  seen->end = Offset(end);
}

void Put(std::ostream& out, const HistoryIndexed& indexed) {
  out << "indexed " << indexed.operations << ' ' << indexed.hash << ' ' << indexed.partition.value()
      << ' ' << indexed.offset.value() << '\n';
}

void Get(std::istream& in, HistoryIndexed* indexed) {
  uint64_t partition = 0;
  int64_t offset = 0;
  in >> indexed->operations >> indexed->hash >> partition >> offset;
  indexed->partition = PartitionId(partition);
  indexed->offset = Offset(offset);
}

}  // namespace

const HistoryTopic* History::FindTopic(TopicId id) const {
  for (const HistoryTopic& topic : topics) {
    if (topic.id == id) return &topic;
  }
  return nullptr;
}

int64_t TimeOf(const History& history, size_t operations) {
  int64_t now_us = 0;
  for (const HistoryTransaction& transaction : history.transactions) {
    now_us = transaction.now_us;
    if (transaction.submitted > operations) break;
  }
  return now_us;
}

absl::Status SaveHistory(const History& history, const std::string& path) {
  std::ofstream out(path);
  for (const HistoryTopic& topic : history.topics) Put(out, topic);
  for (const HistoryTransaction& transaction : history.transactions) Put(out, transaction);
  for (const HistorySeen& seen : history.seen) Put(out, seen);
  for (const HistoryIndexed& indexed : history.indexed) Put(out, indexed);
  out << "end\n";
  out.flush();
  return out ? absl::OkStatus() : absl::InternalError(absl::StrCat("cannot write ", path));
}

absl::StatusOr<History> LoadHistory(const std::string& path) {
  std::ifstream in(path);
  History history;
  for (std::string kind; in >> kind;) {
    if (kind == "end") return history;
    if (kind == "topic") Get(in, &history.topics.emplace_back());
    if (kind == "transaction") Get(in, &history.transactions.emplace_back());
    if (kind == "seen") Get(in, &history.seen.emplace_back());
    if (kind == "indexed") Get(in, &history.indexed.emplace_back());
  }
  return absl::InternalError(absl::StrCat("the history ", path, " is not whole"));
}

}  // namespace acta
