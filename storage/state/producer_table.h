#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/base/ids.h"

namespace acta {

// One batch of a producer that is stored.
struct SequencedBatch {
  uint32_t first_sequence = 0;
  uint32_t sequences = 0;  // What the producer sent; may be more than was stored.
  uint32_t stored = 0;
  Offset base_offset;
  Incarnation incarnation;
  int64_t append_time_us = 0;
};

struct ProducerState {
  uint32_t epoch = 0;
  std::vector<SequencedBatch> batches;  // Newest last; at most kKept, for which there is room.
  int64_t last_time_us = 0;

  static constexpr size_t kKept = 5;
  uint32_t next_sequence() const {
    return batches.empty() ? 0 : batches.back().first_sequence + batches.back().sequences;
  }
};

// The producer sequences of one partition: one comparison a batch says new, repeated or wrong.
// Sequences count modulo 2^32.
//
// Threads: the writer's only.
class ProducerTable {
 public:
  // Producers remembered a partition; the one silent longest is forgotten first.
  static constexpr size_t kMaxProducers = 4096;
  // At least so long, if no more of them publish: clients draw a new number at every start, and
  // those of a year would all be kept.
  static constexpr absl::Duration kRemembered = absl::Hours(7 * 24);

  // nullopt: new, store it. A batch: it was stored before, there. Errors: STALE_PRODUCER_EPOCH,
  // OUT_OF_SEQUENCE, DUPLICATE_SEQUENCE_FORGOTTEN.
  absl::StatusOr<std::optional<SequencedBatch>> Check(uint64_t producer, uint32_t epoch,
                                                      uint32_t first_sequence,
                                                      uint32_t count) const;
  // Remembers a batch that Check() called new.
  void Record(uint64_t producer, uint32_t epoch, const SequencedBatch& batch);

  // Forgets who was silent for longer than kRemembered. What one of them sends next is new.
  void ForgetSilent(int64_t now_us);

  // For undoing a Record(): the state before, and back.
  std::optional<ProducerState> Find(uint64_t producer) const;
  void Restore(uint64_t producer, std::optional<ProducerState> state);

  const absl::flat_hash_map<uint64_t, ProducerState>& producers() const { return producers_; }

 private:
  absl::flat_hash_map<uint64_t, ProducerState> producers_;
  // By their last time: with more producers than are remembered every batch may forget one.
  absl::btree_set<std::pair<int64_t, uint64_t>> silent_since_;
};

}  // namespace acta
