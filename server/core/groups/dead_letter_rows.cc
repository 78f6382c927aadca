#include "server/core/groups/dead_letter_rows.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "proto/support/error.h"
#include "proto/support/limit_error.h"
#include "proto/support/proto_time.h"
#include "server/core/access/names.h"
#include "storage/base/bytes.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"

namespace acta {
namespace {

constexpr uint64_t kNoOffset = std::numeric_limits<int64_t>::max();  // Like all beyond it.

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

// Not when retention took it, or it cannot be read.
void AddEvent(const LogEngine& engine, GroupId group, const StoredLetter& letter,
              v1::DeadLetter* out) {
  const auto batch = LoadEvent(engine, group, letter.partition, letter.offset);
  if (!batch.ok()) return;
  const absl::string_view event = (*batch)->EventAt(letter.offset);
  if (!out->mutable_event()->ParseFromArray(event.data(), static_cast<int>(event.size()))) {
    out->clear_event();
  }
  out->set_append_time_us((*batch)->batch->append_time_us);
}

// nullopt: its topic is being deleted.
absl::StatusOr<std::optional<StoredLetter>> ParseLetter(const Group& group, absl::string_view key,
                                                        const std::string& value) {
  ASSIGN_OR_RETURN(const auto place, PlaceOfRow(kDeadLetterRows, key));
  StoredLetter letter{place.first, place.second, group.TopicOf(place.first), {}};
  if (letter.topic == nullptr) return std::nullopt;
  if (letter.record.ParseFromString(value)) return letter;
  return Error(v1::DATA_CORRUPTED, "a row of a dead letter cannot be read");
}

// The row behind the place that PlaceText() said.
absl::StatusOr<std::string> RowOfPlace(GroupId group, absl::string_view place) {
  std::string bytes;
  const bool digits = std::all_of(place.begin(), place.end(), [](char c) {
    return absl::ascii_isxdigit(static_cast<unsigned char>(c));
  });
  if (digits && place.size() == 32) bytes = absl::HexStringToBytes(place);
  if (bytes.size() != 16 || GetBig64(bytes.data() + 8) >= kNoOffset) {
    return Error(v1::INVALID_ARGUMENT,
                 "page_token is not one that a list of dead letters answered: leave it out to "
                 "begin anew",
                 {{"field", "page_token"}});
  }
  return QueueRows(kDeadLetterRows, group) + bytes;
}

// The place that PlaceText() said of a row.
LetterPlace PlaceOfKey(absl::string_view key) {
  const char* const place = key.data() + key.size() - 16;
  return {PartitionId(GetBig64(place)), Offset(static_cast<int64_t>(GetBig64(place + 8)))};
}

absl::Status CheckTimeOf(absl::string_view field, const google::protobuf::Timestamp& time) {
  if (GetTime(time).has_value()) return absl::OkStatus();
  return Error(v1::INVALID_ARGUMENT,
               absl::StrCat("selection: ", field, " is not a time between the years 1 and 9999"),
               {{"field", absl::StrCat("selection.", field)}});
}

bool IsHeld(const Group& group, const v1::DeadLetterRef& ref) {
  const Offset offset(ref.offset());
  return ref.offset() < std::numeric_limits<int64_t>::max() &&
         !group.queue()->HeldIn(PartitionOf(group, ref), {offset, offset + 1}, 1).empty();
}

}  // namespace

absl::StatusOr<std::vector<v1::Attempt>> LoadAttempts(const LogEngine& engine, GroupId group,
                                                      const StoredLetter& letter, bool all) {
  RowRange range;
  range.prefix = QueueRow(kAttemptRows, group, letter.partition, letter.offset);
  const std::string& prefix = range.prefix;
  // Who was given back all the time has none since its last redrive.
  if (const int32_t last = letter.record.attempts(); !all && last > 0) {
    range.after = AttemptRow(group, letter.partition, letter.offset,
                             letter.record.attempts_before_size(), last - 1);
  }
  ASSIGN_OR_RETURN(const RowList rows, engine.LoadRows(range));
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
    SetTimeUs(record.leased_us(), attempt.mutable_lease_time());
    SetTimeUs(record.ended_us(), attempt.mutable_end_time());
    attempt.set_reason(record.reason());
    attempt.set_text(record.text());
  }
  return attempts;
}

// Whether it is one of those that are named is known by its key.
bool Selects(const v1::DeadLetterSelection& selection, const StoredLetter& letter) {
  const int64_t time_us = letter.record.time_us();
  if (!selection.topic().empty() && selection.topic() != letter.topic->name()) return false;
  if (!selection.fingerprint().empty() &&
      selection.fingerprint() != FingerprintOf(letter.record.fingerprint())) {
    return false;
  }
  if (selection.has_after() && time_us < absl::ToUnixMicros(ToTime(selection.after())))
    return false;
  return !selection.has_before() || time_us < absl::ToUnixMicros(ToTime(selection.before()));
}

v1::DeadLetterSelection SelectionAt(v1::DeadLetterSelection selection, int64_t unix_us) {
  const absl::Time before = absl::FromUnixMicros(unix_us + 1);
  const bool earlier = selection.has_before() && ToTime(selection.before()) < before;
  if (!earlier) SetTime(before, selection.mutable_before());
  return selection;
}

absl::Status CheckSelection(const v1::DeadLetterSelection& selection) {
  const auto too_long = [](absl::string_view name) { return name.size() > kMaxNameBytes; };
  if (too_long(selection.topic()) || too_long(selection.fingerprint()) ||
      std::any_of(selection.letters().begin(), selection.letters().end(),
                  [&](const auto& ref) { return too_long(ref.topic()); })) {
    return Error(v1::INVALID_ARGUMENT,
                 absl::StrCat("selection: a name has more than ", kMaxNameBytes, " bytes"),
                 {{"field", "selection"}});
  }
  if (selection.has_after()) RETURN_IF_ERROR(CheckTimeOf("after", selection.after()));
  if (selection.has_before()) RETURN_IF_ERROR(CheckTimeOf("before", selection.before()));
  const bool some = !selection.letters().empty() || !selection.fingerprint().empty() ||
                    selection.has_after() || selection.has_before() || !selection.topic().empty();
  if (!some && !selection.all()) {
    return Error(v1::INVALID_ARGUMENT,
                 "selection: say which dead letters: by place, fingerprint, time or topic, or all",
                 {{"field", "selection"}});
  }
  if (selection.letters_size() <= kMaxNamedLetters) return absl::OkStatus();
  return LimitExceeded("the selection names letters:", selection.letters_size(),
                       "max_named_dead_letters", kMaxNamedLetters);
}

absl::StatusOr<DeadLetterWalk> DeadLetterWalk::Begin(const LogEngine& engine, const Group& group,
                                                     const v1::DeadLetterSelection* selection,
                                                     absl::string_view place, size_t page,
                                                     Letters which,
                                                     const std::atomic<bool>* stopping) {
  DeadLetterWalk walk(engine, group, selection, stopping);
  walk.range_.prefix = QueueRows(kDeadLetterRows, group.id());
  walk.range_.max_rows = page;
  if (!place.empty()) {
    ASSIGN_OR_RETURN(walk.range_.after, RowOfPlace(group.id(), place));
  }
  walk.named_ = selection != nullptr && !selection->letters().empty();
  std::vector<LetterPlace> places;
  if (walk.named_) {
    if (selection->letters_size() > kMaxNamedLetters) return CheckSelection(*selection);
    for (const v1::DeadLetterRef& ref : selection->letters()) {
      places.emplace_back(PartitionOf(group, ref), Offset(ref.offset()));
    }
    std::sort(places.begin(), places.end(), std::greater<>());
    places.erase(std::unique(places.begin(), places.end()), places.end());
  }
  for (const auto& [partition, offset] : places) {
    std::string key = QueueRow(kDeadLetterRows, group.id(), partition, offset);
    if (key > walk.range_.after) walk.keys_.push_back(std::move(key));
  }
  if (which == Letters::kDead) return walk;
  walk.held_walk_.emplace(engine, group, walk.named_ ? &places : nullptr, page);
  if (!place.empty()) walk.held_walk_->BeginBehind(PlaceOfKey(walk.range_.after));
  return walk;
}

absl::Status DeadLetterWalk::LoadPage() {
  next_ = 0;
  page_.clear();
  if (ended_) return absl::OkStatus();
  if (named_) return LoadNamed();
  RETURN_IF_ERROR(CheckStopping(stopping_));
  ASSIGN_OR_RETURN(page_, engine_.LoadRows(range_));
  ended_ = page_.size() < range_.max_rows;
  if (!page_.empty()) range_.after = page_.back().first;
  return absl::OkStatus();
}

absl::Status DeadLetterWalk::LoadNamed() {
  while (!keys_.empty() && page_.size() < range_.max_rows) {
    RowRange one;
    one.prefix = std::move(keys_.back());
    one.max_rows = 1;
    keys_.pop_back();
    ASSIGN_OR_RETURN(RowList found, engine_.LoadRows(one));
    for (auto& row : found) page_.push_back(std::move(row));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<StoredLetter>> DeadLetterWalk::NextDead() {
  while (true) {
    if (next_ == page_.size()) {
      RETURN_IF_ERROR(LoadPage());
      if (page_.empty()) return std::nullopt;
    }
    const auto& [key, value] = page_[next_++];
    ASSIGN_OR_RETURN(std::optional<StoredLetter> letter, ParseLetter(group_, key, value));
    if (letter.has_value()) return letter;
  }
}

absl::StatusOr<std::optional<StoredLetter>> DeadLetterWalk::Next() {
  const auto place = [](const StoredLetter& one) { return LetterPlace(one.partition, one.offset); };
  while (true) {
    if (!dead_.has_value()) {
      ASSIGN_OR_RETURN(dead_, NextDead());
    }
    if (!held_.has_value() && held_walk_.has_value()) {
      ASSIGN_OR_RETURN(held_, held_walk_->Next());
    }
    const bool held = held_.has_value() && (!dead_.has_value() || place(*held_) < place(*dead_));
    std::optional<StoredLetter> letter = std::exchange(held ? held_ : dead_, std::nullopt);
    const bool end = !letter.has_value();
    if (end || selection_ == nullptr || Selects(*selection_, *letter)) return letter;
  }
}

absl::Status DeadLetterNotFound(const Group& group, const v1::DeadLetterRef& ref) {
  const absl::string_view why = IsHeld(group, ref) ? "is held, and no dead letter yet: redrive it, "
                                                     "or skip it with `acta group skip`"
                                                   : "is no dead letter of the group: list them "
                                                     "again";
  const std::string topic = ShownName(ref.topic());
  return Error(v1::DEAD_LETTER_NOT_FOUND,
               absl::StrCat("offset ", ref.offset(), " of partition ", ref.partition(),
                            " of topic '", topic, "' ", why),
               {{"topic", topic},
                {"partition", absl::StrCat(ref.partition())},
                {"offset", absl::StrCat(ref.offset())}});
}

absl::Status VisitDeadLetters(const LogEngine& engine, const Group& group,
                              const v1::DeadLetterSelection* selection, Letters which,
                              absl::FunctionRef<void(const StoredLetter&)> visit,
                              const std::atomic<bool>* stopping) {
  ASSIGN_OR_RETURN(DeadLetterWalk walk, DeadLetterWalk::Begin(engine, group, selection, "",
                                                              kMaxNamedLetters, which, stopping));
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<StoredLetter> letter, walk.Next());
    if (!letter.has_value()) return absl::OkStatus();
    visit(*letter);
  }
}

absl::StatusOr<std::optional<StoredLetter>> LoadDeadLetter(const LogEngine& engine,
                                                           const Group& group,
                                                           PartitionId partition, Offset offset) {
  ASSIGN_OR_RETURN(
      const RowList rows,
      engine.LoadRows(Family::kState, QueueRow(kDeadLetterRows, group.id(), partition, offset)));
  if (rows.empty()) return std::nullopt;
  return ParseLetter(group, rows.front().first, rows.front().second);
}

absl::StatusOr<std::optional<StoredLetter>> LoadDeadOrHeld(const LogEngine& engine,
                                                           const Group& group,
                                                           PartitionId partition, Offset offset) {
  ASSIGN_OR_RETURN(std::optional<StoredLetter> dead,
                   LoadDeadLetter(engine, group, partition, offset));
  if (dead.has_value()) return dead;
  const std::vector<LetterPlace> place = {{partition, offset}};
  return HeldWalk(engine, group, &place, 1).Next();
}

absl::Status CheckNamed(const LogEngine& engine, const Group& group,
                        const v1::DeadLetterSelection& selection, Letters which) {
  if (selection.letters().empty()) return absl::OkStatus();
  absl::flat_hash_set<LetterPlace> found;
  RETURN_IF_ERROR(VisitDeadLetters(
      engine, group, &selection, which,
      [&](const StoredLetter& letter) { found.emplace(letter.partition, letter.offset); }));
  for (const v1::DeadLetterRef& ref : selection.letters()) {
    const LetterPlace place = {PartitionOf(group, ref), Offset(ref.offset())};
    if (!found.contains(place)) return DeadLetterNotFound(group, ref);
  }
  return absl::OkStatus();
}

PartitionId PartitionOf(const Group& group, const v1::DeadLetterRef& ref) {
  return group.FindPartition(ref.topic(), ref.partition())
      .value_or(PartitionId(std::numeric_limits<uint64_t>::max()));
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
  SetTimeUs(letter.record.time_us(), out.mutable_dead_time());
  out.set_attempts(letter.record.attempts());
  out.set_redrives(letter.record.attempts_before_size());
  out.set_order_broken(letter.record.order_broken());
  out.set_held(letter.held);
  out.set_fingerprint(FingerprintOf(letter.record.fingerprint()));
  if (letter.record.redrive_id() != 0) out.set_redrive_id(RedriveText(letter.record.redrive_id()));
  ASSIGN_OR_RETURN(std::vector<v1::Attempt> attempts,
                   LoadAttempts(engine, group.id(), letter, whole));
  if (!attempts.empty()) *out.mutable_last_attempt() = attempts.back();
  if (!whole) return out;
  for (v1::Attempt& attempt : attempts) *out.add_history() = std::move(attempt);
  AddEvent(engine, group.id(), letter, &out);
  return out;
}

}  // namespace acta
