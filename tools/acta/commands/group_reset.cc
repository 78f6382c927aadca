#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/syntax/position.h"

namespace acta::cli {
namespace {

// PARTITION:OFFSET speaks of one topic: the one named, or the group's only one.
absl::StatusOr<std::string> OneTopic(CommandContext& context, const std::string& group) {
  if (context.args().Has("--topic")) return context.args().Get("--topic");
  v1::GetGroupRequest request;
  request.set_name(group);
  ASSIGN_OR_RETURN(const v1::GetGroupResponse response, context.admin().GetGroup(request));
  if (response.group().topics_size() == 1) return response.group().topics(0);
  return UsageError("--to PARTITION:OFFSET needs --topic: the group reads several");
}

absl::Status SetTarget(CommandContext& context, v1::ResetOffsetsRequest* request) {
  if (!context.args().Has("--to")) return UsageError("--to is missing: where the group goes on");
  for (const std::string& text : context.args().All("--to")) {
    ASSIGN_OR_RETURN(const Position to, ParsePosition(text, context.now()));
    if (to.kind != Position::Kind::kPartitionOffset) {
      if (context.args().All("--to").size() > 1) {
        return UsageError("--to: only PARTITION:OFFSET may be given more than once");
      }
      *request->mutable_to() = ToStartPosition(to);
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const std::string topic, OneTopic(context, request->group()));
    v1::GroupOffset* offset = request->mutable_to_offsets()->add_offsets();
    offset->set_topic(topic);
    offset->set_partition(to.partition);
    offset->set_offset(to.offset);
  }
  return absl::OkStatus();
}

absl::Status Run(CommandContext& context) {
  const Args& args = context.args();
  if (!args.Has("--reason"))
    return UsageError("--reason is missing: it is kept with the positions");
  v1::ResetOffsetsRequest request;
  request.set_group(args.Get("GROUP"));
  request.set_topic(args.Get("--topic"));
  request.set_reason(args.Get("--reason"));
  request.set_dry_run(args.Has("--dry-run"));
  request.set_force(args.Has("--force"));
  RETURN_IF_ERROR(SetTarget(context, &request));
  ASSIGN_OR_RETURN(const v1::ResetOffsetsResponse response, context.admin().ResetOffsets(request));
  Table table({"TOPIC", "PARTITION", "OLD", "NEW", "CHANGE"});
  for (const v1::OffsetChange& change : response.changes()) {
    table.Row(change.topic(), change.partition(), change.old_offset(), change.new_offset(),
              change.new_offset() - change.old_offset());
  }
  RETURN_IF_ERROR(context.output().Print({&response}, table));
  if (response.dry_run()) context.terminal().Hint("nothing was changed: --dry-run");
  return absl::OkStatus();
}

}  // namespace

Command GroupResetCommand() {
  return {"group reset",
          {"GROUP"},
          "moves a group's positions, back or forth",
          "Works while the group has no members; --force ends those it concerns.\n"
          "They join again and go on at the new positions, and nothing that they were given\n"
          "before counts any more. TIME is append time.",
          "acta group reset billing --to -1h --reason 'billed twice' --dry-run",
          {{"--to", "POSITION", "earliest, latest, OFFSET, TIME or PARTITION:OFFSET", true},
           {"--reason", "TEXT", "why; kept with the positions"},
           {"--topic", "TOPIC", "only this topic"},
           {"--dry-run", "", "show what would change and change nothing"},
           {"--force", "", "also while members are connected: those it concerns begin anew"}},
          Run};
}

}  // namespace acta::cli
