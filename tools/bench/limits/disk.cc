#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/bench/latencies.h"
#include "tools/bench/limits/limit.h"

namespace acta::bench {
namespace {

// A file that is gone with the object.
class ScratchFile {
 public:
  explicit ScratchFile(const std::string& folder)
      : path_(absl::StrCat(folder, "/limit-", getpid())),
        fd_(open(path_.c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600)) {}
  ~ScratchFile() {
    if (fd_ >= 0) close(fd_);
    unlink(path_.c_str());
  }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  absl::Status Write(const std::string& bytes, int64_t offset) {
    const ssize_t written = pwrite(fd_, bytes.data(), bytes.size(), offset);
    if (written == static_cast<ssize_t>(bytes.size())) return absl::OkStatus();
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write to '", path_, "'"));
  }
  absl::Status Sync() {
    if (fdatasync(fd_) == 0) return absl::OkStatus();
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot sync '", path_, "'"));
  }

 private:
  const std::string path_;
  const int fd_;
};

// Bytes the disk cannot find a shorter form of.
std::string Noise(size_t size) {
  std::string bytes(size, '\0');
  uint64_t state = 0x9e3779b97f4a7c15;
  for (char& byte : bytes) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    byte = static_cast<char>(state);
  }
  return bytes;
}

struct SyncedWrites {
  Latencies latencies;
  double bytes = 0;
  double seconds = 0;
};

// Writes and syncs `piece` bytes at a time; beyond `file_bytes` from the beginning again.
absl::StatusOr<SyncedWrites> WriteSynced(ScratchFile& file, size_t piece, int64_t file_bytes,
                                         double seconds) {
  const std::string bytes = Noise(piece);
  const int64_t begin = NowNanos();
  SyncedWrites result;
  int64_t offset = 0, before = begin;
  while (result.seconds < seconds) {
    RETURN_IF_ERROR(file.Write(bytes, offset));
    RETURN_IF_ERROR(file.Sync());
    const int64_t now = NowNanos();
    result.latencies.Add(now - before);
    before = now;
    result.bytes += static_cast<double>(piece);
    result.seconds = static_cast<double>(now - begin) / 1e9;
    offset = (offset + static_cast<int64_t>(piece)) % file_bytes;
  }
  return result;
}

constexpr size_t kSmall = 4096;
constexpr size_t kMiB = 1 << 20;
constexpr int64_t kEndless = int64_t{1} << 40;

Row OperationsRow(const std::string& name, const SyncedWrites& writes) {
  Row row;
  row.measure = absl::StrCat(name, ".rate");
  row.unit = "syncs/s";
  row.value = static_cast<double>(writes.latencies.count()) / writes.seconds;
  row.runs = {row.value};
  return row;
}

LimitRows SmallSyncs(const std::string& name, ScratchFile& file, int64_t file_bytes,
                     const LimitSettings& settings) {
  ASSIGN_OR_RETURN(const SyncedWrites writes,
                   WriteSynced(file, kSmall, file_bytes, settings.seconds));
  std::vector<Row> rows = LatencyRows(name, writes.latencies);
  rows.push_back(OperationsRow(name, writes));
  return rows;
}

}  // namespace

LimitRows DiskAppendSync(const LimitSettings& settings) {
  ScratchFile file(settings.folder);
  return SmallSyncs("disk_append_sync", file, kEndless, settings);
}

LimitRows DiskOverwriteSync(const LimitSettings& settings) {
  constexpr int64_t kFileMiB = 32;
  ScratchFile file(settings.folder);
  for (int64_t i = 0; i < kFileMiB; ++i) {
    RETURN_IF_ERROR(file.Write(Noise(kMiB), i * int64_t{kMiB}));
  }
  RETURN_IF_ERROR(file.Sync());
  return SmallSyncs("disk_overwrite_sync", file, kFileMiB * int64_t{kMiB}, settings);
}

LimitRows DiskWrite(const LimitSettings& settings) {
  ScratchFile file(settings.folder);
  ASSIGN_OR_RETURN(const SyncedWrites writes, WriteSynced(file, kMiB, kEndless, settings.seconds));
  return {{RateRow("disk_write", writes.bytes, writes.seconds)}};
}

}  // namespace acta::bench
