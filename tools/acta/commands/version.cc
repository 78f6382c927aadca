#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

// The command line's own version needs no broker; the rest is told when there is one.
absl::Status Run(CommandContext& context) {
  Table table({"PROGRAM", "VERSION"});
  table.Row("acta", ACTA_VERSION);
  const absl::StatusOr<v1::GetServerResponse> server = context.admin().GetServer({});
  if (server.ok()) {
    table.Row("actad", server->version());
    for (const v1::Library& library : server->libraries()) {
      if (context.args().Has("--deps")) table.Row(library.name(), library.version());
    }
  } else if (context.args().Has("--deps")) {
    return server.status();
  } else {
    context.terminal().Hint("no broker: " + DescribeError(server.status()));
  }
  return context.output().PrintRows(table);
}

}  // namespace

Command VersionCommand() {
  return {"version",
          {},
          "versions of the command line and the broker",
          "",
          "acta version --deps",
          {{"--deps", "", "also the libraries of the broker"}},
          Run};
}

}  // namespace acta::cli
