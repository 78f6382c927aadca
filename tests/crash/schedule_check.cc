#include "tests/crash/schedule_check.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "acta/v1/event.pb.h"
#include "proto/support/wire.h"
#include "server/core/schedules/schedule_records.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"

namespace acta {
namespace {

using Op = ScheduleDecision::Op;

constexpr int kMostPauses = 10'000;  // Of a millisecond.

absl::StatusOr<int64_t> NumberIn(absl::string_view bytes) {
  v1::Event event;
  int64_t number = 0;
  if (!event.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("an event that was scheduled");
  }
  const std::vector<absl::string_view> words =
      absl::StrSplit(event.data(), absl::MaxSplits(' ', 2));
  if (words.size() < 2 || !absl::SimpleAtoi(words[1], &number) ||
      !absl::StartsWith(event.data(), LaterData(number))) {
    return absl::DataLossError(absl::StrCat("'", event.data(), "' was not scheduled"));
  }
  return number;
}

}  // namespace

absl::Status ScheduleCheck::FindWaiting(AllFound* found) {
  ASSIGN_OR_RETURN(const RowList rows, store_.engine().LoadRows(Family::kState, kDueRows));
  for (const auto& [key, value] : rows) {
    ASSIGN_OR_RETURN(const ScheduleIndex::Entry entry, ParseDueRow(key, value));
    ASSIGN_OR_RETURN(const auto record, ReadSchedule(store_.engine(), entry.first.number));
    ASSIGN_OR_RETURN(const int64_t event, NumberIn(EventBytes(record)));
    if (record.due_us() != entry.first.due_us) return absl::DataLossError("the time of a row");
    (*found)[event].due_us.push_back(record.due_us());
  }
  ASSIGN_OR_RETURN(const RowList records, store_.engine().LoadRows(Family::kState, kScheduleRows));
  if (records.size() == rows.size()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(records.size(), " events for ", rows.size(), " times"));
}

absl::StatusOr<std::vector<ScheduleCheck::Appended>> ScheduleCheck::ReadLog(int32_t number) {
  const PartitionId partition = store_.topics().Find("default", kLaterTopic)->partition(number);
  std::vector<Appended> appended;
  for (Offset next;;) {
    ASSIGN_OR_RETURN(const auto batches, store_.engine().Read(partition, next, 1 << 20));
    if (batches.empty()) return appended;
    for (const BatchPtr& batch : batches) {
      EventElements elements(batch->payload.view());
      absl::string_view bytes;
      while (elements.Next(&bytes)) {
        ASSIGN_OR_RETURN(const int64_t event, NumberIn(bytes));
        appended.push_back({event, batch->append_time_us});
      }
      next = batch->end();
    }
  }
}

absl::StatusOr<ScheduleCheck::AllFound> ScheduleCheck::Find() {
  AllFound found;
  RETURN_IF_ERROR(FindWaiting(&found));
  for (int32_t number = 0; number < kLaterPartitions; ++number) {
    ASSIGN_OR_RETURN(const std::vector<Appended> log, ReadLog(number));
    for (const Appended& one : log) found[one.event].append_us.push_back(one.time_us);
  }
  return found;
}

std::string ScheduleCheck::Look(TellProblem problem) {
  if (store_.topics().Find("default", kLaterTopic) == nullptr) {
    if (cut_.operations >= history_.ready) problem("lost-schedule", "the topic is gone");
    return "";
  }
  auto found = Find();
  if (!found.ok()) {
    problem("wrong-schedule", found.status().message());
    return "";
  }
  first_ = *std::move(found);
  std::map<int64_t, std::vector<const ScheduleDecision*>> said;
  for (const ScheduleDecision& decision : history_.schedules) {
    said[decision.event].push_back(&decision);
  }
  std::string text;
  for (const auto& [event, one] : first_) {
    absl::StrAppend(&text, event, one.append_us.empty() ? " waits," : ",");
    if (!said.contains(event)) problem("wrong-schedule", absl::StrCat("nobody said ", event));
  }
  for (const auto& [event, decisions] : said) CheckOne(event, first_[event], decisions, problem);
  return text;
}

void ScheduleCheck::CheckOne(int64_t event, const Found& found,
                             const std::vector<const ScheduleDecision*>& said,
                             TellProblem problem) {
  const size_t waits = found.due_us.size(), appended = found.append_us.size();
  const std::string text = absl::StrCat("event ", event, " waits ", waits, " times and is ",
                                        appended, " times in the log");
  if (waits + appended > 1) return problem("doubled-schedule", text);
  size_t answered = 0;
  for (size_t i = 0; i < said.size(); ++i) {
    if (said[i]->acked <= cut_.operations) answered = i + 1;
  }
  bool gone = false;  // It may be.
  for (size_t i = 0;; ++i) {
    if (i >= answered) {
      const bool none = i == 0 || said[i - 1]->op == Op::kCancel;
      gone |= none;
      if (none && waits + appended == 0) return;
      if (!none && waits == 1 && found.due_us[0] == said[i - 1]->due_us) return;
      if (!none && appended == 1 && found.append_us[0] >= said[i - 1]->due_us) return;
    }
    if (i == said.size() || said[i]->submitted > cut_.operations) break;
  }
  problem(!gone && waits + appended == 0 ? "lost-schedule" : "wrong-schedule",
          absl::StrCat(text, "; ", answered, " of ", said.size(), " decisions were answered"));
}

void ScheduleCheck::LookDelivered(TellProblem problem) {
  if (store_.topics().Find("default", kLaterTopic) == nullptr) return;
  for (int i = 0; i < kMostPauses && store_.schedules().waiting() > 0; ++i) {
    store_.Run();
    absl::SleepFor(absl::Milliseconds(1));
  }
  const auto found = Find();
  if (!found.ok()) return problem("goes-on", found.status().message());
  for (const auto& [event, one] : first_) {
    const bool there = !one.due_us.empty() || !one.append_us.empty();
    const auto now = found->find(event);
    const Found after = now == found->end() ? Found() : now->second;
    if (after.append_us.size() == (there ? 1 : 0) && after.due_us.empty()) continue;
    problem("goes-on", absl::StrCat("event ", event, " is ", after.append_us.size(),
                                    " times in the log and waits ", after.due_us.size(), " times"));
  }
  CheckOrder(problem);
}

void ScheduleCheck::CheckOrder(TellProblem problem) {
  for (int32_t number = 0; number < kLaterPartitions; ++number) {
    const auto log = ReadLog(number);
    if (!log.ok()) return problem("goes-on", log.status().message());
    int64_t last_us = 0;
    for (const Appended& one : *log) {
      const auto first = first_.find(one.event);
      if (first == first_.end() || first->second.due_us.empty()) continue;
      const int64_t due_us = first->second.due_us[0];
      if (due_us < last_us) problem("goes-on", absl::StrCat("event ", one.event, " came late"));
      last_us = due_us;
    }
  }
}

}  // namespace acta
