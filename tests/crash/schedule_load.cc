#include "tests/crash/schedule_load.h"

#include <iterator>
#include <vector>

#include "acta/v1/publisher.pb.h"
#include "proto/support/error.h"
#include "proto/support/proto_time.h"
#include "server/core/schedules/schedule_records.h"
#include "storage/base/status_macros.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

constexpr size_t kMostWaiting = 40;

std::string LaterElement(int64_t number, uint64_t bytes) {
  v1::PartitionBatch batch;
  batch.add_events()->set_data(LaterData(number) + std::string(bytes, 'z'));
  return batch.SerializeAsString();
}

}  // namespace

absl::Status ScheduleLoad::Step() {
  if (Random(2) == 0) RETURN_IF_ERROR(Schedule());
  return Random(4) == 0 && !waiting_.empty() ? Change() : absl::OkStatus();
}

int64_t ScheduleLoad::DrawDue() {
  const auto delay = absl::Seconds(static_cast<int64_t>(1 + Random(Random(3) == 0 ? 30'000 : 600)));
  return absl::ToUnixMicros(store_.engine().Now() + delay);
}

absl::Status ScheduleLoad::Schedule() {
  const TopicPtr topic = store_.topics().Find("default", kLaterTopic);
  std::vector<std::string> elements;
  std::vector<ScheduleDecision> decisions;
  const int64_t due_us = DrawDue();
  for (uint64_t count = 1 + Random(3); count > 0; --count) {
    elements.push_back(LaterElement(next_, Random(200)));
    decisions.push_back({next_++, ScheduleDecision::Op::kSchedule, due_us, disk_.operations(), 0});
  }
  std::vector<ScheduleRequest::Event> events;
  for (const std::string& element : elements) events.push_back({element, EventIdHash()});
  FrameNumbers numbers;
  ASSIGN_OR_RETURN(
      ScheduleReservation reservation,
      store_.schedules().Reserve({*topic, std::nullopt, due_us, "", events}, &numbers));
  Transaction transaction;
  transaction.rows = reservation.TakeRows();
  RETURN_IF_ERROR(Commit(store_.engine(), std::move(transaction)).status);
  for (size_t i = 0; i < decisions.size(); ++i) {
    decisions[i].acked = disk_.operations();
    history_.schedules.push_back(decisions[i]);
    waiting_[decisions[i].event] = ScheduleIdOf(reservation.events()[i].key.number);
    if (waiting_.size() > kMostWaiting) waiting_.erase(waiting_.begin());
  }
  reservation.Commit();
  store_.Run();
  return absl::OkStatus();
}

// One that is delivered already, or at this moment, stays as it is.
absl::Status ScheduleLoad::Change() {
  const auto one =
      std::next(waiting_.begin(), static_cast<std::ptrdiff_t>(Random(waiting_.size())));
  ScheduleDecision decision{one->first, ScheduleDecision::Op::kMove, 0, disk_.operations(), 0};
  absl::Status changed;
  if (Random(3) == 0) {
    decision.op = ScheduleDecision::Op::kCancel;
    v1::CancelScheduleRequest request;
    request.set_topic(kLaterTopic);
    request.set_schedule_id(one->second);
    changed = store_.schedules().Cancel(store_.caller(), request).status();
  } else {
    decision.due_us = DrawDue();
    v1::MoveScheduleRequest request;
    request.set_topic(kLaterTopic);
    request.set_schedule_id(one->second);
    SetTimeUs(decision.due_us, request.mutable_deliver_at());
    changed = store_.schedules().Move(store_.caller(), request).status();
  }
  store_.Run();
  const v1::ErrorReason reason = ReasonOf(changed);
  if (!changed.ok() || decision.op == ScheduleDecision::Op::kCancel) waiting_.erase(one);
  if (reason == v1::SCHEDULE_NOT_FOUND || reason == v1::CONCURRENT_CHANGE) return absl::OkStatus();
  RETURN_IF_ERROR(changed);
  decision.acked = disk_.operations();
  history_.schedules.push_back(decision);
  return absl::OkStatus();
}

}  // namespace acta
