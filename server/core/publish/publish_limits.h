#pragma once

#include <cstdint>

namespace acta {

// Of each text of an event: id, source, type, subject, correlation_id and so on, and each kind and
// id of `affected`; attributes have limits of their own. Two of them are copied into the context of
// every batch that the event causes.
inline constexpr int32_t kMaxEventTextBytes = 4096;

// Of the contexts that the batches of a frame are stored with, one for each partition that a batch
// goes to; of each what is longer than the 256 bytes that are usual.
inline constexpr int32_t kMaxFrameContextBytes = 16 << 20;

struct PublishLimits {
  int32_t max_frame_bytes = 17 << 20;
  int32_t max_batches = 1000;
  int32_t max_batch_events = 65536;
  // So many are answered in less than the 4 MiB that gRPC clients take by default, when all of them
  // were published before, which takes 25 bytes each at most.
  int32_t max_frame_events = 131072;
  int32_t max_key_bytes = 1024;
  int32_t max_attributes = 64;
  int32_t max_attribute_bytes = 8192;
  // Two bytes each at least, and more than 50 in the memory of whoever reads the event.
  int32_t max_affected = 64;
  int32_t max_atomic_events = 1000;
  int32_t max_atomic_bytes = 16 << 20;
  int32_t max_scheduled_events = 1000;  // Of one frame.
};

}  // namespace acta
