#include "tests/golden/golden_rows.h"

#include <utility>

#include "acta/storage/v1/records.pb.h"
#include "storage/layout/rows.h"

namespace acta {
namespace {

constexpr Offset kWaits{3};
constexpr Offset kDead{4};
constexpr uint64_t kRedrive = 0x1122334455667788;
constexpr int64_t kTimeUs = 1'700'000'000'000'000;

template <typename Record>
RowWrite StateRow(std::string key, const Record& record) {
  return {Family::kState, std::move(key), record.SerializeAsString()};
}

void PutFacts(storage::v1::EventFactsRecord* facts) {
  facts->set_key(0x8877665544332211);
  facts->set_expires_us(kTimeUs + 60'000'000);
  facts->set_bytes(117);
}

storage::v1::PositionRecord QueuePosition() {
  storage::v1::PositionRecord position;
  position.set_offset(5);
  position.set_incarnation(1);
  position.set_commit_time_us(kTimeUs);
  position.set_generation(2);
  position.set_reset_reason("a bad deploy");
  position.set_reset_by("alice");
  position.set_reset_time_us(kTimeUs - 1);
  position.set_head(20);
  for (const uint64_t number : {0, 2, 3, 1}) position.add_outstanding(number);
  return position;
}

std::vector<RowWrite> QueueRowsOfWorkers() {
  storage::v1::ParkedRecord parked;
  parked.set_state(storage::v1::ParkedRecord::HELD);
  parked.set_due_us(kTimeUs + 1);
  PutFacts(parked.mutable_facts());
  parked.set_attempts(3);
  parked.add_attempts_before(10);
  parked.set_redrive_id(kRedrive);
  storage::v1::AttemptRecord attempt;
  attempt.set_end(storage::v1::AttemptRecord::MEMBER_LOST);
  attempt.set_member_id("m-1");
  attempt.set_app("biller");
  attempt.set_app_version("7");
  attempt.set_leased_us(kTimeUs - 5);
  attempt.set_ended_us(kTimeUs - 4);
  attempt.set_reason("BUSY");
  attempt.set_text("the bank is closed");
  storage::v1::DeadLetterRecord dead;
  dead.set_reason(storage::v1::DeadLetterRecord::DELIVERY_LOOP);
  dead.set_time_us(kTimeUs);
  PutFacts(dead.mutable_facts());
  dead.set_attempts(2);
  dead.add_attempts_before(1);
  dead.set_order_broken(true);
  dead.set_fingerprint(0x1234);
  dead.set_incarnation(1);
  dead.set_redrive_id(kRedrive);
  storage::v1::KeptRecord kept;
  kept.set_element("\x0a\x03\x0a\x01x");
  kept.set_context("context");
  kept.set_append_time_us(kTimeUs);
  kept.set_incarnation(1);
  storage::v1::RedriveRecord redrive;
  redrive.mutable_redrive()->set_redrive_id("1122334455667788");
  redrive.mutable_redrive()->set_state(acta::v1::REDRIVE_STATE_RUNNING);
  redrive.mutable_redrive()->mutable_selection()->set_all(true);
  redrive.mutable_redrive()->set_rate(100);
  redrive.set_before_us(kTimeUs);
  redrive.set_place("00000000000001000000000000000004");
  redrive.set_passed_over(9);
  return {StateRow(PositionRow(kWorkers, kOrders0), QueuePosition()),
          StateRow(QueueRow(kParkedRows, kWorkers, kOrders0, kWaits), parked),
          StateRow(AttemptRow(kWorkers, kOrders0, kWaits, 1, 3), attempt),
          StateRow(QueueRow(kDeadLetterRows, kWorkers, kOrders0, kDead), dead),
          StateRow(QueueRow(kKeptRows, kWorkers, kOrders0, kDead), kept),
          StateRow(RedriveRow(kWorkers, kRedrive), redrive)};
}

// Of scheduled events and claims.
std::vector<RowWrite> OtherRows() {
  storage::v1::DueRecord due;
  due.set_topic_id(kOrders.value());
  due.set_id_low(1);
  due.set_id_high(2);
  storage::v1::ScheduleRecord schedule;
  schedule.set_due_us(kTimeUs);
  schedule.set_topic_id(kOrders.value());
  schedule.set_partition(1);
  schedule.set_element("\x0a\x03\x0a\x01y");
  schedule.set_context("context");
  schedule.set_scheduled_us(kTimeUs - 7);
  storage::v1::ClaimRecord claim;
  claim.set_token("0123456789abcdef");
  claim.set_owner("biller");
  claim.set_principal("alice");
  claim.set_request_id("r-1");
  claim.set_claim_us(kTimeUs);
  claim.set_until_us(kTimeUs + 30);
  claim.set_ttl_us(3'600'000'000);
  claim.set_complete_us(kTimeUs + 20);
  claim.set_result("paid");
  claim.set_end_us(kTimeUs + 3'600'000'020);
  return {StateRow(DueRow(kTimeUs, 41), due),
          StateRow(ScheduleRow(41), schedule),
          StateRow(ClaimRow(kWorkers, "payment/1"), claim),
          {Family::kState, ClaimEndRow(kWorkers, claim.end_us(), "payment/1"), ""}};
}

}  // namespace

std::vector<RowWrite> DomainRows() {
  storage::v1::TopicRecord orders;
  orders.set_topic_id(kOrders.value());
  orders.set_tenant("default");
  orders.mutable_topic()->set_name("orders");
  orders.mutable_topic()->set_partitions(2);
  storage::v1::TopicRecord clicks;
  clicks.set_topic_id(kClicks.value());
  clicks.set_tenant("default");
  clicks.mutable_topic()->set_name("clicks");
  clicks.mutable_topic()->set_partitions(1);
  storage::v1::GroupRecord readers;
  readers.set_group_id(kReaders.value());
  readers.set_tenant("default");
  readers.mutable_group()->set_name("readers");
  readers.add_topic_ids(kOrders.value());
  storage::v1::PositionRecord position;
  position.set_offset(7);
  position.set_incarnation(1);
  position.set_generation(3);
  std::vector<RowWrite> rows = {
      {Family::kMeta, TopicRow("default", "orders"), orders.SerializeAsString()},
      {Family::kMeta, TopicRow("default", "clicks"), clicks.SerializeAsString()},
      {Family::kMeta, GroupRow("default", "readers"), readers.SerializeAsString()},
      {Family::kState, PositionRow(kReaders, kOrders0), position.SerializeAsString()}};
  for (RowWrite& row : QueueRowsOfWorkers()) rows.push_back(std::move(row));
  for (RowWrite& row : OtherRows()) rows.push_back(std::move(row));
  return rows;
}

}  // namespace acta
