#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <rocksdb/file_system.h>

#include "storage/base/mutex.h"

namespace acta {

// A disk that records what is done to it, so that any power cut can be replayed, and that fails
// when told to. Everything goes to the real file system as well.
//
// A power cut may keep any prefix of what was not synced, per file: Materialize() builds the
// folder it would leave. Files are append-only or overwritten in place; renames, deletions and
// creations count as durable once their folder, or a later sync of any kind, was synced.
//
// Threads: any.
class FaultyDisk final : public rocksdb::FileSystemWrapper {
 public:
  enum class Kind : uint8_t { kCreate, kAppend, kOverwrite, kSync, kDelete, kRename, kTruncate };
  struct Operation {
    Kind kind;
    std::string path;
    std::string other;  // kRename: to.
    uint64_t offset = 0;
    std::string bytes;
  };

  FaultyDisk();
  const char* Name() const override { return "acta.faulty_disk"; }

  // The n-th write (append or overwrite), sync, or opening of a file for writing from now on fails,
  // and all after it; 1 is the next.
  void FailWrite(int64_t n);
  void FailSync(int64_t n);
  void FailOpen(int64_t n);
  // While `file` exists the disk is full: writes that make a file longer fail for lack of space.
  void FullWhile(const std::string& file);
  // How many were done so far.
  int64_t writes() const;
  int64_t syncs() const;
  int64_t opens() const;

  // Records from now on. Operations so far are the start of every image: call it on an empty
  // folder.
  void Record();
  size_t operations() const;
  // Ends of syncs, as positions in the record: the most interesting places to cut.
  std::vector<size_t> SyncPoints() const;
  // What becomes of a file's unsynced writes. kTorn, kHoles: a power cut; kNothing: kill -9.
  enum class Loss : uint8_t {
    kTorn,     // A prefix of them stays: none, all, or up to within one of them.
    kHoles,    // Each one stays or not; what was never written reads as zeros.
    kNothing,  // All stay: the kernel still has them.
  };
  // Writes what a fault after the first `cut` operations leaves of `from` into `to`; `seed`
  // decides which of the unsynced writes stay.
  void Materialize(size_t cut, uint64_t seed, const std::string& from, const std::string& to,
                   Loss loss = Loss::kTorn) const;

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomRWFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSRandomRWFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

  // For the files it hands out.
  rocksdb::IOStatus OnWrite(Operation operation);
  rocksdb::IOStatus OnSync(const std::string& path);

 private:
  void Note(Operation operation);
  rocksdb::IOStatus OnOpen();

  mutable Mutex mu_;  // Leaf.
  bool recording_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<Operation> operations_ ABSL_GUARDED_BY(mu_);
  int64_t writes_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t syncs_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t opens_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t fail_write_at_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t fail_sync_at_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t fail_open_at_ ABSL_GUARDED_BY(mu_) = 0;
  std::string filler_ ABSL_GUARDED_BY(mu_);
};

}  // namespace acta
