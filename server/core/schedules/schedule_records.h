#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "acta/storage/v1/records.pb.h"
#include "acta/v1/schedules.pb.h"
#include "server/core/schedules/schedule_index.h"
#include "server/core/topics/topic_registry.h"
#include "storage/log_engine.h"

namespace acta {

// The two rows of a schedule.
void PutScheduleRows(const ScheduleKey& key, const ScheduledFacts& facts,
                     const storage::v1::ScheduleRecord& record, std::vector<RowWrite>* rows);
void DeleteScheduleRows(const ScheduleKey& key, std::vector<RowWrite>* rows);

// From a row of kDueRows. Errors: DATA_CORRUPTED.
absl::StatusOr<ScheduleIndex::Entry> ParseDueRow(absl::string_view key, absl::string_view value);

// Blocks. Errors: SCHEDULE_NOT_FOUND; DATA_CORRUPTED.
absl::StatusOr<storage::v1::ScheduleRecord> ReadSchedule(const LogEngine& engine, uint64_t number);

// As users say it. Errors: INVALID_ARGUMENT.
std::string ScheduleIdOf(uint64_t number);
absl::StatusOr<uint64_t> ParseScheduleId(absl::string_view id);
absl::Status ScheduleNotFound(uint64_t number);

// Errors: SCHEDULE_TOO_FAR.
absl::Status CheckScheduleTime(int64_t due_us, int64_t now_us);

// The event's encoded acta.v1.Event; "" of a record that is damaged.
absl::string_view EventBytes(const storage::v1::ScheduleRecord& record);

// `with_event`: as GetSchedule shows it.
v1::Schedule DescribeSchedule(uint64_t number, const storage::v1::ScheduleRecord& record,
                              const Topic& topic, bool with_event);

}  // namespace acta
