"""The panels of acta-overview.json, row by row."""

from panels import BLUE, GREEN, RED, YELLOW, graph, quantiles, stat

NOW = ('Now', [
    stat('Ready', 'What /readyz says. Nothing here: Prometheus does not reach the broker.', 'none',
         'acta_app_ready{I}', (RED, None), (GREEN, 1), words={0: 'not ready', 1: 'ready'}),
    stat('Disk', 'Below soft publishes are refused, below hard every write.', 'none',
         'acta_log_disk_state{I}', (GREEN, None), (YELLOW, 1), (RED, 2),
         words={0: 'enough', 1: 'warn', 2: 'soft: no publishes', 3: 'hard: no writes'}),
    stat('Alerts firing', 'Alerts of deploy/prometheus/alerts.yml, of all instances.', 'none',
         'count(ALERTS{alertname=~"Acta.+",alertstate="firing"}) or vector(0)',
         (GREEN, None), (RED, 1), legend='alerts'),
    stat('Starts in a day', 'How often the broker began anew in the last 24 hours.', 'none',
         'changes(acta_app_start_timestamp_seconds{I}[1d])', (GREEN, None), (YELLOW, 2), (RED, 5)),
    stat('Clock jump', 'Jump of the wall clock that the broker does not follow.', 's',
         'abs(acta_log_clock_jump_seconds{I})', (GREEN, None), (YELLOW, 0.001)),
    stat('Access', 'Insecure: whoever reaches the ports may do everything.', 'none',
         'acta_app_insecure{I}', (GREEN, None), (YELLOW, 1), words={0: 'loopback', 1: 'insecure'}),
    stat('Topics', 'Topics that exist.', 'none', 'acta_topics_topics{I}', (BLUE, None)),
    stat('Partitions', 'Partitions of all topics.', 'none', 'acta_topics_partitions{I}',
         (BLUE, None)),
    stat('Groups', 'Consumer groups that exist.', 'none', 'acta_groups_groups{I}', (BLUE, None)),
    stat('Subscriptions', 'Open Subscribe streams.', 'none', 'acta_subscribe_subscriptions{I}',
         (BLUE, None)),
    stat('Publishers', 'Open PublishStream calls.', 'none', 'acta_rpc_publish_streams{I}',
         (BLUE, None)),
    stat('Incarnation', 'Rises when a crash may have cost events that were not synced.', 'none',
         'acta_log_incarnation{I}', (BLUE, None)),
])

FLOW = ('Publish and deliver', [
    graph('Events', 'Events stored and delivered. Each group has every event, so more are '
          'delivered than stored.', 'cps',
          ('rate(acta_log_appended_events_total{I}[R])', 'stored {{instance}}'),
          ('rate(acta_subscribe_delivered_events_total{I}[R])', 'delivered {{instance}}'),
          ('rate(acta_log_duplicate_events_total{I}[R])', 'duplicates {{instance}}')),
    graph('Payload', 'Bytes of events, without framing.', 'Bps',
          ('rate(acta_log_appended_bytes_total{I}[R])', 'stored {{instance}}'),
          ('rate(acta_subscribe_delivered_bytes_total{I}[R])', 'delivered {{instance}}')),
    graph('Stored by topic', 'The ten topics that get most.', 'cps',
          ('topk(10, sum by (topic) (rate(acta_topics_appended_events_total{I}[R])))',
           '{{topic}}')),
    graph('Streams', 'Open streams and waiting Fetch calls. A paused stream is not read, because '
          'much of it is unanswered or the queue is full.', 'none',
          ('acta_rpc_publish_streams{I}', 'publish {{instance}}'),
          ('acta_rpc_paused_publish_streams{I}', 'paused: {{cause}} {{instance}}'),
          ('acta_subscribe_subscriptions{I}', 'subscribe {{instance}}'),
          ('acta_subscribe_waiting_fetches{I}', 'waiting fetch {{instance}}')),
    graph('Refused or failed', 'Calls and frames by reason; docs/reference/errors.md has them all.',
          'cps', ('rate(acta_rpc_rejections_total{I}[R])', '{{reason}} {{instance}}')),
    graph('Slow operations', 'Operations that took longer than log.slow; the log has them.', 'cps',
          ('rate(acta_telemetry_slow_operations_total{I}[R])', '{{operation}} {{instance}}')),
])

LOG = ('Log', [
    graph('Commit', 'Time to write one commit group. A publish waits for one.', 's',
          *quantiles('acta_log_commit_seconds', 'commit')),
    graph('Sync', 'Time of one sync of the log. A publish at level FSYNC waits for one; many '
          'publishers share it.', 's', *quantiles('acta_log_sync_seconds', 'sync')),
    graph('Syncs and events of one', 'Completed syncs, and how many events share one.', 'none',
          ('rate(acta_log_syncs_total{I}[R])', 'syncs a second {{instance}}'),
          ('rate(acta_log_appended_events_total{I}[R]) / rate(acta_log_syncs_total{I}[R])',
           'events of one {{instance}}')),
    graph('Queue of publishes', 'Bytes that wait to be written. At the limit publishes are '
          'refused with PUBLISH_QUEUE_FULL.', 'bytes',
          ('acta_log_commit_queue_bytes{I}', 'waiting {{instance}}'),
          ('acta_log_commit_queue_limit_bytes{I}', 'limit {{instance}}'), dashed='limit'),
    graph('Not synced', 'Bytes that are written and not synced. Above 64 MiB writing waits.',
          'bytes', ('acta_log_unsynced_bytes{I}', 'bytes {{instance}}')),
    graph('Groups not synced', 'Commit groups that are written and not synced.', 'none',
          ('acta_log_unsynced_groups{I}', 'groups {{instance}}')),
    graph('Write stalls', 'How often the database began to hold writers back.', 'cps',
          ('rate(acta_log_write_stalls_total{I}[R])', '{{condition}} {{instance}}')),
    graph('Held back now', '0: no, 1: writes are delayed, 2: writes are stopped.', 'none',
          ('acta_log_write_stalled{I}', '{{instance}}'), most=2),
    graph('Memory of event ids', 'At the limit the oldest ids are forgotten early, and '
          'duplicates of them are stored.', 'bytes',
          ('acta_log_dedupe_bytes{I}', 'used {{instance}}'),
          ('acta_log_dedupe_limit_bytes{I}', 'limit {{instance}}'), dashed='limit'),
])

DISK = ('Disk and reads', [
    graph('Free', 'Free bytes of the disk with the data folder, and its size.', 'bytes',
          ('acta_log_disk_free_bytes{I}', 'free {{instance}}'),
          ('acta_log_disk_total_bytes{I}', 'size {{instance}}'), dashed='size'),
    graph('Used by Acta', 'Log slices, write-ahead log and index of journeys.', 'bytes',
          ('acta_log_stored_bytes{I}', 'slices {{instance}}'),
          ('acta_log_wal_bytes{I}', 'write-ahead log {{instance}}'),
          ('acta_journeys_index_bytes{I}', 'index of journeys {{instance}}'), stack=True),
    graph('Slices', 'Time slices of the log. A slice leaves the disk as a whole.', 'none',
          ('acta_log_slices{I}', '{{instance}}')),
    graph('Reads from memory', 'Share of reads that the tail cache answers.', 'percentunit',
          ('rate(acta_log_cache_reads_total{I}[R]) / '
           '(rate(acta_log_cache_reads_total{I}[R]) + rate(acta_log_cold_reads_total{I}[R]))',
           '{{instance}}'), most=1),
    graph('Reads', 'Reads answered from the tail cache, and from the disk.', 'cps',
          ('rate(acta_log_cache_reads_total{I}[R])', 'cache {{instance}}'),
          ('rate(acta_log_cold_reads_total{I}[R])', 'disk {{instance}}')),
    graph('Tail cache', 'Newest events in memory. It is full when all is well.', 'bytes',
          ('acta_log_tail_cache_bytes{I}', 'used {{instance}}'),
          ('acta_log_tail_cache_limit_bytes{I}', 'limit {{instance}}'), dashed='limit'),
])

GROUPS = ('Groups: the worst ten, more in the dashboard of groups', [
    graph('Lag in time', 'Age of the oldest event that is not processed.', 's',
          ('topk(10, acta_groups_lag_seconds{I})', '{{group}} {{instance}}'), width=6),
    graph('Lag in events', 'Events that are not processed.', 'short',
          ('topk(10, acta_groups_lag_events{I})', '{{group}} {{instance}}'), width=6),
    graph('Time until retention', 'How long until retention reaches an event that is not '
          'processed. At 0 the group loses events.', 's',
          ('bottomk(10, acta_groups_headroom_seconds{I})', '{{group}} {{instance}}'), width=6),
    graph('Dead letters', 'Dead letters that groups have now.', 'short',
          ('topk(10, acta_queues_dead_letters{I})', '{{group}} {{instance}}'), width=6),
])

LATER = ('Later, and journeys', [
    graph('Scheduled events', 'Events that wait for their time.', 'short',
          ('acta_schedules_waiting_events{I}', 'waiting {{instance}}')),
    graph('Scheduled events published', 'Scheduled events that came due.', 'cps',
          ('rate(acta_schedules_delivered_events_total{I}[R])', '{{instance}}')),
    graph('Late', 'How long the oldest scheduled event that is due has been waiting.', 's',
          ('acta_schedules_overdue_seconds{I}', '{{instance}}')),
    graph('Index of journeys: behind', 'How long the oldest event that is not indexed has been '
          'waiting.', 's', ('acta_journeys_index_lag_seconds{I}', '{{instance}}')),
    graph('Index of journeys: events', 'Events that are not indexed yet, and entries that are '
          'in no file yet.', 'short',
          ('acta_journeys_index_lag_events{I}', 'not indexed {{instance}}'),
          ('acta_journeys_buffered_entries{I}', 'in memory {{instance}}')),
    graph('Index of journeys: work', 'Events indexed, files written, and events that are damaged.',
          'cps', ('rate(acta_journeys_indexed_events_total{I}[R])', 'indexed {{instance}}'),
          ('rate(acta_journeys_index_files_total{I}[R])', 'files {{instance}}'),
          ('rate(acta_journeys_unreadable_events_total{I}[R])', 'damaged {{instance}}')),
])

PROCESS = ('Process', [
    graph('CPU', 'Cores that the process uses, user and system.', 'none',
          ('rate(acta_process_cpu_seconds_total{I}[R])', 'cores {{instance}}')),
    graph('Memory', 'Memory of the process that is in RAM.', 'bytes',
          ('acta_process_resident_bytes{I}', '{{instance}}')),
    graph('Descriptors', 'Open files and sockets, and how many the process may open.', 'none',
          ('acta_process_open_descriptors{I}', 'open {{instance}}'),
          ('acta_process_max_descriptors{I}', 'limit {{instance}}'), dashed='limit'),
    graph('Connections', 'Open connections.', 'none',
          ('acta_rpc_connections{I}', 'gRPC {{instance}}'),
          ('acta_http_connections{I}', 'HTTP {{instance}}')),
    graph('HTTP', 'Requests answered, and connections closed above the limit.', 'cps',
          ('rate(acta_http_requests_total{I}[R])', 'requests {{instance}}'),
          ('rate(acta_http_refused_connections_total{I}[R])', 'refused {{instance}}')),
    graph('Threads', 'Threads of the process.', 'none',
          ('acta_process_threads{I}', 'threads {{instance}}')),
    graph('Pages of Fetch', 'Bytes of pages that are read and not yet with their client.', 'bytes',
          ('acta_subscribe_fetch_bytes{I}', '{{instance}}')),
    graph('Cost of a scrape', 'Time to collect all metrics, and to scrape them.', 's',
          *quantiles('acta_telemetry_collect_seconds', 'collect'),
          ('scrape_duration_seconds{instance=~"$instance",job="acta"}', 'scrape {{instance}}')),
    graph('Telemetry', 'Spans by what became of them, and samples left out because their metric '
          'has too many series.', 'cps',
          ('rate(acta_telemetry_spans_total{I}[R])', 'spans {{outcome}} {{instance}}'),
          ('rate(acta_telemetry_hidden_samples_total{I}[R])', 'hidden samples {{instance}}')),
])

OVERVIEW = [NOW, FLOW, LOG, DISK, GROUPS, LATER, PROCESS]
