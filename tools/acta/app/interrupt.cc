#include "tools/acta/app/interrupt.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

namespace acta::cli {
namespace {

volatile sig_atomic_t g_interrupted = 0;

void NoteFirst(int signal) {
  struct sigaction action = {};
  action.sa_handler = [](int) { g_interrupted = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(signal, &action, nullptr);
}

}  // namespace

void StopOnSignals() {
  NoteFirst(SIGINT);
  NoteFirst(SIGTERM);
}

void StopOnCtrlC() { NoteFirst(SIGINT); }

bool Interrupted() { return g_interrupted != 0; }

bool OutputIsClosed() {
  pollfd output = {STDOUT_FILENO, 0, 0};
  return poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

}  // namespace acta::cli
