#pragma once

namespace acta {

// While it lives, the disk serves what its thread reads after all else that waits for it: Linux's
// I/O class IDLE.
//
// Best effort of the lowest level would be milder, but mq-deadline, which prefers reads to writes
// where nothing tells them apart, knows only classes. There IDLE waits while anything of another
// class is not done yet, at most 10 s a request (prio_aging_expire); BFQ gives it a share five
// times a second; others know no classes. So who uses this must bear one read of many seconds: it
// sees to it that not every thread may be in one, and that the next ones are not made this way.
//
// Where the class cannot be set, or is RT, which not everybody could set again, nothing changes.
//
// Threads: of one, which it begins and ends on.
class DiskLast {
 public:
  DiskLast();
  ~DiskLast();
  DiskLast(const DiskLast&) = delete;
  DiskLast& operator=(const DiskLast&) = delete;

 private:
  int before_;  // Class and level; negative: they were not changed.
};

}  // namespace acta
