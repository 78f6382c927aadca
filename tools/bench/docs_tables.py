#!/usr/bin/env python3
"""Writes the tables of docs/internals/performance.md anew from a report of acta-bench.

  tools/dev bench --runs 3 --dir /var/tmp --json all.json
  python3 tools/bench/docs_tables.py all.json

What is between the lines <!-- NAME --> and <!-- end --> of the page is replaced; the sentences
around it are not looked at. Of a report with some measures (--only 'queue_*') only the tables that
it has all rows for are written. Goals that are not reached are printed."""

import json
import pathlib
import sys

PAGE = pathlib.Path(__file__).resolve().parents[2] / 'docs/internals/performance.md'

# What a line is called, and its row in the report; 'the same' is the line before it.
MEASURED = [
    ('publish + consumer, LOG, OS', 'publish_consume_os_log'),
    ('the same, FSYNC', 'publish_consume_fsync_log'),
    ('publish + consumer, FULL, OS', 'publish_consume_os_full'),
    ('the same, FSYNC', 'publish_consume_fsync_full'),
    ('1 KiB, LOG, OS', 'publish_consume_1k_os_log'),
    ('the same, FSYNC', 'publish_consume_1k_fsync_log'),
    ('1 KiB, FULL, OS', 'publish_consume_1k_os_full'),
    ('the same, FSYNC', 'publish_consume_1k_fsync_full'),
    ('SDK builds, consumer parses, LOG, OS', 'sdk_os_log'),
    ('the same, FSYNC', 'sdk_fsync_log'),
    ('the same, FULL, OS', 'sdk_os_full'),
    ('the same, FULL, FSYNC', 'sdk_fsync_full'),
    ('publish only, LOG, OS', 'publish_os_log'),
    ('the same, FSYNC', 'publish_fsync_log'),
    ('publish only, FULL, OS', 'publish_os_full'),
    ('the same, FSYNC', 'publish_fsync_full'),
    ('unary round trip, OS, p50', 'unary_os'),
    ('the same, FULL', 'unary_os_full'),
    ('unary, FSYNC, p50', 'unary_fsync'),
    ('p99', 'unary_fsync.p99'),
    ('the same, FULL, p50', 'unary_fsync_full'),
    ('p99', 'unary_fsync_full.p99'),
    ('stream round trip, OS, p50', 'stream_os'),
    ('the same, FULL', 'stream_os_full'),
    ('stream, FSYNC, p50', 'stream_fsync'),
    ('the same, FULL', 'stream_fsync_full'),
    ('64 unary publishers, FSYNC', 'unary_64_fsync'),
    ('the same, FULL', 'unary_64_fsync_full'),
    ('end to end at 20,000/s, OS, p50', 'end_to_end_os'),
    ('p99', 'end_to_end_os.p99'),
    ('end to end, FSYNC, p50', 'end_to_end_fsync'),
    ('p99', 'end_to_end_fsync.p99'),
    ('the same, FULL, OS, p50', 'end_to_end_os_full'),
    ('p99', 'end_to_end_os_full.p99'),
    ('the same, FULL, FSYNC, p50', 'end_to_end_fsync_full'),
    ('p99', 'end_to_end_fsync_full.p99'),
    ('end to end at 2 M/s, LOG, OS, p99', 'end_to_end_2m_os.p99'),
    ('the same, FSYNC', 'end_to_end_2m_fsync.p99'),
    ('2 M/s while the slice changes every second, OS, p99', 'slice_change_2m_os'),
    ('the same, FSYNC', 'slice_change_2m_fsync'),
    ('end to end at 0.5 M/s, FULL, OS, p99', 'end_to_end_500k_os_full.p99'),
    ('the same, FSYNC', 'end_to_end_500k_fsync_full.p99'),
    ('0.5 M/s while the slice changes every second, FULL, OS, p99', 'slice_change_500k_os_full'),
    ('the same, FSYNC', 'slice_change_500k_fsync_full'),
    ('catch-up from memory, 100 B, counting', 'catch_up_hot'),
    ('from disk', 'catch_up_cold'),
    ('the same, FULL, from memory', 'catch_up_hot_full'),
    ('from disk', 'catch_up_cold_full'),
    ('catch-up from memory, 1 KiB, counting', 'catch_up_1k_counting_hot'),
    ('from disk', 'catch_up_1k_counting_cold'),
    ('the same, FULL, from memory', 'catch_up_1k_counting_hot_full'),
    ('from disk', 'catch_up_1k_counting_cold_full'),
    ('catch-up from memory, 1 KiB, parsing', 'catch_up_1k_hot'),
    ('from disk', 'catch_up_1k_cold'),
    ('the same, FULL, from memory', 'catch_up_1k_hot_full'),
    ('from disk', 'catch_up_1k_cold_full'),
    ('four groups, LOG, OS', 'four_groups_os_log'),
    ('first event after 10 s idle, FSYNC', 'first_event_fsync'),
    ('the same, FULL', 'first_event_fsync_full'),
    ('broker CPU, publish + consumer, LOG, OS', 'publish_consume_os_log.broker_cpu'),
    ('FULL', 'publish_consume_os_full.broker_cpu'),
    ('broker CPU at 20,000/s in 1 ms batches, OS', 'end_to_end_1ms_os.broker_cpu'),
    ('FSYNC', 'end_to_end_1ms_fsync.broker_cpu'),
    ('FULL, OS', 'end_to_end_1ms_os_full.broker_cpu'),
    ('FULL, FSYNC', 'end_to_end_1ms_fsync_full.broker_cpu'),
    ('RSS under load, FULL', 'publish_consume_os_full.rss'),
    ('bytes to disk per byte, LOG', 'publish_consume_os_log.disk_bytes_per_byte'),
    ('FULL', 'publish_consume_os_full.disk_bytes_per_byte'),
    ('100 idle consumers', 'idle_consumers'),
]

QUEUES = [
    ('one, in order', 'queue_runs_1_fsync'),
    ('eight, in order', 'queue_runs_8_fsync'),
    ('one, in any order', 'queue_scattered_1_fsync'),
    ('eight, in any order', 'queue_scattered_8_fsync'),
    ('one, `KEY` with 1,000 keys', 'queue_key_1_fsync'),
    ('eight, `KEY` with 1,000 keys', 'queue_key_8_fsync'),
    ('one, `KEY`, behind 2 million events', 'queue_key_backlog_1_fsync'),
    ('eight, `KEY`, behind 2 million events', 'queue_key_backlog_8_fsync'),
    ('one, in order, while they are published', 'queue_live_1_fsync'),
    ('eight, in order, while they are published', 'queue_live_8_fsync'),
    ('FULL: one, in order', 'queue_runs_1_fsync_full'),
    ('FULL: eight, in any order', 'queue_scattered_8_fsync_full'),
    ('FULL: eight, `KEY` with 1,000 keys', 'queue_key_8_fsync_full'),
    ('FULL: eight, in order, while they are published', 'queue_live_8_fsync_full'),
]

MACHINE = [
    ('one member, in runs', 'queue_machine.runs_1_member'),
    ('eight members, in runs', 'queue_machine.runs_8_members'),
    ('the same beside 100,000 parked events', 'queue_machine.runs_8_members_beside_100k_parked'),
    ('one member, in any order', 'queue_machine.scattered_1_member'),
    ('eight members, in any order', 'queue_machine.scattered_8_members'),
    ('eight members, `KEY` with 1,000 keys', 'queue_machine.key_1000_8_members'),
    ('the same over 16 partitions with full windows', 'queue_machine.key_1000_16_partitions'),
]


def number(value):
    for least, by, unit in ((1e6, 1e6, ' M'), (1e4, 1e3, ' k')):
        if abs(value) >= least:
            return f'{value / by:.{2 if unit == " M" else 1}f}{unit}'
    return f'{value:.0f}' if abs(value) >= 100 else f'{value:.3g}'


def span(row):
    runs = row['runs']
    return f'[{number(min(runs))}-{number(max(runs))}]' if len(runs) > 1 else ''


def bounds(row):
    if row['least'] is None:
        return '-'
    text = f'{number(row["least"])} / {number(row["goal"])}'
    worse = row['value'] > row['least'] if row['lower_is_better'] else row['value'] < row['least']
    return f'{text} **not held**' if worse else text


def ratio(row):
    if not row['limit']:
        return '-'
    times = row['value'] / row['limit']
    text = f'{times:.2f} x {row["limit_name"].replace("_", " ")}'
    if row['least_of_limit'] is None:
        return text
    text += f' ({row["least_of_limit"]} / {row["goal_of_limit"]})'
    return text if times >= row['least_of_limit'] else f'{text} **not held**'


def cpu(row):
    if row['client_cpu_s_per_million'] is None:
        return '-'
    broker = row['broker_cpu_s_per_million']
    parts = ['-' if broker is None else number(broker), number(row['client_cpu_s_per_million'])]
    return ' / '.join(parts)


def rss(row):
    value = row['broker_peak_rss_mib']
    return '-' if value is None else number(value)


def limits(report):
    cells = []
    for row in report['limits']:
        name = row['measure'].replace('_', ' ')
        cells.append(f'{name} | {number(row["value"])} {span(row)} {row["unit"]}')
    lines = ['| limit | median [range] | limit | median [range] |', '|---|--:|---|--:|']
    for i in range(0, len(cells), 2):
        second = cells[i + 1] if i + 1 < len(cells) else ' | '
        lines.append(f'| {cells[i]} | {second} |')
    return lines


def measured(rows):
    lines = ['| measure | unit | median [range] | least / goal | ratio to the limit of the run '
             '| CPU s/M broker / client | RSS MiB |', '|---|---|--:|--:|---|--:|--:|']
    for label, name in MEASURED:
        row = rows[name]
        lines.append(f'| {label} | {row["unit"]} | {number(row["value"])} {span(row)} '
                     f'| {bounds(row)} | {ratio(row)} | {cpu(row)} | {rss(row)} |')
    return lines


def queues(rows):
    lines = ['| members, order of acks | events/s | range | CPU s a million: broker / workers '
             '| bytes to disk an ack |', '|---|--:|--:|--:|--:|']
    for label, name in QUEUES:
        row, disk = rows[name], rows[f'{name}.disk_bytes_per_ack']
        lines.append(f'| {label} | {number(row["value"])} | {span(row).strip("[]")} | {cpu(row)} '
                     f'| {number(disk["value"])} |')
    return lines


def machine(rows):
    lines = ['| members, order of acks | acks/s | range | least / goal |', '|---|--:|--:|--:|']
    for label, name in MACHINE:
        row = rows[name]
        lines.append(f'| {label} | {number(row["value"])} | {span(row).strip("[]")} '
                     f'| {bounds(row)} |')
    return lines


def missed(rows):
    """What does not reach its goal, the furthest first."""
    found = []
    for name, row in rows.items():
        if row['limit'] and row['goal_of_limit']:
            worse = row['goal_of_limit'] * row['limit'] / row['value']
            if worse > 1:
                found.append((worse, f'{name}, {ratio(row)}', row))
        if row['goal'] is None:
            continue
        ratio_to_goal = row['value'] / row['goal']
        worse = ratio_to_goal if row['lower_is_better'] else 1 / ratio_to_goal
        if worse > 1:
            found.append((worse, name, row))
    return [f'{name}: {number(row["value"])} {span(row)} {row["unit"]}, least / goal '
            f'{bounds(row)}: {worse:.2f} times worse'
            for worse, name, row in sorted(found, key=lambda one: -one[0])]


def replace(page, name, lines):
    begin, end = f'<!-- {name} -->\n', '\n<!-- end -->'
    before, rest = page.split(begin, 1)
    return before + begin + '\n'.join(lines) + end + rest.split(end, 1)[1]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    report = json.loads(pathlib.Path(sys.argv[1]).read_text())
    rows = {row['measure']: row for row in report['rows']}
    tables = [('limits', [], lambda: limits(report)),
              ('measured', MEASURED, lambda: measured(rows)),
              ('queues', QUEUES, lambda: queues(rows)), ('machine', MACHINE, lambda: machine(rows))]
    whole = all(name in rows for _, name in MEASURED)
    page = PAGE.read_text()
    for name, wanted, lines in tables:
        missing = [row for _, row in wanted if row not in rows]
        if missing or (name == 'limits' and not whole):
            print(f'{name}: left as it is, the report lacks {len(missing) or "some"} measures')
            continue
        page = replace(page, name, lines())
        print(f'{name}: written')
    PAGE.write_text(page)
    print('goals that are not reached, for the sentences:', *missed(rows), sep='\n  ')


if __name__ == '__main__':
    main()
