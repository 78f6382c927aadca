#include <sys/stat.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "storage/base/clock.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/doctor_checks.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

std::optional<FolderFacts> LookAtFolder(const std::string& path) {
  struct stat folder {};
  struct statfs system {};
  if (path.empty() || stat(path.c_str(), &folder) != 0 || statfs(path.c_str(), &system) != 0) {
    return std::nullopt;
  }
  FolderFacts facts;
  facts.in_memory = system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC;
  facts.open_to_others = (folder.st_mode & 07) != 0;
  return facts;
}

bool IsOnThisMachine(absl::string_view address) {
  return absl::StartsWith(address, "127.") || absl::StartsWith(address, "localhost:") ||
         absl::StartsWith(address, "[::1]");
}

// What a broker of another version may not have.
template <typename Response>
absl::Status TakeIfKnown(const char* method, absl::StatusOr<Response> answer, Response* out,
                         Examination* of) {
  if (absl::IsUnimplemented(answer.status())) {
    of->unknown.emplace_back(method);
    return absl::OkStatus();
  }
  if (!answer.ok()) return answer.status();
  *out = *std::move(answer);
  return absl::OkStatus();
}

absl::StatusOr<Examination> Ask(CommandContext& context) {
  client::Admin& admin = context.admin();
  Examination of;
  of.address = context.channel()->address();
  of.from = context.server().from;
  of.own_version = ACTA_VERSION;
  ASSIGN_OR_RETURN(of.server, admin.GetServer({}));
  // On a connection that is there.
  const SystemClock clock;
  const absl::Time asked = clock.Wall();
  const absl::Duration begun = clock.SinceBoot();
  ASSIGN_OR_RETURN(of.status, admin.GetStatus({}));
  of.round_trip = clock.SinceBoot() - begun;
  of.clock_ahead = FromProtoTime(of.status.server_time()) - (asked + of.round_trip / 2);
  RETURN_IF_ERROR(TakeIfKnown("GetLimits", admin.GetLimits({}), &of.limits, &of));
  RETURN_IF_ERROR(TakeIfKnown("GetConfig", admin.GetConfig({}), &of.config, &of));
  RETURN_IF_ERROR(TakeIfKnown("MeasureGroups", admin.MeasureGroups({}), &of.groups, &of));
  if (IsOnThisMachine(of.address)) of.folder = LookAtFolder(ValueOf(of.config, "storage.data"));
  return of;
}

absl::Status Show(CommandContext& context, const std::vector<Finding>& findings) {
  if (context.output_format() == "table") return WriteAll(stdout, FindingsText(findings));
  Table table({"CHECK", "STATE", "FOUND", "WHAT_TO_DO"});
  for (const Finding& finding : findings) {
    table.Row(finding.check, StateText(finding.state), finding.found, finding.advice);
  }
  return context.output().PrintRows(table);
}

absl::Status Run(CommandContext& context) {
  const absl::StatusOr<Examination> examination = Ask(context);
  const bool silent =
      absl::IsUnavailable(examination.status()) || absl::IsDeadlineExceeded(examination.status());
  // One that refuses a call, as an older broker does, is there.
  if (!examination.ok() && !silent) return examination.status();
  if (!examination.ok()) {
    const Finding unreachable = ExamineUnreachable(context.channel()->address(),
                                                   context.server().from, examination.status());
    return FirstError(examination.status(), Show(context, {unreachable}));
  }
  const std::vector<Finding> findings = Examine(*examination);
  const auto bad = std::count_if(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.state == Finding::State::kBad;
  });
  absl::Status verdict;
  if (bad > 0) {
    verdict =
        absl::UnknownError(absl::StrCat(bad, bad == 1 ? " finding is" : " findings are", " bad"));
  }
  return FirstError(verdict, Show(context, findings));
}

}  // namespace

Command DoctorCommand() {
  return {"doctor",
          {},
          "what is wrong with a broker, or with the way to it, and what to do about it",
          "Looks at the way to the broker, versions, clock, ports, data folder, disk, damage,\n"
          "syncs, descriptors, limits, groups, the index of journeys and backups. Exits with 1\n"
          "when something is bad, with 5 when the broker cannot be reached.",
          "acta doctor",
          {},
          Run};
}

}  // namespace acta::cli
