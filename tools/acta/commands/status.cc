#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

Table StatusTable(const v1::GetServerResponse& server, const v1::GetStatusResponse& status) {
  Table table({"WHAT", "VALUE"});
  table.Row("server", absl::StrCat("actad ", server.version(), ", process ", server.pid(), ", ",
                                   status.ready() ? "ready" : "not ready"));
  table.Row("addresses",
            absl::StrCat("gRPC ", server.grpc_address(), ", HTTP ", server.http_address(),
                         server.insecure() ? " (everybody may do everything)" : ""));
  table.Row("store", absl::StrCat(server.store_id(), ", format ", server.format_version(),
                                  ", incarnation ", server.incarnation()));
  table.Row("up", DurationText(status.uptime()));
  table.Row("topics",
            absl::StrCat(status.topics(), " with ", CountText(status.partitions(), "partition")));
  table.Row("groups", status.groups());
  table.Row("connections",
            absl::StrCat(status.connections(), ", publishing ", status.publish_streams(),
                         ", subscribed ", status.subscriptions()));
  table.Row("published", absl::StrCat(CountText(status.events_published(), "event"), ", ",
                                      BytesText(status.bytes_published()), ", ",
                                      CountText(status.duplicates(), "duplicate")));
  table.Row("delivered", absl::StrCat(CountText(status.events_delivered(), "event"), ", ",
                                      BytesText(status.bytes_delivered())));
  table.Row("log",
            absl::StrCat(BytesText(status.log_bytes()), " in ", CountText(status.slices(), "slice"),
                         ", WAL ", BytesText(status.wal_bytes())));
  table.Row("journeys", absl::StrCat("index ", BytesText(status.index_bytes()), " in ",
                                     CountText(status.index_runs(), "file"), ", ",
                                     CountText(status.index_lag_events(), "event"),
                                     " behind, ledger ", BytesText(status.ledger_bytes())));
  if (status.has_sync_p99_us()) {
    const auto text = [](int64_t micros) { return DurationText(absl::Microseconds(micros)); };
    table.Row("syncs", absl::StrCat("half took at most ", text(status.sync_p50_us()),
                                    ", 99 of 100 ", text(status.sync_p99_us())));
  }
  table.Row("disk", absl::StrCat(BytesText(status.disk_free_bytes()), " free of ",
                                 BytesText(status.disk_total_bytes())));
  table.Row("memory", absl::StrCat("tail cache ", BytesText(status.tail_cache_bytes()),
                                   ", commit queue ", BytesText(status.commit_queue_bytes())));
  if (status.has_scrub()) {
    const v1::ScrubRun& scrub = status.scrub();
    table.Row("scrub",
              absl::StrCat(scrub.has_end_time() ? "done " : "running, ",
                           scrub.has_end_time() ? TimeText(scrub.end_time()) + ", " : "",
                           BytesText(scrub.bytes()), " read, ", scrub.damaged(), " damaged"));
  }
  if (status.has_last_backup_time()) {
    table.Row("backup", absl::StrCat("the newest is of ", TimeText(status.last_backup_time())));
  }
  for (const v1::Alarm& alarm : status.alarms()) {
    table.Row(absl::StrCat("alarm ", alarm.code()), alarm.text());
  }
  return table;
}

absl::Status Run(CommandContext& context) {
  ASSIGN_OR_RETURN(const v1::GetServerResponse server, context.admin().GetServer({}));
  ASSIGN_OR_RETURN(const v1::GetStatusResponse status, context.admin().GetStatus({}));
  return context.output().Print({&server, &status}, StatusTable(server, status));
}

}  // namespace

Command StatusCommand() {
  return {"status", {}, "what runs: load, storage, alarms", "", "acta status", {}, Run};
}

}  // namespace acta::cli
