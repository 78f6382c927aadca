#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace acta::cli {

// The bytes of a file or of standard input, as soon as they are there; gzip is unpacked on the way.
//
// Threads: one.
class ByteSource {
 public:
  // "-" is standard input. Errors: it cannot be opened or is a folder, as a usage error.
  static absl::StatusOr<ByteSource> Open(const std::string& path);
  ByteSource(ByteSource&&) noexcept;
  ByteSource& operator=(ByteSource&&) noexcept;
  ~ByteSource();

  // What is there, at most so many bytes; waits for the first of them. 0: the end, or
  // Interrupted(). Errors: UNKNOWN: it cannot be read, or is no whole gzip file.
  absl::StatusOr<size_t> Read(char* to, size_t most);
  const std::string& name() const { return name_; }

 private:
  struct Input;
  explicit ByteSource(std::string name, int file);
  absl::Status LookAtKind();
  absl::StatusOr<size_t> ReadRaw(char* to, size_t most);
  absl::StatusOr<size_t> Unpack(char* to, size_t most);
  absl::Status CannotRead(const char* why) const;

  std::string name_;
  std::unique_ptr<Input> input_;
};

}  // namespace acta::cli
