#include "server/core/publish/frame_in_flight.h"

#include <algorithm>
#include <string>
#include <utility>

#include "proto/support/error.h"
#include "server/core/schedules/schedule_records.h"

namespace acta {
namespace {

// Leaves in `part` only the events that were stored now.
void DropDuplicates(const AppendResult& stored, v1::PublishedPart* part) {
  const bool whole = part->event_indexes().empty();
  const v1::PublishedPart all = *part;
  part->clear_event_indexes();
  const auto count = stored.count + static_cast<uint32_t>(stored.duplicates.size());
  auto duplicate = stored.duplicates.begin();
  for (uint32_t index = 0; index < count; ++index) {
    if (duplicate != stored.duplicates.end() && duplicate->index == index) {
      ++duplicate;
      continue;
    }
    part->add_event_indexes(whole ? static_cast<int32_t>(index)
                                  : all.event_indexes(static_cast<int>(index)));
  }
}

void AddDuplicates(const AppendResult& stored, const v1::PublishedPart& part,
                   v1::BatchResult* batch) {
  const bool whole = part.event_indexes().empty();
  for (const DuplicateEvent& event : stored.duplicates) {
    v1::Duplicate* duplicate = batch->add_duplicates();
    duplicate->set_event_index(whole ? static_cast<int32_t>(event.index)
                                     : part.event_indexes(static_cast<int>(event.index)));
    duplicate->set_partition(part.partition());
    duplicate->set_offset(event.offset.value());
    duplicate->set_incarnation(event.incarnation.value());
  }
}

void AddAppend(const AppendResult& stored, v1::PublishedPart part, v1::BatchResult* batch) {
  if (!stored.status.ok()) {
    if (!batch->has_error()) *batch->mutable_error() = ToProto(stored.status);
    return;
  }
  batch->set_append_time_us(std::max(batch->append_time_us(), stored.append_time_us));
  AddDuplicates(stored, part, batch);
  if (stored.count == 0) return;
  if (!stored.duplicates.empty()) DropDuplicates(stored, &part);
  part.set_base_offset(stored.base_offset.value());
  part.set_count(static_cast<int32_t>(stored.count));
  *batch->add_parts() = std::move(part);
}

}  // namespace

void FrameInFlight::Finish(TransactionResult stored) {
  const bool each = stored.appends.size() == parts.size();
  const bool named = each && std::any_of(stored.appends.begin(), stored.appends.end(),
                                         [](const AppendResult& one) { return !one.status.ok(); });
  // Which batch failed is worth more than that the transaction did.
  if (!stored.status.ok() && !named) return Refuse(stored.status);
  if (!each) return Refuse(absl::InternalError("the engine answered for other appends"));
  for (size_t i = 0; i < parts.size(); ++i) {
    AppendResult& append = stored.appends[i];
    if (append.status.ok()) append.status = stored.status;
    AddAppend(append, std::move(parts[i]), result.mutable_batches(batches[i]));
  }
  absl::Status scheduled = stored.status;
  if (named && all_or_nothing) {
    scheduled.Update(Error(v1::ATOMIC_ABORTED,
                           "another batch of this atomic call failed; nothing was scheduled"));
  }
  if (scheduled.ok()) {
    AddSchedules(stored);
  } else {
    RefuseSchedules(scheduled);
  }
  result.set_level(static_cast<v1::AckLevel>(stored.level));
  result.set_incarnation(stored.incarnation.value());
  std::move(done)(std::move(result));
}

bool FrameInFlight::SchedulesNewId() const {
  return std::any_of(schedules.begin(), schedules.end(), [](const PreparedSchedules& prepared) {
    const std::vector<ScheduleReservation::Event>& events = prepared.reservation.events();
    return std::any_of(events.begin(), events.end(), [](const ScheduleReservation::Event& event) {
      return !event.duplicate && event.facts.has_id();
    });
  });
}

void FrameInFlight::AddSchedules(const TransactionResult& stored) {
  // An atomic frame that was stored before is answered as it was then, and its rows are not written
  // again.
  const bool repeated = atomic && !stored.appends.empty() &&
                        std::all_of(stored.appends.begin(), stored.appends.end(),
                                    [](const AppendResult& append) { return append.count == 0; });
  for (PreparedSchedules& prepared : schedules) {
    v1::BatchResult* batch = result.mutable_batches(prepared.batch);
    if (!repeated) prepared.reservation.Commit();
    int32_t index = 0;
    for (const ScheduleReservation::Event& event : prepared.reservation.events()) {
      v1::ScheduledEvent* scheduled = batch->add_scheduled();
      scheduled->set_event_index(index++);
      scheduled->set_duplicate(event.duplicate || repeated);
      if (event.duplicate || !repeated) {
        scheduled->set_schedule_id(ScheduleIdOf(event.key.number));
      }
    }
  }
}

void FrameInFlight::RefuseSchedules(const absl::Status& error) {
  for (const PreparedSchedules& prepared : schedules) {
    *result.mutable_batches(prepared.batch)->mutable_error() = ToProto(error);
  }
  schedules.clear();
}

void FrameInFlight::Refuse(const absl::Status& error) {
  result.clear_batches();
  *result.mutable_error() = ToProto(error);
  std::move(done)(std::move(result));
}

}  // namespace acta
