#include "storage/rocks/block_file.h"

#include <rocksdb/file_system.h>

#include <algorithm>

#include "storage/base/status_macros.h"
#include "storage/rocks/durable_names.h"
#include "storage/rocks/rocks_status.h"

namespace acta {
namespace {

absl::Status Create(rocksdb::FileSystem& file_system, const std::string& path, size_t size) {
  std::unique_ptr<rocksdb::FSWritableFile> file;
  const rocksdb::IOStatus status =
      file_system.NewWritableFile(path, rocksdb::FileOptions(), &file, nullptr);
  if (!status.ok()) return FromRocks(status);
  const std::string zeros(size, '\0');
  RETURN_IF_ERROR(FromRocks(file->Append(zeros, rocksdb::IOOptions(), nullptr)));
  RETURN_IF_ERROR(FromRocks(file->Fsync(rocksdb::IOOptions(), nullptr)));
  RETURN_IF_ERROR(FromRocks(file->Close(rocksdb::IOOptions(), nullptr)));
  return SyncFolder(file_system, path.substr(0, path.rfind('/')));
}

}  // namespace

BlockFile::BlockFile(std::shared_ptr<rocksdb::FileSystem> file_system,
                     std::unique_ptr<rocksdb::FSRandomRWFile> file, bool created)
    : file_system_(std::move(file_system)), file_(std::move(file)), created_(created) {}

BlockFile::~BlockFile() = default;

absl::StatusOr<std::unique_ptr<BlockFile>> BlockFile::Open(
    std::shared_ptr<rocksdb::FileSystem> file_system, const std::string& path, size_t size) {
  const rocksdb::IOStatus exists = file_system->FileExists(path, rocksdb::IOOptions(), nullptr);
  if (!exists.ok() && !exists.IsNotFound()) return FromRocks(exists);
  if (exists.IsNotFound()) RETURN_IF_ERROR(Create(*file_system, path, size));
  std::unique_ptr<rocksdb::FSRandomRWFile> file;
  RETURN_IF_ERROR(
      FromRocks(file_system->NewRandomRWFile(path, rocksdb::FileOptions(), &file, nullptr)));
  return std::unique_ptr<BlockFile>(
      new BlockFile(std::move(file_system), std::move(file), exists.IsNotFound()));
}

absl::StatusOr<std::string> BlockFile::Read(uint64_t offset, size_t size) const {
  std::string buffer(size, '\0');
  rocksdb::Slice result;
  RETURN_IF_ERROR(
      FromRocks(file_->Read(offset, size, rocksdb::IOOptions(), &result, buffer.data(), nullptr)));
  return std::string(result.data(), result.size());
}

absl::Status BlockFile::Write(uint64_t offset, absl::string_view bytes) {
  RETURN_IF_ERROR(FromRocks(file_->Write(offset, rocksdb::Slice(bytes.data(), bytes.size()),
                                         rocksdb::IOOptions(), nullptr)));
  return FromRocks(file_->Sync(rocksdb::IOOptions(), nullptr));
}

}  // namespace acta
