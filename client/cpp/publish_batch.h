#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "acta/v1/publisher.pb.h"
#include "client/cpp/publisher.h"

namespace acta::client {

struct PublishLane;

// Events for one partition that travel together, from Publish() to their result.
struct PublishBatch {
  PublishLane* lane = nullptr;
  uint64_t order = 0;                          // Rises with every batch of the publisher.
  uint64_t since = 0;                          // Order of the first that its events were in.
  std::shared_ptr<const std::string> payload;  // Whole `events` elements.
  std::string* growing = nullptr;              // The payload while events may be added.
  uint32_t count = 0;
  absl::Time born;
  std::optional<v1::CausedBy> cause;  // Of all events in it.
  bool by_key = false;                // Each of them is in the partition of its key.

  // As it was sent last.
  uint32_t epoch = 0;
  uint32_t first_sequence = 0;
  // Sent, and nobody knows whether it is stored: it may only be sent again as it was.
  bool numbered = false;
  int32_t restarts = 0;  // Of the sequence, on its account.
  absl::Status last_error;

  std::vector<std::pair<uint32_t, Publisher::EventDone>> event_dones;  // By index, those given.
  Publisher::BatchDone batch_done;

  const std::string& topic() const;
  int32_t partition() const;
};

// A batch that is answered, or given up.
struct FinishedBatch {
  std::unique_ptr<PublishBatch> batch;
  absl::Status status;
  v1::BatchResult result;
  int64_t incarnation = 0;
  v1::AckLevel level = v1::ACK_LEVEL_UNSPECIFIED;
};

// How a batch ends with this status that was sent before without an answer: it may be stored, which
// a refusal of later does not know. The refusal's reason is in the details as `refusal`.
absl::Status OfUnanswered(const absl::Status& status);

// Calls the batch's callbacks. Outside of locks.
void RunCallbacks(FinishedBatch& finished);

}  // namespace acta::client
