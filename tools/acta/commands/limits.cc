#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  ASSIGN_OR_RETURN(const v1::GetLimitsResponse limits, context.admin().GetLimits({}));
  Table table({"LIMIT", "CURRENT", "VALUE", "UNIT", "MEANING"});
  for (const v1::Limit& limit : limits.limits()) {
    table.Row(limit.name(), limit.has_current() ? absl::StrCat(limit.current()) : "-",
              limit.value(), limit.unit(), limit.meaning());
  }
  return context.output().Print({&limits}, table);
}

}  // namespace

Command LimitsCommand() {
  return {"limits", {}, "every limit with its current use", "", "acta limits", {}, Run};
}

}  // namespace acta::cli
