#!/usr/bin/env python3
"""What an operator looks at: `acta top`, log lines, their level at run time, slow operations."""

import collections
import json
import os
import re
import signal
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.request

from broker import BIN, PATIENCE_S, BrokerTest
from faults import until
from oracle import free_port


class Top(BrokerTest):
    def test_groups_and_their_rates_are_shown(self):
        self.acta('topic', 'create', 'orders', '--partitions', 1)
        for name, mode in (('audit', 'stream'), ('billing', 'queue')):
            self.acta('group', 'create', name, '--topic', 'orders', '--from', 'earliest',
                      '--mode', mode)
        self.acta('publish', 'orders', stdin='a\nb\nc\n')
        self.acta('subscribe', 'orders', '--group', 'billing', '--max', 1, '--exec', 'exit 65')
        shown = self.acta('top', '--looks', 2, '--interval', '200ms')
        self.assertEqual(shown.count('published '), 2)
        lines = [line.split() for line in shown.splitlines()]
        self.assertEqual([line[:4] for line in lines if line[0] in ('audit', 'billing')][:2],
                         [['audit', 'stream', '0', '3'], ['billing', 'queue', '0', '2']])
        self.assertIn('no members', shown)
        looks = self.acta('top', '--looks', 1, '--interval', '100ms', '-o', 'json')
        groups = {one['group']: one for one in json.loads(looks)['groups']}
        self.assertEqual(groups['billing']['queue']['deadLetters'], '1')
        self.assertEqual(groups['billing']['failedAttempts'], '1')
        self.assertEqual(groups['audit']['lagEvents'], '3')
        self.assertEqual(groups['audit']['processedEvents'], '0')
        self.assertGreater(float(groups['audit']['headroom'].rstrip('s')), 6 * 24 * 3600)

    def test_rates_are_of_what_goes_on(self):
        self.acta('topic', 'create', 'orders', '--partitions', 1)
        self.acta('group', 'create', 'workers', '--topic', 'orders', '--from', 'earliest',
                  '--mode', 'queue', '--backoff', '10ms', '--backoff-max', '10ms')

        def rates():
            shown = self.acta('top', '--looks', 1, '--interval', '500ms')
            row, = [line.split() for line in shown.splitlines() if line.startswith('workers ')]
            return [*re.match(r'published (\S+)/s, delivered (\S+)/s;', shown).groups(), *row[5:8]]
        self.assertEqual(rates(), ['0'] * 5)
        source = subprocess.Popen(
            ['sh', '-c', f'while echo x; do sleep 0.01; done | {BIN}/acta publish orders'],
            start_new_session=True, stdout=subprocess.DEVNULL,
            env={**os.environ, 'ACTA_SERVER': self.broker.address})
        self.addCleanup(source.wait)
        self.addCleanup(os.killpg, source.pid, signal.SIGKILL)  # Before it is waited for.
        # Each event fails once.
        self.spawn('subscribe', 'orders', '--group', 'workers', '--exec',
                   'test $ACTA_ATTEMPT -gt 1')
        until(lambda: '0' not in rates(), 'published, delivered, done, failed and retried')

    def test_bad_options_are_told(self):
        for options, word in ((('--interval', '10ms'), '100ms'), (('--looks', '0'), '--looks')):
            code, _, err = self.broker.acta('top', *options)
            self.assertEqual(code, 2)
            self.assertIn(word, err)


class LogLines(BrokerTest):
    options = ('--log.format', 'json', '--log.slow', '1us')

    def setUp(self):
        self.began = time.monotonic()
        super().setUp()

    def lines(self):
        return [json.loads(line) for line in self.broker.log.read_text().splitlines()]

    def test_lines_are_json_and_slow_operations_are_among_them(self):
        self.acta('topic', 'create', 'orders')
        self.acta('publish', 'orders', 'SECRET', '--key', 'SECRET', '--attribute', 'a=SECRET')
        self.acta('status')
        slow = [line for line in self.lines() if line['event'] == 'slow operation']
        self.assertLessEqual({'write', 'sync', 'call'}, {line['operation'] for line in slow})
        for line in slow:
            self.assertEqual(line['level'], 'warn')
            self.assertGreaterEqual(int(line['ms']), 0)
        # One a second of each.
        told = collections.Counter(line['operation'] for line in slow)
        self.assertLessEqual(max(told.values()), time.monotonic() - self.began + 1)
        self.assertNotIn('SECRET', self.broker.log.read_text())

    def test_the_level_is_changed_while_it_runs(self):
        self.assertEqual(json.loads(self.acta('admin', 'log-level', '-o', 'json')),
                         {'level': 'LOG_LEVEL_INFO', 'previous': 'LOG_LEVEL_INFO'})
        self.assertIn('error', self.acta('admin', 'log-level', 'error'))
        before = len(self.lines())
        self.acta('topic', 'create', 'quiet')  # Is slow, too.
        self.assertEqual(len(self.lines()), before)
        self.assertEqual(self.lines()[-1]['event'], 'log level changed')
        self.assertEqual(json.loads(self.acta('admin', 'log-level', 'warn', '-o', 'json')),
                         {'level': 'LOG_LEVEL_WARN', 'previous': 'LOG_LEVEL_ERROR'})
        code, _, err = self.broker.acta('admin', 'log-level', 'loud')
        self.assertEqual(code, 2)
        self.assertIn('debug, info, warn, error', err)


class Counted(BrokerTest):
    """What everybody does, as the page of metrics tells it."""

    def numbers(self):
        with urllib.request.urlopen(f'http://{self.broker.http}/metrics', timeout=10) as page:
            lines = page.read().decode().splitlines()
        return {name: float(number) for name, number in
                (line.rsplit(' ', 1) for line in lines if line and line[0] != '#')}

    def comes(self, **wanted):
        """Waits until the metrics `acta_NAME` have these values."""
        def different():
            numbers = self.numbers()
            return {name: numbers.get(f'acta_{name}') for name, value in wanted.items()
                    if numbers.get(f'acta_{name}') != value}
        until(lambda: not different(), lambda: f'{wanted}, different: {different()}')

    def test_what_is_published_read_and_refused_is_counted(self):
        self.acta('topic', 'create', 'orders', '--partitions', 1)
        for lines in ('{"id": "a"}\n{"id": "b"}\n{"id": "c"}\n', '{"id": "a"}\n'):
            self.acta('publish', 'orders', '--format', 'jsonl', '--id', '@/id', stdin=lines)
        self.acta('subscribe', 'orders', '--from', 'earliest', '--until-end')
        self.broker.acta('topic', 'describe', 'nothing')
        self.comes(log_appended_events_total=3, log_duplicate_events_total=1, log_dedupe_ids=3,
                   subscribe_delivered_events_total=3, topics_topics=1, topics_partitions=1,
                   journeys_indexed_events_total=3, journeys_index_lag_events=0,
                   subscribe_subscriptions=0, rpc_publish_streams=0, app_ready=1)
        numbers = self.numbers()
        self.assertEqual(numbers['acta_topics_appended_events_total{topic="orders"}'], 3)
        self.assertEqual(numbers['acta_rpc_rejections_total{reason="TOPIC_NOT_FOUND"}'], 1)
        self.assertGreater(numbers['acta_subscribe_delivered_bytes_total'], 3 * len('{"id": "a"}'))
        for histogram in ('acta_log_commit_seconds', 'acta_log_sync_seconds'):
            self.assertGreater(numbers[f'{histogram}_count'], 0)
            self.assertEqual(numbers[f'{histogram}_count'],
                             numbers[f'{histogram}_bucket{{le="+Inf"}}'])
        self.assertGreater(numbers['acta_log_cache_reads_total'], 0)
        self.assertGreater(numbers['acta_log_wal_bytes'], 0)
        publisher = self.spawn('publish', 'orders', stdin=subprocess.PIPE)
        publisher.stdin.write(b'{}\n')
        publisher.stdin.flush()
        reader = self.spawn('subscribe', 'orders')
        self.comes(log_appended_events_total=4, rpc_publish_streams=1, subscribe_subscriptions=1,
                   rpc_connections=2)
        for process in (publisher, reader):
            process.kill()
        self.comes(rpc_publish_streams=0, subscribe_subscriptions=0, rpc_connections=0)


class Scrapes(BrokerTest):
    @staticmethod
    def scrape(address):
        """The status and the page, or why there is none."""
        try:
            with urllib.request.urlopen(f'http://{address}/metrics', timeout=PATIENCE_S) as page:
                return page.status, page.read().decode()
        except urllib.error.URLError as error:
            return None, error.reason
        except OSError as error:
            return None, error

    def scrape_until(self, ended, address, answers):
        while not ended.is_set():
            answers.append(self.scrape(address))
            if answers[-1][0] is None:
                time.sleep(0.001)

    def test_scrapes_while_it_starts_are_refused_or_answered(self):
        self.acta('topic', 'create', 'orders')
        self.acta('publish', 'orders', stdin='x\n' * 100_000)
        address = f'127.0.0.1:{free_port()}'
        self.broker.options = ('--http', address)
        starts = set()
        for _ in range(5):
            self.broker.kill()
            ended, answers = threading.Event(), []
            scraper = threading.Thread(target=self.scrape_until, args=(ended, address, answers))
            scraper.start()
            try:
                until(lambda: answers, 'nothing answers yet')
                self.broker.start()
            finally:
                ended.set()
                scraper.join(timeout=PATIENCE_S)
            self.assertFalse(scraper.is_alive())
            self.assertIsNone(answers[0][0], 'it starts')
            for status, text in answers:
                if status is None:
                    self.assertIsInstance(text, ConnectionRefusedError)
                else:
                    self.assertEqual((status, text[-1]), (200, '\n'))
            status, text = self.scrape(address)
            self.assertEqual(status, 200)
            self.assertIn('\nacta_app_ready 1\n', text)
            starts.add(re.search(r'(?m)^acta_app_start_timestamp_seconds (\S+)$', text).group(1))
        self.assertEqual(len(starts), 5, starts)


if __name__ == '__main__':
    unittest.main()
