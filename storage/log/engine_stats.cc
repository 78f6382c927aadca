#include "storage/log/local_log_engine.h"

namespace acta {

IndexSize LocalLogEngine::SizeOfIndex() const {
  IndexSize size;
  for (const FamilyPtr& index : slices_->Indexes()) {
    size.bytes += opened_.rocks->FamilyBytes(index);
    size.runs += opened_.rocks->Runs(index);
  }
  return size;
}

EngineStats LocalLogEngine::Stats() const {
  EngineStats stats;
  stats.wal_bytes = opened_.rocks->WalBytes();
  for (const SlicePtr& slice : slices_->All()) stats.log_bytes += slice->bytes.load();
  stats.slices = static_cast<int32_t>(slices_->size());
  stats.indexes = static_cast<int32_t>(slices_->families()) - stats.slices;
  stats.tail_cache_bytes = writer_->tail_cache_bytes();
  stats.tail_cache_limit_bytes = options_.tail_cache_bytes;
  stats.unsynced_bytes = queue_->unsynced_bytes();
  stats.commit_queue_bytes = queue_->in_flight_bytes();
  stats.commit_queue_limit_bytes = queue_->limit();
  stats.disk_free_bytes = disk_.free_bytes();
  stats.disk_total_bytes = disk_.total_bytes();
  stats.last_group = writer_->last_group();
  stats.synced_group = queue_->synced_group();
  stats.events_appended = writer_->events();
  stats.bytes_appended = writer_->bytes();
  stats.duplicates = writer_->duplicates();
  stats.syncs = queue_->syncs();
  stats.write_times = &queue_->write_times();
  stats.sync_times = &queue_->sync_times();
  const StallCounts stalls = opened_.rocks->stalls();
  stats.delays = stalls.delays;
  stats.stops = stalls.stops;
  stats.stall = stalls.stopped   ? WriteStall::kStopped
                : stalls.delayed ? WriteStall::kDelayed
                                 : WriteStall::kNone;
  stats.dedupe_ids = writer_->ids();
  stats.dedupe_bytes = writer_->ids() * IdWindow::kBytesPerId;
  stats.dedupe_limit_bytes = options_.dedupe_bytes;
  stats.cold_reads = cold_reads_.load(std::memory_order_relaxed);
  stats.cache_reads = cache_reads_.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace acta
