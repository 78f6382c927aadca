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
  const Args& args = context.args();
  v1::CreateTopicRequest request;
  std::vector<std::string> fields;
  RETURN_IF_ERROR(ReadTopicOptions(args, request.mutable_topic(), &fields));
  ASSIGN_OR_RETURN(const v1::AckLevel visible_at, ReadLevel(args, "--visible-at"));
  request.mutable_topic()->set_visible_at(visible_at);
  if (args.Has("--partitioner")) {
    const std::string& text = args.Get("--partitioner");
    if (text != "key" && text != "explicit") {
      return UsageError("--partitioner: write key or explicit");
    }
    request.mutable_topic()->set_partitioner(text == "key" ? v1::PARTITIONER_KEY
                                                           : v1::PARTITIONER_EXPLICIT);
  }
  ASSIGN_OR_RETURN(const v1::CreateTopicResponse response, context.admin().CreateTopic(request));
  RETURN_IF_ERROR(context.output().Print({&response}, TopicTable({&response.topic()})));
  context.terminal().Hint("publish to it: acta publish " + args.Get("TOPIC") + " 'hello'");
  return absl::OkStatus();
}

}  // namespace

Command TopicCreateCommand() {
  std::vector<Option> options = TopicOptions();
  options.push_back({"--visible-at", "LEVEL", "fsync or os: when readers see an event (fsync)"});
  options.push_back({"--partitioner", "HOW", "key, or explicit: the client names it (key)"});
  return {"topic create",
          {"TOPIC"},
          "creates a topic",
          "",
          "acta topic create orders --partitions 4 --retention 7d",
          options,
          Run};
}

}  // namespace acta::cli
