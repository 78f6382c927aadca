#pragma once

#include <memory>

#include <rocksdb/file_system.h>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "storage/base/mutex.h"

namespace acta {

// Keeps the database away from a WAL file that refused a write: the first sync of such a file is
// an assertion of RocksDB 7.8 (WritableFileWriter, sync_without_flush_called_), and the process
// would end by it before anybody was told.
//
// Threads: any. Outlives the files that it watches.
class WalGuard {
 public:
  // Not OK once a write was refused.
  absl::Status Check() const;
  // `sync`, or the error of Check(). The database learns of a refusal meanwhile when `sync` has
  // ended, or after a second: a stalled one is past the place that asserts. One thread at a time.
  absl::Status Sync(absl::FunctionRef<absl::Status()> sync);
  // The same file; its refused writes are noted.
  std::unique_ptr<rocksdb::FSWritableFile> Watch(std::unique_ptr<rocksdb::FSWritableFile> file);

 private:
  class WatchedFile;
  void Refuse();

  mutable Mutex mu_;  // Leaf.
  CondVar sync_ended_;
  bool syncing_ ABSL_GUARDED_BY(mu_) = false;
  bool refused_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace acta
