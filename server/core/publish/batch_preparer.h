#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "acta/v1/publisher.pb.h"
#include "proto/support/event_scanner.h"
#include "proto/support/publish_frame.h"
#include "server/core/publish/publish_limits.h"
#include "server/core/schedules/schedules.h"
#include "server/core/topics/topic_registry.h"
#include "storage/base/bytes.h"
#include "storage/log_engine.h"

namespace acta {

// What becomes of a batch that is to be published later.
struct PreparedSchedules {
  int32_t batch;  // Of the frame.
  ScheduleReservation reservation;
};

// What the batches of a frame become: one append for each partition written to, and beside each,
// by position, the part of the answer that is known before it is stored.
struct PreparedAppends {
  std::vector<Append> appends;
  std::vector<v1::PublishedPart> parts;  // Partition, and event_indexes of a split batch.
  std::vector<int32_t> batches;          // The batch of the frame each append comes from.
  std::vector<PreparedSchedules> schedules;
  FrameNumbers numbers;  // Of the schedules.
};

// BatchPreparer checks one batch of a publish frame against its topic, scans its events in place
// and turns it into appends: one when the batch names its partition or falls into one, else one a
// partition with its elements gathered. A batch whose time is yet to come is reserved as schedules
// instead.
//
// Threads:   one at a time: it keeps scratch memory between batches.
// Errors:    MALFORMED_MESSAGE when an event is not valid protobuf: the frame is malformed. Every
//            other error refuses the batch alone; nothing was added then.
class BatchPreparer {
 public:
  BatchPreparer(const LogEngine& engine, Schedules& schedules, const PublishLimits& limits)
      : engine_(engine), schedules_(schedules), limits_(limits) {}

  // What all batches of one frame share.
  struct Frame {
    const SharedBytes& bytes;    // What the batches are views of.
    const SharedBytes& context;  // An encoded BatchContext.
    uint32_t sticky;             // Chooses the partition of events without key and id.
  };

  // `number` is the batch's position in the frame.
  absl::Status Prepare(const Frame& frame, const PartitionBatchView& batch, int32_t number,
                       const Topic& topic, PreparedAppends* out);

 private:
  // Where an event of a batch that is split ends and goes.
  struct Element {
    size_t end;
    int32_t partition;
  };
  // What goes to one partition of a batch that is split.
  struct Share {
    uint32_t count = 0;
    size_t bytes = 0;
    size_t filled = 0;    // Where the next element goes in the gathered payload.
    int32_t append = -1;  // In `out`.
  };

  absl::Status CheckBatch(const PartitionBatchView& batch, const Topic& topic) const;
  static absl::Status CheckSchedule(const PartitionBatchView& batch);
  absl::Status CheckEvent(const ScannedEvent& event, uint32_t index) const;
  absl::Status ScanEvents(const PartitionBatchView& batch, const Topic& topic, uint32_t sticky);
  // True when all events of the last scan go to one partition.
  bool OnePartition() const;
  void AddWhole(const Frame& frame, const PartitionBatchView& batch, int32_t number,
                PartitionId partition, PreparedAppends* out) const;
  // Of the last scan.
  absl::Status AddSchedules(const Frame& frame, const PartitionBatchView& batch, int32_t number,
                            const Topic& topic, PreparedAppends* out) const;
  void AddSplit(const Frame& frame, const PartitionBatchView& batch, int32_t number,
                const Topic& topic, PreparedAppends* out);
  // Fills shares_ and adds an append for each; returns the gathered payload with room for all.
  std::string AddShares(const Frame& frame, int32_t number, const Topic& topic,
                        PreparedAppends* out);

  const LogEngine& engine_;
  Schedules& schedules_;
  const PublishLimits limits_;
  bool by_id_ = false;                // The topic of the batch dedupes by id.
  std::vector<IdentifiedEvent> ids_;  // Of the batch, by index in it.
  std::vector<Element> elements_;     // Of the batch; empty when it names its partition.
  std::vector<Share> shares_;         // By partition number.
};

}  // namespace acta
