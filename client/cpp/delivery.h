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
#include "client/cpp/export.h"

namespace acta::client {

// Consecutive events of one partition, as they came. Events are parsed when asked for; counting
// them costs a walk over their lengths, made once when they arrive.
//
// Threads:   any; nothing changes it but an assignment.
// Ownership: copies share the bytes of the frame it came in; views live as long as a copy of it.
class ACTA_CLIENT_EXPORT Delivery {
 public:
  // Of no events.
  Delivery();
  Delivery(const Delivery&);
  Delivery(Delivery&&) noexcept;
  Delivery& operator=(const Delivery&);
  Delivery& operator=(Delivery&&) noexcept;
  ~Delivery();

  const std::string& topic() const;
  int32_t partition() const;
  int64_t incarnation() const;
  // Of the batch the events were stored in. Unix microseconds.
  int64_t append_time_us() const;
  int64_t base_offset() const;
  // Of event `index`, 0 <= index < count().
  int64_t OffsetOf(int64_t index) const;
  // One past the last event: what to commit when all are processed.
  int64_t next_offset() const;
  int64_t count() const;
  // First and end of each run of consecutive offsets, in order.
  std::vector<std::pair<int64_t, int64_t>> Runs() const;
  // Whole `events` elements: tag, length, bytes.
  absl::string_view payload() const;

  // All events as objects. Errors: MALFORMED_MESSAGE.
  absl::StatusOr<std::vector<v1::Event>> Parse() const;
  // For acta.v1.Subscriber.Settle; empty unless the subscription wants tokens.
  const std::string& delivery_token() const;
  // Event `index` as what causes others (Publisher::PublishCausedBy()); needs tokens, too.
  v1::CausedBy CauseOf(int64_t index) const;
  // What the broker knows of the batch. An event's own field wins over it.
  v1::BatchContext context() const;

 private:
  friend class DeliveryFrameReader;
  friend class SubscriptionState;
  friend class WorkItem;
  friend class WorkerState;
  struct Rep;

  std::shared_ptr<Rep> rep_;
};

// Parses the bytes of one event. Errors: MALFORMED_MESSAGE.
ACTA_CLIENT_EXPORT absl::Status ParseEvent(absl::string_view bytes, v1::Event* event);

// Fills correlation and causation where the event says none and the broker knows them.
ACTA_CLIENT_EXPORT void FillFromContext(const v1::BatchContext& context, v1::Event* event);

}  // namespace acta::client
