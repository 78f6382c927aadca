#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "acta/v1/subscriber.pb.h"
#include "server/core/access/authorizer.h"
#include "server/core/subscribe/event_sink.h"
#include "server/core/subscribe/subscribe_limits.h"
#include "server/core/topics/topic_registry.h"
#include "storage/log_engine.h"

namespace acta {

// What one Fetch asks for.
struct FetchRange {
  PartitionId partition;
  Offset from;
  uint32_t max_events = 0;
  size_t max_bytes = 0;        // Of events.
  size_t max_frame_bytes = 0;  // Of the whole answer.
  absl::Duration wait;
  absl::Duration deadline = absl::InfiniteDuration();  // Since boot.
};

// Errors: INVALID_ARGUMENT, TENANT_NOT_FOUND, TOPIC_NOT_FOUND, PARTITION_NOT_FOUND,
// OFFSET_OUT_OF_RANGE, LOG_TRUNCATED.
absl::StatusOr<FetchRange> CheckFetch(const Caller& caller, const TopicRegistry& topics,
                                      const LogEngine& engine, const SubscribeLimits& limits,
                                      const v1::FetchRequest& request);

struct FetchedBatches {
  std::vector<OutgoingBatch> batches;
  int64_t held_bytes = 0;  // Of the whole stored batches, which the pieces keep in memory.
};

// What of the batches read goes into one answer: at most so many events and bytes, but one event in
// any case. Errors: EVENT_TOO_LARGE_FOR_CLIENT when the first event does not fit into a frame.
absl::StatusOr<FetchedBatches> CutPage(const FetchRange& range, const std::vector<BatchPtr>& read);

}  // namespace acta
