#include <algorithm>
#include <limits>
#include <vector>

#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/claim_table.h"

namespace acta::cli {
namespace {

constexpr int64_t kPageClaims = 1000;

absl::Status Run(CommandContext& context) {
  const Args& args = context.args();
  ASSIGN_OR_RETURN(const auto max, args.Integer("--max", 1));
  v1::ListClaimsRequest request;
  request.set_group(args.Get("GROUP"));
  int64_t rest = max.value_or(std::numeric_limits<int64_t>::max());
  v1::ListClaimsResponse all;
  do {
    request.set_page_size(static_cast<int32_t>(std::min(rest, kPageClaims)));
    ASSIGN_OR_RETURN(v1::ListClaimsResponse page, context.admin().ListClaims(request));
    rest -= page.claims_size();
    request.set_page_token(page.next_page_token());
    page.clear_next_page_token();
    all.MergeFrom(page);
  } while (rest > 0 && !request.page_token().empty());
  std::vector<const v1::Claim*> claims;
  for (const v1::Claim& claim : all.claims()) claims.push_back(&claim);
  RETURN_IF_ERROR(context.output().Print({&all}, ClaimTable(claims)));
  if (!request.page_token().empty()) context.terminal().Hint("there may be more than --max");
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
