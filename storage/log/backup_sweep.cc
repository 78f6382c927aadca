#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/backup.h"
#include "storage/layout/engine_rows.h"
#include "storage/log/backup_record.h"

namespace acta {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int64_t kSweepSeconds = 30;  // What waits is gone within that, whatever the rate.
constexpr std::chrono::milliseconds kSweepNap(20);

// What leaves the disk with the file; nothing, if it has another name.
int64_t OwnBytes(const fs::path& path) {
  struct stat found {};
  const bool own = lstat(path.c_str(), &found) == 0 && found.st_nlink == 1;
  return own ? int64_t{found.st_size} : 0;
}

// What leaves the disk when all of them have gone: a file when they are all the names that it has.
class BytesThatGo {
 public:
  void Add(const std::vector<fs::path>& files) {
    for (const fs::path& file : files) {
      struct stat found {};
      if (lstat(file.c_str(), &found) != 0) continue;
      if (++names_[{found.st_dev, found.st_ino}] == found.st_nlink) bytes_ += found.st_size;
    }
  }
  int64_t bytes() const { return bytes_; }

 private:
  std::map<std::pair<dev_t, ino_t>, nlink_t> names_;  // That were added, of each file.
  int64_t bytes_ = 0;
};

// The list of files first: without it nobody takes what is left for a backup. Nothing is followed
// that only points somewhere.
std::vector<fs::path> FilesIn(const fs::path& folder) {
  std::vector<fs::path> files = {folder / kBackupFile};
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error);
       !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    std::error_code unknown;
    if (!fs::is_directory(at->symlink_status(unknown))) files.push_back(at->path());
  }
  return files;
}

class Sweeper {
 public:
  Sweeper(const SweepOrder& order, int64_t waiting)
      : order_(order), rate_(std::max(order.bytes_per_second, waiting / kSweepSeconds)) {}

  // False: it was given up.
  bool Remove(const fs::path& folder, const std::vector<fs::path>& files) {
    for (const fs::path& file : files) {
      if (!Wait()) return false;
      const int64_t bytes = OwnBytes(file);
      std::error_code error;
      if (fs::remove(file, error)) Spend(bytes);
      Note(file, error);
    }
    std::error_code error;
    fs::remove_all(folder, error);  // Folders that are empty now.
    Note(folder, error);
    return true;
  }
  const absl::Status& status() const { return status_; }

 private:
  void Spend(int64_t bytes) {
    if (order_.bytes_per_second == 0) return;
    const std::chrono::duration<double> takes(static_cast<double>(bytes) /
                                              static_cast<double>(rate_));
    next_ = std::max(next_, Clock::now()) + std::chrono::duration_cast<Clock::duration>(takes);
  }
  // Until the rate allows the next one.
  bool Wait() const {
    for (;;) {
      if (order_.go_on && !order_.go_on()) return false;
      const auto left = next_ - Clock::now();
      if (left <= Clock::duration::zero()) return true;
      std::this_thread::sleep_for(std::min<Clock::duration>(left, kSweepNap));
    }
  }
  void Note(const fs::path& path, const std::error_code& error) {
    if (!error || !status_.ok()) return;
    status_ =
        absl::UnknownError(absl::StrCat("cannot remove '", path.string(), "': ", error.message()));
  }

  const SweepOrder& order_;
  const int64_t rate_;
  Clock::time_point next_ = Clock::now();
  absl::Status status_;
};

}  // namespace

absl::Status SweepBackups(const SweepOrder& order) {
  std::vector<std::pair<fs::path, std::vector<fs::path>>> left;
  BytesThatGo waiting;
  for (const std::string& id : HiddenBackups(order.folder, kDeleted)) {
    const fs::path folder = fs::path(order.folder) / absl::StrCat(".", id, kDeleted);
    std::error_code unknown;
    const bool own = fs::is_directory(fs::symlink_status(folder, unknown));
    left.emplace_back(folder, own ? FilesIn(folder) : std::vector<fs::path>{folder});
    waiting.Add(left.back().second);
  }
  Sweeper sweeper(order, waiting.bytes());
  for (const auto& [folder, files] : left) {
    if (!sweeper.Remove(folder, files)) break;
  }
  return sweeper.status();
}

}  // namespace acta
