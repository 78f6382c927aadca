#include "tests/support/temp_dir.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "storage/base/fatal.h"

namespace acta {

std::string MemoryFolder() {
  constexpr char kMemory[] = "/dev/shm";
  if (access(kMemory, W_OK) == 0) return kMemory;
  return std::filesystem::temp_directory_path().string();
}

TempDir::TempDir() : TempDir(std::filesystem::temp_directory_path().string()) {}

TempDir::TempDir(const std::string& in) {
  std::string pattern = (std::filesystem::path(in) / "acta-test-XXXXXX").string();
  ACTA_CHECK(mkdtemp(pattern.data()) != nullptr);
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempDir::File(absl::string_view name) const { return absl::StrCat(path_, "/", name); }

}  // namespace acta
