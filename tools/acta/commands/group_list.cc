#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/tables.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  v1::ListGroupsResponse all;
  v1::ListGroupsRequest request;
  request.set_page_size(1000);
  request.set_topic(context.args().Get("--topic"));
  do {
    ASSIGN_OR_RETURN(v1::ListGroupsResponse page, context.admin().ListGroups(request));
    request.set_page_token(page.next_page_token());
    page.clear_next_page_token();
    all.MergeFrom(page);
  } while (!request.page_token().empty());
  std::vector<const v1::Group*> groups;
  for (const v1::Group& group : all.groups()) groups.push_back(&group);
  return context.output().Print({&all}, GroupTable(groups));
}

}  // namespace

Command GroupListCommand() {
  return {"group list",
          {},
          "lists groups by name",
          "",
          "acta group list --topic orders",
          {{"--topic", "TOPIC", "only groups that read it"}},
          Run};
}

}  // namespace acta::cli
