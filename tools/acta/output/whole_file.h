#pragma once

#include <sys/types.h>

#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace acta::cli {

// A file that has all that is written, or what it had before: until Commit() what is written has no
// name, and goes with a program that is killed. Where the file system has no such files it stands
// beside it. What is no file, as a pipe, gets it at once.
//
// Threads: one.
class WholeFile {
 public:
  // A file that is there keeps its mode; of a new one the umask takes some. Errors: it cannot be
  // written.
  static absl::StatusOr<std::unique_ptr<WholeFile>> Open(const std::string& path,
                                                         mode_t new_mode = 0666);
  ~WholeFile();
  WholeFile(const WholeFile&) = delete;
  WholeFile& operator=(const WholeFile&) = delete;

  FILE* file() { return file_; }
  // Once, when all is written. Errors: it cannot be written; it is what it was.
  absl::Status Commit();

 private:
  WholeFile(FILE* file, std::string path, std::string beside, bool named)
      : file_(file), path_(std::move(path)), beside_(std::move(beside)), named_(named) {}
  bool GiveName();

  FILE* const file_;
  const std::string path_;
  const std::string beside_;  // Empty: in its place.
  bool named_;                // Something of that name is there.
};

}  // namespace acta::cli
