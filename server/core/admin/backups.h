#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "acta/v1/admin.pb.h"
#include "server/core/access/authorizer.h"
#include "storage/backup.h"
#include "storage/base/mutex.h"
#include "storage/log_engine.h"

namespace acta {

struct BackupOptions {
  std::string folder;  // Empty: no backups are made.
  int64_t bytes_per_second = int64_t{100} << 20;
  int32_t keep = 0;  // So many are left when one was made; 0: all.
  // Of what leaves the disk with one that is deleted; 0: no limit.
  int64_t deletion_bytes_per_second = int64_t{64} << 20;
};

// What metrics tell of backups.
struct BackupFigures {
  int64_t done = 0;
  int64_t failed = 0;
  bool running = false;
  std::optional<absl::Time> newest;
};

// Backups answers the methods of acta.v1.Admin that speak of them; one is made at a time, on a
// thread of its own.
//
// Threads:   any. Start() and Stop() do not wait for the disk to copy; List() and Delete() block,
//            but not until the files of what was deleted are gone.
// Ownership: borrows the engine.
// Errors:    as the methods in admin.proto say.
class Backups {
 public:
  Backups(LogEngine& engine, BackupOptions options);
  ~Backups();

  absl::StatusOr<v1::StartBackupResponse> Start(const Caller& caller);
  absl::StatusOr<v1::ListBackupsResponse> List() const;
  absl::StatusOr<v1::StopBackupResponse> Stop(const Caller& caller);
  absl::StatusOr<v1::DeleteBackupResponse> Delete(const Caller& caller,
                                                  const v1::DeleteBackupRequest& request);

  // From the next one on.
  void SetOptions(BackupOptions options);
  BackupFigures figures() const;
  // Why the last one that was not stopped failed; empty: it did not.
  std::string last_error() const;
  // Gives up what is being made and makes no more. Blocks until the copy has noticed; files that
  // are left of it go in the next life.
  void End();

 private:
  absl::StatusOr<BackupOptions> OptionsWithFolder() const;
  void Run(const BackupOptions& options);
  // Keeps the newest; what cannot be deleted is logged.
  void DeleteOld(const BackupOptions& options, const std::string& made) const;
  // Which one is the newest; by itself, as the folder may be slow.
  void LookLater();
  // Which of the changes it has seen.
  int64_t LookAtFolder();
  // Files of what was deleted in it go by themselves: at their rate that takes a while.
  void SweepLater(const std::string& folder);
  void Sweep();

  LogEngine& engine_;
  mutable Mutex mu_;  // Leaf, but that a thread which has done its work is joined.
  bool give_up_ ABSL_GUARDED_BY(mu_) = false;
  BackupOptions options_ ABSL_GUARDED_BY(mu_);
  std::optional<v1::BackupRun> run_ ABSL_GUARDED_BY(mu_);
  bool running_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  std::string failure_ ABSL_GUARDED_BY(mu_);
  BackupFigures figures_ ABSL_GUARDED_BY(mu_);
  // Of the folder, that were made here.
  int64_t changes_ ABSL_GUARDED_BY(mu_) = 0;
  bool looking_ ABSL_GUARDED_BY(mu_) = false;
  std::thread look_thread_ ABSL_GUARDED_BY(mu_);
  bool sweeping_ ABSL_GUARDED_BY(mu_) = false;
  // That wait for it, also those that a reload has named another one for since.
  std::set<std::string> to_sweep_ ABSL_GUARDED_BY(mu_);
  std::thread sweep_thread_ ABSL_GUARDED_BY(mu_);
  std::thread thread_ ABSL_GUARDED_BY(mu_);
};

}  // namespace acta
