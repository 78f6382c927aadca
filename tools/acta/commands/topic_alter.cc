#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/tables.h"
#include "tools/acta/commands/topic_options.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  v1::UpdateTopicRequest request;
  std::vector<std::string> fields;
  RETURN_IF_ERROR(ReadTopicOptions(context.args(), request.mutable_topic(), &fields));
  if (fields.empty()) return UsageError("nothing to change; see `acta topic alter --help`");
  for (const std::string& field : fields) request.mutable_update_mask()->add_paths(field);
  request.set_accept_reorder(context.args().Has("--accept-reorder"));
  ASSIGN_OR_RETURN(const v1::UpdateTopicResponse response, context.admin().UpdateTopic(request));
  RETURN_IF_ERROR(context.PrintHeading(TopicSettingsText(response.topic())));
  return context.output().Print({&response}, TopicTable({&response.topic()}));
}

}  // namespace

Command TopicAlterCommand() {
  std::vector<Option> options = TopicOptions();
  options.push_back(
      {"--accept-reorder", "", "more partitions move keys to others; say that you know"});
  return {"topic alter",
          {"TOPIC"},
          "changes settings; partitions only grow",
          "Only the settings that are named change. --label replaces all labels.",
          "acta topic alter orders --retention 30d",
          options,
          Run};
}

}  // namespace acta::cli
