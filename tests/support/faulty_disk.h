#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <rocksdb/file_system.h>

#include "storage/base/mutex.h"
#include "tests/support/disk_image.h"

namespace acta {

// A disk that records what is done to it, so that any power cut can be replayed, and that fails
// when told to. Everything goes to the real file system as well.
//
// Recorded are files opened for writing, their writes and syncs, folders that are made and synced,
// renames and deletions. What a fault leaves of them is in disk_image.h.
//
// Threads: any.
class FaultyDisk final : public rocksdb::FileSystemWrapper {
 public:
  using Kind = DiskOperation::Kind;
  using Operation = DiskOperation;
  using Loss = DiskLoss;

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

  // Records from now on. What was done `before` is the start of the record, and with it of every
  // image; without it the folder has to be empty.
  void Record(std::vector<Operation> before = {});
  size_t operations() const;
  std::vector<Operation> record(size_t first_so_many) const;
  // Ends of syncs, as positions in the record: the most interesting places to cut.
  std::vector<size_t> SyncPoints() const;
  // Writes what a fault after the first `cut` operations leaves of `from` into `to`; `seed`
  // decides what of the unsynced stays.
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
  rocksdb::IOStatus CreateDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDirIfMissing(const std::string& path, const rocksdb::IOOptions& options,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* folder,
                                 rocksdb::IODebugContext* debug) override;

  // For the files and folders it hands out.
  rocksdb::IOStatus OnWrite(Operation operation);
  rocksdb::IOStatus OnSync(const std::string& path);
  void OnSyncFolder(const std::string& path);

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
