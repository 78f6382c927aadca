// Redrives with a rate: what became of them, and their end.
#include <string>
#include <vector>

#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/dead_letter_options.h"

namespace acta::cli {
namespace {

absl::Status RunRedrives(CommandContext& context) {
  v1::ListRedrivesRequest request;
  request.set_group(context.args().Get("GROUP"));
  ASSIGN_OR_RETURN(const v1::ListRedrivesResponse response, context.admin().ListRedrives(request));
  std::vector<const v1::Redrive*> redrives;
  for (const v1::Redrive& redrive : response.redrives()) redrives.push_back(&redrive);
  return context.output().Print({&response}, RedriveTable(redrives));
}

absl::Status RunCancel(CommandContext& context) {
  v1::CancelRedriveRequest request;
  request.set_group(context.args().Get("GROUP"));
  request.set_redrive_id(context.args().Get("REDRIVE"));
  ASSIGN_OR_RETURN(const v1::CancelRedriveResponse response,
                   context.admin().CancelRedrive(request));
  return context.output().Print({&response.redrive()}, RedriveTable({&response.redrive()}));
}

}  // namespace

Command DeadletterRedrivesCommand() {
  return {"deadletter redrives",
          {"GROUP"},
          "lists the last 20 redrives with a rate, one of which may run",
          "LEFT were not redriven, or not yet; of one that is done: they are outstanding already,\n"
          "need --accept-order, or are more than --max.",
          "acta deadletter redrives billing",
          {},
          RunRedrives};
}

Command DeadletterCancelCommand() {
  return {"deadletter cancel",
          {"GROUP", "REDRIVE"},
          "ends a redrive with a rate",
          "What was redriven stays so. One that has ended stays as it is.",
          "acta deadletter cancel billing 00c0ffee00c0ffee",
          {},
          RunCancel};
}

}  // namespace acta::cli
