#include "server/core/schedules/schedule_records.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "acta/v1/context.pb.h"
#include "proto/support/error.h"
#include "proto/support/event_scanner.h"
#include "proto/support/proto_time.h"
#include "proto/support/wire.h"
#include "server/core/schedules/schedules.h"
#include "storage/base/bytes.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"

namespace acta {
namespace {

void SetUnixMicros(int64_t us, google::protobuf::Timestamp* out) {
  SetTime(absl::FromUnixMicros(us), out);
}

absl::Status Damaged(absl::string_view kind) {
  return Error(v1::DATA_CORRUPTED, absl::StrCat("a row '", kind, "' cannot be read"));
}

bool HoldsOneEvent(const storage::v1::ScheduleRecord& record) {
  EventElements elements(record.element());
  absl::string_view bytes;
  ScannedEvent event;
  return elements.Next(&bytes) && ScanEvent(bytes, &event) == WireFault::kNone &&
         elements.offset() == record.element().size();
}

}  // namespace

void PutScheduleRows(const ScheduleKey& key, const ScheduledFacts& facts,
                     const storage::v1::ScheduleRecord& record, std::vector<RowWrite>* rows) {
  storage::v1::DueRecord due;
  due.set_topic_id(facts.topic.value());
  due.set_id_low(facts.id.low);
  due.set_id_high(facts.id.high);
  rows->push_back({Family::kState, DueRow(key.due_us, key.number), due.SerializeAsString()});
  rows->push_back({Family::kState, ScheduleRow(key.number), record.SerializeAsString()});
}

void DeleteScheduleRows(const ScheduleKey& key, std::vector<RowWrite>* rows) {
  rows->push_back({Family::kState, DueRow(key.due_us, key.number), std::nullopt});
  rows->push_back({Family::kState, ScheduleRow(key.number), std::nullopt});
}

absl::StatusOr<ScheduleIndex::Entry> ParseDueRow(absl::string_view key, absl::string_view value) {
  constexpr size_t kPrefix = sizeof(kDueRows) - 1;
  storage::v1::DueRecord record;
  if (key.size() != kPrefix + 16 ||
      !record.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
    return Damaged(kDueRows);
  }
  ScheduleIndex::Entry entry;
  entry.first.due_us = static_cast<int64_t>(GetBig64(key.data() + kPrefix));
  entry.first.number = GetBig64(key.data() + kPrefix + 8);
  entry.second.topic = TopicId(record.topic_id());
  entry.second.id = {record.id_low(), record.id_high()};
  return entry;
}

absl::StatusOr<storage::v1::ScheduleRecord> ReadSchedule(const LogEngine& engine, uint64_t number) {
  // Numbers have one length: no other key begins with this one.
  ASSIGN_OR_RETURN(const auto rows, engine.LoadRows(Family::kState, ScheduleRow(number)));
  if (rows.empty()) return ScheduleNotFound(number);
  storage::v1::ScheduleRecord record;
  if (!record.ParseFromString(rows.front().second) || !HoldsOneEvent(record)) {
    return Damaged(kScheduleRows);
  }
  return record;
}

std::string ScheduleIdOf(uint64_t number) { return absl::StrCat(number); }

absl::StatusOr<uint64_t> ParseScheduleId(absl::string_view id) {
  uint64_t number = 0;
  if (absl::SimpleAtoi(id, &number) && ScheduleIdOf(number) == id) return number;
  return Error(v1::INVALID_ARGUMENT,
               "schedule_id: it is not as a publish or ListSchedules answered it",
               {{"field", "schedule_id"}});
}

absl::Status ScheduleNotFound(uint64_t number) {
  return Error(v1::SCHEDULE_NOT_FOUND,
               absl::StrCat("no event waits as schedule ", number,
                            ": it was delivered to its topic or cancelled"),
               {{"schedule_id", ScheduleIdOf(number)}});
}

absl::Status CheckScheduleTime(int64_t due_us, int64_t now_us) {
  const int64_t farthest_us = now_us + absl::ToInt64Microseconds(kFarthestSchedule);
  if (due_us <= farthest_us) return absl::OkStatus();
  return Error(v1::SCHEDULE_TOO_FAR,
               absl::StrCat("an event cannot wait until ",
                            absl::FormatTime(absl::RFC3339_sec, absl::FromUnixMicros(due_us),
                                             absl::UTCTimeZone()),
                            ": max_schedule_ahead is ", kFarthestSchedule / absl::Hours(24),
                            " days; choose an earlier time"),
               {{"limit", "max_schedule_ahead"},
                {"limit_value", absl::StrCat(absl::ToInt64Milliseconds(kFarthestSchedule))}});
}

absl::string_view EventBytes(const storage::v1::ScheduleRecord& record) {
  EventElements elements(record.element());
  absl::string_view event;
  return elements.Next(&event) ? event : absl::string_view();
}

v1::Schedule DescribeSchedule(uint64_t number, const storage::v1::ScheduleRecord& record,
                              const Topic& topic, bool with_event) {
  v1::Schedule schedule;
  schedule.set_schedule_id(ScheduleIdOf(number));
  schedule.set_topic(topic.name());
  if (record.has_partition()) schedule.set_partition(record.partition());
  SetUnixMicros(record.due_us(), schedule.mutable_deliver_at());
  SetUnixMicros(record.scheduled_us(), schedule.mutable_scheduled_at());
  v1::BatchContext context;
  if (context.ParseFromString(record.context())) {
    schedule.set_principal(context.principal());
    schedule.set_app(context.app());
    schedule.set_app_version(context.app_version());
  }
  const absl::string_view bytes = EventBytes(record);
  schedule.set_event_bytes(static_cast<int32_t>(bytes.size()));
  ScannedEvent event;
  if (ScanEvent(bytes, &event) == WireFault::kNone) {
    schedule.set_event_id(std::string(event.id));
    schedule.set_event_source(std::string(event.source));
    schedule.set_event_type(std::string(event.type));
    schedule.set_event_key(std::string(event.key));
  }
  if (with_event) {
    (void)schedule.mutable_event()->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  }
  return schedule;
}

}  // namespace acta
