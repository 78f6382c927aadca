#pragma once

#include <linux/ioprio.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace acta {

// Class and level of the calling thread's reads and writes, as of now and, until it ends, as given.
class IoPriority {
 public:
  IoPriority(int io_class, int level)
      : before_(Now()), set_(before_ >= 0 && Set(IOPRIO_PRIO_VALUE(io_class, level))) {}
  ~IoPriority() {
    if (before_ >= 0) Set(before_);
  }
  IoPriority(const IoPriority&) = delete;
  IoPriority& operator=(const IoPriority&) = delete;

  // False: this machine does not let the thread have it.
  bool set() const { return set_; }

  static int Now() { return static_cast<int>(syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0)); }
  static bool Idle() { return IOPRIO_PRIO_CLASS(Now()) == IOPRIO_CLASS_IDLE; }

 private:
  static bool Set(int priority) {
    return syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, priority) == 0;
  }

  const int before_;
  const bool set_;
};

}  // namespace acta
