#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <rocksdb/file_system.h>

#include "absl/strings/match.h"
#include "storage/base/mutex.h"

namespace acta {

// The machine's disk; of table files it remembers which places were begun (readahead) and which
// were read, and fails them when told to.
//
// Threads: any.
class WatchedReads final : public rocksdb::FileSystemWrapper {
 public:
  struct Place {
    std::string path;
    uint64_t offset = 0;
    size_t size = 0;
    bool operator==(const Place&) const = default;
  };
  struct Call {
    bool begun = false;  // Else read.
    Place place;
  };

  WatchedReads() : FileSystemWrapper(FileSystem::Default()) {}
  const char* Name() const override { return "acta.watched_reads"; }

  // Since it was asked last.
  std::vector<Call> TakeCalls() {
    MutexLock lock(mu_);
    return std::exchange(calls_, {});
  }
  void FailReads(bool fail) {
    MutexLock lock(mu_);
    fail_reads_ = fail;
  }
  void FailBegun(bool fail) {
    MutexLock lock(mu_);
    fail_begun_ = fail;
  }

  rocksdb::IOStatus NewRandomAccessFile(const std::string& path,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) override {
    const auto status = FileSystemWrapper::NewRandomAccessFile(path, options, file, debug);
    const bool watched = status.ok() && absl::EndsWith(path, ".sst");
    if (watched) *file = std::make_unique<File>(std::move(*file), *this, path);
    return status;
  }

 private:
  class File final : public rocksdb::FSRandomAccessFileOwnerWrapper {
   public:
    File(std::unique_ptr<rocksdb::FSRandomAccessFile> file, WatchedReads& disk, std::string path)
        : FSRandomAccessFileOwnerWrapper(std::move(file)), disk_(disk), path_(std::move(path)) {}

    rocksdb::IOStatus Read(uint64_t offset, size_t size, const rocksdb::IOOptions& options,
                           rocksdb::Slice* result, char* scratch,
                           rocksdb::IODebugContext* debug) const override {
      const auto status = disk_.Note(false, {path_, offset, size});
      if (!status.ok()) return status;
      return FSRandomAccessFileOwnerWrapper::Read(offset, size, options, result, scratch, debug);
    }
    rocksdb::IOStatus MultiRead(rocksdb::FSReadRequest* requests, size_t count,
                                const rocksdb::IOOptions& options,
                                rocksdb::IODebugContext* debug) override {
      rocksdb::IOStatus failed;
      for (size_t i = 0; i < count; ++i) {
        requests[i].status = disk_.Note(false, {path_, requests[i].offset, requests[i].len});
        if (!requests[i].status.ok()) failed = requests[i].status;
      }
      if (!failed.ok()) return failed;
      return FSRandomAccessFileOwnerWrapper::MultiRead(requests, count, options, debug);
    }
    rocksdb::IOStatus Prefetch(uint64_t offset, size_t size, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
      const auto status = disk_.Note(true, {path_, offset, size});
      if (!status.ok()) return status;
      return FSRandomAccessFileOwnerWrapper::Prefetch(offset, size, options, debug);
    }

   private:
    WatchedReads& disk_;
    const std::string path_;
  };

  rocksdb::IOStatus Note(bool begun, Place place) {
    MutexLock lock(mu_);
    calls_.push_back({begun, std::move(place)});
    const bool fails = begun ? fail_begun_ : fail_reads_;
    return fails ? rocksdb::IOStatus::IOError("injected: read") : rocksdb::IOStatus::OK();
  }

  Mutex mu_;  // Leaf.
  std::vector<Call> calls_ ABSL_GUARDED_BY(mu_);
  bool fail_reads_ ABSL_GUARDED_BY(mu_) = false;
  bool fail_begun_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace acta
