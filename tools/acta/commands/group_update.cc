#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/queue_options.h"
#include "tools/acta/commands/tables.h"
#include "tools/acta/commands/topic_options.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  const Args& args = context.args();
  v1::UpdateGroupRequest request;
  v1::Group* group = request.mutable_group();
  group->set_name(args.Get("GROUP"));
  std::vector<std::string> fields;
  for (const std::string& topic : args.All("--topic")) group->add_topics(topic);
  if (args.Has("--topic")) fields.push_back("topics");
  group->set_description(args.Get("--description"));
  if (args.Has("--description")) fields.push_back("description");
  RETURN_IF_ERROR(ReadPairs(args, "--label", group->mutable_labels()));
  if (args.Has("--label")) fields.push_back("labels");
  RETURN_IF_ERROR(ReadQueueChanges(args, group->mutable_queue(), &fields));
  if (fields.empty()) return UsageError("nothing to change; see `acta group update --help`");
  for (const std::string& field : fields) request.mutable_update_mask()->add_paths(field);
  ASSIGN_OR_RETURN(const v1::UpdateGroupResponse response, context.admin().UpdateGroup(request));
  if (response.group().has_queue()) {
    RETURN_IF_ERROR(context.PrintHeading(absl::StrCat(QueueText(response.group().queue()), "\n")));
  }
  return context.output().Print({&response}, GroupTable({&response.group()}));
}

}  // namespace

Command GroupUpdateCommand() {
  std::vector<Option> options = {{"--topic", "TOPIC", "what it reads from now on; up to 64", true},
                                 {"--description", "TEXT", "what it is for"},
                                 {"--label", "NAME=VALUE", "a note for people and programs", true}};
  for (Option& option : QueueSettingOptions()) options.push_back(std::move(option));
  return {
      "group update",
      {"GROUP"},
      "changes settings of a group, also while members are connected",
      "Only what is named changes; --topic and --label replace all of them. What is leased\n"
      "keeps its lease and what waits its time. --order needs a group without members, and a\n"
      "stricter one that no event has failed. The mode is fixed. In brackets: what a new group\n"
      "has.",
      "acta group update billing --lease 2m --max-attempts 5",
      options,
      Run};
}

}  // namespace acta::cli
