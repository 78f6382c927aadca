#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace acta {

enum class MetricType { kCounter, kGauge, kHistogram };
absl::string_view Name(MetricType type);

// Every metric: acta_<room>_<what>_<unit>, counters with _total; its type; its labels with commas
// between, or nothing; what it says. The reference page is made of it.
#define ACTA_METRICS(M)                                                                           \
  M(kLogAppendedEvents, "acta_log_appended_events_total", kCounter, "", "Events stored.")         \
  M(kLogAppendedBytes, "acta_log_appended_bytes_total", kCounter, "", "Payload bytes stored.")    \
  M(kLogDuplicateEvents, "acta_log_duplicate_events_total", kCounter, "",                         \
    "Events not stored again because their id or sequence was known.")                            \
  M(kLogSyncs, "acta_log_syncs_total", kCounter, "", "Completed syncs of the write-ahead log.")   \
  M(kLogCommit, "acta_log_commit_seconds", kHistogram, "",                                        \
    "Time to write a commit group to the write-ahead log.")                                       \
  M(kLogSync, "acta_log_sync_seconds", kHistogram, "", "Time of a sync of the write-ahead log.")  \
  M(kLogWriteStalls, "acta_log_write_stalls_total", kCounter, "condition",                        \
    "Times the database held writes back: delayed, stopped.")                                     \
  M(kLogWriteStalled, "acta_log_write_stalled", kGauge, "",                                       \
    "0 writes go on, 1 they are delayed, 2 they are stopped by the database.")                    \
  M(kLogUnsyncedGroups, "acta_log_unsynced_groups", kGauge, "",                                   \
    "Commit groups that are written and not yet synced.")                                         \
  M(kLogUnsyncedBytes, "acta_log_unsynced_bytes", kGauge, "",                                     \
    "Bytes of those groups; writing waits above 64 MiB.")                                         \
  M(kLogCacheReads, "acta_log_cache_reads_total", kCounter, "",                                   \
    "Reads answered from the tail cache.")                                                        \
  M(kLogColdReads, "acta_log_cold_reads_total", kCounter, "", "Reads that went to the disk.")     \
  M(kLogTailCacheBytes, "acta_log_tail_cache_bytes", kGauge, "", "Bytes in the tail cache.")      \
  M(kLogTailCacheLimitBytes, "acta_log_tail_cache_limit_bytes", kGauge, "",                       \
    "Bytes at which the tail cache lets the oldest go.")                                          \
  M(kLogCommitQueueBytes, "acta_log_commit_queue_bytes", kGauge, "",                              \
    "Bytes of publishes that wait to be written.")                                                \
  M(kLogCommitQueueLimitBytes, "acta_log_commit_queue_limit_bytes", kGauge, "",                   \
    "Bytes at which publishes are refused with PUBLISH_QUEUE_FULL.")                              \
  M(kLogDedupeIds, "acta_log_dedupe_ids", kGauge, "",                                             \
    "Event ids remembered to recognise duplicates.")                                              \
  M(kLogDedupeBytes, "acta_log_dedupe_bytes", kGauge, "", "Memory of those ids.")                 \
  M(kLogDedupeLimitBytes, "acta_log_dedupe_limit_bytes", kGauge, "",                              \
    "Memory at which the oldest ids are forgotten early.")                                        \
  M(kLogWalBytes, "acta_log_wal_bytes", kGauge, "", "Bytes of live write-ahead log files.")       \
  M(kLogStoredBytes, "acta_log_stored_bytes", kGauge, "", "Bytes of log slices on disk.")         \
  M(kLogSlices, "acta_log_slices", kGauge, "", "Time slices that exist.")                         \
  M(kLogDiskFreeBytes, "acta_log_disk_free_bytes", kGauge, "",                                    \
    "Free bytes of the disk with the data folder.")                                               \
  M(kLogDiskTotalBytes, "acta_log_disk_total_bytes", kGauge, "", "Size of that disk.")            \
  M(kLogDiskState, "acta_log_disk_state", kGauge, "",                                             \
    "0 enough, 1 warn, 2 publishes are refused, 3 every write is refused.")                       \
  M(kLogClockJump, "acta_log_clock_jump_seconds", kGauge, "",                                     \
    "Jump of the wall clock that is being ignored.")                                              \
  M(kLogIncarnation, "acta_log_incarnation", kGauge, "",                                          \
    "Incarnation of the log; rises when a crash may have cost unsynced events.")                  \
  M(kBackupsRuns, "acta_backups_runs_total", kCounter, "result",                                  \
    "Backups that were begun since the start and have ended: done, failed.")                      \
  M(kBackupsRunning, "acta_backups_running", kGauge, "", "1 while a backup is made.")             \
  M(kBackupsLastFailed, "acta_backups_last_failed", kGauge, "",                                   \
    "1 when the backup that was begun last failed.")                                              \
  M(kBackupsNewest, "acta_backups_newest_timestamp_seconds", kGauge, "",                          \
    "When the newest whole backup was made; missing: there is none.")                             \
  M(kScrubsDamaged, "acta_scrubs_damaged_ranges", kGauge, "",                                     \
    "Damaged ranges of stored events that scrubs found and that are still there.")                \
  M(kScrubsReadBytes, "acta_scrubs_read_bytes", kGauge, "", "What that scrub has read so far.")   \
  M(kTopicsTopics, "acta_topics_topics", kGauge, "", "Topics that exist.")                        \
  M(kTopicsPartitions, "acta_topics_partitions", kGauge, "", "Partitions of all topics.")         \
  M(kTopicsAppendedEvents, "acta_topics_appended_events_total", kCounter, "topic",                \
    "Events ever stored in the topic.")                                                           \
  M(kSchedulesWaiting, "acta_schedules_waiting_events", kGauge, "",                               \
    "Scheduled events that are in no log yet.")                                                   \
  M(kSchedulesDelivered, "acta_schedules_delivered_events_total", kCounter, "",                   \
    "Scheduled events that came due since the start.")                                            \
  M(kSchedulesOverdue, "acta_schedules_overdue_seconds", kGauge, "",                              \
    "How long the oldest scheduled event that is due has been waiting to be appended.")           \
  M(kGroupsGroups, "acta_groups_groups", kGauge, "", "Consumer groups that exist.")               \
  M(kGroupsMembers, "acta_groups_members", kGauge, "group", "Members that are connected.")        \
  M(kGroupsLagEvents, "acta_groups_lag_events", kGauge, "group",                                  \
    "Events that the group has not processed.")                                                   \
  M(kGroupsLagBytes, "acta_groups_lag_bytes", kGauge, "group",                                    \
    "Payload bytes from the oldest of them on. Missing while that is only on the disk and was "   \
    "not read.")                                                                                  \
  M(kGroupsLag, "acta_groups_lag_seconds", kGauge, "group",                                       \
    "Age of the oldest of them; 0: there is none. Missing as the bytes are.")                     \
  M(kGroupsHeadroom, "acta_groups_headroom_seconds", kGauge, "group",                             \
    "How long until retention by time takes one that the group would lose: of a QUEUE group one " \
    "it did not look at yet. Missing while there is none.")                                       \
  M(kGroupsLostEvents, "acta_groups_lost_events", kGauge, "group",                                \
    "Events that retention took before the group read them, until its position moves on.")        \
  M(kGroupsDrain, "acta_groups_drain_seconds", kGauge, "group",                                   \
    "How long until nothing waits, at the pace of the last minute. Missing while the lag does "   \
    "not shrink.")                                                                                \
  M(kQueuesOutstandingEvents, "acta_queues_outstanding_events", kGauge, "group,state",            \
    "Events of a QUEUE group that are not settled: ready, leased, retry_wait, "                   \
    "blocked_by_key, held, not_scanned.")                                                         \
  M(kQueuesDeadLetters, "acta_queues_dead_letters", kGauge, "group",                              \
    "Dead letters that the group has now.")                                                       \
  M(kQueuesDeadLettersLimit, "acta_queues_dead_letters_limit", kGauge, "group",                   \
    "Dead letters with which nothing more is delivered to the group.")                            \
  M(kQueuesSettledEvents, "acta_queues_settled_events_total", kCounter, "group,outcome",          \
    "Events whose lease ended, by how: ack, nack, reject, release, lease_expired, "               \
    "member_lost.")                                                                               \
  M(kQueuesPassedEvents, "acta_queues_passed_events_total", kCounter, "group,outcome",            \
    "Events settled without a member: expired, skipped.")                                         \
  M(kQueuesRedeliveredEvents, "acta_queues_redelivered_events_total", kCounter, "group",          \
    "Events leased again after an attempt, a release or a redrive.")                              \
  M(kQueuesDeadLettered, "acta_queues_dead_lettered_events_total", kCounter, "group,reason",      \
    "Events that became dead letters, by DeadLetterReason.")                                      \
  M(kQueuesRefused, "acta_queues_refused_settlements_total", kCounter, "group,reason",            \
    "Events whose settlement did not count, by reason of errors.proto.")                          \
  M(kJourneysLagEvents, "acta_journeys_index_lag_events", kGauge, "",                             \
    "Events that are visible and not yet in the index of journeys.")                              \
  M(kJourneysLag, "acta_journeys_index_lag_seconds", kGauge, "",                                  \
    "How long the oldest of them has been waiting.")                                              \
  M(kJourneysIndexedEvents, "acta_journeys_indexed_events_total", kCounter, "",                   \
    "Events indexed since the start.")                                                            \
  M(kJourneysUnreadableEvents, "acta_journeys_unreadable_events_total", kCounter, "",             \
    "Events that were passed over because their bytes are damaged.")                              \
  M(kJourneysBufferedEntries, "acta_journeys_buffered_entries", kGauge, "",                       \
    "Entries of the index that are in no file yet.")                                              \
  M(kJourneysIndexBytes, "acta_journeys_index_bytes", kGauge, "", "Bytes of the index on disk.")  \
  M(kJourneysIndexRuns, "acta_journeys_index_runs", kGauge, "",                                   \
    "Files of the index into which a question looks for each event.")                             \
  M(kJourneysIndexFiles, "acta_journeys_index_files_total", kCounter, "",                         \
    "Files added to the index since the start.")                                                  \
  M(kClaimsClaims, "acta_claims_claims", kGauge, "group",                                         \
    "Claims that a group remembers; of groups that were asked for one since the start.")          \
  M(kClaimsLimit, "acta_claims_limit", kGauge, "", "Claims with which a group is refused more.")  \
  M(kClaimsCalls, "acta_claims_calls_total", kCounter, "group,outcome",                           \
    "What became of calls: first, completed, released (written); duplicate, in_progress "         \
    "(answered); lost (refused).")                                                                \
  M(kSubscribeSubscriptions, "acta_subscribe_subscriptions", kGauge, "",                          \
    "Open Subscribe streams.")                                                                    \
  M(kSubscribeDeliveredEvents, "acta_subscribe_delivered_events_total", kCounter, "",             \
    "Events delivered on streams and pages.")                                                     \
  M(kSubscribeDeliveredBytes, "acta_subscribe_delivered_bytes_total", kCounter, "",               \
    "Payload bytes delivered.")                                                                   \
  M(kSubscribeWaitingFetches, "acta_subscribe_waiting_fetches", kGauge, "",                       \
    "Fetch calls that wait for events or the disk.")                                              \
  M(kSubscribeFetchBytes, "acta_subscribe_fetch_bytes", kGauge, "",                               \
    "Bytes of pages of Fetch that are read and not yet with their client.")                       \
  M(kRpcConnections, "acta_rpc_connections", kGauge, "", "Open gRPC connections.")                \
  M(kRpcPublishStreams, "acta_rpc_publish_streams", kGauge, "", "Open PublishStream calls.")      \
  M(kRpcPausedPublishStreams, "acta_rpc_paused_publish_streams", kGauge, "cause",                 \
    "PublishStream calls not read now: much is unanswered, or the queue is full.")                \
  M(kRpcRejections, "acta_rpc_rejections_total", kCounter, "reason",                              \
    "Calls and frames that were refused or failed, by reason of errors.proto.")                   \
  M(kHttpRequests, "acta_http_requests_total", kCounter, "", "HTTP requests answered.")           \
  M(kHttpConnections, "acta_http_connections", kGauge, "", "Open HTTP connections.")              \
  M(kHttpRefusedConnections, "acta_http_refused_connections_total", kCounter, "",                 \
    "HTTP connections closed at once, above the limit.")                                          \
  M(kAppReady, "acta_app_ready", kGauge, "",                                                      \
    "1 while the daemon is ready for work, as /readyz says.")                                     \
  M(kAppInsecure, "acta_app_insecure", kGauge, "", "1 when started with --insecure.")             \
  M(kAppStarted, "acta_app_start_timestamp_seconds", kGauge, "",                                  \
    "When it was started; differs from start to start.")                                          \
  M(kProcessResidentBytes, "acta_process_resident_bytes", kGauge, "",                             \
    "Memory of the process that is in RAM.")                                                      \
  M(kProcessOpenDescriptors, "acta_process_open_descriptors", kGauge, "",                         \
    "Open file descriptors.")                                                                     \
  M(kProcessMaxDescriptors, "acta_process_max_descriptors", kGauge, "",                           \
    "File descriptors the process may open.")                                                     \
  M(kProcessThreads, "acta_process_threads", kGauge, "", "Threads of the process.")               \
  M(kProcessCpu, "acta_process_cpu_seconds_total", kCounter, "",                                  \
    "CPU time of the process, user and system.")                                                  \
  M(kTelemetryHiddenSamples, "acta_telemetry_hidden_samples_total", kCounter, "",                 \
    "Samples left out because their metric had more than telemetry.max_series series.")           \
  M(kTelemetrySlowOperations, "acta_telemetry_slow_operations_total", kCounter, "operation",      \
    "Operations that took longer than log.slow: write, sync, read, call.")                        \
  M(kTelemetrySpans, "acta_telemetry_spans_total", kCounter, "outcome",                           \
    "Spans by what became of them: exported; dropped (no room); failed (refused by the "          \
    "collector). Missing without telemetry.otlp_endpoint.")                                       \
  M(kTelemetryCollect, "acta_telemetry_collect_seconds", kHistogram, "",                          \
    "Time to collect all metrics for one scrape.")

#define ACTA_METRIC_ID(id, name, type, label, help) id,
enum class Metric : size_t { ACTA_METRICS(ACTA_METRIC_ID) };
#undef ACTA_METRIC_ID

#define ACTA_METRIC_ONE(id, name, type, label, help) +1
inline constexpr size_t kMetricCount = 0 ACTA_METRICS(ACTA_METRIC_ONE);
#undef ACTA_METRIC_ONE

struct MetricRow {
  absl::string_view name;
  MetricType type;
  absl::string_view label;  // Or several, with commas between. Empty: one series.
  absl::string_view help;
};
const MetricRow& RowOf(Metric metric);

// The reference page.
std::string MetricsAsMarkdown();

}  // namespace acta
