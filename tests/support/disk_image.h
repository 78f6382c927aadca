#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace acta {

// One thing that is done to a disk.
struct DiskOperation {
  enum class Kind : uint8_t {
    kCreate,  // Of a file; one of this name is emptied.
    kAppend,
    kOverwrite,
    kTruncate,
    kSync,
    kDelete,
    kRename,
    kLink,  // Another name of a file.
    kMakeFolder,
    kSyncFolder,
    // These leave nothing behind, and are in no record.
    kOpen,  // Of a file that is there, or of a folder.
    kRead,
  };
  Kind kind = Kind::kCreate;
  std::string path;
  std::string other;  // kRename, kLink: to.
  uint64_t offset = 0;
  std::string bytes;
};

// What a fault takes.
//
// Files and their names are apart. Unsynced bytes of a file are torn (a prefix of its writes stays,
// up to within one of them) where nothing else is said. Names come and go in one of two ways:
// - ordered, as in the journal of ext4: whatever makes the journal write (the sync of any folder,
//   of any file that grew) keeps all names so far, and of later changes a prefix stays.
// - strict, all that POSIX promises: only the sync of its folder keeps a name.
enum class DiskLoss : uint8_t {
  kTorn,      // A power cut; ordered names.
  kHoles,     // Each unsynced write stays or not, else it reads as zeros; ordered names.
  kNames,     // Strict names: of each folder, a prefix of the unsynced changes stays.
  kAnyNames,  // Strict names: each unsynced change stays or not; a rename is still one change.
  kNothing,   // kill -9: all stays, the kernel still has it.
};

// Writes what a fault after `operations` leaves of the folder `from` into `to`; `seed` decides what
// of the unsynced stays. Files and folders nobody made in `operations` are not there, but for `to`.
void LeaveImage(const std::vector<DiskOperation>& operations, uint64_t seed, DiskLoss loss,
                const std::string& from, const std::string& to);

// What makes the folder as it is, all of it synced.
std::vector<DiskOperation> OperationsThatMake(const std::string& folder);

// With the folder `from` named `to`.
void MoveOperations(const std::string& from, const std::string& to,
                    std::vector<DiskOperation>* operations);

// As a file, for another process.
bool SaveOperations(const std::vector<DiskOperation>& operations, const std::string& path);
bool LoadOperations(const std::string& path, std::vector<DiskOperation>* operations);

}  // namespace acta
