#include "server/app/engine_metrics.h"

#include <algorithm>
#include <cstdint>

namespace acta {

void CollectEngine(const LogEngine& engine, MetricWriter& writer) {
  const EngineStats stats = engine.Stats();
  const auto add = [&writer](Metric metric, int64_t value) {
    writer.Add(metric, static_cast<double>(value));
  };
  add(Metric::kLogAppendedEvents, stats.events_appended);
  add(Metric::kLogAppendedBytes, stats.bytes_appended);
  add(Metric::kLogDuplicateEvents, stats.duplicates);
  add(Metric::kLogSyncs, stats.syncs);
  if (stats.write_times != nullptr) writer.Add(Metric::kLogCommit, *stats.write_times);
  if (stats.sync_times != nullptr) writer.Add(Metric::kLogSync, *stats.sync_times);
  writer.Add(Metric::kLogWriteStalls, "delayed", static_cast<double>(stats.delays));
  writer.Add(Metric::kLogWriteStalls, "stopped", static_cast<double>(stats.stops));
  add(Metric::kLogWriteStalled, static_cast<int64_t>(stats.stall));
  // The two are read one after the other: a sync may come between.
  const auto unsynced = static_cast<int64_t>(stats.last_group.value() - stats.synced_group.value());
  add(Metric::kLogUnsyncedGroups, std::max<int64_t>(0, unsynced));
  add(Metric::kLogCacheReads, stats.cache_reads);
  add(Metric::kLogColdReads, stats.cold_reads);
  add(Metric::kLogUnsyncedBytes, stats.unsynced_bytes);
  add(Metric::kLogTailCacheBytes, stats.tail_cache_bytes);
  add(Metric::kLogTailCacheLimitBytes, stats.tail_cache_limit_bytes);
  add(Metric::kLogCommitQueueBytes, stats.commit_queue_bytes);
  add(Metric::kLogCommitQueueLimitBytes, stats.commit_queue_limit_bytes);
  add(Metric::kLogDedupeIds, stats.dedupe_ids);
  add(Metric::kLogDedupeBytes, stats.dedupe_bytes);
  add(Metric::kLogDedupeLimitBytes, stats.dedupe_limit_bytes);
  add(Metric::kLogWalBytes, stats.wal_bytes);
  add(Metric::kLogStoredBytes, stats.log_bytes);
  add(Metric::kLogSlices, stats.slices);
  add(Metric::kLogDiskFreeBytes, stats.disk_free_bytes);
  add(Metric::kLogDiskTotalBytes, stats.disk_total_bytes);
  add(Metric::kLogDiskState, static_cast<int64_t>(engine.disk_state()));
  add(Metric::kLogIncarnation, engine.incarnation().value());
  writer.Add(Metric::kLogClockJump, absl::ToDoubleSeconds(engine.ClockJump()));
}

}  // namespace acta
