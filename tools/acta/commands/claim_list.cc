#include <vector>

#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/claim_table.h"
#include "tools/acta/commands/pages.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  v1::ListClaimsRequest request;
  request.set_group(context.args().Get("GROUP"));
  ASSIGN_OR_RETURN(const auto listed, ReadPages(context, request, &client::Admin::ListClaims,
                                                &v1::ListClaimsResponse::claims_size));
  std::vector<const v1::Claim*> claims;
  for (const v1::Claim& claim : listed.all.claims()) claims.push_back(&claim);
  RETURN_IF_ERROR(context.output().Print({&listed.all}, ClaimTable(claims)));
  HintAtMore(listed.more, context);
  return absl::OkStatus();
}

}  // namespace

Command ClaimListCommand() {
  return {"claim list",
          {"GROUP"},
          "lists the claims of a group: who does what outside, and what is done",
          "By length of the key, then by its bytes. Results are not shown; see claim show.",
          "acta claim list billing --max 100",
          {{"--max", "N", "at most so many (all)"}},
          Run};
}

}  // namespace acta::cli
