#include "absl/strings/str_join.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/queue_options.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

Table MemberTable(const v1::Group& group) {
  Table table({"MEMBER", "CONNECTED", "APP", "VERSION", "PEER", "SINCE", "PARTITIONS"});
  for (const v1::GroupMember& member : group.members()) {
    std::vector<std::string> partitions;
    for (const v1::GroupPartition& partition : member.partitions()) {
      partitions.push_back(absl::StrCat(partition.topic(), "/", partition.partition()));
    }
    table.Row(member.member_id(), member.connected() ? "yes" : "no", member.app(),
              member.app_version(), member.peer(), TimeText(member.connect_time()),
              absl::StrJoin(partitions, ","));
  }
  return table;
}

absl::Status Run(CommandContext& context) {
  v1::GetGroupRequest request;
  request.set_name(context.args().Get("GROUP"));
  ASSIGN_OR_RETURN(const v1::GetGroupResponse response, context.admin().GetGroup(request));
  const v1::Group& group = response.group();
  RETURN_IF_ERROR(context.PrintHeading(
      absl::StrCat("group ", group.name(), ": ", ModeText(group.mode()), " of ",
                   absl::StrJoin(group.topics(), ", "), ", created ", TimeText(group.create_time()),
                   ", labels ", Plain(LabelsText(group.labels())),
                   group.description().empty() ? "" : ", description ", Plain(group.description()),
                   "\n", group.has_queue() ? absl::StrCat(QueueText(group.queue()), "\n") : "")));
  return context.output().Print({&response}, MemberTable(group));
}

}  // namespace

Command GroupDescribeCommand() {
  return {"group describe",
          {"GROUP"},
          "settings and members with their partitions",
          "",
          "acta group describe billing",
          {},
          Run};
}

}  // namespace acta::cli
