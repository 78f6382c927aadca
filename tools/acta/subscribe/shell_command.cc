#include "tools/acta/subscribe/shell_command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "storage/base/status_macros.h"
#include "tools/acta/events/json_line.h"
#include "tools/acta/subscribe/last_line.h"

namespace acta::cli {
namespace {

// The kernel takes no string of 128 KiB.
constexpr size_t kMostBytesOfVariable = size_t{64} << 10;

// How long the end of a command whose pipe stays open may go unnoticed.
constexpr int kLookEveryMs = 50;

// A variable cannot hold a zero byte.
std::string Variable(absl::string_view name, absl::string_view value) {
  return absl::StrCat(name, "=", absl::StrReplaceAll(value, {{absl::string_view("\0", 1), ""}}));
}

std::vector<std::string> Environment(const Variables& own) {
  std::vector<std::string> variables;
  for (const auto& [name, value] : own) variables.push_back(Variable(name, value));
  for (char** variable = environ; *variable != nullptr; ++variable) {
    bool ours = false;
    for (const auto& [name, value] : own) {
      ours = ours || absl::StartsWith(*variable, absl::StrCat(name, "="));
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

// Ends of a pipe; -1: closed.
struct Pipe {
  Pipe() = default;
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    CloseWriting();
    if (reading >= 0) close(reading);
  }
  absl::Status Open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return SystemError("pipe2", errno);
    reading = ends[0];
    writing = ends[1];
    return absl::OkStatus();
  }
  void CloseWriting() {
    if (writing >= 0) close(std::exchange(writing, -1));
  }

  int reading = -1;
  int writing = -1;
};

// Passes on what comes within the time. False: nothing came; `*open` says whether more may.
bool PassOn(int pipe, int timeout_ms, LastLine* last_line, bool* open) {
  pollfd look = {pipe, POLLIN, 0};
  if (poll(&look, 1, timeout_ms) <= 0) return false;
  char bytes[4096];
  const ssize_t count = read(pipe, bytes, sizeof(bytes));
  *open = count > 0 || (count < 0 && errno == EINTR);
  if (count <= 0) return false;
  last_line->Add(absl::string_view(bytes, static_cast<size_t>(count)));
  (void)!write(STDERR_FILENO, bytes, static_cast<size_t>(count));
  return true;
}

// Its status, as waitpid() tells it. What it left running may keep the pipe open for longer.
absl::StatusOr<int> WaitFor(pid_t child, int pipe, LastLine* last_line) {
  bool open = pipe >= 0;
  while (true) {
    if (open) PassOn(pipe, kLookEveryMs, last_line, &open);
    int status = 0;
    const pid_t ended = waitpid(child, &status, open ? WNOHANG : 0);
    if (ended < 0 && errno != EINTR) return SystemError("waitpid", errno);
    if (ended != child) continue;
    while (open && PassOn(pipe, 0, last_line, &open)) continue;
    return status;
  }
}

absl::StatusOr<pid_t> Spawn(const ShellCommand& command, int input, int errors) {
  std::vector<std::string> variables = Environment(command.variables);
  std::vector<char*> environment;
  for (std::string& variable : variables) environment.push_back(variable.data());
  environment.push_back(nullptr);
  std::string text = command.command;
  char shell[] = "/bin/sh";
  char option[] = "-c";
  char* arguments[] = {shell, option, text.data(), nullptr};

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  if (errors >= 0) posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // This program ignores a pipe that nobody reads.
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  const int own_group = command.own_group ? POSIX_SPAWN_SETPGROUP : 0;
  posix_spawnattr_setflags(&attributes, static_cast<short>(POSIX_SPAWN_SETSIGDEF | own_group));
  pid_t child = 0;
  const int error =
      posix_spawn(&child, shell, &actions, &attributes, arguments, environment.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return SystemError("cannot start /bin/sh", error);
  return child;
}

std::string VariableName(absl::string_view attribute) {
  std::string name = absl::AsciiStrToUpper(attribute);
  for (char& c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

std::string TimeOr(int64_t time_us) { return time_us == 0 ? "" : TimeText(time_us); }

// A line for each.
std::string AffectedText(const v1::Event& event) {
  return absl::StrJoin(event.affected(), "\n", [](std::string* out, const v1::Affected& one) {
    absl::StrAppend(out, one.kind(), ":", one.id());
  });
}

}  // namespace

Variables EventVariables(const v1::Event& event, const EventPlace& place) {
  Variables variables = {{"ACTA_TOPIC", place.topic},
                         {"ACTA_PARTITION", absl::StrCat(place.partition)},
                         {"ACTA_OFFSET", absl::StrCat(place.offset)},
                         {"ACTA_ID", event.id()},
                         {"ACTA_KEY", event.key()},
                         {"ACTA_TYPE", event.type()},
                         {"ACTA_SOURCE", event.source()},
                         {"ACTA_SUBJECT", event.subject()},
                         {"ACTA_TIME", TimeOr(event.time_us())},
                         {"ACTA_CORRELATION_ID", event.correlation_id()},
                         {"ACTA_CAUSATION_ID", event.causation_id()},
                         {"ACTA_PROCESS", event.process()},
                         {"ACTA_SCHEMA", event.schema()},
                         {"ACTA_CONTENT_TYPE", event.content_type()},
                         {"ACTA_TRACEPARENT", event.traceparent()},
                         {"ACTA_EXPIRES_AT", TimeOr(event.expires_at_us())},
                         {"ACTA_AFFECTED", AffectedText(event)},
                         {"ACTA_CAUSED_BY", place.cause}};
  for (const auto& [name, value] : event.attributes()) {
    variables.emplace_back(absl::StrCat("ACTA_ATTRIBUTE_", VariableName(name)), value);
  }
  for (auto& [name, value] : variables) {
    if (value.size() > kMostBytesOfVariable) value.clear();
  }
  return variables;
}

absl::StatusOr<CommandEnd> RunShell(const ShellCommand& command) {
  ASSIGN_OR_RETURN(const int file, InputFile(command.input));
  const absl::Cleanup close_file = [file] { close(file); };
  Pipe errors;
  if (command.keep_last_line) RETURN_IF_ERROR(errors.Open());
  ASSIGN_OR_RETURN(const pid_t child, Spawn(command, file, errors.writing));
  errors.CloseWriting();
  LastLine last_line;
  ASSIGN_OR_RETURN(const int status, WaitFor(child, errors.reading, &last_line));
  CommandEnd end;
  if (WIFEXITED(status)) {
    end.exit_code = WEXITSTATUS(status);
  } else {
    end.signal = WTERMSIG(status);
  }
  end.last_line = last_line.line();
  return end;
}

absl::Status RunShellCommand(const std::string& command, absl::string_view input,
                             const v1::Event& event, const EventPlace& place) {
  ShellCommand run = {command, std::string(input), EventVariables(event, place)};
  run.own_group = true;
  ASSIGN_OR_RETURN(const CommandEnd end, RunShell(run));
  if (end.signal == 0 && end.exit_code == 0) return absl::OkStatus();
  const std::string how = end.signal == 0 ? absl::StrCat("exited with ", end.exit_code)
                                          : absl::StrCat("ended by signal ", end.signal);
  return absl::UnknownError(absl::StrCat("the command ", how, " at ", place.topic, "/",
                                         place.partition, " offset ", place.offset));
}

}  // namespace acta::cli
