#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace acta::bench {

// A program that was started, and ends with the object or with this process.
//
// Threads: one, the one that started it.
class ChildProcess {
 public:
  // Output goes to files. Errors: UNAVAILABLE, naming the program.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(const std::vector<std::string>& words,
                                                             const std::string& stdout_path,
                                                             const std::string& stderr_path);
  ~ChildProcess();  // Kills it.
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  bool Running();
  // Waits for its end; -1: it was ended by a signal. Errors: DEADLINE_EXCEEDED.
  absl::StatusOr<int> Wait(absl::Duration timeout);
  // Asks it to end, and waits.
  absl::StatusOr<int> Stop(absl::Duration timeout);

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}

  const pid_t pid_;
  std::optional<int> exit_code_;
};

// What a process has used so far.
struct ProcessUse {
  double cpu_seconds = 0;
  double rss_mib = 0;
  double peak_rss_mib = 0;   // The most it ever had.
  double written_bytes = 0;  // To the disk.
  double read_bytes = 0;     // From files, also from those in memory.
};
// Errors: NOT_FOUND when there is no such process, or it may not be looked at.
absl::StatusOr<ProcessUse> UseOf(pid_t pid);
// Of this process.
double OwnCpuSeconds();

}  // namespace acta::bench
