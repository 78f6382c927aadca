#!/usr/bin/env python3
"""A disk below its watermarks: what is refused, by which reason, and what goes on."""

import subprocess
import time
import unittest

import stubs
from broker import PATIENCE_S, BrokerTest

stubs.use()

import grpc  # noqa: E402
from acta.v1 import event_pb2, publisher_pb2, publisher_pb2_grpc  # noqa: E402


def below(*levels):
    """Options with which every disk is below these watermarks."""
    return [option for level in levels for option in (
        f'--storage.disk_{level}_percent=100', f'--storage.disk_{level}_bytes=1024TiB')]


class Disk(BrokerTest):
    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 't', '--partitions', '1')
        self.acta('publish', 't', '--format', 'text', stdin='a\nb\nc\n')
        self.events('subscribe', 't', '--group', 'g', '--max', '1')

    def restart(self, *levels):
        self.assertEqual(self.broker.stop(), 0)
        self.broker.options = below(*levels)
        self.broker.start()

    def committed(self):
        return int(self.acta_json('group', 'lag', 'g')['partitions'][0]['committedOffset'])

    def publish_is_refused(self):
        """As a typed error of the call, with a delay, and by the command line."""
        with grpc.insecure_channel(self.broker.address) as channel:
            with self.assertRaises(grpc.RpcError) as caught:
                publisher_pb2_grpc.PublisherStub(channel).Publish(
                    publisher_pb2.PublishFrame(batches=[publisher_pb2.PartitionBatch(
                        topic='t', events=[event_pb2.Event(data=b'd')])]), timeout=PATIENCE_S)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertEqual(stubs.reason_of(caught.exception)[0], 'DISK_FULL')
        self.assertIn('watermark', caught.exception.details())
        self.goes_on_failing(5, 'DISK_FULL', 'publish', 't', 'd')

    def test_below_soft_publishes_are_refused_and_commits_go_on(self):
        self.restart('warn', 'soft')
        self.assertIn('DISK_SOFT', self.acta('status'))
        self.publish_is_refused()
        self.assertEqual(self.committed(), 1)
        rest = self.events('subscribe', 't', '--group', 'g', '--until-end')
        self.assertEqual([event['offset'] for event in rest], [1, 2])
        self.assertEqual(self.committed(), 3)
        self.acta('group', 'reset', 'g', '--to', 'earliest', '--reason', 'test')
        self.assertEqual(self.committed(), 0)
        self.acta('topic', 'create', 'other')
        self.acta('topic', 'delete', 'other', '--yes')
        self.broker.kill()
        self.broker.start()
        self.assertEqual(self.committed(), 0)

    def test_below_hard_nothing_is_written_and_everything_is_read(self):
        self.restart('warn', 'soft', 'hard')
        self.assertIn('DISK_HARD', self.acta('status'))
        self.publish_is_refused()
        self.fails(5, 'DISK_FULL', 'topic', 'create', 'other')
        self.fails(5, 'DISK_FULL', 'group', 'reset', 'g', '--to', 'earliest', '--reason', 'test')
        self.assertEqual(self.acta('subscribe', 't', '--from', 'earliest', '--until-end'),
                         'a\nb\nc\n')
        self.assertEqual(self.committed(), 1)

    def test_an_ack_that_waits_for_room_does_not_keep_the_broker_from_stopping(self):
        self.acta('group', 'create', 'workers', '--topic', 't', '--mode', 'queue',
                  '--from', 'earliest')
        self.restart('warn', 'soft', 'hard')
        worker = self.spawn('subscribe', 't', '--group', 'workers', '--max', '1')
        self.assertEqual(worker.stdout.readline(), b'a\n')
        time.sleep(2)
        self.assertIsNone(worker.poll())
        # Who decides does not wait.
        self.fails(5, 'DISK_FULL', 'group', 'skip', 'workers', '--topic', 't', '--partition', '0',
                   '--offset', '1', '--reason', 'test')
        begun = time.monotonic()
        self.assertEqual(self.broker.stop(), 0)
        self.assertLess(time.monotonic() - begun, PATIENCE_S / 2)
        self.broker.options = ()
        self.broker.start()
        lag = self.acta_json('group', 'lag', 'workers')['partitions'][0]
        self.assertEqual(int(lag['lagEvents']), 3)

    def test_room_again_and_publishes_go_on(self):
        self.restart('warn', 'soft')
        self.publish_is_refused()
        self.restart()
        self.acta('publish', 't', '--format', 'text', stdin='d\n')
        self.assertEqual(self.acta('subscribe', 't', '--from', 'earliest', '--until-end'),
                         'a\nb\nc\nd\n')


if __name__ == '__main__':
    unittest.main()
