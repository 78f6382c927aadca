#include "server/core/groups/held_letters.h"

#include <algorithm>
#include <limits>

#include "proto/support/proto_time.h"
#include "server/core/groups/dead_letter_rows.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

constexpr Offset kEnd(std::numeric_limits<int64_t>::max());

}  // namespace

HeldWalk::HeldWalk(const LogEngine& engine, const Group& group,
                   const std::vector<LetterPlace>* places, size_t page)
    : engine_(engine), group_(group), page_(page) {
  if (places == nullptr) {
    for (const PartitionId partition : group.queue()->partitions()) {
      stretches_.push_back({partition, {Offset(0), kEnd}});
    }
  } else {
    for (const auto& [partition, offset] : *places) {
      if (offset < kEnd) stretches_.push_back({partition, {offset, offset + 1}});
    }
  }
  std::sort(stretches_.begin(), stretches_.end(), [](const Stretch& a, const Stretch& b) {
    return std::pair(a.partition, a.run.first) > std::pair(b.partition, b.run.first);
  });
}

void HeldWalk::BeginBehind(const LetterPlace& place) {
  while (!stretches_.empty()) {
    Stretch& next = stretches_.back();
    if (next.partition > place.first) return;
    if (next.partition == place.first && place.second + 1 < next.run.end) {
      next.run.first = std::max(next.run.first, place.second + 1);
      return;
    }
    stretches_.pop_back();
  }
}

absl::StatusOr<std::optional<StoredLetter>> HeldWalk::Next() {
  while (true) {
    if (next_ < found_.size()) {
      ASSIGN_OR_RETURN(std::optional<StoredLetter> letter, LetterOf(found_[next_++]));
      if (letter.has_value()) return letter;
      continue;
    }
    if (stretches_.empty()) return std::nullopt;
    Stretch& stretch = stretches_.back();
    found_ = group_.queue()->HeldIn(stretch.partition, stretch.run, page_);
    next_ = 0;
    const bool more = found_.size() == page_ && found_.back().event.offset + 1 < stretch.run.end;
    if (more) {
      stretch.run.first = found_.back().event.offset + 1;
    } else {
      stretches_.pop_back();
    }
  }
}

// nullopt: its topic is being deleted, or it is being written that it is held.
absl::StatusOr<std::optional<StoredLetter>> HeldWalk::LetterOf(const StoredParked& parked) const {
  const ParkedEvent& event = parked.event;
  DeadLetter dead;
  dead.offset = event.offset;
  dead.reason = DeadLetterReason::kAttemptsExhausted;
  dead.facts = event.facts;
  dead.attempts = event.attempts;
  StoredLetter letter{parked.partition, event.offset, group_.TopicOf(parked.partition),
                      DeadLetterRecordOf(dead, parked.before), /*held=*/true};
  if (letter.topic == nullptr) return std::nullopt;
  ASSIGN_OR_RETURN(const std::vector<v1::Attempt> last,
                   LoadAttempts(engine_, group_.id(), letter, /*all=*/false));
  if (last.empty()) return std::nullopt;
  const v1::Attempt& attempt = last.back();
  letter.record.set_time_us(absl::ToUnixMicros(ToTime(attempt.end_time())));
  letter.record.set_fingerprint(FailureFingerprint(engine_, attempt.reason(), attempt.text()));
  return letter;
}

}  // namespace acta
