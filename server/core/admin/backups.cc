#include "server/core/admin/backups.h"

#include <pthread.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/proto_time.h"
#include "storage/base/log.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

v1::Backup ToProto(const BackupInfo& info) {
  v1::Backup backup;
  backup.set_id(info.id);
  backup.set_path(info.path);
  backup.set_problem(info.problem);
  if (!info.problem.empty()) return backup;
  SetTime(info.time, backup.mutable_time());
  backup.set_incarnation(info.incarnation.value());
  backup.set_group(static_cast<int64_t>(info.group.value()));
  backup.set_files(info.files);
  backup.set_bytes(info.bytes);
  backup.set_added_bytes(info.added_bytes);
  return backup;
}

absl::Status Running() {
  return Error(v1::BACKUP_RUNNING,
               "a backup is being made: wait for it, or stop it with `acta backup stop`");
}

}  // namespace

Backups::Backups(LogEngine& engine, BackupOptions options)
    : engine_(engine), options_(std::move(options)) {
  LookLater();
  SweepLater(options_.folder);  // What an earlier life left.
}

Backups::~Backups() { End(); }

void Backups::SweepLater(const std::string& folder) {
  MutexLock lock(mu_);
  if (ended_ || folder.empty() || engine_.backup_source() == nullptr) return;
  to_sweep_.insert(folder);
  if (sweeping_) return;
  if (sweep_thread_.joinable()) sweep_thread_.join();  // It has done its work.
  sweeping_ = true;
  sweep_thread_ = std::thread([this] { Sweep(); });
  pthread_setname_np(sweep_thread_.native_handle(), "acta-sweep");
}

void Backups::Sweep() {
  for (;;) {
    SweepOrder order;
    {
      MutexLock lock(mu_);
      sweeping_ = !to_sweep_.empty() && !ended_;
      if (!sweeping_) return;
      order.folder = *to_sweep_.begin();
      to_sweep_.erase(to_sweep_.begin());
      order.bytes_per_second = options_.deletion_bytes_per_second;
    }
    order.go_on = [this] {
      MutexLock lock(mu_);
      return !ended_;
    };
    if (const absl::Status status = SweepBackups(order); !status.ok()) {
      LogWarn("files of a deleted backup stay", {{"cause", std::string(status.message())}});
    }
  }
}

void Backups::LookLater() {
  MutexLock lock(mu_);
  if (looking_ || ended_) return;
  if (look_thread_.joinable()) look_thread_.join();  // It has done its work.
  looking_ = true;
  look_thread_ = std::thread([this] {
    for (;;) {
      const int64_t seen = LookAtFolder();
      MutexLock done(mu_);
      // Who wanted another look meanwhile found this one under way.
      looking_ = seen != changes_ && !ended_;
      if (!looking_) return;
    }
  });
  pthread_setname_np(look_thread_.native_handle(), "acta-backup");
}

int64_t Backups::LookAtFolder() {
  BackupOptions options;
  int64_t seen = 0;
  {
    MutexLock lock(mu_);
    options = options_;
    seen = changes_;
  }
  std::optional<absl::Time> newest;
  const auto there = options.folder.empty()
                         ? std::vector<BackupInfo>()
                         : ListBackups(options.folder).value_or(std::vector<BackupInfo>());
  for (const BackupInfo& backup : there) {
    if (backup.problem.empty()) newest = backup.time;
  }
  MutexLock lock(mu_);
  if (seen == changes_) figures_.newest = newest;  // Else it is known better.
  return seen;
}

absl::StatusOr<BackupOptions> Backups::OptionsWithFolder() const {
  MutexLock lock(mu_);
  if (!options_.folder.empty() && engine_.backup_source() != nullptr) return options_;
  return Error(v1::BACKUP_OFF,
               "there is no folder for backups: set storage.backup_dir in the configuration of the "
               "broker and send it SIGHUP",
               {{"property", "storage.backup_dir"}});
}

absl::StatusOr<v1::StartBackupResponse> Backups::Start(const Caller& caller) {
  ASSIGN_OR_RETURN(const BackupOptions options, OptionsWithFolder());
  // Looked at before it is answered: a folder that cannot be used is told at once.
  RETURN_IF_ERROR(ListBackups(options.folder).status());
  const absl::Time now = engine_.Now();
  LogInfo("backup asked for", {{"folder", options.folder}, {"principal", caller.principal}});
  MutexLock lock(mu_);
  if (running_) return Running();
  if (ended_) return Error(v1::SERVER_STOPPING, "the server is stopping");
  if (thread_.joinable()) thread_.join();  // It has done its work.
  running_ = true;
  give_up_ = false;
  run_.emplace().set_state(v1::BACKUP_STATE_RUNNING);
  SetTime(now, run_->mutable_start_time());
  thread_ = std::thread([this, options] { Run(options); });
  pthread_setname_np(thread_.native_handle(), "acta-backup");
  v1::StartBackupResponse response;
  *response.mutable_run() = *run_;
  return response;
}

void Backups::Run(const BackupOptions& options) {
  BackupOrder order;
  order.folder = options.folder;
  order.bytes_per_second = options.bytes_per_second;
  order.go_on = [this](int64_t copied, int64_t total) {
    MutexLock lock(mu_);
    run_->set_copied_bytes(copied);
    run_->set_total_bytes(total);
    return !give_up_;
  };
  const auto made = engine_.backup_source()->Backup(order);
  if (made.ok()) {
    DeleteOld(options, made->id);
    LogInfo("backup made",
            {{"path", made->path}, {"bytes", made->bytes}, {"added_bytes", made->added_bytes}});
  } else if (!absl::IsCancelled(made.status())) {
    LogError("backup failed",
             {{"folder", options.folder}, {"cause", std::string(made.status().message())}});
  }
  SweepLater(options.folder);  // Also what one left that was given up.
  const absl::Time now = engine_.Now();
  MutexLock lock(mu_);
  SetTime(now, run_->mutable_end_time());
  if (made.ok()) {
    run_->set_state(v1::BACKUP_STATE_DONE);
    run_->set_id(made->id);
    run_->set_total_bytes(run_->copied_bytes());
    ++figures_.done;
    failure_.clear();
    // A reload may have named another folder meanwhile, or none.
    if (options_.folder == options.folder) {
      figures_.newest = made->time;
      ++changes_;
    }
  } else if (absl::IsCancelled(made.status())) {
    run_->set_state(v1::BACKUP_STATE_STOPPED);
  } else {
    run_->set_state(v1::BACKUP_STATE_FAILED);
    run_->set_error(std::string(made.status().message()));
    ++figures_.failed;
    if (!options_.folder.empty()) failure_ = run_->error();
  }
  running_ = false;
}

void Backups::DeleteOld(const BackupOptions& options, const std::string& made) const {
  if (options.keep == 0) return;
  const auto there = ListBackups(options.folder);
  if (!there.ok()) return;
  std::vector<std::string> whole;
  for (const BackupInfo& backup : *there) {
    // The clock may have gone back since others got their names.
    if (backup.problem.empty() && backup.id != made) whole.push_back(backup.id);
  }
  for (size_t i = 0; i + static_cast<size_t>(options.keep) <= whole.size(); ++i) {
    const absl::Status deleted = DeleteBackup(options.folder, whole[i]);
    if (!deleted.ok()) {
      LogWarn("an old backup stays", {{"id", whole[i]}, {"cause", std::string(deleted.message())}});
    }
  }
}

absl::StatusOr<v1::ListBackupsResponse> Backups::List() const {
  ASSIGN_OR_RETURN(const BackupOptions options, OptionsWithFolder());
  v1::ListBackupsResponse response;
  response.set_folder(options.folder);
  {
    // Before the folder is looked at: one that is done is among those there.
    MutexLock lock(mu_);
    if (run_.has_value()) *response.mutable_last_run() = *run_;
  }
  ASSIGN_OR_RETURN(const std::vector<BackupInfo> there, ListBackups(options.folder));
  for (const BackupInfo& backup : there) *response.add_backups() = ToProto(backup);
  return response;
}

absl::StatusOr<v1::StopBackupResponse> Backups::Stop(const Caller& caller) {
  v1::StopBackupResponse response;
  {
    MutexLock lock(mu_);
    response.set_stopped(running_);
    if (running_) give_up_ = true;
  }
  if (response.stopped()) LogInfo("backup is to stop", {{"principal", caller.principal}});
  return response;
}

absl::StatusOr<v1::DeleteBackupResponse> Backups::Delete(const Caller& caller,
                                                         const v1::DeleteBackupRequest& request) {
  ASSIGN_OR_RETURN(const BackupOptions options, OptionsWithFolder());
  {
    // The one that is being made may share files with it.
    MutexLock lock(mu_);
    if (running_) return Running();
  }
  RETURN_IF_ERROR(DeleteBackup(options.folder, request.id()));
  LogInfo("backup deleted", {{"id", request.id()}, {"principal", caller.principal}});
  {
    MutexLock lock(mu_);
    ++changes_;
  }
  LookAtFolder();
  SweepLater(options.folder);
  return v1::DeleteBackupResponse();
}

void Backups::SetOptions(BackupOptions options) {
  const std::string folder = options.folder;
  {
    MutexLock lock(mu_);
    options_ = std::move(options);
    ++changes_;
    if (options_.folder.empty()) failure_.clear();
  }
  LookLater();
  SweepLater(folder);
}

BackupFigures Backups::figures() const {
  MutexLock lock(mu_);
  BackupFigures figures = figures_;
  figures.running = running_;
  return figures;
}

std::string Backups::last_error() const {
  MutexLock lock(mu_);
  return failure_;
}

void Backups::End() {
  std::thread thread, look, sweep;
  {
    MutexLock lock(mu_);
    ended_ = true;
    give_up_ = true;
    thread = std::move(thread_);
    look = std::move(look_thread_);
    sweep = std::move(sweep_thread_);
  }
  if (thread.joinable()) thread.join();
  if (look.joinable()) look.join();
  if (sweep.joinable()) sweep.join();
}

}  // namespace acta
