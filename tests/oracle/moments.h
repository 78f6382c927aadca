#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "storage/base/mutex.h"

namespace acta::oracle {

// The n-th time that something of this name happens.
struct Moment {
  std::string name;  // Empty: never.
  int64_t count = 1;
};

// Reads NAME or NAME:n.
std::optional<Moment> ParseMoment(absl::string_view text);

// What becomes of the daemon at named moments of its disk. A name is before-, torn- or after-, the
// kind of file, and what is done to it: after-wal-sync. Torn is a write of which one half is there.
//
//   kinds  wal sst manifest current options witness other
//   done   create write sync rename delete (a rename is of what the file becomes)
//
// Threads: any.
class Moments {
 public:
  // At `kill` the process ends as by kill -9. At `stall` the one who came there waits for `pause`,
  // once; the beginning and the end are lines on standard error.
  Moments(Moment kill, Moment stall, absl::Duration pause);

  void Reached(absl::string_view when, absl::string_view path, absl::string_view done);
  // True for the write to this file of which the process is to leave a half; then call Die().
  bool Tears(absl::string_view path);
  [[noreturn]] static void Die();

 private:
  Mutex mu_;  // Leaf.
  Moment kill_ ABSL_GUARDED_BY(mu_);
  Moment stall_ ABSL_GUARDED_BY(mu_);
  const absl::Duration pause_;
};

}  // namespace acta::oracle
