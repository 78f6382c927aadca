#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <rocksdb/file_system.h>

#include "absl/status/status.h"
#include "storage/base/mutex.h"
#include "storage/rocks/wal_guard.h"

namespace acta {

// The database's file system, watched: it knows which WAL files live. A deletion is told before
// it happens, so that a missing WAL can be told from one that was not needed any more. A new one
// is on the list before anything in it counts as synced, and not before its name is durable: the
// list may be written down at any moment. CURRENT never becomes durable before the MANIFEST that it
// names.
//
// Threads: any; RocksDB calls it from all of its own.
class StoreFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  // Null: the machine's own file system.
  explicit StoreFileSystem(std::shared_ptr<rocksdb::FileSystem> target);
  const char* Name() const override { return "acta.store_file_system"; }

  // Told when some came, or one is about to go; must make the list of live() durable. Not OK: the
  // sync or the deletion fails.
  using Listener = std::function<absl::Status()>;
  void SetListener(Listener listener);
  // Until AcceptRecovery() WAL files are kept: what recovery dropped can still be looked at when
  // it is refused.
  void AcceptRecovery();
  // To be called with every sync of the WAL, behind it, before what it covers is acknowledged:
  // those that came meanwhile get their place on the list. Writers do not wait for that.
  absl::Status ListNew();
  // WAL files that live, by number, with names that are durable.
  std::set<uint64_t> live() const;
  // Those and the ones that are not listed yet.
  std::set<uint64_t> wals() const;
  // Ask it before the database is made to touch its WAL.
  WalGuard& wal_guard() { return wal_guard_; }
  // Those found in `folder`, before the database is opened.
  absl::Status LoadExisting(const std::string& folder);

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& path,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

 private:
  rocksdb::IOStatus SyncFolderOf(const std::string& path);
  // Takes `number` from the list and tells the listener.
  rocksdb::IOStatus Forget(uint64_t number);

  WalGuard wal_guard_;
  mutable Mutex mu_;  // Leaf.
  std::set<uint64_t> live_ ABSL_GUARDED_BY(mu_);
  std::map<uint64_t, std::string> unlisted_ ABSL_GUARDED_BY(mu_);  // With their paths.
  Listener listener_ ABSL_GUARDED_BY(mu_);
  bool accepted_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::string> kept_ ABSL_GUARDED_BY(mu_);
};

// The number of a WAL file name ("000012.log"), or -1.
int64_t WalNumber(const std::string& path);

}  // namespace acta
