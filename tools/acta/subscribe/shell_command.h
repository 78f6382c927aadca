#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "acta/v1/event.pb.h"
#include "tools/acta/events/event_text.h"

namespace acta::cli {

using Variables = std::vector<std::pair<std::string, std::string>>;

struct ShellCommand {
  std::string command;
  std::string input;    // Its standard input.
  Variables variables;  // Of its environment, beside those of this program.
  // Keeps the last line of its standard error, all of which is passed on.
  bool keep_last_line = false;
  // In a process group of its own: Ctrl-C does not reach it.
  bool own_group = false;
};

struct CommandEnd {
  int exit_code = 0;
  int signal = 0;         // That ended it; 0: it exited.
  std::string last_line;  // That is not empty; of a long one the beginning.
};

// The envelope: ACTA_TOPIC, ACTA_PARTITION, ACTA_OFFSET, ACTA_ID, ACTA_KEY, ACTA_TYPE, ACTA_SOURCE,
// ACTA_SUBJECT, ACTA_TIME, ACTA_CORRELATION_ID, ACTA_CAUSATION_ID, ACTA_PROCESS, ACTA_SCHEMA,
// ACTA_CONTENT_TYPE, ACTA_TRACEPARENT, ACTA_EXPIRES_AT and ACTA_AFFECTED (a line "kind:id" for
// each), empty where the event has none, or more than 64 KiB; each attribute in
// ACTA_ATTRIBUTE_NAME, where _ stands for what is no letter and no digit; and ACTA_CAUSED_BY, by
// which what the command publishes names this event (events/cause_text.h).
Variables EventVariables(const v1::Event& event, const EventPlace& place);

// Runs it with the shell and waits for it; not for what it leaves running.
//
// Threads: any. Errors: that it could not be started.
absl::StatusOr<CommandEnd> RunShell(const ShellCommand& command);

// It cannot be run: the shell's codes for what is not found, and for what is no program.
constexpr bool CannotBeRun(const CommandEnd& end) {
  return end.signal == 0 && (end.exit_code == 126 || end.exit_code == 127);
}

// Runs `command` for one event, which is its standard input as `input` and its environment. Ctrl-C
// does not reach it.
//
// Errors: an exit code other than 0, a signal, or that it could not be started.
absl::Status RunShellCommand(const std::string& command, absl::string_view input,
                             const v1::Event& event, const EventPlace& place);

}  // namespace acta::cli
