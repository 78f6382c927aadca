#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/app/watch.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/tables.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

Table PartitionTable(const v1::ListPartitionsResponse& partitions) {
  Table table(
      {"PARTITION", "FIRST", "END", "EVENTS", "BYTES", "OLDEST", "NEWEST", "DEDUPE_WINDOW"});
  int64_t events = 0;
  int64_t bytes = 0;
  for (const v1::PartitionInfo& row : partitions.partitions()) {
    table.Row(row.partition(), row.first_offset(), row.end_offset(),
              row.end_offset() - row.first_offset(), row.bytes(), TimeText(row.first_time()),
              TimeText(row.last_time()), DurationText(row.effective_dedupe_window()));
    events += row.end_offset() - row.first_offset();
    bytes += row.bytes();
  }
  table.Total("total", "", "", events, bytes, "", "", "");
  return table;
}

absl::Status Show(CommandContext& context, bool clear) {
  v1::GetTopicRequest get;
  get.set_name(context.args().Get("TOPIC"));
  ASSIGN_OR_RETURN(const v1::GetTopicResponse topic, context.admin().GetTopic(get));
  v1::ListPartitionsRequest list;
  list.set_topic(get.name());
  ASSIGN_OR_RETURN(const v1::ListPartitionsResponse partitions,
                   context.admin().ListPartitions(list));
  if (clear) RETURN_IF_ERROR(context.ClearScreen());
  RETURN_IF_ERROR(context.PrintHeading(TopicSettingsText(topic.topic())));
  return context.output().Print({&topic, &partitions}, PartitionTable(partitions));
}

absl::Status Run(CommandContext& context) {
  return ShowOrWatch(context, [&](bool clear) { return Show(context, clear); });
}

}  // namespace

Command TopicDescribeCommand() {
  return {"topic describe",
          {"TOPIC"},
          "settings, offsets, bytes and times of each partition",
          "",
          "acta topic describe orders",
          WatchOptions(),
          Run};
}

}  // namespace acta::cli
