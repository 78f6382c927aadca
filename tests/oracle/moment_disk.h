#pragma once

#include <memory>
#include <string>

#include <rocksdb/file_system.h>

#include "tests/oracle/moments.h"

namespace acta::oracle {

// Tells Moments what is done to the disk under it, before and after.
//
// Threads: any.
class MomentDisk final : public rocksdb::FileSystemWrapper {
 public:
  MomentDisk(std::shared_ptr<rocksdb::FileSystem> target, std::shared_ptr<Moments> moments);
  const char* Name() const override { return "acta.moment_disk"; }

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomRWFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSRandomRWFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

 private:
  class Appended;
  class InPlace;

  const std::shared_ptr<Moments> moments_;
};

}  // namespace acta::oracle
