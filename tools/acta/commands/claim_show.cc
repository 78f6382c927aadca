#include <cstdio>

#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/claim_table.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  const Args& args = context.args();
  v1::GetClaimRequest request;
  request.set_group(args.Get("GROUP"));
  request.set_key(args.Get("KEY"));
  ASSIGN_OR_RETURN(const v1::GetClaimResponse response, context.admin().GetClaim(request));
  if (args.Has("--result")) return WriteAll(stdout, response.claim().result());
  return context.output().Print({&response}, ClaimTable({&response.claim()}));
}

}  // namespace

Command ClaimShowCommand() {
  return {"claim show",
          {"GROUP", "KEY"},
          "shows a claim, or its result",
          "With -o json the result is there too, as base64.",
          "acta claim show billing order-17/mail",
          {{"--result", "", "only the result, as it is"}},
          Run};
}

}  // namespace acta::cli
