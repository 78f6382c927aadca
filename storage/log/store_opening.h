#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/base/clock.h"
#include "storage/log/folder.h"
#include "storage/log/local_engine_options.h"
#include "storage/log/partition_log.h"
#include "storage/log/slice.h"
#include "storage/log/witness.h"
#include "storage/rocks/rocks_store.h"

namespace acta {

// A store that was opened and found whole, or whose loss was accepted.
struct OpenedStore {
  std::unique_ptr<FolderLock> lock;
  std::shared_ptr<StoreFileSystem> files;
  std::shared_ptr<Witness> witness;
  std::unique_ptr<RocksStore> rocks;
  std::string store_id;
  Incarnation incarnation;
  GroupNumber last_group;
  absl::Time least_time;  // Server time never starts before it.
  std::vector<SlicePtr> slices;
  std::map<uint64_t, FamilyPtr> indexes;  // By slice.
  std::map<PartitionId, PartitionStart> partitions;
  std::vector<RowWrite> left;  // Deletes what may be there of topics and slices that are gone.
};

// Opens the folder and decides whether what is there is what was there (docs/internals/
// on-disk-format.md, "Start"): format, missing WALs, holes, lost groups, incarnation.
//
// Errors: FOLDER_IN_USE, FOLDER_UNUSABLE, FORMAT_TOO_NEW, DISK_FULL, DATA_LOST with a report,
// DATA_CORRUPTED. Each says what to do.
absl::StatusOr<OpenedStore> OpenStore(const LocalEngineOptions& options, const Clock& clock,
                                      const RocksStore::OnFatal& on_fatal);

}  // namespace acta
