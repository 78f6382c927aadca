#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "acta/v1/context.pb.h"
#include "acta/v1/event.pb.h"
#include "acta/v1/publisher.pb.h"
#include "proto/support/wire.h"

namespace acta::client {

// Consecutive events of one partition, as they came. Events are parsed when asked for; counting
// them costs a walk over their lengths, made once when they arrive.
//
// Threads:   one at a time.
// Ownership: shares the bytes of the frame it came in; views live as long as a copy of it.
class Delivery {
 public:
  const std::string& topic() const { return *topic_; }
  int32_t partition() const { return partition_; }
  int64_t incarnation() const { return incarnation_; }
  // Of the batch the events were stored in. Unix microseconds.
  int64_t append_time_us() const { return append_time_us_; }
  int64_t base_offset() const { return base_offset_; }
  // Of event `index`, 0 <= index < count().
  int64_t OffsetOf(int64_t index) const {
    return offset_deltas_.empty() ? base_offset_ + index
                                  : base_offset_ + offset_deltas_[static_cast<size_t>(index)];
  }
  // One past the last event: what to commit when all are processed.
  int64_t next_offset() const { return OffsetOf(count_ - 1) + 1; }
  int64_t count() const { return count_; }
  // First and end of each run of consecutive offsets, in order.
  std::vector<std::pair<int64_t, int64_t>> Runs() const;
  // Whole `events` elements: tag, length, bytes.
  absl::string_view payload() const { return payload_; }

  // The encoded acta.v1.Event of each event in order, without tag and length.
  EventElements elements() const { return EventElements(payload_); }
  // All events as objects. Errors: MALFORMED_MESSAGE.
  absl::StatusOr<std::vector<v1::Event>> Parse() const;
  // For acta.v1.Subscriber.Settle; empty unless the subscription wants tokens.
  const std::string& delivery_token() const { return delivery_token_; }
  // Event `index` as what causes others (Publisher::PublishCausedBy()); needs tokens, too.
  v1::CausedBy CauseOf(int64_t index) const;
  // What the broker knows of the batch. An event's own field wins over it.
  v1::BatchContext context() const;

 private:
  friend class DeliveryFrameReader;
  friend class SubscriptionState;
  friend class WorkItem;
  friend class WorkerState;

  std::shared_ptr<const std::string> topic_;
  std::shared_ptr<const void> owner_;  // Of the bytes that payload_ views.
  absl::string_view payload_;
  std::string context_;
  uint64_t assignment_ = 0;
  int32_t partition_ = -1;
  int64_t base_offset_ = 0;
  int64_t incarnation_ = 0;
  int64_t append_time_us_ = 0;
  int64_t lease_until_us_ = 0;
  int32_t attempt_ = 0;
  int32_t redrives_ = 0;
  std::string redrive_id_;
  std::string delivery_token_;
  int64_t count_ = 0;
  std::vector<int32_t> offset_deltas_;
};

// Parses one of elements(). Errors: MALFORMED_MESSAGE.
absl::Status ParseEvent(absl::string_view bytes, v1::Event* event);

// Fills correlation and causation where the event says none and the broker knows them.
void FillFromContext(const v1::BatchContext& context, v1::Event* event);

}  // namespace acta::client
