#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/claim_table.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  v1::ReleaseClaimRequest request;
  request.set_group(context.args().Get("GROUP"));
  request.set_key(context.args().Get("KEY"));
  request.set_force(true);
  v1::GetClaimRequest get;
  get.set_group(request.group());
  get.set_key(request.key());
  RETURN_IF_ERROR(context.admin().GetClaim(get).status());
  const std::string key = ClaimKeyText(request.key());
  RETURN_IF_ERROR(context.ConfirmDeletion(
      absl::StrCat("Delete claim '", key, "', so that whoever asks next does it?")));
  ASSIGN_OR_RETURN(const v1::ReleaseClaimResponse response, context.admin().ReleaseClaim(request));
  return context.PrintDone({&response}, absl::StrCat("released claim ", key));
}

}  // namespace

Command ClaimReleaseCommand() {
  return {"claim release",
          {"GROUP", "KEY"},
          "forgets a claim, whoever holds it: the next who asks is FIRST",
          "Also one that is completed, with its result. Whoever holds it cannot complete it any\n"
          "more. Asks on a terminal; without one it needs --yes.",
          "acta claim release billing order-17/mail --yes",
          {{"--yes", "", "do not ask"}},
          Run};
}

}  // namespace acta::cli
