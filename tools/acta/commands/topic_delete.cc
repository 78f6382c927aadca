#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  v1::DeleteTopicRequest request;
  request.set_name(context.args().Get("TOPIC"));
  request.set_force(context.args().Has("--force"));
  v1::GetTopicRequest get;
  get.set_name(request.name());
  RETURN_IF_ERROR(context.admin().GetTopic(get).status());
  RETURN_IF_ERROR(context.ConfirmDeletion(
      absl::StrCat("Delete topic '", request.name(), "' and all its events?")));
  ASSIGN_OR_RETURN(const v1::DeleteTopicResponse response, context.admin().DeleteTopic(request));
  return context.PrintDone({&response}, absl::StrCat("deleted topic ", request.name()));
}

}  // namespace

Command TopicDeleteCommand() {
  return {"topic delete",
          {"TOPIC"},
          "deletes a topic and its events",
          "Asks on a terminal; without one it needs --yes.",
          "acta topic delete orders --yes",
          {{"--yes", "", "do not ask"},
           {"--force", "", "also while members of groups read it: it is taken from them"}},
          Run};
}

}  // namespace acta::cli
