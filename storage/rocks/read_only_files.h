#pragma once

#include <memory>
#include <string>

#include <rocksdb/file_system.h>

namespace acta {

// A file system that changes nothing: whatever would write, delete or create fails. The database
// opened on it cannot leave a trace in its folder.
//
// Threads: any.
class ReadOnlyFiles final : public rocksdb::FileSystemWrapper {
 public:
  ReadOnlyFiles() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "acta.read_only_files"; }

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions&,
                                    std::unique_ptr<rocksdb::FSWritableFile>*,
                                    rocksdb::IODebugContext*) override {
    return Refuse(path);
  }
  rocksdb::IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions&,
                                       std::unique_ptr<rocksdb::FSWritableFile>*,
                                       rocksdb::IODebugContext*) override {
    return Refuse(path);
  }
  rocksdb::IOStatus ReuseWritableFile(const std::string& path, const std::string&,
                                      const rocksdb::FileOptions&,
                                      std::unique_ptr<rocksdb::FSWritableFile>*,
                                      rocksdb::IODebugContext*) override {
    return Refuse(path);
  }
  rocksdb::IOStatus NewRandomRWFile(const std::string& path, const rocksdb::FileOptions&,
                                    std::unique_ptr<rocksdb::FSRandomRWFile>*,
                                    rocksdb::IODebugContext*) override {
    return Refuse(path);
  }
  rocksdb::IOStatus NewLogger(const std::string& path, const rocksdb::IOOptions&,
                              std::shared_ptr<rocksdb::Logger>*,
                              rocksdb::IODebugContext*) override {
    return Refuse(path);
  }
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions&,
                               rocksdb::IODebugContext*) override {
    return Refuse(path);
  }
  rocksdb::IOStatus RenameFile(const std::string& path, const std::string&,
                               const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return Refuse(path);
  }
  rocksdb::IOStatus LinkFile(const std::string& path, const std::string&, const rocksdb::IOOptions&,
                             rocksdb::IODebugContext*) override {
    return Refuse(path);
  }
  rocksdb::IOStatus Truncate(const std::string& path, size_t, const rocksdb::IOOptions&,
                             rocksdb::IODebugContext*) override {
    return Refuse(path);
  }
  rocksdb::IOStatus CreateDir(const std::string& path, const rocksdb::IOOptions&,
                              rocksdb::IODebugContext*) override {
    return Refuse(path);
  }
  // A folder that is there is as good as one that was created.
  rocksdb::IOStatus CreateDirIfMissing(const std::string& path, const rocksdb::IOOptions& options,
                                       rocksdb::IODebugContext* debug) override {
    return FileExists(path, options, debug);
  }
  rocksdb::IOStatus DeleteDir(const std::string& path, const rocksdb::IOOptions&,
                              rocksdb::IODebugContext*) override {
    return Refuse(path);
  }
  rocksdb::IOStatus LockFile(const std::string& path, const rocksdb::IOOptions&,
                             rocksdb::FileLock**, rocksdb::IODebugContext*) override {
    return Refuse(path);
  }

 private:
  static rocksdb::IOStatus Refuse(const std::string& path) {
    return rocksdb::IOStatus::NotSupported("opened for reading only", path);
  }
};

// The database's own notes go nowhere: a reader leaves no file behind.
class NoLog final : public rocksdb::Logger {
 public:
  using Logger::Logv;
  void Logv(const char*, va_list) override {}
};

}  // namespace acta
