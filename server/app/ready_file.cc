#include "server/app/ready_file.h"

#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "storage/log/folder.h"

namespace acta {

absl::Status WriteReadyFile(const std::string& path, const ReadyNote& note) {
  const std::filesystem::path file(path);
  const std::string folder = file.has_parent_path() ? file.parent_path().string() : ".";
  // Addresses and ids need no escapes.
  return WriteFileDurably(
      folder, file.filename().string(),
      absl::StrCat("{\"grpc\": \"", note.grpc, "\", \"http\": \"", note.http,
                   "\", \"pid\": ", note.pid, ", \"store_id\": \"", note.store_id, "\"}\n"));
}

void RemoveReadyFile(const std::string& path) {
  if (!path.empty()) unlink(path.c_str());
}

}  // namespace acta
