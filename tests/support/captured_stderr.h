#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <string>

namespace acta {

// Takes what the process writes to standard error for as long as it lives: one at a time.
class CapturedStderr {
 public:
  CapturedStderr() : file_(memfd_create("stderr", MFD_CLOEXEC)), before_(dup(STDERR_FILENO)) {
    dup2(file_, STDERR_FILENO);
  }
  ~CapturedStderr() {
    dup2(before_, STDERR_FILENO);
    close(before_);
    close(file_);
  }
  CapturedStderr(const CapturedStderr&) = delete;
  CapturedStderr& operator=(const CapturedStderr&) = delete;

  // So far.
  std::string text() const {
    std::string text;
    char bytes[4096];
    for (;;) {
      const ssize_t size = pread(file_, bytes, sizeof(bytes), static_cast<off_t>(text.size()));
      if (size <= 0) return text;
      text.append(bytes, static_cast<size_t>(size));
    }
  }

 private:
  const int file_;
  const int before_;
};

}  // namespace acta
