#include "server/core/groups/dead_letter_rows.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "proto/support/error.h"
#include "proto/support/limit_error.h"
#include "proto/support/wire.h"
#include "server/core/groups/group_text.h"
#include "storage/base/bytes.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"

namespace acta {
namespace {

constexpr int kMostNamed = 1000;

int64_t MicrosOf(const google::protobuf::Timestamp& time) {
  return time.seconds() * 1'000'000 + time.nanos() / 1000;
}

bool IsNamed(const StoredLetter& letter, const v1::DeadLetterSelection& selection) {
  return std::any_of(selection.letters().begin(), selection.letters().end(),
                     [&](const v1::DeadLetterRef& ref) {
                       return ref.offset() == letter.offset.value() &&
                              ref.partition() == letter.partition.partition() &&
                              ref.topic() == letter.topic->name();
                     });
}

bool Selects(const v1::DeadLetterSelection& selection, const StoredLetter& letter) {
  const int64_t time_us = letter.record.time_us();
  if (!selection.letters().empty() && !IsNamed(letter, selection)) return false;
  if (!selection.topic().empty() && selection.topic() != letter.topic->name()) return false;
  if (!selection.fingerprint().empty() &&
      selection.fingerprint() != FingerprintOf(letter.record.fingerprint())) {
    return false;
  }
  if (selection.has_after() && time_us < MicrosOf(selection.after())) return false;
  return !selection.has_before() || time_us < MicrosOf(selection.before());
}

v1::DeadLetterReason ReasonFor(storage::v1::DeadLetterRecord::Reason reason) {
  switch (reason) {
    case storage::v1::DeadLetterRecord::REJECTED:
      return v1::DEAD_LETTER_REASON_REJECTED;
    case storage::v1::DeadLetterRecord::ATTEMPTS_EXHAUSTED:
      return v1::DEAD_LETTER_REASON_ATTEMPTS_EXHAUSTED;
    case storage::v1::DeadLetterRecord::DELIVERY_LOOP:
      return v1::DEAD_LETTER_REASON_DELIVERY_LOOP;
    default:
      return v1::DEAD_LETTER_REASON_UNSPECIFIED;
  }
}

v1::AttemptEnd EndOf(storage::v1::AttemptRecord::End end) {
  switch (end) {
    case storage::v1::AttemptRecord::NACK:
      return v1::ATTEMPT_END_NACK;
    case storage::v1::AttemptRecord::REJECT:
      return v1::ATTEMPT_END_REJECT;
    case storage::v1::AttemptRecord::LEASE_EXPIRED:
      return v1::ATTEMPT_END_LEASE_EXPIRED;
    case storage::v1::AttemptRecord::MEMBER_LOST:
      return v1::ATTEMPT_END_MEMBER_LOST;
    default:
      return v1::ATTEMPT_END_UNSPECIFIED;
  }
}

absl::StatusOr<std::vector<v1::Attempt>> LoadAttempts(const LogEngine& engine, GroupId group,
                                                      const StoredLetter& letter) {
  const std::string prefix = QueueRow(kAttemptRows, group, letter.partition, letter.offset);
  ASSIGN_OR_RETURN(const auto rows, engine.LoadRows(Family::kState, prefix));
  std::vector<v1::Attempt> attempts;
  for (const auto& [key, value] : rows) {
    storage::v1::AttemptRecord record;
    if (key.size() != prefix.size() + 8 || !record.ParseFromString(value)) {
      return Error(v1::DATA_CORRUPTED, "a row of an attempt cannot be read");
    }
    const uint64_t number = GetBig64(key.data() + prefix.size());
    v1::Attempt& attempt = attempts.emplace_back();
    attempt.set_attempt(static_cast<int32_t>(number & 0xffffffff));
    attempt.set_redrives(static_cast<int32_t>(number >> 32));
    attempt.set_end(EndOf(record.end()));
    attempt.set_member_id(record.member_id());
    attempt.set_app(record.app());
    attempt.set_app_version(record.app_version());
    SetTimestamp(record.leased_us(), attempt.mutable_lease_time());
    SetTimestamp(record.ended_us(), attempt.mutable_end_time());
    attempt.set_reason(record.reason());
    attempt.set_text(record.text());
  }
  return attempts;
}

// Not when retention took it, or it cannot be read.
void AddEvent(const LogEngine& engine, GroupId group, const StoredLetter& letter,
              v1::DeadLetter* out) {
  const auto read = engine.Read(letter.partition, letter.offset, 1);
  BatchPtr found = read.ok() && !read->empty() ? read->front() : nullptr;
  if (found == nullptr) {
    const auto kept = LoadKeptEvent(engine, group, letter.partition, letter.offset);
    if (!kept.ok()) return;
    found = (*kept)->batch;
  }
  const StoredBatch& batch = *found;
  if (letter.offset < batch.base_offset || letter.offset >= batch.end()) return;
  EventElements elements(batch.payload.view());
  absl::string_view event;
  for (int64_t i = Lag(batch.base_offset, letter.offset); i >= 0; --i) {
    if (!elements.Next(&event)) return;
  }
  if (!out->mutable_event()->ParseFromArray(event.data(), static_cast<int>(event.size()))) {
    out->clear_event();
  }
  out->set_append_time_us(batch.append_time_us);
}

using LetterRows = std::vector<std::pair<std::string, std::string>>;

// Those that are named one by one, else all.
absl::StatusOr<LetterRows> LoadLetterRows(const LogEngine& engine, const Group& group,
                                          const v1::DeadLetterSelection* selection) {
  if (selection == nullptr || selection->letters().empty()) {
    return engine.LoadRows(Family::kState, QueueRows(kDeadLetterRows, group.id()));
  }
  absl::btree_map<std::string, std::string> rows;  // By key, and each once.
  for (const v1::DeadLetterRef& ref : selection->letters()) {
    const std::string key =
        QueueRow(kDeadLetterRows, group.id(), PartitionOf(group, ref), Offset(ref.offset()));
    ASSIGN_OR_RETURN(const auto found, engine.LoadRows(Family::kState, key));
    rows.insert(found.begin(), found.end());
  }
  return LetterRows(rows.begin(), rows.end());
}

}  // namespace

absl::Status CheckSelection(const v1::DeadLetterSelection& selection) {
  const bool some = !selection.letters().empty() || !selection.fingerprint().empty() ||
                    selection.has_after() || selection.has_before() || !selection.topic().empty();
  if (!some && !selection.all()) {
    return Error(v1::INVALID_ARGUMENT,
                 "selection: say which dead letters: by place, fingerprint, time or topic, or all",
                 {{"field", "selection"}});
  }
  if (selection.letters_size() <= kMostNamed) return absl::OkStatus();
  return LimitExceeded("the selection names letters:", selection.letters_size(),
                       "max_named_dead_letters", kMostNamed);
}

absl::StatusOr<std::vector<StoredLetter>> LoadDeadLetters(
    const LogEngine& engine, const Group& group, const v1::DeadLetterSelection* selection) {
  if (selection != nullptr && selection->letters_size() > kMostNamed) {
    return CheckSelection(*selection);
  }
  absl::flat_hash_map<PartitionId, TopicPtr> topics;
  for (const Group::PositionView& view : group.Positions()) topics[view.id()] = view.topic;
  ASSIGN_OR_RETURN(const LetterRows rows, LoadLetterRows(engine, group, selection));
  std::vector<StoredLetter> letters;
  for (const auto& [key, value] : rows) {
    ASSIGN_OR_RETURN(const auto place, PlaceOfRow(kDeadLetterRows, key));
    const auto topic = topics.find(place.first);
    if (topic == topics.end()) continue;  // It is being deleted.
    StoredLetter letter{place.first, place.second, topic->second, {}};
    if (!letter.record.ParseFromString(value)) {
      return Error(v1::DATA_CORRUPTED, "a row of a dead letter cannot be read");
    }
    if (selection == nullptr || Selects(*selection, letter)) letters.push_back(std::move(letter));
  }
  return letters;
}

absl::Status DeadLetterNotFound(const v1::DeadLetterRef& ref) {
  return Error(
      v1::DEAD_LETTER_NOT_FOUND,
      absl::StrCat("offset ", ref.offset(), " of partition ", ref.partition(), " of topic '",
                   ref.topic(), "' is no dead letter of the group: list ", "them again"),
      {{"topic", ref.topic()},
       {"partition", absl::StrCat(ref.partition())},
       {"offset", absl::StrCat(ref.offset())}});
}

std::vector<v1::DeadLetterRef> MissingFrom(const std::vector<StoredLetter>& letters,
                                           const v1::DeadLetterSelection& selection) {
  std::vector<v1::DeadLetterRef> missing;
  for (const v1::DeadLetterRef& ref : selection.letters()) {
    const bool found = std::any_of(letters.begin(), letters.end(), [&](const StoredLetter& one) {
      return ref.offset() == one.offset.value() && ref.partition() == one.partition.partition() &&
             ref.topic() == one.topic->name();
    });
    if (!found) missing.push_back(ref);
  }
  return missing;
}

PartitionId PartitionOf(const Group& group, const v1::DeadLetterRef& ref) {
  for (const Group::PositionView& view : group.Positions()) {
    if (view.number == ref.partition() && view.topic->name() == ref.topic()) return view.id();
  }
  return PartitionId(std::numeric_limits<uint64_t>::max());
}

std::string FingerprintOf(uint64_t fingerprint) { return absl::StrFormat("%016x", fingerprint); }

std::string PlaceText(const StoredLetter& letter) {
  return absl::StrFormat("%016x%016x", letter.partition.value(), letter.offset.value());
}

absl::StatusOr<v1::DeadLetter> DescribeLetter(const LogEngine& engine, const Group& group,
                                              const StoredLetter& letter, bool whole) {
  v1::DeadLetter out;
  out.mutable_ref()->set_topic(letter.topic->name());
  out.mutable_ref()->set_partition(letter.partition.partition());
  out.mutable_ref()->set_offset(letter.offset.value());
  out.set_reason(ReasonFor(letter.record.reason()));
  SetTimestamp(letter.record.time_us(), out.mutable_dead_time());
  out.set_attempts(letter.record.attempts());
  out.set_redrives(letter.record.attempts_before_size());
  out.set_order_broken(letter.record.order_broken());
  out.set_fingerprint(FingerprintOf(letter.record.fingerprint()));
  ASSIGN_OR_RETURN(std::vector<v1::Attempt> attempts, LoadAttempts(engine, group.id(), letter));
  if (!attempts.empty()) *out.mutable_last_attempt() = attempts.back();
  if (!whole) return out;
  for (v1::Attempt& attempt : attempts) *out.add_history() = std::move(attempt);
  AddEvent(engine, group.id(), letter, &out);
  return out;
}

}  // namespace acta
