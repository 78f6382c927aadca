#pragma once

#include <string>

#include "acta/v1/context.pb.h"
#include "acta/v1/journeys.pb.h"
#include "server/core/journeys/link_matcher.h"
#include "server/core/topics/place_name.h"
#include "server/core/topics/topic_registry.h"
#include "storage/base/ids.h"

namespace acta {

// An event of a journey, as it is told.
struct FoundEvent {
  v1::JourneyEventState state = v1::JOURNEY_EVENT_STATE_STORED;
  TopicPtr topic;  // Null: MISSING.
  PartitionId partition;
  Offset offset;
  Incarnation incarnation;
  int64_t append_time_us = 0;
  v1::Event event;              // Without data and attributes; ids as JourneyEvent has them.
  bool begins_journey = false;  // Neither it nor its producer named a correlation.
  int64_t data_bytes = 0;
  v1::BatchContext context;

  // What others name it by: its id, else its place.
  std::string name() const { return event.id().empty() ? place() : event.id(); }
  std::string place() const;
  // When others may mean it by its name: a place was another event's before the topic was made.
  TimeWindow named_within() const;
  size_t bytes() const;  // Of memory that its texts take.
  const std::string& correlation() const { return event.correlation_id(); }
  const std::string& cause() const { return event.causation_id(); }
};

}  // namespace acta
