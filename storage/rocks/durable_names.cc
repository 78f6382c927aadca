#include "storage/rocks/durable_names.h"

#include <rocksdb/file_system.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

#include "storage/base/status_macros.h"
#include "storage/rocks/rocks_status.h"

namespace acta {
namespace {

// Absolute, and without a slash at its end: then every folder has the parent that names it.
std::filesystem::path Normal(const std::string& folder) {
  std::error_code unknown;  // The folder that we are in may be deleted.
  const std::filesystem::path whole = std::filesystem::absolute(folder, unknown);
  const std::filesystem::path path =
      unknown ? std::filesystem::path(folder) : whole.lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

}  // namespace

absl::Status SyncFolder(rocksdb::FileSystem& file_system, const std::string& folder) {
  std::unique_ptr<rocksdb::FSDirectory> directory;
  RETURN_IF_ERROR(
      FromRocks(file_system.NewDirectory(folder, rocksdb::IOOptions(), &directory, nullptr)));
  return FromRocks(directory->Fsync(rocksdb::IOOptions(), nullptr));
}

absl::Status MakeDurableFolder(rocksdb::FileSystem& file_system, const std::string& folder) {
  const std::filesystem::path path = Normal(folder);
  const std::filesystem::path parent = path.parent_path();
  if (parent == path) return absl::OkStatus();
  std::error_code missing;
  const bool there = std::filesystem::is_directory(path, missing);
  if (!there) {
    if (!std::filesystem::is_directory(parent, missing)) {
      RETURN_IF_ERROR(MakeDurableFolder(file_system, parent.string()));
    }
    RETURN_IF_ERROR(
        FromRocks(file_system.CreateDirIfMissing(path.string(), rocksdb::IOOptions(), nullptr)));
  }
  // Who may not look into the parent did not make the folder: it is as durable as its owner made
  // it.
  if (there && access(parent.c_str(), R_OK) != 0) return absl::OkStatus();
  return SyncFolder(file_system, parent.string());
}

absl::Status WriteDurableFile(rocksdb::FileSystem& file_system, const std::string& folder,
                              const std::string& name, absl::string_view bytes) {
  const rocksdb::IOOptions options;
  const std::string path = folder + "/" + name;
  const std::string temporary = path + ".new";
  std::unique_ptr<rocksdb::FSWritableFile> file;
  RETURN_IF_ERROR(
      FromRocks(file_system.NewWritableFile(temporary, rocksdb::FileOptions(), &file, nullptr)));
  RETURN_IF_ERROR(
      FromRocks(file->Append(rocksdb::Slice(bytes.data(), bytes.size()), options, nullptr)));
  RETURN_IF_ERROR(FromRocks(file->Fsync(options, nullptr)));
  RETURN_IF_ERROR(FromRocks(file->Close(options, nullptr)));
  RETURN_IF_ERROR(FromRocks(file_system.RenameFile(temporary, path, options, nullptr)));
  return SyncFolder(file_system, folder);
}

}  // namespace acta
