#include "server/core/journeys/ledger_fold.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <utility>
#include <vector>

#include "proto/support/proto_time.h"
#include "proto/support/wire.h"
#include "server/core/journeys/event_links.h"
#include "server/core/journeys/ledger_index.h"
#include "server/core/journeys/link_matcher.h"
#include "server/core/journeys/pool_help.h"
#include "server/core/queues/ledger.h"
#include "storage/base/status_macros.h"
#include "storage/layout/engine_rows.h"

namespace acta {
namespace {

using Entry = storage::v1::LedgerEntry;

constexpr size_t kMostRecords = 1'000'000;
// Hashes that are looked up before the clock is looked at again.
constexpr size_t kMostHashesAtOnce = 2'000;

// Reads the batches at these places of the log, of those ahead some with help.
class BatchesAhead {
 public:
  BatchesAhead(const LogEngine& engine, Executor& pool, absl::Span<const IndexPlace> places)
      : engine_(engine), pool_(pool), places_(places) {}

  // The one at this place. They are asked for in their order.
  absl::StatusOr<BatchPtr> Read(size_t at) {
    ahead_.erase(ahead_.begin(), ahead_.lower_bound(at));
    if (!ahead_.contains(at)) LookAhead(at);
    absl::StatusOr<BatchPtr> read = std::move(ahead_.begin()->second);
    if (read.ok() && *read != nullptr) last_count_ = (*read)->count;
    return read;
  }

 private:
  static constexpr size_t kMost = 32;
  // Batches of many failures are large: what is too much is read in its turn.
  static constexpr int64_t kMostBytes = int64_t{8} << 20;

  void LookAhead(size_t at) {
    std::vector<size_t> next;
    for (size_t i = at; i < places_.size() && next.size() < kMost; ++i) {
      // Batches are mostly like the one before.
      const bool mostly_same =
          !next.empty() && places_[i].offset < places_[next.back()].offset + last_count_;
      if (!mostly_same && !ahead_.contains(i)) next.push_back(i);
    }
    std::vector<std::optional<absl::StatusOr<BatchPtr>>> read(next.size());
    std::atomic<int64_t> read_bytes = 0;
    RunWithHelp(pool_, next.size(), [&](size_t i) {
      if (i > 0 && read_bytes >= kMostBytes) return;
      const IndexPlace& place = places_[next[i]];
      read[i] = ReadBatchAt(engine_, place.partition, place.offset);
      const BatchPtr batch = read[i]->ok() ? **read[i] : nullptr;
      if (batch != nullptr) read_bytes += static_cast<int64_t>(batch->payload.size());
    });
    for (size_t i = 0; i < next.size(); ++i) {
      if (read[i].has_value()) ahead_[next[i]] = *std::move(read[i]);
    }
  }

  const LogEngine& engine_;
  Executor& pool_;
  const absl::Span<const IndexPlace> places_;
  int64_t last_count_ = 1;
  std::map<size_t, absl::StatusOr<BatchPtr>> ahead_;  // By index of the place.
};

std::vector<uint64_t> HashesOf(const LogEngine& engine,
                               absl::Span<const LedgerFold::Place> places) {
  std::vector<uint64_t> hashes;
  for (const auto& [partition, offset] : places) {
    const std::vector<uint64_t> of = LedgerHashesOf(engine, partition, offset);
    hashes.insert(hashes.end(), of.begin(), of.end());
  }
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
  return hashes;
}

// Where records with these hashes may be, in order. nullopt: they are too many, or the time is
// over.
absl::StatusOr<std::optional<std::vector<IndexPlace>>> FindRecords(
    const JourneyIndexer& indexer, Executor& pool, const Clock& clock,
    absl::Span<const uint64_t> hashes, absl::Duration until) {
  constexpr IndexPlace kLeast{kLedgerPartition, Offset(0)};
  IndexPlaces all(kLeast, kMostRecords);
  for (size_t at = 0; at < hashes.size(); at += kMostHashesAtOnce) {
    if (at > 0 && clock.SinceBoot() >= until) return std::optional<std::vector<IndexPlace>>();
    const auto some = hashes.subspan(at, kMostHashesAtOnce);
    ASSIGN_OR_RETURN(IndexPlaces found,
                     FindPlaces(indexer, pool, {some.begin(), some.end()}, kLeast, kMostRecords));
    for (const IndexPlace& place : found.Take()) all.Add(place);
    if (found.cut()) return std::optional<std::vector<IndexPlace>>();
  }
  std::vector<IndexPlace> places = all.Take();
  if (all.cut()) return std::optional<std::vector<IndexPlace>>();
  return std::optional(std::move(places));
}

bool IsFinal(const v1::GroupOutcome& outcome) {
  switch (outcome.state()) {
    case v1::OUTCOME_STATE_PROCESSED:
    case v1::OUTCOME_STATE_DEAD_LETTERED:
    case v1::OUTCOME_STATE_DISCARDED:
    case v1::OUTCOME_STATE_EXPIRED:
    case v1::OUTCOME_STATE_SKIPPED:
      return true;
    default:
      return false;
  }
}

// But for its attempts.
size_t BytesOf(const v1::GroupOutcome& outcome) {
  return sizeof(outcome) + outcome.member_id().size() + outcome.by().size() + outcome.why().size() +
         outcome.redriven_by().size();
}

// `bytes`: of all attempts.
void PutAttempt(const Entry& entry, v1::GroupOutcome* outcome, size_t* bytes) {
  if (outcome->failed_attempts_size() >= LedgerFold::kMostAttempts) {
    *bytes -= outcome->failed_attempts(0).SpaceUsedLong();
    outcome->mutable_failed_attempts()->DeleteSubrange(0, 1);
    outcome->set_earlier_attempts(outcome->earlier_attempts() + 1);
  }
  const storage::v1::AttemptRecord& record = entry.attempt();
  v1::Attempt* const attempt = outcome->add_failed_attempts();
  attempt->set_attempt(entry.attempt_number());
  attempt->set_redrives(entry.redrives());
  attempt->set_end(static_cast<v1::AttemptEnd>(record.end()));  // The same numbers.
  attempt->set_member_id(record.member_id());
  attempt->set_app(record.app());
  attempt->set_app_version(record.app_version());
  SetTimeUs(record.leased_us(), attempt->mutable_lease_time());
  SetTimeUs(record.ended_us(), attempt->mutable_end_time());
  attempt->set_reason(record.reason());
  attempt->set_text(record.text());
  *bytes += attempt->SpaceUsedLong();
}

void End(v1::OutcomeState state, int64_t time_us, v1::GroupOutcome* outcome) {
  outcome->set_state(state);
  SetTimeUs(time_us, outcome->mutable_end_time());
}

// Somebody did that, not a member.
void Decide(v1::OutcomeState state, const Entry& entry, int64_t time_us,
            v1::GroupOutcome* outcome) {
  End(state, time_us, outcome);
  outcome->set_by(entry.by());
  outcome->set_why(entry.why());
}

// Of a range, what was not settled is skipped.
bool IsSkipped(const Entry& entry, const v1::GroupOutcome& outcome) {
  const bool dead = outcome.state() == v1::OUTCOME_STATE_DEAD_LETTERED;
  return !IsFinal(outcome) || (dead && entry.outstanding());
}

// It is before the group once more.
void Begin(v1::GroupOutcome* outcome) {
  outcome->set_state(v1::OUTCOME_STATE_PENDING);
  outcome->clear_member_id();
  outcome->clear_deliver_time();
  outcome->clear_end_time();
  outcome->clear_by();
  outcome->clear_why();
}

void ApplyEntry(const Entry& entry, int64_t time_us, v1::GroupOutcome* outcome, size_t* bytes) {
  switch (entry.kind()) {
    case Entry::FAILED:
      PutAttempt(entry, outcome, bytes);
      return Begin(outcome);
    case Entry::DEAD_LETTERED:
      return End(v1::OUTCOME_STATE_DEAD_LETTERED, time_us, outcome);
    case Entry::SKIPPED:
      if (!IsSkipped(entry, *outcome)) return;
      return Decide(v1::OUTCOME_STATE_SKIPPED, entry, time_us, outcome);
    case Entry::EXPIRED:
      return End(v1::OUTCOME_STATE_EXPIRED, time_us, outcome);
    case Entry::REDRIVEN:
      Begin(outcome);
      outcome->set_redriven_by(entry.by());
      return outcome->set_redrives(entry.redrives());
    case Entry::DISCARDED:
      return Decide(v1::OUTCOME_STATE_DISCARDED, entry, time_us, outcome);
    case Entry::REWOUND:
      // What is a dead letter stays one.
      if (outcome->state() == v1::OUTCOME_STATE_DEAD_LETTERED) return;
      if (outcome->state() == v1::OUTCOME_STATE_PROCESSED) {
        outcome->set_processed_before(outcome->processed_before() + 1);
      }
      return Begin(outcome);
    default:
      return;
  }
}

}  // namespace

void LeaveOutEarlier(absl::Span<v1::GroupOutcome* const> of_event) {
  int attempts = 0;
  int groups = 0;
  for (const v1::GroupOutcome* const outcome : of_event) {
    attempts += outcome->failed_attempts_size();
    if (outcome->failed_attempts_size() > 0) ++groups;
  }
  if (attempts <= kMostAttemptsOfEvent) return;
  const int most = std::max(1, kMostAttemptsOfEvent / groups);
  for (v1::GroupOutcome* const outcome : of_event) {
    const int over = outcome->failed_attempts_size() - most;
    if (over <= 0) continue;
    outcome->mutable_failed_attempts()->DeleteSubrange(0, over);
    outcome->set_earlier_attempts(outcome->earlier_attempts() + over);
  }
}

LedgerFold::LedgerFold(absl::Span<const Place> places) {
  for (const Place& place : places) outcomes_.try_emplace(place);
}

const LedgerFold::ByGroup& LedgerFold::Of(Place place) const {
  static const auto& nothing = *new ByGroup;
  const auto at = outcomes_.find(place);
  return at == outcomes_.end() ? nothing : at->second;
}

template <typename Change>
void LedgerFold::ForEach(const storage::v1::LedgerRecord& record, Offset first, int64_t count,
                         Change change) {
  const PartitionId partition(record.partition_id());
  const Offset end = first + std::max<int64_t>(1, count);
  for (auto at = outcomes_.lower_bound({partition, first});
       at != outcomes_.end() && at->first.first == partition && at->first.second < end; ++at) {
    const auto [of_group, added] = at->second.try_emplace(GroupId(record.group_id()));
    if (!added) bytes_ -= BytesOf(of_group->second);
    change(&of_group->second);
    bytes_ += BytesOf(of_group->second);
  }
}

void LedgerFold::KeepWithin(size_t most_bytes) {
  if (bytes_ <= most_bytes) return;
  bytes_ = 0;
  for (auto& [place, of_groups] : outcomes_) {
    std::vector<v1::GroupOutcome*> of_event;
    for (auto& [group, outcome] : of_groups) of_event.push_back(&outcome);
    LeaveOutEarlier(of_event);
    for (const v1::GroupOutcome* const outcome : of_event) {
      bytes_ += BytesOf(*outcome);
      for (const v1::Attempt& one : outcome->failed_attempts()) bytes_ += one.SpaceUsedLong();
    }
  }
  full_ = bytes_ > most_bytes / 2;  // Else that would be done for each of the next records.
}

void LedgerFold::Apply(const storage::v1::LedgerRecord& record) {
  const auto apply = [&](const Entry& entry) {
    ForEach(record, Offset(entry.offset()), entry.count(), [&](v1::GroupOutcome* outcome) {
      ApplyEntry(entry, record.time_us(), outcome, &bytes_);
    });
  };
  // What failed and was processed failed first.
  for (const Entry& entry : record.entries()) {
    if (entry.kind() == Entry::FAILED) apply(entry);
  }
  VisitProcessed(record, [&](const ProcessedRun& run) {
    ForEach(record, run.first, run.count, [&](v1::GroupOutcome* outcome) {
      Begin(outcome);
      End(v1::OUTCOME_STATE_PROCESSED, record.time_us(), outcome);
      if (run.delivered_us > 0) SetTimeUs(run.delivered_us, outcome->mutable_deliver_time());
      const auto member = static_cast<int>(run.member) - 1;
      if (member >= 0 && member < record.members_size()) {
        outcome->set_member_id(record.members(member).member_id());
      }
    });
  });
  for (const Entry& entry : record.entries()) {
    if (entry.kind() != Entry::FAILED) apply(entry);
  }
}

absl::StatusOr<std::optional<LedgerFold>> LedgerFold::Read(
    const LogEngine& engine, Executor& pool, const Clock& clock, const JourneyIndexer& indexer,
    absl::Span<const Place> places, absl::Duration until, size_t most_bytes) {
  LedgerFold fold(places);
  const auto ledger = engine.Extent(kLedgerPartition);
  const bool empty = !ledger.ok() || ledger->first == ledger->visible_end;
  if (empty) return std::optional<LedgerFold>(std::move(fold));
  ASSIGN_OR_RETURN(const auto found,
                   FindRecords(indexer, pool, clock, HashesOf(engine, places), until));
  if (!found.has_value()) return std::optional<LedgerFold>();
  const std::vector<IndexPlace>& records = *found;
  BatchesAhead batches(engine, pool, records);
  for (size_t i = 0; i < records.size() && !fold.full_;) {
    if (clock.SinceBoot() >= until) return std::optional<LedgerFold>();
    const auto batch = batches.Read(i);
    const bool read = records[i].partition == kLedgerPartition && batch.ok() && *batch != nullptr;
    if (!read) {
      // What its retention took, or was cut, is no gap.
      const v1::JourneyEventState state = StateOf(batch.status());
      fold.is_damaged_ = fold.is_damaged_ || state == v1::JOURNEY_EVENT_STATE_UNREADABLE;
      fold.not_given_ = fold.not_given_ || state == v1::JOURNEY_EVENT_STATE_NOT_GIVEN;
      ++i;
      continue;
    }
    Offset at = (*batch)->base_offset;
    EventElements elements((*batch)->payload.view());
    absl::string_view event;
    for (; i < records.size() && !fold.full_ && elements.Next(&event); at = at + 1) {
      if (records[i].offset != at) continue;
      ++i;
      storage::v1::LedgerRecord record;
      if (ParseLedgerRecord(event, &record)) {
        fold.Apply(record);
        fold.KeepWithin(most_bytes);
      } else {
        fold.is_damaged_ = true;
      }
    }
    // What the batch does not have although it counts it.
    while (i < records.size() && records[i].offset < (*batch)->end()) ++i;
  }
  return std::optional<LedgerFold>(std::move(fold));
}

}  // namespace acta
