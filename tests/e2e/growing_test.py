#!/usr/bin/env python3
"""A topic that changes while it is used: more partitions under publishers and members, and settings
that count at once."""

import collections
import json
import signal
import subprocess
import threading
import unittest

from broker import PATIENCE_S, BrokerTest
from faults import until

EVENTS = 6_000
AT_ONCE = EVENTS * 2 // 3
KEYS = 300


class Growing(BrokerTest):
    def member(self, name, *options):
        """A member that writes down what it gets; where."""
        path = f'{self.folder}/{name}'
        with open(path, 'wb') as out:
            process = self.spawn('subscribe', 'orders', *options, '--format', 'json', stdout=out)
        return process, path

    def grow(self, partitions):
        self.acta('topic', 'alter', 'orders', '--partitions', partitions, '--accept-reorder')

    def publisher(self, events, grown):
        """Publishes events of these numbers, each with an id and a key; the last third of them when
        all partitions are there."""
        process = self.spawn('publish', 'orders', '--format', 'jsonl', '--id', '@/id', '--key',
                             '@/key', '--rate', '500', '-o', 'json', stdin=subprocess.PIPE)

        def feed():
            with process.stdin as lines:
                for number in events:
                    if number >= AT_ONCE and not grown.is_set():
                        lines.flush()
                        grown.wait(PATIENCE_S)
                    lines.write(b'{"id": "e-%d", "key": "k-%d"}\n' % (number, number % KEYS))
            process.stdin = None  # Nobody closes it again.
        thread = threading.Thread(target=feed)
        thread.start()
        self.addCleanup(thread.join)
        return process

    def stored(self):
        rows = self.acta_json('topic', 'describe', 'orders')['partitions']
        return [int(row['endOffset']) for row in rows]

    def members_of(self, group):
        code, out, _ = self.broker.acta('group', 'describe', group, '-o', 'json')
        return len(json.loads(out)['group'].get('members', [])) if code == 0 else 0

    def behind(self, group):
        return sum(int(row['lagEvents'])
                   for row in self.acta_json('group', 'lag', group)['partitions'])

    def test_events_without_a_key_go_to_new_partitions_too(self):
        self.acta('topic', 'create', 'orders', '--partitions', '2')
        publisher = self.spawn('publish', 'orders', '--rate', '2000', '-o', 'json',
                               stdin=subprocess.PIPE)
        ended = threading.Event()

        def feed():
            with publisher.stdin as lines:
                while not ended.is_set():
                    lines.write(b'%s\n' % (b'x' * 1000) * 100)
            publisher.stdin = None  # Nobody closes it again.
        thread = threading.Thread(target=feed)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(ended.set)
        until(lambda: min(self.stored()) > 0, 'both are used')
        self.grow(6)
        until(lambda: len(self.stored()) == 6 and min(self.stored()) > 0, 'all are used',
              PATIENCE_S)
        ended.set()
        self.assertEqual(publisher.wait(PATIENCE_S), 0)

    def test_nothing_is_lost_doubled_or_refused_while_partitions_are_added(self):
        self.acta('topic', 'create', 'orders', '--partitions', '2')
        members = [self.member(f'{group}-{number}', '--group', group, '--mode', mode)
                   for group, mode in (('billing', 'stream'), ('workers', 'queue'))
                   for number in range(2)]
        for group in ('billing', 'workers'):
            until(lambda: self.members_of(group) == 2, 'both are members')
        grown = threading.Event()
        publishers = [self.publisher(range(begin, EVENTS, 2), grown) for begin in (0, 1)]
        self.addCleanup(grown.set)  # Before who waits for it is joined.
        under_way = 0
        for partitions in (3, 6, 16):
            already = sum(self.stored())
            until(lambda: sum(self.stored()) >= min(already + 500, AT_ONCE), 'it goes on')
            self.grow(partitions)
            under_way += sum(self.stored()) < AT_ONCE
        self.assertGreater(under_way, 0)
        grown.set()
        for publisher in publishers:
            code = publisher.wait(PATIENCE_S)
            self.assertEqual(code, 0, publisher.stderr.read())
            row, = json.load(publisher.stdout)
            self.assertEqual((row['stored'], row['failed']), (str(EVENTS // 2), '0'))
        ends = self.stored()
        self.assertEqual((len(ends), sum(ends)), (16, EVENTS))
        self.assertGreater(min(ends), 0, ends)
        for group in ('billing', 'workers'):
            until(lambda: self.behind(group) == 0, 'everything is processed')
        for process, _ in members:
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(PATIENCE_S), 0, process.stderr.read())
        wanted = collections.Counter(f'e-{number}' for number in range(EVENTS))
        for group in ('billing', 'workers'):
            got = collections.Counter()
            for _, path in members:
                if f'/{group}-' in path:
                    with open(path, encoding='utf-8') as lines:
                        got.update(json.loads(line)['id'] for line in lines)
            self.assertEqual(got, wanted, group)

    def test_fewer_partitions_or_too_many_are_refused_and_nothing_is_changed(self):
        self.acta('topic', 'create', 'orders', '--partitions', '4')
        self.fails(2, 'partitions', 'topic', 'alter', 'orders', '--partitions', '3',
                   '--accept-reorder')
        self.fails(2, '257', 'topic', 'alter', 'orders', '--partitions', '257',
                   '--accept-reorder')
        self.fails(4, '--accept-reorder', 'topic', 'alter', 'orders', '--partitions', '5')
        self.assertEqual(len(self.stored()), 4)


class Settings(BrokerTest):
    options = ('--storage.slice_seconds=1',)

    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 'orders', '--partitions', '1')

    def publish(self, *options):
        """How many of one event with an id are stored."""
        row, = self.acta_json('publish', 'orders', '--format', 'jsonl', '--id', '@/id', *options,
                              stdin='{"id": "one"}\n')
        return int(row['stored'])

    def alter(self, *options):
        self.acta('topic', 'alter', 'orders', *options)

    def test_ids_are_told_apart_as_the_topic_says_just_now(self):
        self.assertEqual([self.publish(), self.publish()], [1, 0])
        self.alter('--dedupe', 'off')
        self.assertEqual([self.publish(), self.publish()], [1, 1])
        self.alter('--dedupe', 'ids')
        self.assertEqual([self.publish(), self.publish()][1], 0)

    def test_what_the_retention_is_just_now_is_removed(self):
        self.publish()
        self.assertEqual(self.acta('topic', 'alter', 'orders', '--retention', '1s').count('1s'), 2)
        until(lambda: self.acta_json('topic', 'describe', 'orders')['partitions'][0][
            'firstOffset'] == '1', 'it is removed')

    def test_the_largest_event_counts_for_who_is_connected(self):
        publish = self.spawn('publish', 'orders', '-o', 'json', '--batch', '1B',
                             stdin=subprocess.PIPE)

        def send(line):
            publish.stdin.write(line + b'\n')
            publish.stdin.flush()
        send(b'x' * 2000)
        until(lambda: self.acta_json('topic', 'describe', 'orders')['partitions'][0][
            'endOffset'] == '1', 'it is stored')
        self.alter('--max-event', '1KiB')
        send(b'x' * 2000)
        publish.stdin.close()
        publish.stdin = None
        self.assertEqual(publish.wait(PATIENCE_S), 6)
        self.assertIn('EVENT_TOO_LARGE', publish.stderr.read().decode())
        self.assertEqual(json.load(publish.stdout)[0]['stored'], '1')


if __name__ == '__main__':
    unittest.main()
