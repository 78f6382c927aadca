#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/queue_options.h"
#include "tools/acta/commands/tables.h"
#include "tools/acta/commands/topic_options.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/syntax/position.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  const Args& args = context.args();
  v1::CreateGroupRequest request;
  v1::Group* group = request.mutable_group();
  group->set_name(args.Get("GROUP"));
  if (!args.Has("--topic")) return UsageError("--topic is missing: what the group reads");
  for (const std::string& topic : args.All("--topic")) group->add_topics(topic);
  RETURN_IF_ERROR(ReadQueueOptions(args, group));
  group->set_description(args.Get("--description"));
  RETURN_IF_ERROR(ReadPairs(args, "--label", group->mutable_labels()));
  ASSIGN_OR_RETURN(const Position from,
                   ParsePosition(args.GetOr("--from", "latest"), context.now()));
  if (from.kind == Position::Kind::kPartitionOffset) {
    return UsageError("--from: PARTITION:OFFSET is for `acta group reset`");
  }
  *request.mutable_start() = ToStartPosition(from);
  ASSIGN_OR_RETURN(const v1::CreateGroupResponse response, context.admin().CreateGroup(request));
  return context.output().Print({&response}, GroupTable({&response.group()}));
}

}  // namespace

Command GroupCreateCommand() {
  std::vector<Option> options = {
      {"--topic", "TOPIC", "what it reads; up to 64", true},
      {"--from", "POSITION", "earliest, latest, OFFSET or TIME (latest)"},
      {"--description", "TEXT", "what it is for"},
      {"--label", "NAME=VALUE", "a note for people and programs", true}};
  for (Option& option : QueueOptions()) options.push_back(std::move(option));
  return {"group create",
          {"GROUP"},
          "creates a consumer group",
          "Its start position is fixed now, for every partition. The members of a group of mode\n"
          "stream each have partitions of their own and commit positions; those of mode queue\n"
          "share every partition: each event is leased to one of them, and what fails comes again.",
          "acta group create billing --topic orders --from earliest",
          options,
          Run};
}

}  // namespace acta::cli
