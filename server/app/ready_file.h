#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace acta {

// What others need to reach a daemon that is ready.
struct ReadyNote {
  std::string grpc;
  std::string http;
  int64_t pid = 0;
  std::string store_id;
};

// One line of JSON, complete as soon as the file is there, also after a power cut. Errors:
// FOLDER_UNUSABLE.
absl::Status WriteReadyFile(const std::string& path, const ReadyNote& note);

// Of a run before this one, or at the beginning of the end.
void RemoveReadyFile(const std::string& path);

}  // namespace acta
