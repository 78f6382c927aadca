#include "tools/bench/child_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "tools/bench/latencies.h"

namespace acta::bench {
namespace {

// Between fork and exec: only what a signal handler may call.
[[noreturn]] void Become(char* const* words, const char* out, const char* err, pid_t parent) {
  // Dies with its parent, whatever becomes of that.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) _exit(127);
  const int flags = O_CREAT | O_WRONLY | O_APPEND;
  const int out_fd = open(out, flags, 0600), err_fd = open(err, flags, 0600);
  if (out_fd < 0 || err_fd < 0 || dup2(out_fd, 1) < 0 || dup2(err_fd, 2) < 0) _exit(127);
  close(out_fd);
  close(err_fd);
  execv(words[0], words);
  _exit(127);
}

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// The number behind `key` in lines of "key: number unit"; 0 when it is not there.
double NumberAfter(const std::string& text, const std::string& key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.compare(0, key.size(), key) != 0) continue;
    double value = 0;
    std::istringstream(line.substr(key.size())) >> value;
    return value;
  }
  return 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(
    const std::vector<std::string>& words, const std::string& stdout_path,
    const std::string& stderr_path) {
  if (access(words[0].c_str(), X_OK) != 0) {
    return absl::UnavailableError(absl::StrCat("there is no program '", words[0], "'"));
  }
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) Become(pointers.data(), stdout_path.c_str(), stderr_path.c_str(), parent);
  if (pid < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot start '", words[0], "'"));
  return std::unique_ptr<ChildProcess>(new ChildProcess(pid));
}

ChildProcess::~ChildProcess() {
  if (!Running()) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

bool ChildProcess::Running() {
  int state = 0;
  if (exit_code_ || waitpid(pid_, &state, WNOHANG) != pid_) return !exit_code_;
  exit_code_ = WIFEXITED(state) ? WEXITSTATUS(state) : -1;
  return false;
}

absl::StatusOr<int> ChildProcess::Wait(absl::Duration timeout) {
  const int64_t deadline = NowNanos() + absl::ToInt64Nanoseconds(timeout);
  while (Running()) {
    if (NowNanos() > deadline) {
      return absl::DeadlineExceededError(absl::StrCat("process ", pid_, " does not end"));
    }
    SleepUntilNanos(NowNanos() + 1'000'000);
  }
  return *exit_code_;
}

absl::StatusOr<int> ChildProcess::Stop(absl::Duration timeout) {
  if (Running()) kill(pid_, SIGTERM);
  return Wait(timeout);
}

absl::StatusOr<ProcessUse> UseOf(pid_t pid) {
  const std::string folder = absl::StrCat("/proc/", pid, "/");
  const std::string stat = Contents(folder + "stat");
  const size_t name_end = stat.rfind(')');  // The name may hold anything.
  if (name_end == std::string::npos) {
    return absl::NotFoundError(absl::StrCat("there is no process ", pid));
  }
  std::istringstream words(stat.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) words >> skipped;
  double user = 0, system = 0;
  words >> user >> system;
  ProcessUse use;
  use.cpu_seconds = (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  const std::string status = Contents(folder + "status");
  use.rss_mib = NumberAfter(status, "VmRSS:") / 1024;
  use.peak_rss_mib = NumberAfter(status, "VmHWM:") / 1024;
  const std::string io = Contents(folder + "io");
  use.written_bytes = NumberAfter(io, "write_bytes:");
  use.read_bytes = NumberAfter(io, "rchar:");
  return use;
}

double OwnCpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace acta::bench
