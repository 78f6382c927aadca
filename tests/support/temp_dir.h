#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace acta {

// A place in memory; where there is none, that of temporary folders. For who opens a store many
// times on a disk that fails as it is told to: what is checked does not depend on the real one, the
// time it takes does.
std::string MemoryFolder();

// A folder of its own for one test, removed with everything in it.
class TempDir {
 public:
  TempDir();
  explicit TempDir(const std::string& in);
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }
  std::string File(absl::string_view name) const;

 private:
  std::string path_;
};

}  // namespace acta
