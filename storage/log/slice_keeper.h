#pragma once

#include <cstdint>
#include <map>

#include "absl/status/status.h"
#include "storage/base/mutex.h"
#include "storage/log/commit_queue.h"
#include "storage/log/local_engine_options.h"
#include "storage/log/log_reader.h"
#include "storage/log/log_table.h"
#include "storage/log/slice_set.h"

namespace acta {

// SliceKeeper does what time asks of the log: raises first offsets by retention, opens new slices,
// closes old ones, drops those nobody reads any more.
//
// Threads: one at a time; every method blocks on the disk.
class SliceKeeper {
 public:
  SliceKeeper(const LocalEngineOptions& options, RocksStore& store, SliceSet& slices,
              LogTable& table, CommitQueue& queue, const LogReader& reader)
      : options_(options),
        store_(store),
        slices_(slices),
        table_(table),
        queue_(queue),
        reader_(reader) {}

  // To the event, or only where a hundredth of what is kept (of an age, at most a minute) is over:
  // finding the place reads the disk.
  enum class Precision : uint8_t { kExact, kWithinAHundredth };
  // Logical retention of every partition, by age and size. Durable before readers see it. Where
  // batches cannot be read it goes by whole slices.
  absl::Status Trim(absl::Time now, Precision precision);
  // A new slice for each class; the ones they replace are flushed and get their directory record.
  absl::Status Renew(const std::vector<int64_t>& classes, absl::Time now);
  // New slices for the classes whose current one is too old or too large, up to max_slices, which
  // counts their indexes, and one more for each class.
  absl::Status Rotate(absl::Time now);
  // Closed slices that hold nothing readable. `claimed` says which partitions not opened yet
  // still need one.
  using Needed = std::function<bool(uint64_t slice_id)>;
  absl::Status DropUnused(const Needed& needed);

 private:
  bool MayTrim(PartitionLog& partition, Offset first) const;
  absl::Status Close(const SlicePtr& slice, absl::Time now);
  absl::Status Drop(const std::vector<SlicePtr>& slices);
  bool Due(const Slice& slice, absl::Time now, int64_t log_bytes, bool crowded) const;

  const LocalEngineOptions& options_;
  RocksStore& store_;
  SliceSet& slices_;
  LogTable& table_;
  CommitQueue& queue_;
  const LogReader& reader_;
};

}  // namespace acta
