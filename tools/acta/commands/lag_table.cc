#include "tools/acta/commands/lag_table.h"

#include <algorithm>

#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

Table StreamLagTable(const v1::GetLagResponse& lag) {
  Table table({"TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "BYTES", "BEHIND", "MEMBER"});
  int64_t events = 0;
  int64_t bytes = 0;
  absl::Duration behind;
  for (const v1::PartitionLag& row : lag.partitions()) {
    table.Row(row.topic(), row.partition(), row.committed_offset(), row.end_offset(),
              row.lag_events(), row.lag_bytes(), DurationText(row.behind()),
              row.member_id().empty() ? "-" : row.member_id());
    events += row.lag_events();
    bytes += row.lag_bytes();
    behind = std::max(behind, FromProtoDuration(row.behind()));
  }
  table.Total("total", "", "", "", events, bytes, DurationText(behind), "");
  return table;
}

// Filters and expiry are not known of what was not scanned.
const char* CountText(bool exact) { return exact ? "exact" : "upper_bound"; }

Table QueueLagTable(const v1::GetLagResponse& lag) {
  Table table({"TOPIC", "PARTITION", "END", "LAG", "READY", "LEASED", "RETRY", "BLOCKED", "HELD",
               "NOT_SCANNED", "DEAD_LETTERS", "BEHIND", "NEVER_DELIVERED", "COUNT"});
  v1::QueueLag sum;
  int64_t events = 0;
  absl::Duration behind, never_delivered;
  bool exact = true;
  for (const v1::PartitionLag& row : lag.partitions()) {
    const v1::QueueLag& queue = row.queue();
    table.Row(row.topic(), row.partition(), row.end_offset(), row.lag_events(), queue.ready(),
              queue.leased(), queue.retry_wait(), queue.blocked_by_key(), queue.held(),
              queue.not_scanned(), "", DurationText(row.behind()),
              DurationText(queue.behind_never_delivered()), CountText(row.exact()));
    events += row.lag_events();
    sum.set_ready(sum.ready() + queue.ready());
    sum.set_leased(sum.leased() + queue.leased());
    sum.set_retry_wait(sum.retry_wait() + queue.retry_wait());
    sum.set_blocked_by_key(sum.blocked_by_key() + queue.blocked_by_key());
    sum.set_held(sum.held() + queue.held());
    sum.set_not_scanned(sum.not_scanned() + queue.not_scanned());
    sum.set_dead_letters(queue.dead_letters());  // Each says how many the whole group has.
    behind = std::max(behind, FromProtoDuration(row.behind()));
    never_delivered = std::max(never_delivered, FromProtoDuration(queue.behind_never_delivered()));
    exact &= row.exact();
  }
  table.Total("total", "", "", events, sum.ready(), sum.leased(), sum.retry_wait(),
              sum.blocked_by_key(), sum.held(), sum.not_scanned(), sum.dead_letters(),
              DurationText(behind), DurationText(never_delivered), CountText(exact));
  return table;
}

}  // namespace

Table LagTable(const v1::GetLagResponse& lag) {
  const bool is_queue = std::any_of(lag.partitions().begin(), lag.partitions().end(),
                                    [](const v1::PartitionLag& row) { return row.has_queue(); });
  return is_queue ? QueueLagTable(lag) : StreamLagTable(lag);
}

}  // namespace acta::cli
