#include "server/exec/disk_last.h"

#include <catch2/catch.hpp>

#include "tests/support/io_priority.h"

namespace acta {
namespace {

TEST_CASE("a thread is the disk's last for a while, then what it was", "[exec]") {
  const IoPriority given(IOPRIO_CLASS_BE, 6);
  if (!given.set()) {
    WARN("skipped: this machine lets no thread set its I/O class");
    return;
  }
  const int before = IoPriority::Now();
  REQUIRE(before == IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 6));
  {
    const DiskLast last;
    CHECK(IoPriority::Idle());
    {
      const DiskLast again;
      CHECK(IoPriority::Idle());
    }
    CHECK(IoPriority::Idle());
  }
  CHECK(IoPriority::Now() == before);
}

TEST_CASE("a thread that never had an I/O class has none afterwards", "[exec]") {
  const IoPriority given(IOPRIO_CLASS_NONE, 0);
  if (!given.set()) {
    WARN("skipped: this machine lets no thread set its I/O class");
    return;
  }
  const int before = IoPriority::Now();
  {
    const DiskLast last;
    CHECK(IoPriority::Idle());
  }
  CHECK(IoPriority::Now() == before);
}

TEST_CASE("a thread of the class RT keeps it", "[exec]") {
  const IoPriority given(IOPRIO_CLASS_RT, 4);
  if (!given.set()) {
    WARN("skipped: RT needs CAP_SYS_NICE");
    return;
  }
  const DiskLast last;
  CHECK(IOPRIO_PRIO_CLASS(IoPriority::Now()) == IOPRIO_CLASS_RT);
}

}  // namespace
}  // namespace acta
