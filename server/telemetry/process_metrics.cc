#include "server/telemetry/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <string>

namespace acta {
namespace {

// Entries of a folder of /proc, without the one that reading it opens.
int64_t CountEntries(const char* folder, int64_t own) {
  DIR* const dir = opendir(folder);
  if (dir == nullptr) return 0;
  int64_t count = 0;
  while (const dirent* const entry = readdir(dir)) {
    if (entry->d_name[0] != '.') ++count;
  }
  closedir(dir);
  return count - own;
}

int64_t ResidentBytes() {
  std::ifstream in("/proc/self/statm");
  int64_t size = 0;
  int64_t resident = 0;
  in >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

int64_t OpenDescriptors() { return CountEntries("/proc/self/fd", 1); }

int64_t MaxDescriptors() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  return static_cast<int64_t>(files.rlim_cur);
}

void CollectProcess(MetricWriter& writer) {
  writer.Add(Metric::kProcessResidentBytes, static_cast<double>(ResidentBytes()));
  writer.Add(Metric::kProcessOpenDescriptors, static_cast<double>(OpenDescriptors()));
  writer.Add(Metric::kProcessMaxDescriptors, static_cast<double>(MaxDescriptors()));
  writer.Add(Metric::kProcessThreads, static_cast<double>(CountEntries("/proc/self/task", 0)));
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  writer.Add(Metric::kProcessCpu, Seconds(usage.ru_utime) + Seconds(usage.ru_stime));
}

}  // namespace acta
