#!/usr/bin/env python3
"""The numbers of QUEUE groups on the page that Prometheus reads, from a real broker."""

import re
import unittest
import urllib.request

import stubs

stubs.use()

import grpc  # noqa: E402
from broker import PATIENCE_S, BrokerTest  # noqa: E402
from faults import until  # noqa: E402
from workers import ACK, NACK, REJECT, Worker  # noqa: E402

SAMPLE = re.compile(r'^acta_queues_(\w+)\{group="([^"]*)"(?:,\w+="(\w+)")?\} (\S+)$', re.MULTILINE)
LAG_SAMPLE = re.compile(r'^acta_groups_(\w+)\{group="([^"]*)"(?:,\w+="(\w+)")?\} (\S+)$',
                        re.MULTILINE)


class QueueMetrics(BrokerTest):
    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 'jobs', '--partitions', 1)
        self.channel = grpc.insecure_channel(self.broker.address)
        self.addCleanup(self.channel.close)

    def numbers(self, group='workers'):
        return self.samples(SAMPLE, group)

    def samples(self, pattern, group):
        """{metric or (metric, label): number} of the group."""
        page = f'http://{self.broker.http}/metrics'
        with urllib.request.urlopen(page, timeout=PATIENCE_S) as answer:
            samples = pattern.findall(answer.read().decode())
        return {(what, label) if label else what: float(number)
                for what, of, label, number in samples if of == group}

    def lag(self, group='workers'):
        return self.samples(LAG_SAMPLE, group)

    def group(self, *settings):
        self.acta('group', 'create', 'workers', '--topic', 'jobs', '--from', 'earliest', '--mode',
                  'queue', *settings)

    def publish(self, count):
        self.acta('publish', 'jobs', stdin=''.join(f'{n}\n' for n in range(count)))

    def worker(self, **how):
        worker = Worker(self.channel, **how)
        self.addCleanup(worker.die)
        return worker

    def test_a_queue_has_every_series_from_its_beginning(self):
        self.assertEqual(self.numbers(), {})
        self.group('--max-dead-letters', '7')
        self.acta('group', 'create', 'stream', '--topic', 'jobs')
        self.assertEqual(self.numbers('stream'), {})
        numbers = self.numbers()
        self.assertEqual(numbers.pop('dead_letters_limit'), 7)
        self.assertEqual(set(numbers.values()), {0})
        self.assertEqual(
            {name for name in numbers if isinstance(name, str)},
            {'dead_letters', 'redelivered_events_total'})
        labels = {}
        for what, label in (name for name in numbers if isinstance(name, tuple)):
            labels.setdefault(what, set()).add(label)
        self.assertEqual(labels, {
            'outstanding_events': {'ready', 'leased', 'retry_wait', 'blocked_by_key', 'held',
                                   'not_scanned'},
            'settled_events_total': {'ack', 'nack', 'reject', 'release', 'lease_expired',
                                     'member_lost'},
            'passed_events_total': {'expired', 'skipped'},
            'dead_lettered_events_total': {'REJECTED', 'ATTEMPTS_EXHAUSTED', 'DELIVERY_LOOP'},
            'refused_settlements_total': {'ALREADY_SETTLED', 'LEASE_LOST', 'NEVER_LEASED',
                                          'LIMIT_EXCEEDED'}})

    def test_what_workers_do_is_counted(self):
        self.group('--backoff', '1h', '--backoff-max', '1h')
        self.publish(10)
        self.assertEqual(self.numbers()['outstanding_events', 'not_scanned'], 10)
        worker = self.worker(credit=8)
        worker.has(8)
        acked, nacked, rejected = worker.leased[:3], worker.leased[3:5], worker.leased[5]
        worker.settle(ACK, *acked)
        worker.settle(NACK, *nacked)
        worker.settle(REJECT, rejected)
        worker.settle(ACK, acked[0])
        until(lambda: worker.errors, 'the second ack is refused', PATIENCE_S)
        numbers = self.numbers()
        for name, number in {('outstanding_events', 'leased'): 2,
                             ('outstanding_events', 'retry_wait'): 2,
                             ('settled_events_total', 'ack'): 3,
                             ('settled_events_total', 'nack'): 2,
                             ('settled_events_total', 'reject'): 1,
                             ('dead_lettered_events_total', 'REJECTED'): 1,
                             ('refused_settlements_total', 'ALREADY_SETTLED'): 1,
                             'redelivered_events_total': 0,
                             'dead_letters': 1}.items():
            self.assertEqual(numbers[name], number, name)
        self.assertEqual(numbers['outstanding_events', 'ready'] +
                         numbers['outstanding_events', 'not_scanned'], 2)
        self.assertGreater(self.lag()['lag_seconds'], 0)
        self.assertEqual(self.lag()['lag_events'], 6)
        self.assertEqual(self.lag()['members'], 1)
        worker.die()
        until(lambda: self.numbers()['settled_events_total', 'member_lost'] == 2,
              'what the lost worker had is counted', PATIENCE_S)
        other = self.worker()
        other.has(4)
        self.assertEqual(self.numbers()['redelivered_events_total'], 2)
        other.leave()
        until(lambda: self.numbers()['settled_events_total', 'release'] == 4,
              'what was given back is counted', PATIENCE_S)

    def test_the_age_is_known_again_after_a_restart(self):
        self.group()
        self.publish(1)
        self.assertEqual(self.broker.stop(), 0)
        self.broker.start()
        until(lambda: self.lag().get('lag_seconds', 0) > 0,
              'the oldest event was read', PATIENCE_S)
        # Counters begin anew, states do not.
        self.assertEqual(self.numbers()['outstanding_events', 'not_scanned'], 1)

    def test_a_stream_group_is_measured_too(self):
        self.acta('group', 'create', 'readers', '--topic', 'jobs', '--from', 'earliest')
        self.assertEqual(self.lag('readers')['lag_seconds'], 0)
        self.publish(7)
        until(lambda: self.lag('readers')['lag_events'] == 7, 'they are visible', PATIENCE_S)
        lag = self.lag('readers')
        self.assertEqual(lag['members'], 0)
        self.assertGreater(lag['lag_bytes'], 7)
        self.assertGreater(lag['headroom_seconds'], 6 * 24 * 3600)
        self.assertNotIn('drain_seconds', lag)  # It does not shrink.
        self.acta('subscribe', 'jobs', '--group', 'readers', '--max', '7')
        until(lambda: self.lag('readers')['lag_events'] == 0, 'they are read', PATIENCE_S)
        self.assertEqual(self.lag('readers')['lag_seconds'], 0)
        self.assertEqual(self.lag('readers')['drain_seconds'], 0)
        self.assertNotIn('headroom_seconds', self.lag('readers'))

    def test_a_deleted_queue_is_not_shown(self):
        self.group()
        self.assertNotEqual(self.numbers(), {})
        self.acta('group', 'delete', 'workers', '--yes')
        self.assertEqual(self.numbers(), {})


if __name__ == '__main__':
    unittest.main()
