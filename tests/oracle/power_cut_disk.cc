#include "tests/oracle/power_cut_disk.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "absl/time/clock.h"

namespace acta::oracle {

using rocksdb::IOStatus;
using Kind = DiskOperation::Kind;

PowerCutDisk::PowerCutDisk(uint64_t seed, absl::Duration sync_delay)
    : sync_delay_(sync_delay), chance_(seed) {}

void PowerCutDisk::CutPower() {
  MutexLock lock(mu_);
  for (const auto& [path, length] : lengths_) {
    if (length.written <= length.synced) continue;
    const uint64_t kept =
        std::uniform_int_distribution<uint64_t>(length.synced, length.written)(chance_);
    if (truncate(path.c_str(), static_cast<off_t>(kept)) != 0) _exit(1);
  }
  kill(getpid(), SIGKILL);
  for (;;) pause();
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
      return;
    case Kind::kTruncate:
      length = {call.offset, std::min(length.synced, call.offset)};
      return;
    case Kind::kRename:
      lengths_[std::string(call.other)] = length;
      lengths_.erase(it);
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
  {
    MutexLock lock(mu_);
    const auto it = lengths_.find(call.path);
    if (it != lengths_.end()) covered = it->second.written;
  }
  absl::SleepFor(sync_delay_);  // A slow disk, not a wait for anything.
  IOStatus status = forward(call.data);
  MutexLock lock(mu_);
  const auto it = lengths_.find(call.path);
  if (status.ok() && it != lengths_.end()) {
    it->second.synced = std::max(it->second.synced, covered);
  }
  return status;
}

}  // namespace acta::oracle
