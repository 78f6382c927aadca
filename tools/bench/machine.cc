#include "tools/bench/machine.h"

#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace acta::bench {
namespace {

std::string CpuName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!absl::StartsWith(line, "model name")) continue;
    const size_t colon = line.find(": ");
    return colon == std::string::npos ? "unknown" : line.substr(colon + 2);
  }
  return "unknown";
}

// Those this process may use.
int32_t Cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

// Of the longest mount point above `folder`.
void DescribeMount(const std::string& folder, Machine* machine) {
  char resolved[PATH_MAX];
  const std::string path = realpath(folder.c_str(), resolved) != nullptr ? resolved : folder;
  std::ifstream file("/proc/mounts");
  size_t longest = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string device, point, type;
    words >> device >> point >> type;
    const std::string prefix = point == "/" ? point : absl::StrCat(point, "/");
    if (path != point && !absl::StartsWith(path, prefix)) continue;
    if (point.size() < longest) continue;
    longest = point.size();
    machine->file_system = type;
    machine->disk = device;
  }
}

}  // namespace

Machine DescribeMachine(const std::string& folder) {
  Machine machine;
  machine.time = absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::Now(), absl::UTCTimeZone());
  machine.cpu = CpuName();
  machine.cores = Cores();
  struct sysinfo memory = {};
  if (sysinfo(&memory) == 0) {
    machine.memory_gib = static_cast<double>(memory.totalram) * memory.mem_unit / (1 << 30);
  }
  struct utsname kernel = {};
  if (uname(&kernel) == 0) machine.kernel = absl::StrCat(kernel.sysname, " ", kernel.release);
  DescribeMount(folder, &machine);
  return machine;
}

}  // namespace acta::bench
