#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>
#include <vector>

#include "absl/strings/strip.h"
#include "storage/backup.h"
#include "storage/log/backup_record.h"

namespace acta {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kSweepNap(20);

// What leaves the disk with the file; nothing, if it has another name.
int64_t OwnBytes(const fs::path& path) {
  struct stat found {};
  const bool own = lstat(path.c_str(), &found) == 0 && found.st_nlink == 1;
  return own ? int64_t{found.st_size} : 0;
}

std::vector<fs::path> FilesIn(const fs::path& folder) {
  std::vector<fs::path> files;
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
  explicit Sweeper(const SweepOrder& order) : order_(order) {}

  // False: it was given up.
  bool Remove(const fs::path& folder) {
    std::error_code ignored;
    for (const fs::path& file : FilesIn(folder)) {
      if (!Wait()) return false;
      removed_ += OwnBytes(file);
      fs::remove(file, ignored);
    }
    fs::remove_all(folder, ignored);
    return true;
  }

 private:
  // Until the rate allows the next one.
  bool Wait() const {
    using Seconds = std::chrono::duration<double>;
    const double rate = static_cast<double>(order_.bytes_per_second);
    const Seconds due(rate > 0 ? static_cast<double>(removed_) / rate : 0);
    for (;;) {
      if (order_.go_on && !order_.go_on()) return false;
      const Seconds left = due - (Clock::now() - begun_);
      if (left <= Seconds::zero()) return true;
      std::this_thread::sleep_for(std::min<Seconds>(left, kSweepNap));
    }
  }

  const SweepOrder& order_;
  const Clock::time_point begun_ = Clock::now();
  int64_t removed_ = 0;
};

}  // namespace

void SweepBackups(const SweepOrder& order) {
  std::vector<fs::path> left;
  std::error_code error;
  for (fs::directory_iterator at(order.folder, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    absl::string_view id = name;
    const bool deleted = absl::ConsumePrefix(&id, ".") && absl::ConsumeSuffix(&id, kDeleted);
    if (deleted && IsBackupId(id)) left.push_back(at->path());
  }
  Sweeper sweeper(order);
  for (const fs::path& folder : left) {
    if (!sweeper.Remove(folder)) return;
  }
}

}  // namespace acta
