#include "server/app/daemon_properties.h"

#include <algorithm>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "server/app/listen_address.h"
#include "server/config/property_value.h"
#include "server/core/topics/topic_rules.h"
#include "server/telemetry/process_metrics.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

constexpr int64_t kKiB = 1 << 10;
constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kGiB = int64_t{1} << 30;
constexpr int64_t kTiB = int64_t{1} << 40;
constexpr int32_t kKiB32 = 1 << 10;
constexpr int32_t kMiB32 = 1 << 20;
constexpr int64_t kCatchUpBytesPerCore = 64 * kMiB;

void DescribeListen(DaemonOptions* o, PropertyTable* table) {
  table->AddText("listen.grpc", &o->listen.grpc, "address of the API; port 0 picks a free one",
                 "IP address and port");
  table->AddText("listen.http", &o->listen.http,
                 "address of health and metrics; port 0 picks a free one", "IP address and port");
  table->AddSwitch("listen.insecure", &o->listen.insecure,
                   "lets everybody do everything, on addresses beyond loopback too");
  table->AddText("listen.ready_file", &o->listen.ready_file,
                 "written once ready: addresses, process and store as JSON; empty: none", "path");
  ConnectionLimits* const connections = &o->rpc.connections;
  table->AddInteger("listen.max_connections", &connections->max_connections, 1, 1'000'000,
                    "gRPC connections of the daemon");
  table->AddInteger("listen.max_connections_per_address", &connections->max_connections_per_address,
                    1, 1'000'000, "gRPC connections from one address; loopback is exempt");
  table->AddInteger("listen.max_http_connections", &o->http.max_connections, 1, 10'000,
                    "HTTP connections of the daemon");
  table->AddDuration("listen.handshake_timeout", &o->rpc.handshake_timeout, absl::Milliseconds(100),
                     absl::Minutes(5), "a connection that has not said hello by then is closed");
  table->AddDuration("listen.keepalive", &o->rpc.keepalive, absl::Seconds(1), absl::Hours(24),
                     "a silent connection is asked whether it is there");
  table->AddDuration("listen.keepalive_timeout", &o->rpc.keepalive_timeout, absl::Seconds(1),
                     absl::Minutes(10), "and closed when no answer comes by then");
  table->AddDuration("listen.stop_grace", &o->listen.stop_grace, absl::ZeroDuration(),
                     absl::Hours(1), "a graceful stop waits so long for what is under way");
}

void DescribeWatermark(absl::string_view level, absl::string_view effect, Watermark* watermark,
                       PropertyTable* table) {
  table->AddNumber(
      absl::StrCat("storage.disk_", level, "_percent"), &watermark->percent, 0, 100,
      absl::StrCat("below the smaller of this free share of the disk and _bytes, ", effect));
  table->AddBytes(absl::StrCat("storage.disk_", level, "_bytes"), &watermark->bytes, 0, 1024 * kTiB,
                  absl::StrCat("see disk_", level, "_percent"));
}

void DescribeStorage(DaemonOptions* o, PropertyTable* table) {
  LocalEngineOptions* const s = &o->storage;
  table->AddText("storage.data", &s->data, "the data folder; created when missing", "path");
  table->AddText("storage.wal_dir", &s->wal_dir,
                 "folder of the write-ahead log; empty: inside the data folder", "path");
  table->AddSwitch("storage.accept_loss", &s->accept_loss,
                   "starts although the medium lost acknowledged data; raises the incarnation");
  table->AddBytes("storage.tail_cache", &s->tail_cache_bytes, kMiB, kTiB,
                  "memory for the newest events, from which readers are served");
  table->AddBytes("storage.memtable", &s->memtable_bytes, 32 * kMiB, kTiB,
                  "memory for what is not yet in table files");
  table->AddBytes("storage.write_buffer", &s->write_buffer_bytes, kMiB, kGiB,
                  "one memtable of a log slice");
  table->AddBytes("storage.in_flight", &s->in_flight_bytes, 18 * kMiB, kTiB,
                  "publishes that wait to be written; above it they are refused");
  table->AddBytes("storage.dedupe_memory", &s->dedupe_bytes, kMiB, kTiB,
                  "memory for event ids of all topics");
  table->AddInteger("storage.dedupe_max_ids", &s->dedupe_max_ids, 1, int64_t{1'000'000'000},
                    "event ids remembered for one topic");
  table->AddInteger("storage.slice_seconds", &o->slice_seconds, 0, 86'400 * 366,
                    "age at which a time slice closes; 0: an eighth of its class");
  table->AddBytes("storage.slice_bytes", &s->slice_bytes, kMiB, kTiB,
                  "size at which a time slice closes early");
  table->AddInteger("storage.max_slices", &s->max_slices, 8, 96,
                    "time slices of all classes, each counted twice when it has an index");
  table->AddDuration("storage.ledger_retention", &s->ledger_retention, absl::ZeroDuration(),
                     kMostRetention,
                     "how long it is kept what groups did with events; 0: not at all");
  table->AddBytes("storage.journey_memory", &o->journeys.buffer_bytes, kMiB, kGiB,
                  "entries of the index of journeys that are in no file yet");
  DescribeWatermark("warn", "an alarm is raised", &s->watermarks.warn, table);
  DescribeWatermark("soft", "publishes are refused", &s->watermarks.soft, table);
  DescribeWatermark("hard", "every write is refused", &s->watermarks.hard, table);
  table->AddBytes("storage.ballast", &s->ballast_bytes, 0, kTiB,
                  "a file that may be deleted when the disk is full; 0: none");
  table->AddBytes("storage.deletion_rate", &s->deletion_bytes_per_second, kMiB, kTiB,
                  "bytes of old files deleted a second, or what waits within half a minute");
  table->AddText("storage.backup_dir", &o->backup.folder,
                 "folder of the backups of this store; empty: none are made", "path");
  table->AddBytes("storage.backup_rate", &o->backup.bytes_per_second, 0, kTiB,
                  "bytes a second a backup copies at most; 0: no limit");
  table->AddInteger("storage.backup_keep", &o->backup.keep, 0, 10'000,
                    "after a backup the oldest go until so many are left; 0: all stay");
  table->AddDuration("storage.scrub_every", &o->scrub.every, absl::ZeroDuration(),
                     absl::Hours(24 * 366),
                     "all stored events are read and checked so often, from ten minutes after the "
                     "start on; 0: only when asked");
  table->AddBytes("storage.scrub_rate", &o->scrub.bytes_per_second, 0, kTiB,
                  "bytes a second such a scrub reads at most; 0: no limit");
  table->AddInteger("storage.read_threads", &o->read_threads, 0, 1024,
                    "threads for reads from disk; 0: one a core, at least 4");
}

void DescribeTopics(DaemonOptions* o, PropertyTable* table) {
  TopicLimits* const t = &o->topics;
  table->AddInteger("topics.default_partitions", &t->default_partitions, 1, 256,
                    "partitions of a new topic");
  table->AddDuration("topics.default_retention", &t->default_retention, kLeastRetention,
                     kMostRetention, "how long events are kept");
  table->AddBytes("topics.default_max_event", &t->default_max_event_bytes, kKiB32, 16 * kMiB32,
                  "the largest event of a new topic");
  table->AddDuration("topics.default_dedupe_window", &t->default_dedupe_window, kLeastDedupeWindow,
                     kMostDedupeWindow, "how long an event id is remembered");
}

void DescribeServerLimits(DaemonOptions* o, PropertyTable* table) {
  table->AddInteger("limits.partitions", &o->topics.max_partitions, 1, 1'000'000,
                    "partitions of all topics");
  table->AddInteger("limits.partitions_per_topic", &o->topics.max_partitions_per_topic, 1, 256,
                    "partitions of one topic");
  table->AddInteger(
      "limits.scheduled_events", &o->schedules.max_events, 0, 100'000'000,
      "events that wait to be published, of all topics; about 150 bytes of memory each");
  table->AddInteger("limits.groups", &o->groups.max_groups, 1, 1'000'000, "consumer groups");
  table->AddInteger("limits.topics_per_group", &o->groups.max_topics_per_group, 1, 64,
                    "topics a group reads");
  table->AddInteger("limits.members_per_group", &o->groups.max_members_per_group, 1, 100'000,
                    "members of a group");
  table->AddInteger("limits.claims_per_group", &o->claims.max_claims_per_group, 1, 100'000'000,
                    "claims of a group that are kept");
  table->AddDuration("limits.revoke_deadline", &o->groups.revoke_deadline, absl::Seconds(1),
                     absl::Hours(1), "time a member has to hand a partition over");
  table->AddDuration("limits.member_grace", &o->groups.member_grace, absl::ZeroDuration(),
                     absl::Hours(1), "a named member keeps its partitions so long after a break");
  table->AddDuration("limits.member_timeout", &o->subscribe.member_timeout, absl::Seconds(1),
                     absl::Hours(1), "a member that is silent so long is out");
  table->AddInteger("limits.streams_per_connection", &o->rpc.connections.max_streams_per_connection,
                    1, 100'000, "calls at the same time on one connection");
  table->AddBytes("limits.unanswered", &o->rpc.max_unanswered_bytes, kMiB, kGiB,
                  "of one publish stream; above it the stream is not read further");
  table->AddBytes("limits.grpc_memory", &o->rpc.max_buffer_bytes, 64 * kMiB, kTiB,
                  "buffers of gRPC for all connections");
  table->AddBytes("limits.metadata", &o->rpc.max_metadata_bytes, kKiB32, kMiB32,
                  "metadata of one call");
}

void DescribeCallLimits(DaemonOptions* o, PropertyTable* table) {
  PublishLimits* const p = &o->publish;
  SubscribeLimits* const s = &o->subscribe;
  table->AddBytes("limits.max_event", &o->topics.max_event_bytes, kKiB32, 16 * kMiB32,
                  "the largest event any topic may take; above 4 MiB those who read have to raise "
                  "max_frame_bytes and what their gRPC receives");
  table->AddBytes("limits.max_frame", &p->max_frame_bytes, 64 * kKiB32, 17 * kMiB32,
                  "one publish frame");
  table->AddInteger("limits.batches_per_frame", &p->max_batches, 1, 1000,
                    "batches in one publish frame");
  table->AddInteger("limits.events_per_batch", &p->max_batch_events, 1, 65536,
                    "events in one batch");
  table->AddInteger("limits.events_per_frame", &p->max_frame_events, 1, 131072,
                    "events in one publish frame");
  table->AddBytes("limits.key", &p->max_key_bytes, 1, kKiB32, "the key of an event");
  table->AddInteger("limits.attributes_per_event", &p->max_attributes, 0, 64,
                    "attributes of an event");
  table->AddBytes("limits.attributes", &p->max_attribute_bytes, 0, 8 * kKiB32,
                  "all attributes of an event together");
  table->AddInteger("limits.affected_per_event", &p->max_affected, 0, 1000,
                    "entries of affected of an event");
  table->AddInteger("limits.events_per_atomic", &p->max_atomic_events, 1, 1000,
                    "events in one atomic publish");
  table->AddBytes("limits.atomic", &p->max_atomic_bytes, kKiB32, 16 * kMiB32, "one atomic publish");
  table->AddInteger("limits.default_credit_events", &s->default_credit_events, 1, 10'000'000,
                    "events a subscriber is sent ahead when it does not say");
  table->AddBytes("limits.default_credit", &s->default_credit_bytes, 64 * kKiB, kGiB,
                  "bytes a subscriber is sent ahead when it does not say");
  table->AddInteger("limits.max_credit_events", &s->max_credit_events, 1, int64_t{1'000'000'000},
                    "events a subscriber may be sent ahead");
  table->AddBytes("limits.max_credit", &s->max_credit_bytes, 64 * kKiB, 16 * kGiB,
                  "bytes a subscriber may be sent ahead");
  table->AddBytes("limits.control_frame", &s->max_control_bytes, kKiB32, kMiB32,
                  "one control frame of a subscriber");
  table->AddBytes("limits.delivery_frame", &s->target_frame_bytes, 4 * kKiB32, 16 * kMiB32,
                  "one delivery frame, unless one event alone is larger");
  table->AddInteger("limits.waiting_fetches", &s->max_waiting_fetches, 1, 1'000'000,
                    "Fetch calls that wait for events");
  table->AddBytes("limits.fetch_bytes", &s->max_fetch_bytes, 32 * kMiB, kTiB,
                  "pages of Fetch that are read and not yet with their client");
  table->AddBytes("limits.catch_up_rate", &o->catch_up_rate, 0, kTiB,
                  "bytes a second that streams read from the disk while events are appended, or "
                  "twice those if more; 0: 64 MiB a core");
}

void DescribeRest(DaemonOptions* o, PropertyTable* table) {
  table->AddChoice("log.level", &o->log.level,
                   {{"debug", LogLevel::kDebug},
                    {"info", LogLevel::kInfo},
                    {"warn", LogLevel::kWarn},
                    {"error", LogLevel::kError}},
                   "the least level that is written");
  table->AddChoice("log.format", &o->log.format,
                   {{"text", LogFormat::kText}, {"json", LogFormat::kJson}}, "form of a line");
  table->AddDuration("log.slow", &o->log.slow, absl::ZeroDuration(), absl::Hours(1),
                     "a write, sync, cold read or call that takes longer is logged; 0s: none");
  table->AddInteger("telemetry.max_series", &o->telemetry.max_series, 1, 1'000'000,
                    "series shown of one metric; the rest is counted");
  table->AddText("telemetry.otlp_endpoint", &o->otlp.endpoint,
                 "collector that gets spans over OTLP/gRPC, as http://127.0.0.1:4317; empty: none",
                 "http(s)://HOST:PORT");
  table->AddDuration("telemetry.otlp_timeout", &o->otlp.timeout, absl::Milliseconds(100),
                     absl::Minutes(1), "for an answer of the collector");
}

absl::Status Invalid(const std::string& message) { return Error(v1::INVALID_ARGUMENT, message); }

absl::Status CheckOtlp(const OtlpOptions& otlp) {
  if (otlp.endpoint.empty()) return absl::OkStatus();
  const absl::StatusOr<OtlpTarget> target = ParseOtlpEndpoint(otlp.endpoint);
  if (target.ok()) return absl::OkStatus();
  return Invalid(absl::StrCat("telemetry.otlp_endpoint: ", target.status().message()));
}

absl::Status CheckListener(absl::string_view property, const std::string& text, bool insecure) {
  const absl::StatusOr<ListenAddress> address = ParseListenAddress(text);
  if (!address.ok()) {
    return Invalid(absl::StrCat(property, ": ", std::string(address.status().message())));
  }
  if (address->loopback || insecure) return absl::OkStatus();
  return Invalid(absl::StrCat(
      property, ": '", text, "' can be reached from other machines, and there is neither TLS nor ",
      "authentication yet: everybody who reaches it could read, publish and delete everything. ",
      "Listen on 127.0.0.1, or say that this is wanted with --insecure"));
}

// a <= b, by name; values are said as --print-config says them.
absl::Status CheckOrder(absl::string_view a, double a_value, absl::string_view b, double b_value) {
  if (a_value <= b_value) return absl::OkStatus();
  return Invalid(absl::StrCat(a, " (", FormatNumber(a_value), ") must not be above ", b, " (",
                              FormatNumber(b_value), ")"));
}
absl::Status CheckBytesOrder(absl::string_view a, int64_t a_bytes, absl::string_view b,
                             int64_t b_bytes) {
  if (a_bytes <= b_bytes) return absl::OkStatus();
  return Invalid(absl::StrCat(a, " (", FormatBytes(a_bytes), ") must not be above ", b, " (",
                              FormatBytes(b_bytes), ")"));
}

absl::Status CheckWatermarks(const DiskWatermarks& disk) {
  RETURN_IF_ERROR(CheckOrder("storage.disk_hard_percent", disk.hard.percent,
                             "storage.disk_soft_percent", disk.soft.percent));
  RETURN_IF_ERROR(CheckOrder("storage.disk_soft_percent", disk.soft.percent,
                             "storage.disk_warn_percent", disk.warn.percent));
  RETURN_IF_ERROR(CheckBytesOrder("storage.disk_hard_bytes", disk.hard.bytes,
                                  "storage.disk_soft_bytes", disk.soft.bytes));
  return CheckBytesOrder("storage.disk_soft_bytes", disk.soft.bytes, "storage.disk_warn_bytes",
                         disk.warn.bytes);
}

absl::Status CheckCredits(const SubscribeLimits& limits) {
  RETURN_IF_ERROR(
      CheckOrder("limits.default_credit_events", static_cast<double>(limits.default_credit_events),
                 "limits.max_credit_events", static_cast<double>(limits.max_credit_events)));
  return CheckBytesOrder("limits.default_credit", limits.default_credit_bytes, "limits.max_credit",
                         limits.max_credit_bytes);
}

}  // namespace

void DescribeProperties(DaemonOptions* options, PropertyTable* table) {
  DescribeListen(options, table);
  DescribeStorage(options, table);
  DescribeTopics(options, table);
  DescribeServerLimits(options, table);
  DescribeCallLimits(options, table);
  DescribeRest(options, table);
  for (const char* name :
       {"storage.backup_dir", "storage.backup_rate", "storage.backup_keep", "storage.scrub_every",
        "storage.scrub_rate", "log.level", "log.format", "log.slow"}) {
    table->Reloaded(name);
  }
}

absl::Status SettleOptions(DaemonOptions* options) {
  if (options->storage.data.empty()) {
    return Invalid("no data folder is named; type: actad --data ./acta-data");
  }
  RETURN_IF_ERROR(CheckListener("listen.grpc", options->listen.grpc, options->listen.insecure));
  RETURN_IF_ERROR(CheckListener("listen.http", options->listen.http, options->listen.insecure));
  const TopicLimits& topics = options->topics;
  RETURN_IF_ERROR(CheckOrder("topics.default_partitions", topics.default_partitions,
                             "limits.partitions_per_topic", topics.max_partitions_per_topic));
  RETURN_IF_ERROR(CheckBytesOrder("topics.default_max_event", topics.default_max_event_bytes,
                                  "limits.max_event", topics.max_event_bytes));
  RETURN_IF_ERROR(CheckBytesOrder("limits.max_event", topics.max_event_bytes, "limits.max_frame",
                                  options->publish.max_frame_bytes));
  RETURN_IF_ERROR(CheckBytesOrder("limits.atomic", options->publish.max_atomic_bytes,
                                  "limits.max_frame", options->publish.max_frame_bytes));
  RETURN_IF_ERROR(CheckOtlp(options->otlp));
  RETURN_IF_ERROR(CheckWatermarks(options->storage.watermarks));
  RETURN_IF_ERROR(CheckCredits(options->subscribe));
  options->storage.slice_age = absl::Seconds(options->slice_seconds);
  options->backup.deletion_bytes_per_second = options->storage.deletion_bytes_per_second;
  options->subscribe.catch_up_bytes_per_second =
      options->catch_up_rate > 0
          ? options->catch_up_rate
          : kCatchUpBytesPerCore * std::max(1u, std::thread::hardware_concurrency());
  // Above both, so that what is too large is read and refused with a reason.
  options->rpc.max_receive_bytes = std::max(options->publish.max_frame_bytes, 16 * kMiB32) + kMiB32;
  return absl::OkStatus();
}

ServerLimits LimitsOf(const DaemonOptions& options) {
  ServerLimits limits;
  limits.topics = options.topics;
  limits.publish = options.publish;
  limits.schedules = options.schedules;
  limits.subscribe = options.subscribe;
  limits.groups = options.groups;
  limits.claims = options.claims;
  limits.edge.connections = options.rpc.connections;
  limits.edge.max_http_connections = options.http.max_connections;
  limits.edge.max_unanswered_bytes = options.rpc.max_unanswered_bytes;
  limits.edge.max_buffer_bytes = options.rpc.max_buffer_bytes;
  limits.edge.max_metadata_bytes = options.rpc.max_metadata_bytes;
  limits.edge.max_waiting_publish_bytes = options.rpc.max_waiting_publish_bytes;
  limits.edge.max_cold_calls = options.rpc.max_cold_calls;
  limits.edge.max_claim_calls = options.rpc.max_claim_calls;
  limits.edge.max_series = options.telemetry.max_series;
  limits.edge.max_open_files = MaxDescriptors();
  const LocalEngineOptions& storage = options.storage;
  limits.storage.in_flight_bytes = storage.in_flight_bytes;
  limits.storage.tail_cache_bytes = storage.tail_cache_bytes;
  limits.storage.memtable_bytes = storage.memtable_bytes;
  limits.storage.dedupe_bytes = storage.dedupe_bytes;
  limits.storage.dedupe_max_ids = storage.dedupe_max_ids;
  limits.storage.max_slices = storage.max_slices;
  limits.storage.watermarks = storage.watermarks;
  return limits;
}

}  // namespace acta
