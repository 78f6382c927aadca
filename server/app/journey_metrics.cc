#include "server/app/journey_metrics.h"

#include <cstdint>

namespace acta {

void CollectJourneys(const JourneyIndexer& indexer, const LogEngine& engine, MetricWriter& writer) {
  const JourneyIndexer::Figures figures = indexer.Measure();
  const auto add = [&writer](Metric metric, int64_t value) {
    writer.Add(metric, static_cast<double>(value));
  };
  add(Metric::kJourneysLagEvents, figures.lag_events);
  writer.Add(Metric::kJourneysLag, absl::ToDoubleSeconds(figures.lag));
  add(Metric::kJourneysIndexedEvents, figures.indexed_events);
  add(Metric::kJourneysUnreadableEvents, figures.unreadable_events);
  add(Metric::kJourneysBufferedEntries, figures.entries);
  const IndexSize size = engine.SizeOfIndex();
  add(Metric::kJourneysIndexBytes, size.bytes);
  add(Metric::kJourneysIndexRuns, size.runs);
  add(Metric::kJourneysIndexFiles, figures.files);
}

}  // namespace acta
