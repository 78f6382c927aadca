#include <string>
#include <utility>
#include <vector>

#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/app/for_each_name.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/tables.h"
#include "tools/acta/commands/topic_options.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

// As one is told where one was asked for, and as `acta topic list` tells them where several were.
absl::Status PrintCreated(CommandContext& context, const v1::ListTopicsResponse& created) {
  std::vector<const v1::Topic*> topics;
  for (const v1::Topic& topic : created.topics()) topics.push_back(&topic);
  if (context.args().All("TOPIC").size() > 1) {
    return context.output().Print({&created}, TopicTable(topics));
  }
  v1::CreateTopicResponse one;
  *one.mutable_topic() = created.topics(0);
  RETURN_IF_ERROR(context.output().Print({&one}, TopicTable(topics)));
  context.terminal().Hint("publish to it: acta publish " + one.topic().name() + " 'hello'");
  return absl::OkStatus();
}

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
  v1::ListTopicsResponse created;
  const auto create = [&](const std::string& name) -> absl::Status {
    request.mutable_topic()->set_name(name);
    ASSIGN_OR_RETURN(v1::CreateTopicResponse response, context.admin().CreateTopic(request));
    *created.add_topics() = std::move(*response.mutable_topic());
    return absl::OkStatus();
  };
  absl::Status status = ForEachName(args.All("TOPIC"), "topic", "created", create);
  if (!created.topics().empty()) status.Update(PrintCreated(context, created));
  return status;
}

}  // namespace

Command TopicCreateCommand() {
  std::vector<Option> options = TopicOptions();
  options.push_back({"--visible-at", "LEVEL", "fsync or os: when readers see an event (fsync)"});
  options.push_back({"--partitioner", "HOW", "key, or explicit: the client names it (key)"});
  return {"topic create",
          {"TOPIC..."},
          "creates topics",
          "Several names make several topics, each with these settings. One that cannot be made\n"
          "is named, and the others are made.",
          "acta topic create orders --partitions 4 --retention 7d",
          options,
          Run};
}

}  // namespace acta::cli
