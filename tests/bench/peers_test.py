"""tools/bench/peers without peers: outputs of tools, medians, tables, installs, ends."""

import os
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / 'tools/bench'))

from peers import acta, figures, install, parse, processes  # noqa: E402
from peers.figures import Figure  # noqa: E402

KAFKA_PRODUCER = """Warmup first 300000 records.
1500000 records sent, 549853.372434 records/sec (52.44 MB/sec), 345.28 ms avg latency
1200000 steady state records sent, 651231.5 records/sec (56.1 MB/sec), 326 ms 50th
"""
KAFKA_CONSUMER = """start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, \
nMsg.sec, rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec
2026-11-27 10:26:24:951, 2026-11-27 10:26:27:065, 476.8372, 225.5616, 5000000, 2365184.4844, \
668, 1446, 329.7629, 3457814.6611
"""
NATS = """NATS JetStream synchronous publisher stats: 7,837 msgs/sec ~ 765 KiB/sec ~ \
min: 39.25us ~ max: 2,108.13us ~ P50: 118.54us ~ P90: 1.1ms ~ P99: 1,274.77us ~ P99.9: 4.42ms
"""
REDIS = """XADD s: rps=9 (overall: 9)\rSummary:
  throughput summary: 607309.06 requests per second
  latency summary (msec):
          avg       min       p50       p95       p99       max
        0.811     0.176     0.791     0.935     1.359     3.439
"""


def taken(peer, values, measure='consume_100', level='os', **more):
    return [Figure(peer, level, measure, value, **more) for value in values]


class OutputsOfLoadTools(unittest.TestCase):
    def test_kafka_counts_after_its_warm_up_and_without_joining_the_group(self):
        self.assertAlmostEqual(parse.kafka_producer(KAFKA_PRODUCER), 651231.5)
        self.assertAlmostEqual(parse.kafka_consumer(KAFKA_CONSUMER), 3457814.6611)

    def test_nats_rate_and_percentiles_with_separators_and_units(self):
        self.assertEqual(parse.nats(NATS), 7837)
        self.assertAlmostEqual(parse.nats_micros(50, NATS), 118.54)
        self.assertAlmostEqual(parse.nats_micros(99, NATS), 1274.77)
        self.assertAlmostEqual(parse.nats_micros(90, NATS), 1100)

    def test_redis_rate_and_percentiles(self):
        self.assertAlmostEqual(parse.redis(REDIS), 607309.06)
        self.assertAlmostEqual(parse.redis_micros('p99', REDIS), 1359)

    def test_own_tools_print_json_after_what_their_libraries_say(self):
        self.assertEqual(parse.own('WARN x\n{"events": 5}\n')['events'], 5)

    def test_an_output_without_figures_is_an_error_and_no_zero(self):
        for read in (parse.own, parse.kafka_producer, parse.kafka_consumer, parse.nats,
                     parse.redis, lambda text: parse.nats_micros(50, text),
                     lambda text: parse.redis_micros('p50', text)):
            with self.assertRaises(ValueError):
                read('error: connection refused\n')

    def test_the_rate_of_received_messages_is_the_last_one(self):
        self.assertEqual(parse.perf_test(
            'id: t-1, time 1.0 s, received: 9 msg/s\n'
            'id: t-1, sending rate avg: 0 msg/s\nid: t-1, receiving rate avg: 199 msg/s\n'), 199)

    def test_a_consumer_that_is_done_later_makes_the_rate_lower(self):
        self.assertAlmostEqual(parse.slower(1000, 2000, 0), 1000)
        self.assertAlmostEqual(parse.slower(1000, 2000, -1), 1000)
        self.assertAlmostEqual(parse.slower(1000, 2000, 2), 500)


class FiguresOfActa(unittest.TestCase):
    def report(self, level):
        names = []
        for name in acta.measures_of(level):
            names += [name, name + '.p99', name + '.again', name + '.rss',
                      name + '.disk_bytes_per_byte']
        return {'rows': [{'measure': name, 'value': number, 'broker_cpu_s_per_million': 1,
                          'client_cpu_s_per_million': 2} for number, name in enumerate(names)]}

    def test_every_row_of_acta_is_filled(self):
        for level in figures.LEVELS:
            found = acta.figures_of(level, self.report(level))
            for row in figures.ROWS:
                if row.measure.startswith('catch_up') and level == 'fsync':
                    continue  # Reading has no class.
                if row.measure.startswith('acks') and level == 'os':
                    continue  # Acks are durable always.
                self.assertIsNotNone(
                    figures.spread_of(found, 'Acta LOG', level, row.measure, row.attribute),
                    (level, row))

    def test_a_catch_up_is_the_second_reading(self):
        report = self.report('os')
        values = {row['measure']: row['value'] for row in report['rows']}
        found = acta.figures_of('os', report)
        spread = figures.spread_of(found, 'Acta LOG', 'os', 'catch_up_100')
        self.assertEqual(spread.median, values['catch_up_cold.again'])


class Tables(unittest.TestCase):
    def test_median_range_and_noisy_runs(self):
        all_runs = taken('Kafka', [3, 1]) + taken('Kafka', [5], foreign_percent=20)
        spread = figures.spread_of(all_runs, 'Kafka', 'os', 'consume_100')
        self.assertEqual(spread[:5], (3, 1, 5, 3, 1))
        self.assertIsNone(figures.spread_of(all_runs, 'Kafka', 'fsync', 'consume_100'))

    def test_numbers_are_short_and_say_their_range_and_what_is_different(self):
        self.assertEqual([figures.short(x) for x in (4.012e6, 286_400, 613, 0.6134, 12.34)],
                         ['4.01 M', '286 k', '613', '0.613', '12.3'])
        spread = figures.Spread(2e6, 1e6, 3e6, 3, 0, 'at 2,000/s')
        self.assertEqual(figures.cell(spread), '2 M [1 M-3 M] (at 2,000/s)')
        self.assertEqual(figures.cell(spread._replace(note='', noisy=1)), '2 M [1 M-3 M] (1 noisy)')
        self.assertEqual(figures.cell(None), '-')

    def test_a_table_has_one_class_only(self):
        both = taken('Kafka', [1e6]) + taken('NATS', [5e5], level='fsync')
        self.assertEqual(figures.table(both, 'os')[0], ['', 'unit', 'Kafka'])
        self.assertEqual(figures.table(both, 'fsync')[0], ['', 'unit', 'NATS'])

    def test_peers_whose_clients_always_build_events_stand_beside_the_sdk(self):
        some = (taken('Acta LOG', [5e6]) + taken('Acta LOG', [3e6], 'sdk_100') +
                taken('Kafka', [1e6]))
        lines = {line[0]: line[2:] for line in figures.table(some, 'os')}
        self.assertEqual(lines['the same, each event built and parsed'], ['3 M', '1 M'])

    def test_drawn_as_text_as_markdown_and_as_tsv(self):
        some = taken('Kafka', [1e6], server_cpu=0.5)
        lines = figures.table(some, 'os')
        self.assertEqual(len({line.index('/s') for line in figures.aligned(lines[:2]).split('\n')
                              if '/s' in line}), 1)
        self.assertIn('| --- | --- | --: |', figures.markdown(lines))
        drawn = figures.tsv(some).split('\n')
        self.assertEqual({line.count('\t') for line in drawn}, {9})
        self.assertTrue(any(line.startswith('os\tserver_cpu\ts/M\tKafka\t0.5') for line in drawn))

    def test_what_acta_loses_is_said_and_only_that(self):
        some = (taken('Acta LOG', [5e6]) + taken('Kafka', [6e6]) + taken('NATS', [1e6]) +
                taken('Acta LOG', [0.2], 'in_flight') + taken('Redis', [0.1], 'in_flight') +
                taken('Acta LOG', [0.2], 'end_to_end') + taken('Redis', [0.3], 'end_to_end') +
                taken('NATS', [0.1], 'end_to_end', note='at 2,000/s'))
        found = figures.behind(some, 'Acta LOG')
        self.assertEqual(len(found), 2, found)
        self.assertIn('5 M against 6 M events/s of Kafka', found[0])
        self.assertIn('of Redis', found[1])
        self.assertEqual(figures.behind(some, 'Acta FULL'), [])


class Installs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        path = mock.patch.dict(os.environ, PATH=f'{self.folder}/bin')
        path.start()
        self.addCleanup(path.stop)
        self.said = []
        self.installed = install.Installed(self.folder / 'install', self.said.append)

    def tool(self, name, script):
        program = self.folder / 'bin' / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\n{script}\n')
        program.chmod(0o755)

    def test_what_the_machine_cannot_fetch_is_said(self):
        with self.assertRaisesRegex(install.Missing, 'has no mvn'):
            self.installed.kafka()
        with self.assertRaisesRegex(install.Missing, 'has no go'):
            self.installed.nats()
        with self.assertRaisesRegex(install.Missing, 'redis.*has no apt-get'):
            self.installed.debian('/nowhere/redis-server', 'redis-server')

    def test_what_was_broken_off_is_made_again_and_what_is_whole_is_left(self):
        fetch = 'for word; do case $word in -DoutputDirectory=*) lib=${word#*=};; esac; done\n' \
                '/bin/mkdir $lib; echo > $lib/a.jar'
        self.tool('javac', 'exit 0')
        self.tool('mvn', fetch.replace('a.jar', 'half.jar') + '; exit 1')
        with self.assertRaisesRegex(install.Missing, 'mvn failed; see'):
            self.installed.streams_client()
        self.tool('mvn', fetch)
        found = self.installed.streams_client().rpartition(':')[2]
        self.assertEqual(os.listdir(found.removesuffix('/*')), ['a.jar'])
        self.said.clear()
        self.assertIn(found, self.installed.streams_client())
        self.assertFalse([line for line in self.said if 'mvn' in line])


class Processes(unittest.TestCase):
    def test_descendants_are_found_below_their_parents_only(self):
        parent_of = {2: 1, 3: 2, 4: 3, 5: 1}
        self.assertEqual(sorted(processes.descendants(2, parent_of)), [3, 4])

    def test_what_a_child_leaves_behind_is_ended_with_it(self):
        children = processes.Children()
        with open('/dev/null', 'w') as log:
            child = children.start(['sh', '-c', 'setsid sleep 300 & wait'], log)
            self.addCleanup(children.end_all)
            while len(processes.descendants(child.pid)) < 1:
                self.assertIsNone(child.poll())
            left, = processes.descendants(child.pid)
            children.end(child)
        children.end_all()
        self.assertFalse(pathlib.Path(f'/proc/{left}').exists())

    def test_ports_are_free_and_different(self):
        self.assertEqual(len(set(processes.free_ports(20))), 20)


if __name__ == '__main__':
    unittest.main()
