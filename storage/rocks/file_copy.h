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

inline constexpr uint64_t kWholeFile = std::numeric_limits<uint64_t>::max();

// Whether a copy is to survive a power cut.
enum class CopyFor : uint8_t { kGood, kNow };

// Told how many bytes were read since it was called last, a MiB or less. What it answers, unless
// OK, ends the copy.
using EachPart = absl::FunctionRef<absl::Status(uint64_t)>;

// Copies the first bytes of a file, all that it has or `most`, into a new one. What is copied for
// good does not stay in the kernel's cache, where others' pages would have to go for it. When it
// fails the new file may be there.
//
// Errors: DATA_LOSS: `from` cannot be read; RESOURCE_EXHAUSTED: no room for `to`;
// PERMISSION_DENIED; ALREADY_EXISTS; INTERNAL: `to` cannot be written; those of `each`. Each names
// the file. Any thread; blocks.
absl::StatusOr<CopiedFile> CopyFile(const std::string& from, const std::string& to, uint64_t most,
                                    CopyFor how, EachPart each);

// The same without the new file: its size and checksum.
absl::StatusOr<CopiedFile> ReadThrough(const std::string& path, EachPart each);

}  // namespace acta
