#include "tools/acta/subscribe/shell_command.h"

#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "storage/base/status_macros.h"

namespace acta::cli {
namespace {

// A variable cannot hold a zero byte.
std::string Variable(absl::string_view name, absl::string_view value) {
  return absl::StrCat(name, "=", absl::StrReplaceAll(value, {{absl::string_view("\0", 1), ""}}));
}

std::vector<std::string> Environment(const v1::Event& event, const EventPlace& place) {
  std::vector<std::string> variables = {
      Variable("ACTA_TOPIC", place.topic),
      Variable("ACTA_PARTITION", absl::StrCat(place.partition)),
      Variable("ACTA_OFFSET", absl::StrCat(place.offset)),
      Variable("ACTA_ID", event.id()),
      Variable("ACTA_KEY", event.key()),
      Variable("ACTA_TYPE", event.type()),
  };
  for (char** variable = environ; *variable != nullptr; ++variable) {
    bool ours = false;
    for (const std::string& own : variables) {
      ours = ours || absl::StartsWith(*variable, own.substr(0, own.find('=') + 1));
    }
    if (!ours) variables.emplace_back(*variable);
  }
  return variables;
}

absl::Status SystemError(absl::string_view what, int error) {
  return absl::UnknownError(absl::StrCat(what, ": ", std::strerror(error)));
}

// A file in memory: unlike a pipe, a command that does not read it does no harm.
absl::StatusOr<int> InputFile(absl::string_view input) {
  const int file = memfd_create("acta-event", MFD_CLOEXEC);
  if (file < 0) return SystemError("memfd_create", errno);
  while (!input.empty()) {
    const ssize_t written = write(file, input.data(), input.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      const int error = errno;
      close(file);
      return SystemError("write", error);
    }
    input.remove_prefix(static_cast<size_t>(written));
  }
  lseek(file, 0, SEEK_SET);
  return file;
}

}  // namespace

absl::Status RunShellCommand(const std::string& command, absl::string_view input,
                             const v1::Event& event, const EventPlace& place) {
  ASSIGN_OR_RETURN(const int file, InputFile(input));
  const absl::Cleanup close_file = [file] { close(file); };
  std::vector<std::string> variables = Environment(event, place);
  std::vector<char*> environment;
  for (std::string& variable : variables) environment.push_back(variable.data());
  environment.push_back(nullptr);
  std::string text = command;
  char shell[] = "/bin/sh";
  char option[] = "-c";
  char* arguments[] = {shell, option, text.data(), nullptr};

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, file, STDIN_FILENO);
  pid_t child = 0;
  const int error = posix_spawn(&child, shell, &actions, nullptr, arguments, environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return SystemError("cannot start /bin/sh", error);

  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return SystemError("waitpid", errno);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  const std::string how = WIFEXITED(status) ? absl::StrCat("exited with ", WEXITSTATUS(status))
                                            : absl::StrCat("ended by signal ", WTERMSIG(status));
  return absl::UnknownError(absl::StrCat("the command ", how, " at ", place.topic, "/",
                                         place.partition, " offset ", place.offset));
}

}  // namespace acta::cli
