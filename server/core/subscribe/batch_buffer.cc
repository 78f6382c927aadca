#include "server/core/subscribe/batch_buffer.h"

#include <limits>

#include "proto/support/wire.h"

namespace acta {

void BatchBuffer::Append(const std::vector<BatchPtr>& batches) {
  for (const BatchPtr& batch : batches) {
    if (batch->end() <= end_) continue;
    const bool first = batches_.empty();
    const bool inside = first && batch->base_offset < position_;
    if (first && !inside) position_ = batch->base_offset;
    batches_.push_back(batch);
    bytes_ += batch->payload.size();
    end_ = batch->end();
    if (!inside) continue;
    const auto before = static_cast<uint32_t>(Lag(batch->base_offset, position_));
    position_ = batch->base_offset;
    Advance(Measure(before, std::numeric_limits<size_t>::max()));
  }
}

size_t BatchBuffer::next_event_bytes() const {
  return Measure(1, std::numeric_limits<size_t>::max()).bytes;
}

BatchBuffer::Piece BatchBuffer::Measure(uint32_t max_events, size_t max_bytes) const {
  if (max_events >= front_events() && max_bytes >= front_bytes()) {
    return {front_events(), front_bytes()};
  }
  EventElements elements(front().payload.view().substr(taken_bytes_));
  absl::string_view event;
  Piece piece;
  while (piece.events < max_events && elements.Next(&event) && elements.offset() <= max_bytes) {
    piece = {piece.events + 1, elements.offset()};
  }
  return piece;
}

OutgoingBatch BatchBuffer::Take(uint32_t max_events, size_t max_bytes) {
  const Piece piece = Measure(max_events, max_bytes);
  OutgoingBatch out;
  if (piece.events == 0) return out;
  const StoredBatch& batch = front();
  out.base_offset = position_;
  out.count = piece.events;
  out.incarnation = batch.incarnation;
  out.append_time_us = batch.append_time_us;
  out.context = batch.context;
  out.payload = batch.payload.Slice(taken_bytes_, piece.bytes);
  Advance(piece);
  return out;
}

void BatchBuffer::Advance(Piece piece) {
  position_ = position_ + piece.events;
  bytes_ -= piece.bytes;
  taken_events_ += piece.events;
  taken_bytes_ += piece.bytes;
  if (taken_events_ < front().count) return;
  batches_.pop_front();
  taken_events_ = 0;
  taken_bytes_ = 0;
  // Each event is told at the offset its batch names, whatever was counted.
  if (!batches_.empty()) position_ = front().base_offset;
}

void BatchBuffer::Clear() {
  batches_.clear();
  taken_events_ = 0;
  taken_bytes_ = 0;
  bytes_ = 0;
  end_ = position_;
}

}  // namespace acta
