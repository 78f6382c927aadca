#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include <rocksdb/db.h>
#include <rocksdb/listener.h>

#include "storage/base/mutex.h"
#include "storage/rocks/stall_counts.h"

namespace acta {

// What the database tells of itself: every background error is final; stalls and flushes are
// counted.
//
// Threads: any; RocksDB calls it from all of its own.
class StoreListener final : public rocksdb::EventListener {
 public:
  // `on_fatal` is told once. `on_index`: the files of an index could not be joined, because one of
  // them cannot be read; told before the error that it ends with.
  StoreListener(std::function<void(const std::string& what)> on_fatal,
                std::function<void()> on_index)
      : on_index_(std::move(on_index)), on_fatal_(std::move(on_fatal)) {}

  // Of work on an index: what it failed at may be there again in the next life. Also where writing
  // failed: then a sound index is made anew.
  static bool IsUnreadable(const rocksdb::Status& status);

  uint64_t flushes() const { return flushes_; }
  // How it is now is asked of the database: it tells of a stop after what ended it, when the write
  // that met it goes on.
  StallCounts Stalls(rocksdb::DB& db) const;
  void Tell(const std::string& what);
  // From when it returns `on_fatal` is not told any more. Not to be called by what it calls.
  void StopTelling();

  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* status) override;
  void OnStallConditionsChanged(const rocksdb::WriteStallInfo& info) override;
  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo&) override { ++flushes_; }
  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& info) override;

 private:
  const std::function<void()> on_index_;
  std::atomic<uint64_t> flushes_ = 0;
  std::atomic<int64_t> delays_ = 0;
  std::atomic<int64_t> stops_ = 0;
  Mutex mu_;
  CondVar told_;
  // Null: it is not to be told any more.
  std::function<void(const std::string& what)> on_fatal_ ABSL_GUARDED_BY(mu_);
  bool telling_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace acta
