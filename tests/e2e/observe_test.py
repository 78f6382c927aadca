#!/usr/bin/env python3
"""What an operator looks at: `acta top`, log lines, their level at run time, slow operations."""

import collections
import json
import threading
import time
import unittest
import urllib.error
import urllib.request

from broker import PATIENCE_S, BrokerTest
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


class Scrapes(BrokerTest):
    @staticmethod
    def scrape(address):
        """The status and the page, or why there is none."""
        try:
            with urllib.request.urlopen(f'http://{address}/metrics', timeout=2) as page:
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


if __name__ == '__main__':
    unittest.main()
