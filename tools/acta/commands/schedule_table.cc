#include "tools/acta/commands/schedule_table.h"

#include "absl/strings/str_cat.h"
#include "tools/acta/output/words.h"

namespace acta::cli {

Table ScheduleTable(const std::vector<const v1::Schedule*>& schedules) {
  Table table({"SCHEDULE_ID", "TOPIC", "DELIVER_AT", "SCHEDULED_AT", "TYPE", "EVENT_ID", "KEY",
               "SIZE", "BY"});
  for (const v1::Schedule* one : schedules) {
    const bool whole = one->problem().empty();
    table.Row(one->schedule_id(), one->topic(), TimeText(one->deliver_at()),
              TimeText(one->scheduled_at()), whole ? one->event_type() : "(cannot be read)",
              one->event_id(), one->event_key(), whole ? BytesText(one->event_bytes()) : "-",
              one->app().empty() ? one->principal() : one->app());
  }
  return table;
}

}  // namespace acta::cli
