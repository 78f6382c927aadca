#include "storage/rocks/store_file_system.h"

#include <cctype>
#include <utility>

#include "storage/rocks/read_together.h"
#include "storage/rocks/rocks_status.h"
#include "storage/rocks/wal_ahead.h"
#include "storage/rocks/wal_pages.h"

namespace acta {

using rocksdb::IOOptions;
using rocksdb::IOStatus;

namespace {

IOStatus ToRocks(const absl::Status& status) {
  return status.ok() ? IOStatus::OK() : IOStatus::IOError(std::string(status.message()));
}

std::string NameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

int64_t WalNumber(const std::string& path) {
  const std::string name = NameOf(path);
  const size_t dot = name.find('.');
  if (dot == 0 || dot == std::string::npos || dot > 18 || name.substr(dot) != ".log") return -1;
  int64_t number = 0;
  for (const char c : name.substr(0, dot)) {
    if (std::isdigit(static_cast<unsigned char>(c)) == 0) return -1;
    number = number * 10 + (c - '0');
  }
  return number;
}

StoreFileSystem::StoreFileSystem(std::shared_ptr<rocksdb::FileSystem> target)
    : FileSystemWrapper(target != nullptr ? std::move(target) : FileSystem::Default()) {}

void StoreFileSystem::SetListener(Listener listener) {
  MutexLock lock(mu_);
  listener_ = std::move(listener);
}

void StoreFileSystem::AcceptRecovery() {
  std::vector<std::string> kept;
  {
    MutexLock lock(mu_);
    accepted_ = true;
    kept = std::exchange(kept_, {});
  }
  for (const std::string& path : kept) {
    // A file that stays is only untidy: the next start finds it obsolete again.
    DeleteFile(path, IOOptions(), nullptr).PermitUncheckedError();
  }
}

std::set<uint64_t> StoreFileSystem::live() const {
  MutexLock lock(mu_);
  return live_;
}

std::set<uint64_t> StoreFileSystem::wals() const {
  MutexLock lock(mu_);
  std::set<uint64_t> wals = live_;
  for (const auto& [number, path] : unlisted_) wals.insert(number);
  return wals;
}

absl::Status StoreFileSystem::LoadExisting(const std::string& folder) {
  std::vector<std::string> children;
  const IOStatus status = GetChildren(folder, IOOptions(), &children, nullptr);
  if (status.IsNotFound()) return absl::OkStatus();
  if (!status.ok()) return FromRocks(status);
  MutexLock lock(mu_);
  for (const std::string& child : children) {
    const int64_t number = WalNumber(child);
    if (number >= 0) live_.insert(static_cast<uint64_t>(number));
  }
  return absl::OkStatus();
}

IOStatus StoreFileSystem::SyncFolderOf(const std::string& path) {
  std::unique_ptr<rocksdb::FSDirectory> folder;
  const std::string name = path.substr(0, path.rfind('/'));
  const IOStatus opened = NewDirectory(name, IOOptions(), &folder, nullptr);
  return opened.ok() ? folder->Fsync(IOOptions(), nullptr) : opened;
}

IOStatus StoreFileSystem::NewWritableFile(const std::string& path,
                                          const rocksdb::FileOptions& options,
                                          std::unique_ptr<rocksdb::FSWritableFile>* file,
                                          rocksdb::IODebugContext* debug) {
  const IOStatus status = FileSystemWrapper::NewWritableFile(path, options, file, debug);
  const int64_t number = WalNumber(path);
  if (!status.ok() || number < 0) return status;
  *file = wal_guard_.Watch(WriteAhead(GiveBackPages(std::move(*file))));
  bool two = false;
  {
    MutexLock lock(mu_);
    two = !unlisted_.empty();
    unlisted_[static_cast<uint64_t>(number)] = path;
  }
  // A power cut must not take the name of the older one and leave that of this one.
  return two ? SyncFolderOf(path) : status;
}

IOStatus StoreFileSystem::NewRandomAccessFile(const std::string& path,
                                              const rocksdb::FileOptions& options,
                                              std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                              rocksdb::IODebugContext* debug) {
  const IOStatus status = FileSystemWrapper::NewRandomAccessFile(path, options, file, debug);
  if (status.ok()) *file = ReadTogether(std::move(*file));
  return status;
}

absl::Status StoreFileSystem::ListNew() {
  std::map<uint64_t, std::string> unlisted;
  Listener listener;
  {
    MutexLock lock(mu_);
    if (unlisted_.empty()) return absl::OkStatus();
    unlisted = unlisted_;
    if (accepted_) listener = listener_;
  }
  const IOStatus named = SyncFolderOf(unlisted.begin()->second);
  if (!named.ok()) return FromRocks(named);
  {
    MutexLock lock(mu_);
    for (const auto& [number, path] : unlisted) {
      if (unlisted_.erase(number) > 0) live_.insert(number);
    }
  }
  return listener ? listener() : absl::OkStatus();
}

IOStatus StoreFileSystem::Forget(uint64_t number) {
  Listener listener;
  {
    MutexLock lock(mu_);
    live_.erase(number);
    unlisted_.erase(number);
    listener = listener_;
  }
  return listener ? ToRocks(listener()) : IOStatus::OK();
}

IOStatus StoreFileSystem::DeleteFile(const std::string& path, const IOOptions& options,
                                     rocksdb::IODebugContext* debug) {
  const int64_t number = WalNumber(path);
  if (number >= 0) {
    {
      MutexLock lock(mu_);
      if (!accepted_) {
        kept_.push_back(path);
        return IOStatus::OK();
      }
    }
    const IOStatus told = Forget(static_cast<uint64_t>(number));
    if (!told.ok()) return told;
  }
  return FileSystemWrapper::DeleteFile(path, options, debug);
}

IOStatus StoreFileSystem::RenameFile(const std::string& from, const std::string& to,
                                     const IOOptions& options, rocksdb::IODebugContext* debug) {
  if (NameOf(to) == "CURRENT") {
    // The database syncs the folder once, afterwards: until then a power cut may keep this name and
    // not that of the MANIFEST it stands for.
    const IOStatus named = SyncFolderOf(to);
    if (!named.ok()) return named;
  }
  const int64_t number = WalNumber(from);
  if (number >= 0) {
    {
      MutexLock lock(mu_);
      // Deletion by way of the trash: while it is not accepted the file keeps its name.
      if (!accepted_) {
        kept_.push_back(from);
        return IOStatus::IOError("kept until recovery is accepted", from);
      }
    }
    const IOStatus told = Forget(static_cast<uint64_t>(number));
    if (!told.ok()) return told;
  }
  return FileSystemWrapper::RenameFile(from, to, options, debug);
}

}  // namespace acta
