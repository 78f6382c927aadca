#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/tables.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  v1::ListTopicsResponse all;
  v1::ListTopicsRequest request;
  request.set_page_size(1000);
  request.set_name_prefix(context.args().Get("--prefix"));
  do {
    ASSIGN_OR_RETURN(v1::ListTopicsResponse page, context.admin().ListTopics(request));
    request.set_page_token(page.next_page_token());
    page.clear_next_page_token();
    all.MergeFrom(page);
  } while (!request.page_token().empty());
  std::vector<const v1::Topic*> topics;
  for (const v1::Topic& topic : all.topics()) topics.push_back(&topic);
  RETURN_IF_ERROR(context.output().Print({&all}, TopicTable(topics)));
  if (topics.empty()) context.terminal().Hint("create one: acta topic create orders");
  return absl::OkStatus();
}

}  // namespace

Command TopicListCommand() {
  return {"topic list",
          {},
          "lists topics by name",
          "",
          "acta topic list -o json",
          {{"--prefix", "TEXT", "only names that begin so"}},
          Run};
}

}  // namespace acta::cli
