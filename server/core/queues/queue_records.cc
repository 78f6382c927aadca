#include "server/core/queues/queue_records.h"

#include <algorithm>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "proto/support/error.h"
#include "storage/base/bytes.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

void PutFacts(const EventFacts& facts, storage::v1::EventFactsRecord* record) {
  record->set_key(facts.key);
  record->set_expires_us(facts.expires_us == kNever ? 0 : facts.expires_us);
  record->set_bytes(facts.bytes);
}

storage::v1::ParkedRecord::State StateFor(ParkedEvent::State state) {
  switch (state) {
    case ParkedEvent::State::kRetryWait:
      return storage::v1::ParkedRecord::RETRY_WAIT;
    case ParkedEvent::State::kBlockedByKey:
      return storage::v1::ParkedRecord::BLOCKED_BY_KEY;
    case ParkedEvent::State::kHeld:
      return storage::v1::ParkedRecord::HELD;
  }
  return storage::v1::ParkedRecord::RETRY_WAIT;
}

absl::Status RowCorrupted(absl::string_view kind) {
  return Error(v1::DATA_CORRUPTED, absl::StrCat("a row of '", kind, "' cannot be read"));
}

}  // namespace

QueuePosition PositionFrom(const storage::v1::PositionRecord& record) {
  QueuePosition position;
  position.floor = Offset(record.offset());
  position.head = Offset(std::max(record.head(), record.offset()));
  int64_t at = record.offset();
  for (int i = 0; i + 1 < record.outstanding_size(); i += 2) {
    const int64_t first = at + static_cast<int64_t>(record.outstanding(i));
    at = first + static_cast<int64_t>(record.outstanding(i + 1));
    position.outstanding.push_back({Offset(first), Offset(at)});
  }
  return position;
}

void PutPosition(const QueuePosition& position, storage::v1::PositionRecord* record) {
  record->set_offset(position.floor.value());
  record->set_head(position.head.value());
  record->clear_outstanding();
  Offset at = position.floor;
  for (const OffsetRun& run : position.outstanding) {
    record->add_outstanding(static_cast<uint64_t>(Lag(at, run.first)));
    record->add_outstanding(static_cast<uint64_t>(Lag(run.first, run.end)));
    at = run.end;
  }
}

std::string RedriveText(uint64_t redrive) { return absl::StrFormat("%016x", redrive); }

storage::v1::ParkedRecord ParkedRecordOf(const ParkedEvent& event, const AttemptsBefore& before) {
  storage::v1::ParkedRecord record;
  record.set_state(StateFor(event.state));
  record.set_due_us(event.due_us);
  PutFacts(event.facts, record.mutable_facts());
  record.set_attempts(event.attempts);
  record.mutable_attempts_before()->Add(before.rounds.begin(), before.rounds.end());
  record.set_redrive_id(before.redrive);
  return record;
}

storage::v1::DeadLetterRecord DeadLetterRecordOf(const DeadLetter& letter,
                                                 const AttemptsBefore& before) {
  storage::v1::DeadLetterRecord record;
  switch (letter.reason) {
    case DeadLetterReason::kRejected:
      record.set_reason(storage::v1::DeadLetterRecord::REJECTED);
      break;
    case DeadLetterReason::kAttemptsExhausted:
      record.set_reason(storage::v1::DeadLetterRecord::ATTEMPTS_EXHAUSTED);
      break;
    case DeadLetterReason::kDeliveryLoop:
      record.set_reason(storage::v1::DeadLetterRecord::DELIVERY_LOOP);
      break;
  }
  record.set_time_us(letter.at_us);
  PutFacts(letter.facts, record.mutable_facts());
  record.set_attempts(letter.attempts);
  record.mutable_attempts_before()->Add(before.rounds.begin(), before.rounds.end());
  record.set_redrive_id(before.redrive);
  record.set_order_broken(letter.order_broken);
  return record;
}

EventFacts FactsFrom(const storage::v1::EventFactsRecord& record) {
  EventFacts facts;
  facts.key = record.key();
  facts.expires_us = record.expires_us() == 0 ? kNever : record.expires_us();
  facts.bytes = record.bytes();
  return facts;
}

absl::StatusOr<StoredParked> ParkedFrom(absl::string_view key, absl::string_view value) {
  ASSIGN_OR_RETURN(const auto place, PlaceOfRow("parked/", key));
  storage::v1::ParkedRecord record;
  if (!record.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
    return RowCorrupted("parked/");
  }
  StoredParked parked;
  parked.partition = place.first;
  parked.event.offset = place.second;
  parked.event.state = record.state() == storage::v1::ParkedRecord::HELD ? ParkedEvent::State::kHeld
                       : record.state() == storage::v1::ParkedRecord::BLOCKED_BY_KEY
                           ? ParkedEvent::State::kBlockedByKey
                           : ParkedEvent::State::kRetryWait;
  parked.event.due_us = record.due_us();
  parked.event.facts = FactsFrom(record.facts());
  parked.event.attempts = record.attempts();
  parked.event.redrives = record.attempts_before_size();
  parked.before.rounds.assign(record.attempts_before().begin(), record.attempts_before().end());
  parked.before.redrive = record.redrive_id();
  return parked;
}

absl::StatusOr<std::pair<PartitionId, Offset>> PlaceOfRow(absl::string_view kind,
                                                          absl::string_view key) {
  // The group, the partition, the offset.
  if (key.size() < kind.size() + 24) return RowCorrupted(kind);
  const char* const partition = key.data() + kind.size() + 8;
  return std::pair(PartitionId(GetBig64(partition)),
                   Offset(static_cast<int64_t>(GetBig64(partition + 8))));
}

uint64_t FailureFingerprint(const LogEngine& engine, absl::string_view reason,
                            absl::string_view text) {
  std::string out = absl::StrCat(reason, "\n");
  for (const char c : text) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) out.push_back(c);
  }
  return engine.HashEventId("fingerprint", out).low;
}

}  // namespace acta
