#!/usr/bin/env python3
"""How `acta subscribe` ends while events go on coming: what a member commits is what it has shown."""

import contextlib
import threading
import unittest

import stubs
from broker import PATIENCE_S, BrokerTest

stubs.use()

import grpc  # noqa: E402
from acta.v1 import event_pb2, publisher_pb2, publisher_pb2_grpc  # noqa: E402
from faults import until  # noqa: E402


class SubscribeEndsTest(BrokerTest):
    def setUp(self):
        super().setUp()
        channel = grpc.insecure_channel(self.broker.address)
        self.addCleanup(channel.close)
        self.publisher = publisher_pb2_grpc.PublisherStub(channel)
        self.published = 0

    def publish(self, partition=0):
        """One event, which says how many there were before it."""
        self.publisher.Publish(publisher_pb2.PublishFrame(batches=[publisher_pb2.PartitionBatch(
            topic='t', partition=partition,
            events=[event_pb2.Event(data=b'%d' % self.published)])]), timeout=PATIENCE_S)
        self.published += 1

    @contextlib.contextmanager
    def steady_traffic(self, partitions=1):
        """One event behind the other in each partition, as long as it is entered."""
        enough = threading.Event()

        def go_on():
            while not enough.is_set():
                for partition in range(partitions):
                    self.publish(partition)
        traffic = threading.Thread(target=go_on)
        traffic.start()
        try:
            yield
        finally:
            enough.set()
            traffic.join()


class UntilEnd(SubscribeEndsTest):
    def test_what_came_behind_the_end_is_shown_the_next_time(self):
        self.acta('topic', 'create', 't', '--partitions', 1)
        for _ in range(100):
            self.publish()
        shown = []
        with self.steady_traffic():
            for _ in range(5):
                shown += self.acta('subscribe', 't', '--group', 'g', '--until-end').split()
        shown += self.acta('subscribe', 't', '--group', 'g', '--until-end').split()
        self.assertEqual(shown, [str(number) for number in range(self.published)])

    def test_two_members_end_although_events_come_all_the_time(self):
        self.acta('topic', 'create', 't', '--partitions', 2)
        self.acta('group', 'create', 'g', '--topic', 't', '--from', 'earliest')
        for number in range(80):
            self.publish(number % 2)
        members = [self.spawn('subscribe', 't', '--group', 'g', '--until-end', '--exec',
                              'echo $ACTA_PARTITION $ACTA_OFFSET; sleep 0.1') for _ in range(2)]
        until(lambda: len(self.acta_json('group', 'describe', 'g')['group']['members']) == 2,
              'both have joined')
        shown = set()
        with self.steady_traffic(partitions=2):
            for member in members:
                out, err = member.communicate(timeout=PATIENCE_S)
                self.assertEqual(member.returncode, 0, err)
                shown.update(out.decode().splitlines())
        self.assertEqual(shown, {f'{partition} {offset}' for partition in (0, 1)
                                 for offset in range(40)})


if __name__ == '__main__':
    unittest.main()
