// Listing, moving and cancelling.
#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "proto/support/error.h"
#include "proto/support/proto_time.h"
#include "server/core/access/pages.h"
#include "server/core/schedules/schedule_records.h"
#include "server/core/schedules/schedule_state.h"
#include "storage/base/log.h"
#include "storage/base/status_macros.h"
#include "storage/submit_and_wait.h"

namespace acta {
namespace {

// Looked at, or written, at once.
constexpr size_t kChunk = 1000;

std::string PageTokenOf(const ScheduleKey& key) {
  return MakePageToken(absl::StrCat(key.due_us, ".", key.number));
}

absl::StatusOr<ScheduleKey> KeyOfToken(absl::string_view token) {
  ASSIGN_OR_RETURN(const std::string name, ParsePageToken("schedule", token));
  ScheduleKey key;
  if (name.empty()) return key;
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(name, '.');
  if (absl::SimpleAtoi(parts.first, &key.due_us) && absl::SimpleAtoi(parts.second, &key.number)) {
    return key;
  }
  return Error(v1::INVALID_ARGUMENT, "page_token is not one that a list of schedules answered",
               {{"field", "page_token"}});
}

absl::Status BeingChanged(uint64_t number) {
  return Error(v1::CONCURRENT_CHANGE,
               absl::StrCat("schedule ", number,
                            " is being delivered or changed by another call; retry after the "
                            "delay"),
               {{"schedule_id", ScheduleIdOf(number)}});
}

v1::Schedule DescribeUnreadable(const ScheduleKey& key, const Topic& topic,
                                const absl::Status& why) {
  v1::Schedule schedule;
  schedule.set_schedule_id(ScheduleIdOf(key.number));
  schedule.set_topic(topic.name());
  SetTime(absl::FromUnixMicros(key.due_us), schedule.mutable_deliver_at());
  schedule.set_problem(std::string(why.message()));
  return schedule;
}

absl::StatusOr<int64_t> MicrosOf(const google::protobuf::Timestamp& time, absl::string_view field) {
  const std::optional<absl::Time> at = GetTime(time);
  if (at.has_value()) return absl::ToUnixMicros(*at);
  return Error(v1::INVALID_ARGUMENT, absl::StrCat(field, ": it is not a time"),
               {{"field", std::string(field)}});
}

}  // namespace

absl::StatusOr<storage::v1::ScheduleRecord> ScheduleState::Read(const Topic& topic,
                                                                uint64_t number) const {
  ASSIGN_OR_RETURN(storage::v1::ScheduleRecord record, ReadSchedule(deps.engine, number));
  if (TopicId(record.topic_id()) != topic.id) return ScheduleNotFound(number);
  return record;
}

absl::StatusOr<HeldSchedule> ScheduleState::ReadAndHold(const Topic& topic, uint64_t number) {
  HeldSchedule held;
  ASSIGN_OR_RETURN(held.record, Read(topic, number));
  held.key = {held.record.due_us(), number};
  {
    MutexLock lock(mu);
    if (index.Hold(held.key)) return held;
  }
  // Delivered, moved or cancelled since, or at this moment.
  RETURN_IF_ERROR(Read(topic, number).status());
  return BeingChanged(number);
}

absl::StatusOr<HeldSchedule> ScheduleState::HoldToCancel(const Topic& topic, uint64_t number) {
  absl::StatusOr<HeldSchedule> held = ReadAndHold(topic, number);
  const v1::ErrorReason reason = ReasonOf(held.status());
  if (held.ok() || reason == v1::CONCURRENT_CHANGE) return held;
  std::optional<ScheduleKey> key;
  {
    MutexLock lock(mu);
    key = index.FindPutOff(number);
    if (key.has_value() && index.FactsOf(*key).topic != topic.id) return held;
  }
  // One that is not found is seldom more than over: all are not looked at for it.
  if (!key.has_value() && reason != v1::SCHEDULE_NOT_FOUND) key = SearchKey(topic.id, number);
  if (!key.has_value()) return held;
  MutexLock lock(mu);
  if (!index.Hold(*key)) return BeingChanged(number);
  return HeldSchedule{*key, {}};
}

std::optional<ScheduleKey> ScheduleState::SearchKey(TopicId topic, uint64_t number) const {
  ScheduleKey last;
  while (true) {
    std::vector<ScheduleIndex::Entry> entries;
    {
      MutexLock lock(mu);
      entries = index.After(last, kChunk);
    }
    for (const auto& [key, facts] : entries) {
      if (key.number == number && facts.topic == topic) return key;
    }
    if (entries.size() < kChunk) return std::nullopt;
    last = entries.back().first;
  }
}

absl::Status ScheduleState::Write(const Topic& topic, const HeldSchedule& held,
                                  std::vector<RowWrite> rows,
                                  absl::FunctionRef<void(ScheduleIndex&)> change) {
  Transaction transaction;
  transaction.rows = std::move(rows);
  const TransactionResult written = SubmitAndWait(deps.engine, std::move(transaction));
  {
    MutexLock lock(mu);
    if (written.status.ok()) {
      change(index);
    } else {
      index.LetGo(held.key.number);
    }
    WaitForNext();
  }
  ForgetIfDeleted(topic.id);
  return written.status;
}

absl::StatusOr<v1::ListSchedulesResponse> Schedules::List(
    const Caller& caller, const v1::ListSchedulesRequest& request) const {
  RETURN_IF_ERROR(CheckTenant(caller, request.tenant()));
  ASSIGN_OR_RETURN(const size_t page, PageSize(request.page_size()));
  ASSIGN_OR_RETURN(ScheduleKey last, KeyOfToken(request.page_token()));
  int64_t before_us = std::numeric_limits<int64_t>::max();
  if (request.has_before()) {
    ASSIGN_OR_RETURN(before_us, MicrosOf(request.before(), "before"));
  }
  TopicPtr only;
  if (!request.topic().empty()) {
    ASSIGN_OR_RETURN(only, state_->deps.topics.Get(caller.tenant, request.topic()));
  }
  v1::ListSchedulesResponse response;
  while (true) {
    std::vector<ScheduleIndex::Entry> entries;
    {
      MutexLock lock(state_->mu);
      entries = state_->index.After(last, kChunk);
    }
    for (const auto& [key, facts] : entries) {
      if (key.due_us >= before_us) return response;
      const TopicPtr topic = only == nullptr ? state_->deps.topics.FindById(facts.topic) : only;
      const bool listed =
          topic != nullptr && topic->id == facts.topic && topic->tenant == caller.tenant;
      if (listed && static_cast<size_t>(response.schedules_size()) == page) {
        response.set_next_page_token(PageTokenOf(last));
        return response;
      }
      last = key;
      if (!listed) continue;
      const auto record = state_->Read(*topic, key.number);
      if (ReasonOf(record.status()) == v1::SCHEDULE_NOT_FOUND) continue;  // Gone meanwhile.
      *response.add_schedules() = record.ok() ? DescribeSchedule(key.number, *record, *topic, false)
                                              : DescribeUnreadable(key, *topic, record.status());
    }
    if (entries.size() < kChunk) return response;
    RETURN_IF_ERROR(CheckDeadline(caller));
  }
}

absl::StatusOr<v1::GetScheduleResponse> Schedules::Get(
    const Caller& caller, const v1::GetScheduleRequest& request) const {
  RETURN_IF_ERROR(CheckTenant(caller, request.tenant()));
  ASSIGN_OR_RETURN(const TopicPtr topic, state_->deps.topics.Get(caller.tenant, request.topic()));
  ASSIGN_OR_RETURN(const uint64_t number, ParseScheduleId(request.schedule_id()));
  ASSIGN_OR_RETURN(const auto record, state_->Read(*topic, number));
  v1::GetScheduleResponse response;
  *response.mutable_schedule() = DescribeSchedule(number, record, *topic, true);
  return response;
}

absl::StatusOr<v1::MoveScheduleResponse> Schedules::Move(const Caller& caller,
                                                         const v1::MoveScheduleRequest& request) {
  RETURN_IF_ERROR(CheckTenant(caller, request.tenant()));
  ASSIGN_OR_RETURN(const TopicPtr topic, state_->deps.topics.Get(caller.tenant, request.topic()));
  ASSIGN_OR_RETURN(const uint64_t number, ParseScheduleId(request.schedule_id()));
  ASSIGN_OR_RETURN(const int64_t wanted_us, MicrosOf(request.deliver_at(), "deliver_at"));
  const int64_t now_us = absl::ToUnixMicros(state_->deps.engine.Now());
  RETURN_IF_ERROR(CheckScheduleTime(wanted_us, now_us));
  ASSIGN_OR_RETURN(HeldSchedule held, state_->ReadAndHold(*topic, number));
  const ScheduleKey to{std::max(wanted_us, now_us), number};
  ScheduledFacts facts;
  {
    MutexLock lock(state_->mu);
    facts = state_->index.FactsOf(held.key);
  }
  held.record.set_due_us(to.due_us);
  std::vector<RowWrite> rows;
  DeleteScheduleRows(held.key, &rows);
  PutScheduleRows(to, facts, held.record, &rows);
  RETURN_IF_ERROR(state_->Write(*topic, held, std::move(rows),
                                [&](ScheduleIndex& index) { index.Move(held.key, to); }));
  v1::MoveScheduleResponse response;
  *response.mutable_schedule() = DescribeSchedule(number, held.record, *topic, false);
  return response;
}

absl::StatusOr<v1::CancelScheduleResponse> Schedules::Cancel(
    const Caller& caller, const v1::CancelScheduleRequest& request) {
  RETURN_IF_ERROR(CheckTenant(caller, request.tenant()));
  ASSIGN_OR_RETURN(const TopicPtr topic, state_->deps.topics.Get(caller.tenant, request.topic()));
  ASSIGN_OR_RETURN(const uint64_t number, ParseScheduleId(request.schedule_id()));
  ASSIGN_OR_RETURN(const HeldSchedule held, state_->HoldToCancel(*topic, number));
  std::vector<RowWrite> rows;
  DeleteScheduleRows(held.key, &rows);
  RETURN_IF_ERROR(state_->Write(*topic, held, std::move(rows),
                                [&](ScheduleIndex& index) { index.Remove(held.key); }));
  return v1::CancelScheduleResponse();
}

void Schedules::ForgetTopic(TopicId topic) { state_->ForgetTopic(topic); }

void ScheduleState::ForgetIfDeleted(TopicId topic) {
  if (deps.topics.FindById(topic) != nullptr) return;
  deps.pool.Post([self = shared_from_this(), topic] { self->ForgetTopic(topic); });
}

void ScheduleState::ForgetTopic(TopicId topic) {
  ScheduleKey last;
  size_t seen = kChunk;
  std::vector<ScheduleKey> keys;
  while (seen == kChunk) {
    {
      MutexLock lock(mu);
      const auto entries = index.After(last, kChunk);
      seen = entries.size();
      for (const auto& [key, facts] : entries) {
        last = key;
        // One that is held is delivered, and the topic missed, or changed, and looked at again.
        if (facts.topic == topic && index.Hold(key)) keys.push_back(key);
      }
    }
    if (keys.empty() || (keys.size() < kChunk && seen == kChunk)) continue;
    Transaction transaction;
    for (const ScheduleKey& key : keys) DeleteScheduleRows(key, &transaction.rows);
    const TransactionResult written = SubmitAndWait(deps.engine, std::move(transaction));
    MutexLock lock(mu);
    End(std::exchange(keys, {}), written.status.ok());
    WaitForNext();
    if (written.status.ok()) continue;
    // The next start, or their due time, does it.
    return LogWarn("scheduled events of a deleted topic stay for now",
                   {{"error", written.status.message()}});
  }
}

}  // namespace acta
