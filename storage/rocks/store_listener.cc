#include "storage/rocks/store_listener.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "storage/rocks/rocks_status.h"

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
  const bool full = absl::IsResourceExhausted(FromRocks(status));
  return status.IsCorruption() || (status.IsIOError() && !full);
}

void StoreListener::OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& info) {
  if (IsUnreadable(info.status) && absl::StartsWith(info.cf_name, "index.")) on_index_();
}

void StoreListener::OnStallConditionsChanged(const rocksdb::WriteStallInfo& info) {
  using Condition = rocksdb::WriteStallCondition;
  if (info.condition.cur == Condition::kDelayed) ++delays_;
  if (info.condition.cur == Condition::kStopped) ++stops_;
}

StallCounts StoreListener::Stalls(rocksdb::DB& db) const {
  uint64_t stopped = 0;
  uint64_t rate = 0;
  db.GetIntProperty(rocksdb::DB::Properties::kIsWriteStopped, &stopped);
  db.GetIntProperty(rocksdb::DB::Properties::kActualDelayedWriteRate, &rate);
  return {delays_, stops_, rate > 0, stopped > 0};
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
