#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
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
  if (args.GetOr("--mode", "stream") != "stream") return UsageError("--mode: write stream");
  group->set_mode(v1::GROUP_MODE_STREAM);
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
  return {"group create",
          {"GROUP"},
          "creates a consumer group",
          "Its start position is fixed now, for every partition.",
          "acta group create billing --topic orders --from earliest",
          {{"--topic", "TOPIC", "what it reads; up to 64", true},
           {"--from", "POSITION", "earliest, latest, OFFSET or TIME (latest)"},
           {"--mode", "MODE", "stream (stream)"},
           {"--description", "TEXT", "what it is for"},
           {"--label", "NAME=VALUE", "a note for people and programs", true}},
          Run};
}

}  // namespace acta::cli
