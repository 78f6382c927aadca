#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/mutex.h"
#include "tests/support/hooked_disk.h"

namespace acta {

// A disk that records what is done to it, so that any power cut can be replayed, and that fails
// when told to. Everything goes to the real file system as well.
//
// Recorded is every change and every sync, of files and of folders. What a fault leaves of them is
// in disk_image.h.
//
// Threads: any.
class FaultyDisk final : public HookedDisk {
 public:
  using Kind = DiskOperation::Kind;
  using Operation = DiskOperation;
  using Loss = DiskLoss;

  enum class Fault : uint8_t {
    kWrite,
    kSync,        // Of a file.
    kSyncFolder,  // Of the names in a folder.
    kOpen,        // Of a file or a folder; a new file too.
    kName,        // Of a deletion, a rename, a new folder.
    kRead,
  };
  static constexpr size_t kFaults = 6;

  // The n-th of these from now on fails; 1 is the next. All after it fail too, but when only that
  // is to fail `once`, and for reads: those are tried again.
  void Fail(Fault fault, int64_t n, bool once = false);
  // How many were asked for so far.
  int64_t count(Fault fault) const;
  // Kind and path of the first that failed as told; nothing: none did.
  std::optional<Operation> failed() const;
  // While `file` exists the disk is full: writes that make a file longer fail for lack of space.
  void FullWhile(const std::string& file);

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

 private:
  struct Counted {
    int64_t done = 0;
    int64_t fail_at = 0;  // 0: never.
    bool once = false;
  };

  rocksdb::IOStatus Do(const DiskCall& call, Forward forward) override;
  rocksdb::IOStatus FaultOf(const DiskCall& call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Note(const DiskCall& call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;  // Leaf.
  bool recording_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<Operation> operations_ ABSL_GUARDED_BY(mu_);
  std::array<Counted, kFaults> counted_ ABSL_GUARDED_BY(mu_);
  std::optional<Operation> failed_ ABSL_GUARDED_BY(mu_);
  std::string filler_ ABSL_GUARDED_BY(mu_);
};

}  // namespace acta
