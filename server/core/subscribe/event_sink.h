#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "acta/v1/subscriber.pb.h"
#include "storage/base/bytes.h"
#include "storage/base/ids.h"

namespace acta {

// Events of one partition as they will stand on the wire. `payload` is a slice of stored bytes:
// whole `events` elements, exactly the delivered ones.
struct OutgoingBatch {
  uint64_t assignment = 0;
  Offset base_offset;
  uint32_t count = 0;
  Incarnation incarnation;
  int64_t append_time_us = 0;
  SharedBytes context;
  SharedBytes payload;
  int64_t lease_until_us = 0;  // QUEUE groups; else 0, like the attempt.
  int32_t attempt = 0;
  std::string delivery_token;  // Empty: not wanted.
  int32_t redrives = 0;
  std::string redrive_id;
};

struct OutgoingFrame {
  v1::DeliveryFrame control;  // Everything but `batches`, which stays empty.
  std::vector<OutgoingBatch> batches;
};

// Where a subscription writes: a gRPC stream, or a recording in tests.
//
// Threads: one call at a time. After Send() the subscription waits for OnWritten().
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void Send(OutgoingFrame frame) = 0;
  // Nothing is sent after it. Only called when no Send() is outstanding.
  virtual void Finish(const absl::Status& status) = 0;
};

}  // namespace acta
