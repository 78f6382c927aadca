#include "server/app/topic_metrics.h"

#include <cstdint>

namespace acta {

void CollectTopics(const TopicRegistry& topics, const LogEngine& engine, MetricWriter& writer) {
  for (const TopicPtr& topic : topics.All()) {
    int64_t events = 0;
    for (int32_t partition = 0; partition < topic->partitions(); ++partition) {
      const auto extent = engine.Extent(topic->partition(partition));
      if (extent.ok()) events += extent->end.value();
    }
    writer.Add(Metric::kTopicsAppendedEvents, topic->name(), static_cast<double>(events));
  }
}

}  // namespace acta
