// What groups did with events: the broker's own log.
#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "acta/v1/event.pb.h"
#include "storage/layout/engine_rows.h"
#include "tools/inspect/commands.h"

namespace acta::inspect {
namespace {

using Record = storage::v1::LedgerRecord;
using Entry = storage::v1::LedgerEntry;
using Attempt = storage::v1::AttemptRecord;

// Consecutive events that a member processed.
struct Run {
  int64_t first = 0;
  int64_t count = 0;
  const storage::v1::LedgerMember* member = nullptr;  // Null: it is not known.
  int64_t delivered_us = 0;                           // 0: it is not known.
};

// As LedgerRecord.processed says.
std::vector<Run> RunsOf(const Record& record) {
  std::vector<Run> runs;
  uint64_t end = 0;
  for (int i = 0; i + 3 < record.processed_size(); i += 4) {
    Run run;
    const uint64_t first = end + record.processed(i);
    end = first + record.processed(i + 1);
    run.first = static_cast<int64_t>(first);
    run.count = static_cast<int64_t>(record.processed(i + 1));
    const uint64_t member = record.processed(i + 2);
    if (member > 0 && member <= static_cast<uint64_t>(record.members_size())) {
      run.member = &record.members(static_cast<int>(member) - 1);
    }
    const auto before = static_cast<int64_t>(record.processed(i + 3));
    if (before > 0) run.delivered_us = record.time_us() - before;
    runs.push_back(run);
  }
  return runs;
}

int64_t CountOf(const Entry& entry) { return std::max<int64_t>(1, entry.count()); }

std::string KindText(const Entry& entry) {
  const std::string name = Entry::Kind_Name(entry.kind());
  return name.empty() ? absl::StrCat("(kind ", static_cast<int>(entry.kind()), ")") : name;
}

std::string EndText(const Attempt& attempt) {
  const std::string name = Attempt::End_Name(attempt.end());
  return name.empty() ? absl::StrCat("(end ", static_cast<int>(attempt.end()), ")") : name;
}

void SetOffsets(Json* json, int64_t first, int64_t count) {
  (*json)["first_offset"] = first;
  (*json)["last_offset"] = first + count - 1;
}

// A LedgerMember, or an attempt that names one.
template <typename Member>
void SetMember(Json* json, const Member& member) {
  (*json)["member_id"] = member.member_id();
  (*json)["app"] = member.app();
  (*json)["app_version"] = member.app_version();
}

Json RunJson(const Run& run) {
  Json json;
  SetOffsets(&json, run.first, run.count);
  if (run.member != nullptr) SetMember(&json, *run.member);
  if (run.delivered_us != 0) json["deliver_time"] = TimeText(run.delivered_us);
  return json;
}

Json EntryJson(const Entry& entry) {
  Json json;
  json["kind"] = KindText(entry);
  SetOffsets(&json, entry.offset(), CountOf(entry));
  if (entry.kind() == Entry::FAILED) {
    const Attempt& attempt = entry.attempt();
    json["attempt"] = entry.attempt_number();
    json["end"] = EndText(attempt);
    SetMember(&json, attempt);
    json["lease_time"] = TimeText(attempt.leased_us());
    json["end_time"] = TimeText(attempt.ended_us());
    json["reason"] = attempt.reason();
    json["text"] = attempt.text();
  }
  if (entry.redrives() > 0) json["redrives"] = entry.redrives();
  if (!entry.by().empty()) json["by"] = entry.by();
  if (!entry.why().empty()) json["why"] = entry.why();
  if (entry.outstanding()) json["outstanding"] = true;
  return json;
}

Json RecordJson(const DataFolder& folder, const Record& record) {
  Json json;
  json["time"] = TimeText(record.time_us());
  json["group_id"] = record.group_id();
  json["group"] = folder.NameOf(GroupId(record.group_id()));
  json["partition"] = folder.NameOf(PartitionId(record.partition_id()));
  json["processed"] = Json::array();
  for (const Run& run : RunsOf(record)) json["processed"].push_back(RunJson(run));
  json["entries"] = Json::array();
  for (const Entry& entry : record.entries()) json["entries"].push_back(EntryJson(entry));
  return json;
}

std::string OffsetsText(int64_t first, int64_t count) {
  return count == 1 ? absl::StrCat(first) : absl::StrCat(first, "-", first + count - 1);
}

// What others wrote, on one line.
std::string Words(absl::string_view text) { return absl::Utf8SafeCEscape(text); }

template <typename Member>
std::string MemberText(const Member& member) {
  if (member.member_id().empty()) return "";
  std::string text = absl::StrCat(" by ", Words(member.member_id()));
  if (member.app().empty()) return text;
  absl::StrAppend(&text, " (", Words(member.app()), member.app_version().empty() ? "" : " ",
                  Words(member.app_version()), ")");
  return text;
}

std::string RunText(const Run& run) {
  std::string text = absl::StrCat("PROCESSED ", OffsetsText(run.first, run.count));
  if (run.member != nullptr) absl::StrAppend(&text, MemberText(*run.member));
  if (run.delivered_us != 0) absl::StrAppend(&text, ", delivered ", TimeText(run.delivered_us));
  return text;
}

std::string EntryText(const Entry& entry) {
  std::string text =
      absl::StrCat(KindText(entry), " ", OffsetsText(entry.offset(), CountOf(entry)));
  if (entry.redrives() > 0) absl::StrAppend(&text, ", redrive ", entry.redrives());
  if (entry.kind() == Entry::FAILED) {
    const Attempt& attempt = entry.attempt();
    absl::StrAppend(&text, ", attempt ", entry.attempt_number(), ": ", EndText(attempt),
                    MemberText(attempt));
    if (!attempt.reason().empty()) absl::StrAppend(&text, ": ", Words(attempt.reason()));
    if (!attempt.text().empty()) absl::StrAppend(&text, ": ", Words(attempt.text()));
  }
  if (!entry.by().empty()) absl::StrAppend(&text, " by ", Words(entry.by()));
  if (!entry.why().empty()) absl::StrAppend(&text, ": ", Words(entry.why()));
  return text;
}

// Without its offset.
std::string RecordText(const DataFolder& folder, const Record& record) {
  std::string text = absl::StrCat(
      TimeText(record.time_us()), "  ", folder.NameOf(GroupId(record.group_id())), " (",
      record.group_id(), ")  ", folder.NameOf(PartitionId(record.partition_id())), "\n");
  for (const Run& run : RunsOf(record)) absl::StrAppend(&text, "  ", RunText(run), "\n");
  for (const Entry& entry : record.entries()) absl::StrAppend(&text, "  ", EntryText(entry), "\n");
  return text;
}

bool ParseRecord(absl::string_view bytes, Record* record) {
  v1::Event event;
  return event.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) &&
         record->ParseFromString(event.data());
}

}  // namespace

bool ListLedger(const DataFolder& folder, const OffsetRange& range, Format format,
                std::ostream& out) {
  bool sound = true;
  const auto damaged = [&](Offset at, const std::string& what) {
    sound = false;
    if (format == Format::kText) {
      out << at.value() << "  " << what << '\n';
    } else {
      const Json line = {{"offset", at.value()}, {"error", what}};
      out << JsonText(line) << '\n';
    }
  };
  const bool walked = VisitEvents(
      folder, kLedgerPartition, range,
      [&](const StoredEvent& event) {
        Record record;
        if (!ParseRecord(event.bytes, &record)) {
          return damaged(event.offset, "the record cannot be parsed");
        }
        if (format == Format::kText) {
          out << event.offset.value() << "  " << (event.crc_ok ? "" : "(checksum differs)  ")
              << RecordText(folder, record);
          return;
        }
        Json line = {{"offset", event.offset.value()}, {"crc_ok", event.crc_ok}};
        line.update(RecordJson(folder, record));
        out << JsonText(line) << '\n';
      },
      damaged);
  return walked && sound;
}

}  // namespace acta::inspect
