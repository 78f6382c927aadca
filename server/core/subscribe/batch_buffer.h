#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "server/core/subscribe/event_sink.h"
#include "storage/log_engine.h"

namespace acta {

// Stored batches of one partition that were read and not yet sent, from a position on. Events are
// taken from the front; a batch is cut between events where less than all of it is wanted.
class BatchBuffer {
 public:
  explicit BatchBuffer(Offset position) : position_(position), end_(position) {}

  // The next event to take.
  Offset position() const { return position_; }
  // Where reading goes on: one past the newest event in here.
  Offset end() const { return end_; }
  bool empty() const { return batches_.empty(); }
  // Payload bytes not yet taken.
  size_t bytes() const { return bytes_; }

  // They hold events from end() on, contiguous. The first may begin before it.
  void Append(const std::vector<BatchPtr>& batches);

  // Of a buffer that is not empty.
  const StoredBatch& front() const { return *batches_.front(); }
  uint32_t front_events() const { return front().count - taken_events_; }
  size_t front_bytes() const { return front().payload.size() - taken_bytes_; }
  size_t next_event_bytes() const;

  // As many of the front batch's events as are at most `max_events` and `max_bytes`; nothing when
  // that is less than one. `assignment` is left to the caller.
  OutgoingBatch Take(uint32_t max_events, size_t max_bytes);
  void Clear();

 private:
  // Bytes of as many events as are within both bounds, and their number.
  struct Piece {
    uint32_t events = 0;
    size_t bytes = 0;
  };
  Piece Measure(uint32_t max_events, size_t max_bytes) const;
  void Advance(Piece piece);

  Offset position_;
  Offset end_;
  std::deque<BatchPtr> batches_;
  // Of the front batch. A batch sent in many pieces is walked once.
  uint32_t taken_events_ = 0;
  size_t taken_bytes_ = 0;
  size_t bytes_ = 0;
};

}  // namespace acta
