#include "storage/state/producer_table.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace acta {

absl::StatusOr<std::optional<SequencedBatch>> ProducerTable::Check(uint64_t producer,
                                                                   uint32_t epoch,
                                                                   uint32_t first_sequence,
                                                                   uint32_t count) const {
  const auto at = producers_.find(producer);
  if (at == producers_.end() || epoch > at->second.epoch || at->second.batches.empty()) {
    return std::optional<SequencedBatch>();
  }
  const ProducerState& state = at->second;
  if (epoch < state.epoch) {
    return Error(v1::STALE_PRODUCER_EPOCH,
                 absl::StrCat("epoch ", epoch, " of producer ", producer, " was replaced by epoch ",
                              state.epoch, "; this instance must stop"),
                 {{"epoch", absl::StrCat(state.epoch)}});
  }
  const uint32_t next = state.next_sequence();
  if (first_sequence == next) return std::optional<SequencedBatch>();
  for (const SequencedBatch& batch : state.batches) {
    if (batch.first_sequence == first_sequence && batch.sequences == count) {
      return std::optional<SequencedBatch>(batch);
    }
  }
  if (static_cast<int32_t>(first_sequence - next) < 0) {
    return Error(v1::DUPLICATE_SEQUENCE_FORGOTTEN,
                 absl::StrCat("sequence ", first_sequence, " was published before; next is ", next),
                 {{"next_sequence", absl::StrCat(next)}});
  }
  return Error(v1::OUT_OF_SEQUENCE,
               absl::StrCat("sequence ", first_sequence, " does not follow: next is ", next,
                            "; resend what is missing first"),
               {{"next_sequence", absl::StrCat(next)}});
}

void ProducerTable::Record(uint64_t producer, uint32_t epoch, const SequencedBatch& batch) {
  const bool known = producers_.contains(producer);
  if (!known && producers_.size() >= kMaxProducers) {
    producers_.erase(silent_since_.begin()->second);
    silent_since_.erase(silent_since_.begin());
  }
  ProducerState& state = producers_[producer];
  if (epoch != state.epoch) state.batches.clear();
  state.epoch = epoch;
  if (known) silent_since_.erase({state.last_time_us, producer});
  state.last_time_us = batch.append_time_us;
  silent_since_.emplace(state.last_time_us, producer);
  if (state.batches.size() == ProducerState::kKept) state.batches.erase(state.batches.begin());
  state.batches.reserve(ProducerState::kKept);  // What it doubles to by itself would be more.
  state.batches.push_back(batch);
}

void ProducerTable::ForgetSilent(int64_t now_us) {
  const int64_t oldest_us = now_us - absl::ToInt64Microseconds(kRemembered);
  while (!silent_since_.empty() && silent_since_.begin()->first < oldest_us) {
    producers_.erase(silent_since_.begin()->second);
    silent_since_.erase(silent_since_.begin());
  }
}

std::optional<ProducerState> ProducerTable::Find(uint64_t producer) const {
  const auto at = producers_.find(producer);
  if (at == producers_.end()) return std::nullopt;
  return at->second;
}

void ProducerTable::Restore(uint64_t producer, std::optional<ProducerState> state) {
  if (const auto at = producers_.find(producer); at != producers_.end()) {
    silent_since_.erase({at->second.last_time_us, producer});
    producers_.erase(at);
  }
  if (!state.has_value()) return;
  silent_since_.emplace(state->last_time_us, producer);
  producers_.emplace(producer, *std::move(state));
}

}  // namespace acta
