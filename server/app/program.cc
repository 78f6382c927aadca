#include "server/app/program.h"

#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/error.h"
#include "server/app/daemon.h"
#include "server/app/daemon_properties.h"
#include "server/app/library_versions.h"
#include "server/app/process_setup.h"
#include "server/app/ready_file.h"
#include "server/app/reference_pages.h"
#include "server/app/service_notice.h"
#include "server/app/settings.h"
#include "server/app/stop_signals.h"
#include "server/config/command_line.h"
#include "server/config/config_text.h"
#include "storage/base/fatal.h"
#include "storage/base/log.h"
#include "storage/base/slow_log.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

constexpr int kDone = 0;
constexpr int kNotStarted = 1;
constexpr int kUsage = 2;
constexpr absl::Duration kReminder = absl::Minutes(1);

int Print(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  return written && std::fflush(stdout) == 0 ? kDone : kNotStarted;
}

int PrintUsageError(const absl::Status& status) {
  std::fprintf(stderr, "actad: %s\n", std::string(status.message()).c_str());
  return kUsage;
}

// A report may have several lines: people get it as it is, programs as one line of JSON.
int PrintStartError(const absl::Status& status, LogFormat format) {
  const v1::ErrorReason known = ReasonOf(status);
  const std::string reason =
      v1::ErrorReason_Name(known == v1::ERROR_REASON_UNSPECIFIED ? v1::INTERNAL : known);
  if (format == LogFormat::kJson) {
    LogError("not started", {{"reason", reason}, {"cause", std::string(status.message())}});
  } else {
    std::fprintf(stderr, "actad: not started: %s: %s\n", reason.c_str(),
                 std::string(status.message()).c_str());
  }
  return kNotStarted;
}

int PrintPage(const std::string& name) {
  const absl::StatusOr<std::string> page = ReferencePage(name);
  return page.ok() ? Print(*page) : PrintUsageError(page.status());
}

// Where the configuration comes from.
struct Sources {
  const CommandLine& line;
  const std::vector<std::string>& environment;
};

void WarnOfOpenDoors(const DaemonOptions& options) {
  if (options.listen.insecure) {
    LogWarn("INSECURE: everybody who reaches a listener may read, publish and delete everything",
            {{"grpc", options.listen.grpc}, {"http", options.listen.http}});
  }
}

// After SIGHUP. What is wrong changes nothing.
void ReadAgain(const Sources& sources, Settings& settings, Daemon& daemon) {
  const auto changes = settings.Reload(sources.line, sources.environment);
  if (!changes.ok()) {
    LogError("the configuration cannot be read again: nothing was changed",
             {{"cause", std::string(changes.status().message())}});
    return;
  }
  // Also brings back what was changed without a property, as the level of log lines.
  daemon.Reload(settings.options());
  for (const std::string& name : changes->restarts) {
    LogWarn("a property has another value that counts from the next start on",
            {{"property", name}});
  }
  LogInfo("configuration read again", {{"changed", absl::StrJoin(changes->taken, " ")},
                                       {"need_a_start", changes->restarts.size()}});
}

// Until a stop is asked for.
void WaitForStop(const Sources& sources, Settings& settings, StopSignals& signals, Daemon& daemon) {
  using Asked = StopSignals::Asked;
  for (Asked asked = Asked::kNothing; asked != Asked::kStop; asked = signals.WaitFor(kReminder)) {
    if (asked == Asked::kReload) ReadAgain(sources, settings, daemon);
    WarnOfOpenDoors(settings.options());
  }
}

int Serve(const Sources& sources, Settings& settings, const OpenEngine& open) {
  StopSignals signals;
  DaemonOptions options = settings.options();
  FitDescriptors(&options.rpc.connections);
  absl::StatusOr<std::unique_ptr<Daemon>> daemon = Daemon::Start(
      options, [&settings] { return settings.Page(); }, open);
  if (!daemon.ok()) return PrintStartError(daemon.status(), options.log.format);
  const ReadyNote& note = (*daemon)->note();
  if (!options.listen.ready_file.empty()) {
    const absl::Status written = WriteReadyFile(options.listen.ready_file, note);
    if (!written.ok()) return PrintStartError(written, options.log.format);
  }
  NotifySupervisor("READY=1");
  LogInfo("started", {{"version", ActaVersion()},
                      {"grpc", note.grpc},
                      {"http", note.http},
                      {"data", options.storage.data},
                      {"store", note.store_id},
                      {"pid", note.pid}});
  if (!options.listen.insecure) {
    LogWarn("no authentication: everybody on this machine may do everything");
  }
  WaitForStop(sources, settings, signals, **daemon);
  NotifySupervisor("STOPPING=1");
  RemoveReadyFile(options.listen.ready_file);
  (*daemon)->Stop();
  LogInfo("stopped", {{"store", note.store_id}, {"exit", kDone}});
  return kDone;
}

}  // namespace

int RunProgram(const std::vector<std::string>& words, const std::vector<std::string>& environment,
               const OpenEngine& open) {
  Settings settings;
  const PropertyTable& table = settings.table();
  const absl::StatusOr<CommandLine> line = ParseCommandLine(words, table);
  if (!line.ok()) return PrintUsageError(line.status());
  using Mode = CommandLine::Mode;
  if (line->mode == Mode::kHelp) return Print(HelpText());
  if (line->mode == Mode::kVersion) return Print(absl::StrCat("actad ", ActaVersion(), "\n"));
  if (line->mode == Mode::kGenerateReference) return PrintPage(line->reference);
  if (const absl::Status status = settings.Read(*line, environment); !status.ok()) {
    return PrintUsageError(status);
  }
  if (line->mode == Mode::kPrintConfig) return Print(ConfigAsTable(table));
  if (line->mode == Mode::kPrintConfigJson) return Print(ConfigAsJson(table));
  DaemonOptions& options = settings.options();
  if (const absl::Status status = SettleOptions(&options); !status.ok()) {
    return PrintUsageError(status);
  }
  TuneAllocator();
  TuneLocks();
  SetLogFormat(options.log.format);
  SetLogLevel(options.log.level);
  SetSlowThreshold(options.log.slow);
  EndWithoutMemory();
  return Serve({*line, environment}, settings, open);
}

}  // namespace acta
