#include "tests/crash/child_program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"

extern char** environ;

namespace acta {
namespace {

// "2026-01-31T02:00:00.000Z error ..."
bool IsLogLine(const std::string& line) {
  return line.size() > 24 && line[4] == '-' && line[10] == 'T' && line[23] == 'Z';
}

// Without what the engine logs.
std::string ReadOutput(const std::string& path) {
  std::ifstream in(path);
  std::string printed;
  for (std::string line; std::getline(in, line);) {
    if (!IsLogLine(line)) absl::StrAppend(&printed, line, "\n");
  }
  return printed;
}

std::vector<char*> ArgumentsOf(std::vector<std::string>& words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  return argv;
}

std::string AwaitChild(pid_t child, const std::string& output) {
  int status = 0;
  waitpid(child, &status, 0);
  const std::string printed = ReadOutput(output);
  if (WIFEXITED(status) && WEXITSTATUS(status) <= 1) return printed;
  return absl::StrCat("crashed: status ", status, "\n", printed);
}

}  // namespace

std::string RunChild(std::vector<std::string> words, const std::string& output) {
  const std::vector<char*> argv = ArgumentsOf(words);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t child = 0;
  const int spawned =
      posix_spawn(&child, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (spawned != 0) return "crashed: it could not be started\n";
  return AwaitChild(child, output);
}

std::string ForkChild(int (*program)(int, char**), std::vector<std::string> words,
                      const std::string& output) {
  std::vector<char*> argv = ArgumentsOf(words);
  std::fflush(nullptr);  // The child would print it too.
  const pid_t child = fork();
  if (child < 0) return "crashed: it could not be started\n";
  if (child > 0) return AwaitChild(child, output);
  const int file = open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (file < 0 || dup2(file, 1) != 1 || dup2(file, 2) != 2) _exit(2);
  close(file);
  const int code = program(static_cast<int>(words.size()), argv.data());
  std::fflush(nullptr);
  _exit(code);
}

void LeaveChild(const std::string& printed, bool good) {
  std::fputs(printed.c_str(), stdout);
  std::fflush(stdout);
  _exit(good ? 0 : 1);
}

}  // namespace acta
