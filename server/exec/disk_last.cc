#include "server/exec/disk_last.h"

#include <linux/ioprio.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace acta {
namespace {

// Of the calling thread. glibc has no names for these calls.
int IoPriority() { return static_cast<int>(syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0)); }

bool SetIoPriority(int priority) {
  return syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, priority) == 0;
}

}  // namespace

DiskLast::DiskLast() : before_(IoPriority()) {
  if (before_ < 0) return;
  if (IOPRIO_PRIO_CLASS(before_) == IOPRIO_CLASS_RT ||
      !SetIoPriority(IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0))) {
    before_ = -1;
  }
}

DiskLast::~DiskLast() {
  if (before_ >= 0) SetIoPriority(before_);
}

}  // namespace acta
