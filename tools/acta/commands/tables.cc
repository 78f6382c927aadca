#include "tools/acta/commands/tables.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tools/acta/output/words.h"

namespace acta::cli {

Table TopicTable(const std::vector<const v1::Topic*>& topics) {
  Table table(
      {"TOPIC", "PARTITIONS", "RETENTION", "SIZE", "ACK", "VISIBLE_AT", "DEDUPE", "LABELS"});
  for (const v1::Topic* topic : topics) {
    table.Row(topic->name(), topic->partitions(), DurationText(topic->retention()),
              topic->retention_bytes() == 0 ? "-" : BytesText(topic->retention_bytes()),
              LevelText(topic->ack_level()), LevelText(topic->visible_at()),
              DedupeText(topic->dedupe()), LabelsText(topic->labels()));
  }
  return table;
}

std::string TopicSettingsText(const v1::Topic& topic) {
  return absl::StrCat(
      "topic ", topic.name(), ": ack ", LevelText(topic.ack_level()), ", visible at ",
      LevelText(topic.visible_at()), ", retention ", DurationText(topic.retention()), ", ",
      topic.retention_bytes() == 0 ? "any size" : BytesText(topic.retention_bytes()), ", dedupe ",
      DedupeText(topic.dedupe()), " for ", DurationText(topic.dedupe_window()), ", journeys ",
      EnumText(v1::JourneyMode_Name(topic.journey()), "JOURNEY_MODE_"), ", events up to ",
      BytesText(topic.max_event_bytes()), ", labels ", Plain(LabelsText(topic.labels())), "\n");
}

Table GroupTable(const std::vector<const v1::Group*>& groups) {
  Table table({"GROUP", "MODE", "TOPICS", "CREATED", "DESCRIPTION"});
  for (const v1::Group* group : groups) {
    table.Row(group->name(), ModeText(group->mode()), absl::StrJoin(group->topics(), ","),
              TimeText(group->create_time()), group->description());
  }
  return table;
}

}  // namespace acta::cli
