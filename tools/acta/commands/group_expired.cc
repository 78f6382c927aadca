#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  v1::ListExpiredRequest request;
  request.set_group(context.args().Get("GROUP"));
  ASSIGN_OR_RETURN(const v1::ListExpiredResponse response, context.admin().ListExpired(request));
  Table table({"TOPIC", "PARTITION", "OFFSET", "COUNT", "FOUND"});
  int64_t listed = 0;
  for (const v1::ExpiredEvents& row : response.expired()) {
    table.Row(row.topic(), row.partition(), row.offset(), row.count(), TimeText(row.time()));
    listed += row.count();
  }
  table.Total("listed", "", "", listed, "");
  RETURN_IF_ERROR(context.output().Print({&response}, table));
  if (response.total() > listed) {
    context.terminal().Hint(absl::StrCat(response.total(), " expired since the broker's start"));
  }
  return absl::OkStatus();
}

}  // namespace

Command GroupExpiredCommand() {
  return {"group expired",
          {"GROUP"},
          "events that nobody got because they had expired",
          "Those that were found since the start of the broker, the last found first.",
          "acta group expired billing",
          {},
          Run};
}

}  // namespace acta::cli
