#include "storage/rocks/store_listener.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace acta {
namespace {

absl::string_view JobOf(rocksdb::BackgroundErrorReason reason) {
  switch (reason) {
    case rocksdb::BackgroundErrorReason::kFlush:
    case rocksdb::BackgroundErrorReason::kFlushNoWAL:
      return "flush";
    case rocksdb::BackgroundErrorReason::kCompaction:
      return "compaction";
    case rocksdb::BackgroundErrorReason::kWriteCallback:
      return "log write";
    case rocksdb::BackgroundErrorReason::kMemTable:
      return "memtable";
    case rocksdb::BackgroundErrorReason::kManifestWrite:
    case rocksdb::BackgroundErrorReason::kManifestWriteNoWAL:
      return "manifest write";
  }
  return "unknown job";
}

}  // namespace

void StoreListener::OnBackgroundError(rocksdb::BackgroundErrorReason reason,
                                      rocksdb::Status* status) {
  Tell(absl::StrCat("database background error in ", JobOf(reason), ": ", status->ToString()));
}

bool StoreListener::IsUnreadable(const rocksdb::Status& status) {
  return status.IsCorruption() || (status.IsIOError() && !status.IsNoSpace());
}

void StoreListener::OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& info) {
  if (IsUnreadable(info.status) && absl::StartsWith(info.cf_name, "index.")) on_index_();
}

void StoreListener::OnStallConditionsChanged(const rocksdb::WriteStallInfo& info) {
  using Condition = rocksdb::WriteStallCondition;
  MutexLock lock(mu_);
  delayed_.erase(info.cf_name);
  stopped_.erase(info.cf_name);
  if (info.condition.cur == Condition::kDelayed) {
    ++stalls_.delays;
    delayed_.insert(info.cf_name);
  } else if (info.condition.cur == Condition::kStopped) {
    ++stalls_.stops;
    stopped_.insert(info.cf_name);
  }
}

StallCounts StoreListener::stalls() const {
  MutexLock lock(mu_);
  StallCounts counts = stalls_;
  counts.delayed = static_cast<int64_t>(delayed_.size());
  counts.stopped = static_cast<int64_t>(stopped_.size());
  return counts;
}

void StoreListener::Forget(const std::string& family) {
  MutexLock lock(mu_);
  delayed_.erase(family);
  stopped_.erase(family);
}

void StoreListener::Tell(const std::string& what) {
  std::function<void(const std::string&)> on_fatal;
  {
    MutexLock lock(mu_);
    on_fatal = std::exchange(on_fatal_, nullptr);
    if (on_fatal == nullptr) return;
    telling_ = true;
  }
  on_fatal(what);
  MutexLock lock(mu_);
  telling_ = false;
  told_.SignalAll();
}

void StoreListener::StopTelling() {
  MutexLock lock(mu_);
  on_fatal_ = nullptr;
  while (telling_) told_.Wait(mu_);
}

}  // namespace acta
