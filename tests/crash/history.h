#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/ids.h"
#include "storage/log_engine.h"

namespace acta {

// What a load did to a store and what it was told: enough to say, of any image of its disk,
// whether the promises of the engine were kept.

// A batch that was stored, or (`count` 0) all of whose events were duplicates, so that only its
// sequence was remembered. The transaction of such a one is marked.
struct HistoryPart {
  PartitionId partition;
  Offset base;
  uint32_t count = 0;
  uint64_t bytes = 0;   // Of the payload.
  uint32_t crc32c = 0;  // Of context and payload.
  int64_t time_us = 0;
  uint64_t producer = 0;  // 0: without a sequence.
  uint32_t epoch = 0;
  uint32_t first_sequence = 0;
  uint32_t sequences = 0;  // What was sent; more than `count` when some were duplicates.

  Offset end() const { return base + count; }
};

// Positions are counts of disk operations.
struct HistoryTransaction {
  size_t submitted = 0;  // Done before it was submitted.
  size_t acked = 0;      // Done at the latest when it was answered.
  Level level = Level::kFsync;
  int64_t now_us = 0;   // Of the clock when it was submitted.
  bool marked = false;  // It wrote its own number into the row kMarkerRow.
  std::vector<HistoryPart> parts;
  // The marker is not among them; those of kLedger are elements of the broker's own log.
  std::vector<RowWrite> rows;
};
inline constexpr char kMarkerRow[] = "marker";

struct HistoryTopic {
  TopicId id;
  int32_t partitions = 0;
  TopicSettings settings;
};

// After `operations` a reader saw `first` as the oldest offset kept, and all below `end`.
struct HistorySeen {
  size_t operations = 0;
  PartitionId partition;
  Offset first;
  Offset end;
};

// After `operations` the index had a place under this hash.
struct HistoryIndexed {
  size_t operations = 0;
  uint64_t hash = 0;
  PartitionId partition;
  Offset offset;
};

struct History {
  std::vector<HistoryTopic> topics;
  // In the order of submission, which is the order of the log.
  std::vector<HistoryTransaction> transactions;
  std::vector<HistorySeen> seen;
  std::vector<HistoryIndexed> indexed;

  const HistoryTopic* FindTopic(TopicId id) const;
};

// Of the load's clock, when so many disk operations were done.
int64_t TimeOf(const History& history, size_t operations);

absl::Status SaveHistory(const History& history, const std::string& path);
absl::StatusOr<History> LoadHistory(const std::string& path);

}  // namespace acta
