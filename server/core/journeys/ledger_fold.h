#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "acta/storage/v1/records.pb.h"
#include "acta/v1/journeys.pb.h"
#include "server/core/journeys/journey_indexer.h"
#include "server/exec/executor.h"
#include "storage/base/clock.h"
#include "storage/base/ids.h"
#include "storage/log_engine.h"

namespace acta {

// Of an event in all groups: each may have more than 1 KiB of its member's words, and an answer has
// room for them twice.
inline constexpr int kMostAttemptsOfEvent = 300;
// Of an event with more of them each group keeps its newest ones, and says how many came before.
void LeaveOutEarlier(absl::Span<v1::GroupOutcome* const> of_event);

// What the ledger says of some events: its records in their order, each applied to what was said
// before. `group`, `mode` and `of_range` of the outcomes are the caller's.
class LedgerFold {
 public:
  using Place = std::pair<PartitionId, Offset>;
  using ByGroup = std::map<GroupId, v1::GroupOutcome>;

  // Failed attempts of an event in a group that are kept: the newest.
  static constexpr int kMostAttempts = 100;
  // Enough for more than an answer has room for.
  static constexpr size_t kMostBytes = size_t{16} << 20;

  // Of these places. Blocks, until then (since boot). nullopt: there is too much to read. Where it
  // passes `most_bytes` of memory earlier attempts are left out, and when that does not help it is
  // read no further: is_full(). Records that cannot be read are passed over: is_damaged(),
  // not_given(). Errors: DATA_CORRUPTED: the index cannot be read.
  static absl::StatusOr<std::optional<LedgerFold>> Read(const LogEngine& engine, Executor& pool,
                                                        const Clock& clock,
                                                        const JourneyIndexer& indexer,
                                                        absl::Span<const Place> places,
                                                        absl::Duration until, size_t most_bytes);

  // It says more of these places than was read.
  bool is_full() const { return full_; }
  // Some of what it says of these places cannot be read, or the disk did not give it, which may
  // pass.
  bool is_damaged() const { return is_damaged_; }
  bool not_given() const { return not_given_; }
  // Empty: the ledger says nothing of it.
  const ByGroup& Of(Place place) const;

  // One record; for those that speak of nothing that was asked for it does nothing.
  void Apply(const storage::v1::LedgerRecord& record);
  explicit LedgerFold(absl::Span<const Place> places);

 private:
  template <typename Change>
  void ForEach(const storage::v1::LedgerRecord& record, Offset first, int64_t count, Change change);
  void KeepWithin(size_t most_bytes);

  std::map<Place, ByGroup> outcomes_;
  size_t bytes_ = 0;  // Of memory that the outcomes take.
  bool full_ = false;
  bool is_damaged_ = false;
  bool not_given_ = false;
};

}  // namespace acta
