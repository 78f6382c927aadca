"""The panels of acta-groups.json, row by row."""

from panels import BLUE, GREEN, RED, YELLOW, graph, stat

NOW = ('Now, of the chosen groups', [
    stat('Lag', 'Events that are not processed, of all chosen groups.', 'short',
         'sum(acta_groups_lag_events{G})', (BLUE, None), legend='events'),
    stat('Oldest event', 'Age of the oldest event that is not processed.', 's',
         'max(acta_groups_lag_seconds{G})', (GREEN, None), (YELLOW, 600), (RED, 3600),
         legend='age'),
    stat('Time until retention', 'Until retention reaches an event that is not processed. '
         'Nothing here: nothing waits, or nothing expires.', 's',
         'min(acta_groups_headroom_seconds{G})', (RED, None), (YELLOW, 14400), (GREEN, 86400),
         legend='time'),
    stat('Lost to retention', 'Events that retention removed before they were read.', 'short',
         'sum(acta_groups_lost_events{G})', (GREEN, None), (RED, 1), legend='events'),
    stat('Dead letters', 'Dead letters that the groups have now.', 'short',
         'sum(acta_queues_dead_letters{G})', (GREEN, None), (YELLOW, 1), legend='events'),
    stat('Members', 'Members that are connected.', 'none', 'sum(acta_groups_members{G})',
         (BLUE, None), legend='members'),
])

LAG = ('Lag', [
    graph('Lag in events', 'Events that are not processed.', 'short',
          ('acta_groups_lag_events{G}', '{{group}} {{instance}}')),
    graph('Lag in bytes', 'Bytes of those events.', 'bytes',
          ('acta_groups_lag_bytes{G}', '{{group}} {{instance}}')),
    graph('Lag in time', 'Age of the oldest event that is not processed. Missing while it cannot '
          'be known without the disk.', 's',
          ('acta_groups_lag_seconds{G}', '{{group}} {{instance}}')),
    graph('Time until done', 'When the lag is gone at the pace of the last minute. Missing while '
          'it does not shrink.', 's',
          ('acta_groups_drain_seconds{G}', '{{group}} {{instance}}')),
    graph('Time until retention', 'How long until retention reaches the oldest event that is not '
          'processed. Below "time until done" the group loses events.', 's',
          ('acta_groups_headroom_seconds{G}', '{{group}} {{instance}}')),
    graph('Members', 'Members that are connected.', 'none',
          ('acta_groups_members{G}', '{{group}} {{instance}}')),
    graph('Lost to retention', 'Events that retention removed before the group read them, until '
          'its position moves on.', 'short',
          ('acta_groups_lost_events{G}', '{{group}} {{instance}}'), width=24),
])

QUEUE = ('QUEUE groups', [
    graph('Outstanding', 'Events that are not settled, by state. held: a decision is needed; '
          'blocked_by_key: an earlier event of the key comes first.', 'short',
          ('sum by (group, state) (acta_queues_outstanding_events{G})', '{{group}} {{state}}'),
          width=12, stack=True),
    graph('Settled', 'Events whose lease ended, by how. A healthy group has acks.', 'cps',
          ('sum by (group, outcome) (rate(acta_queues_settled_events_total{G}[R]))',
           '{{group}} {{outcome}}'), width=12, stack=True),
    graph('Retries', 'Events that were leased again after an attempt, a release or a redrive.',
          'cps', ('rate(acta_queues_redelivered_events_total{G}[R])', '{{group}} {{instance}}')),
    graph('Share of attempts that fail', 'nack, leases that ran out and members that were lost, '
          'of all attempts.', 'percentunit',
          ('sum by (group) (rate(acta_queues_settled_events_total{G,'
           'outcome=~"nack|lease_expired|member_lost"}[R])) / '
           'sum by (group) (rate(acta_queues_settled_events_total{G,outcome!="release"}[R]))',
           '{{group}}'), most=1),
    graph('Passed by', 'Events settled without a member: they expired, or somebody skipped them.',
          'cps', ('rate(acta_queues_passed_events_total{G}[R])', '{{group}} {{outcome}}'),
          width=12),
    graph('Settlements that did not count', 'By reason. LEASE_LOST: members finish after their '
          'lease.', 'cps',
          ('rate(acta_queues_refused_settlements_total{G}[R])', '{{group}} {{reason}}'), width=12),
])

DEAD = ('Dead letters', [
    graph('Dead letters', 'What the groups have now, and with how many nothing more is delivered.',
          'short', ('acta_queues_dead_letters{G}', '{{group}} {{instance}}'),
          ('acta_queues_dead_letters_limit{G}', 'limit {{group}} {{instance}}'), dashed='limit'),
    graph('Share of the limit', 'At 100 % nothing more is delivered to the group.', 'percentunit',
          ('acta_queues_dead_letters{G} / acta_queues_dead_letters_limit{G}',
           '{{group}} {{instance}}'), most=1),
    graph('New dead letters', 'By reason: rejected by a member, all attempts failed, or given '
          'back again and again.', 'cps',
          ('rate(acta_queues_dead_lettered_events_total{G}[R])', '{{group}} {{reason}}')),
])

CLAIMS = ('Claims', [
    graph('Claims', 'Claims that the groups remember, and with how many new ones are refused.',
          'short', ('acta_claims_claims{G}', '{{group}} {{instance}}'),
          ('acta_claims_limit{I}', 'limit {{instance}}'), width=12, dashed='limit'),
    graph('Calls', 'lost: an effect outside of the broker may have happened twice. duplicate: '
          'work that was spared.', 'cps',
          ('rate(acta_claims_calls_total{G}[R])', '{{group}} {{outcome}}'), width=12),
])

GROUPS = [NOW, LAG, QUEUE, DEAD, CLAIMS]
