#include "tests/oracle/power_cut_disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "absl/time/clock.h"
#include "storage/rocks/store_file_system.h"

namespace acta::oracle {

using rocksdb::IOStatus;
using Kind = DiskOperation::Kind;

namespace {

bool WriteZeros(const std::string& path, uint64_t begin, uint64_t end) {
  const std::string zeros(end - begin, '\0');
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t written = pwrite(fd, zeros.data(), zeros.size(), static_cast<off_t>(begin));
  close(fd);
  return written == static_cast<ssize_t>(zeros.size());
}

}  // namespace

PowerCutDisk::PowerCutDisk(uint64_t seed, absl::Duration sync_delay)
    : sync_delay_(sync_delay), chance_(seed) {}

void PowerCutDisk::CutPower() {
  MutexLock lock(mu_);
  for (const auto& [path, length] : lengths_) Cut(path, length);
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

void PowerCutDisk::Cut(const std::string& path, const Length& length) {
  const auto pick = [&](uint64_t low, uint64_t high) {
    return std::uniform_int_distribution<uint64_t>(low, high)(chance_);
  };
  uint64_t size = length.written > length.synced ? pick(length.synced, length.written)
                                                 : std::max(length.written, length.synced);
  // Some first ones of the writes stay, of the next one a part, and where the others were the zeros
  // of before are.
  const size_t whole = pick(0, length.unsynced.size());
  for (size_t i = whole; i < length.unsynced.size(); ++i) {
    const auto [begin, end] = length.unsynced[i];
    const uint64_t kept = i == whole ? pick(begin, end) : begin;
    if (!WriteZeros(path, kept, end)) _exit(1);
  }
  if (truncate(path.c_str(), static_cast<off_t>(size)) != 0) _exit(1);
}

IOStatus PowerCutDisk::Do(const DiskCall& call, Forward forward) {
  if (call.kind == Kind::kSync) return Sync(call, forward);
  if (!call.Changes() || call.kind == Kind::kSyncFolder) return forward(call.data);
  MutexLock lock(mu_);
  IOStatus status = forward(call.data);
  if (status.ok()) Note(call);
  return status;
}

void PowerCutDisk::Note(const DiskCall& call) {
  if (call.kind == Kind::kCreate) lengths_[std::string(call.path)] = {};
  const auto it = lengths_.find(call.path);
  if (it == lengths_.end()) return;
  Length& length = it->second;
  switch (call.kind) {
    case Kind::kAppend:
    case Kind::kOverwrite:
      length.written = std::max(length.written, call.offset + call.data.size());
      if (WalNumber(it->first) >= 0) {
        length.unsynced.push_back({call.offset, call.offset + call.data.size()});
      }
      return;
    case Kind::kTruncate:
      length.written = call.offset;
      length.synced = std::min(length.synced, call.offset);
      return;
    case Kind::kRename:
      lengths_[std::string(call.other)] = length;
      lengths_.erase(it);
      return;
    case Kind::kLink:
      lengths_[std::string(call.other)] = Length(length);
      return;
    case Kind::kDelete:
      lengths_.erase(it);
      return;
    default:
      return;
  }
}

// What was written before it began is synced when it ends, and no more is promised.
IOStatus PowerCutDisk::Sync(const DiskCall& call, Forward forward) {
  uint64_t covered = 0;
  size_t writes = 0;
  {
    MutexLock lock(mu_);
    const auto it = lengths_.find(call.path);
    if (it != lengths_.end()) covered = it->second.written;
    if (it != lengths_.end()) writes = it->second.unsynced.size();
  }
  absl::SleepFor(sync_delay_);  // A slow disk, not a wait for anything.
  IOStatus status = forward(call.data);
  MutexLock lock(mu_);
  const auto it = lengths_.find(call.path);
  if (status.ok() && it != lengths_.end()) {
    it->second.synced = std::max(it->second.synced, covered);
    std::vector<Range>& unsynced = it->second.unsynced;
    unsynced.erase(unsynced.begin(), unsynced.begin() + static_cast<ptrdiff_t>(writes));
  }
  return status;
}

}  // namespace acta::oracle
