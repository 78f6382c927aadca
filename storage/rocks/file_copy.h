#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace acta {

struct CopiedFile {
  uint64_t bytes = 0;
  uint32_t crc32c = 0;
};

// Copies the first bytes of a file, all that it has or `most`, into a new one and syncs it. What
// was copied does not stay in the kernel's cache, where others' pages would have to go for it.
// `each` is told how many bytes were copied since it was called last, a MiB or less: what it
// answers, unless OK, ends the copy. When it fails the new file may be there.
//
// Errors: RESOURCE_EXHAUSTED: no room; ALREADY_EXISTS; DATA_LOSS: the file cannot be read; those of
// `each`. Each names the file. Any thread; blocks.
absl::StatusOr<CopiedFile> CopyFile(const std::string& from, const std::string& to, uint64_t most,
                                    absl::FunctionRef<absl::Status(uint64_t)> each);

// The same without the new file: its size and checksum.
absl::StatusOr<CopiedFile> ReadThrough(const std::string& path,
                                       absl::FunctionRef<absl::Status(uint64_t)> each);

inline constexpr uint64_t kWholeFile = std::numeric_limits<uint64_t>::max();

}  // namespace acta
