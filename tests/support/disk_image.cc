#include "tests/support/disk_image.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <utility>

namespace acta {
namespace {

using Kind = DiskOperation::Kind;
using Random = std::mt19937_64;

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

void Apply(std::string* bytes, const DiskOperation& operation, size_t length) {
  if (operation.kind == Kind::kTruncate) {
    bytes->resize(operation.offset, '\0');
    return;
  }
  if (bytes->size() < operation.offset + length) bytes->resize(operation.offset + length, '\0');
  bytes->replace(operation.offset, length, operation.bytes, 0, length);
}

// A file without a name.
struct Inode {
  std::string durable;
  std::vector<const DiskOperation*> pending;

  void Sync() {
    for (const DiskOperation* operation : pending) {
      Apply(&durable, *operation, operation->bytes.size());
    }
    pending.clear();
  }
  // Syncing it changes its length, which an ordered journal has to note.
  bool Grows() const {
    return std::any_of(pending.begin(), pending.end(), [](const DiskOperation* operation) {
      return operation->kind != Kind::kOverwrite;
    });
  }
  // A prefix of the unsynced writes stays, the last one torn. An in-place overwrite of one block
  // is torn as a whole or not at all by its checksum anyway.
  void Tear(Random* random) {
    const size_t keep = (*random)() % (pending.size() + 1);
    for (size_t i = 0; i < keep; ++i) Apply(&durable, *pending[i], pending[i]->bytes.size());
    if (keep < pending.size() && !pending[keep]->bytes.empty()) {
      Apply(&durable, *pending[keep], (*random)() % pending[keep]->bytes.size());
    }
    pending.clear();
  }
  // Each unsynced write stays or not, whatever became of those before it.
  void Perforate(Random* random) {
    for (const DiskOperation* operation : pending) {
      if ((*random)() % 2 == 0) Apply(&durable, *operation, operation->bytes.size());
    }
    pending.clear();
  }
};

class Replay {
 public:
  explicit Replay(DiskLoss loss)
      : strict_(loss == DiskLoss::kNames || loss == DiskLoss::kAnyNames), loss_(loss) {}

  void Do(const DiskOperation& operation) {
    switch (operation.kind) {
      case Kind::kCreate:
        return Create(operation);
      case Kind::kMakeFolder:
        folders_.insert(operation.path);
        if (now_.emplace(operation.path, kFolder).second) Change(operation, kFolder);
        return;
      case Kind::kDelete:
        if (now_.erase(operation.path) > 0) Change(operation, kFolder);
        return;
      case Kind::kRename:
      case Kind::kLink:
        return Rename(operation);
      case Kind::kSync:
        return Sync(operation.path);
      case Kind::kSyncFolder:
        return SyncNames(operation.path);
      case Kind::kOpen:
      case Kind::kRead:
        return;
      default:
        if (const auto file = now_.find(operation.path); file != now_.end()) {
          inodes_[file->second].pending.push_back(&operation);
        }
    }
  }

  // The fault: what is not durable is lost or kept.
  void Fail(uint64_t seed) {
    Random random(seed);
    FailNames(&random);
    for (Inode& inode : inodes_) {
      if (loss_ == DiskLoss::kNothing) {
        inode.Sync();
      } else if (loss_ == DiskLoss::kHoles) {
        inode.Perforate(&random);
      } else {
        inode.Tear(&random);
      }
    }
  }

  void Write(const std::string& from, const std::string& to) const {
    namespace fs = std::filesystem;
    fs::create_directories(to);
    for (const auto& [path, inode] : durable_) {
      const bool inside = path.size() > from.size() && path.compare(0, from.size(), from) == 0 &&
                          path[from.size()] == '/';
      if (!inside || !Reachable(path)) continue;
      const fs::path target = to + path.substr(from.size());
      if (inode == kFolder) {
        fs::create_directories(target);
        continue;
      }
      fs::create_directories(target.parent_path());
      std::ofstream(target, std::ios::binary) << inodes_[inode].durable;
    }
  }

 private:
  static constexpr size_t kFolder = static_cast<size_t>(-1);
  struct NameChange {
    const DiskOperation* operation;
    size_t inode;  // What is named; kFolder: a folder, or nothing.
  };

  void Create(const DiskOperation& operation) {
    static const DiskOperation kEmptied{Kind::kTruncate, "", "", 0, ""};
    if (const auto file = now_.find(operation.path); file != now_.end()) {
      inodes_[file->second].pending.push_back(&kEmptied);
      return;
    }
    inodes_.emplace_back();
    now_[operation.path] = inodes_.size() - 1;
    Change(operation, inodes_.size() - 1);
  }

  void Rename(const DiskOperation& operation) {
    const auto file = now_.find(operation.path);
    if (file == now_.end()) return;  // Not a recorded file: a log of the database.
    const size_t inode = file->second;
    if (operation.kind == Kind::kRename) now_.erase(file);
    now_[operation.other] = inode;
    Change(operation, inode);
  }

  void Sync(const std::string& path) {
    const auto file = now_.find(path);
    if (file == now_.end()) return;
    Inode& inode = inodes_[file->second];
    if (!strict_ && inode.Grows()) SyncNames("");
    inode.Sync();
  }

  void Change(const DiskOperation& operation, size_t inode) {
    pending_.push_back({&operation, inode});
  }

  static std::string FolderOfChange(const NameChange& change) {
    const DiskOperation& operation = *change.operation;
    return FolderOf(operation.other.empty() ? operation.path : operation.other);
  }

  // Of one folder; of an ordered journal, all.
  void SyncNames(const std::string& folder) {
    std::erase_if(pending_, [&](const NameChange& change) {
      const bool kept = !strict_ || FolderOfChange(change) == folder;
      if (kept) Keep(change);
      return kept;
    });
  }

  void Keep(const NameChange& change) {
    const DiskOperation& operation = *change.operation;
    if (operation.kind == Kind::kDelete || operation.kind == Kind::kRename) {
      durable_.erase(operation.path);
    }
    if (!operation.other.empty()) durable_[operation.other] = change.inode;
    if (operation.kind == Kind::kCreate || operation.kind == Kind::kMakeFolder) {
      durable_[operation.path] = change.inode;
    }
  }

  void FailNames(Random* random) {
    std::map<std::string, size_t> left;  // Changes that stay, by folder; "": of all.
    const bool each = loss_ == DiskLoss::kNames;
    if (loss_ != DiskLoss::kAnyNames) {
      for (const NameChange& change : pending_) ++left[each ? FolderOfChange(change) : ""];
      if (loss_ != DiskLoss::kNothing) {
        for (auto& [folder, count] : left) count = (*random)() % (count + 1);
      }
    }
    for (const NameChange& change : pending_) {
      if (loss_ == DiskLoss::kAnyNames) {
        if ((*random)() % 2 == 0) Keep(change);
        continue;
      }
      size_t& count = left[each ? FolderOfChange(change) : ""];
      if (count == 0) continue;
      --count;
      Keep(change);
    }
    pending_.clear();
  }

  // Of the folders above, those that were made here still have their names.
  bool Reachable(const std::string& path) const {
    for (std::string folder = FolderOf(path); folder != "/"; folder = FolderOf(folder)) {
      if (folders_.contains(folder) && !durable_.contains(folder)) return false;
    }
    return true;
  }

  const bool strict_;
  const DiskLoss loss_;
  std::vector<Inode> inodes_;
  std::map<std::string, size_t> now_;
  std::map<std::string, size_t> durable_;
  std::vector<NameChange> pending_;
  std::set<std::string> folders_;
};

void PutText(std::ofstream* out, const std::string& text) {
  const uint64_t size = text.size();
  out->write(reinterpret_cast<const char*>(&size), sizeof(size));
  *out << text;
}

bool GetText(std::ifstream* in, std::string* text) {
  uint64_t size = 0;
  if (!in->read(reinterpret_cast<char*>(&size), sizeof(size))) return false;
  text->resize(size);
  return static_cast<bool>(in->read(text->data(), static_cast<std::streamsize>(size)));
}

}  // namespace

void LeaveImage(const std::vector<DiskOperation>& operations, uint64_t seed, DiskLoss loss,
                const std::string& from, const std::string& to) {
  Replay replay(loss);
  for (const DiskOperation& operation : operations) replay.Do(operation);
  replay.Fail(seed);
  replay.Write(from, to);
}

std::vector<DiskOperation> OperationsThatMake(const std::string& folder) {
  std::vector<DiskOperation> operations = {{Kind::kMakeFolder, folder, "", 0, ""},
                                           {Kind::kSyncFolder, FolderOf(folder), "", 0, ""}};
  std::vector<std::string> folders = {folder};
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string path = entry.path().string();
    if (entry.is_directory()) {
      operations.push_back({Kind::kMakeFolder, path, "", 0, ""});
      folders.push_back(path);
      continue;
    }
    std::ifstream in(path, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), {});
    operations.push_back({Kind::kCreate, path, "", 0, ""});
    operations.push_back({Kind::kAppend, path, "", 0, std::move(bytes)});
    operations.push_back({Kind::kSync, path, "", 0, ""});
  }
  for (const std::string& path : folders) {
    operations.push_back({Kind::kSyncFolder, path, "", 0, ""});
  }
  return operations;
}

void MoveOperations(const std::string& from, const std::string& to,
                    std::vector<DiskOperation>* operations) {
  const auto move = [&](std::string* path) {
    const bool inside = path->compare(0, from.size(), from) == 0 &&
                        (path->size() == from.size() || (*path)[from.size()] == '/');
    if (inside) path->replace(0, from.size(), to);
  };
  for (DiskOperation& operation : *operations) {
    const bool parent = operation.kind == Kind::kSyncFolder && operation.path == FolderOf(from);
    if (parent) operation.path = FolderOf(to);
    move(&operation.path);
    move(&operation.other);
  }
}

bool SaveOperations(const std::vector<DiskOperation>& operations, const std::string& path) {
  std::ofstream out(path, std::ios::binary);
  for (const DiskOperation& operation : operations) {
    out.put(static_cast<char>(operation.kind));
    out.write(reinterpret_cast<const char*>(&operation.offset), sizeof(operation.offset));
    PutText(&out, operation.path);
    PutText(&out, operation.other);
    PutText(&out, operation.bytes);
  }
  out.close();
  return out.good();
}

bool LoadOperations(const std::string& path, std::vector<DiskOperation>* operations) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return false;
  for (int kind = in.get(); kind != std::ifstream::traits_type::eof(); kind = in.get()) {
    DiskOperation operation;
    operation.kind = static_cast<Kind>(kind);
    if (!in.read(reinterpret_cast<char*>(&operation.offset), sizeof(operation.offset)) ||
        !GetText(&in, &operation.path) || !GetText(&in, &operation.other) ||
        !GetText(&in, &operation.bytes)) {
      return false;
    }
    operations->push_back(std::move(operation));
  }
  return true;
}

}  // namespace acta
