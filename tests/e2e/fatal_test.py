#!/usr/bin/env python3
"""A disk that refuses a write: the daemon says so to who waits, exits 70, and loses nothing."""

import resource
import signal
import threading
import unittest

import stubs
from broker import PATIENCE_S, BrokerTest

stubs.use()

import grpc  # noqa: E402
from acta.v1 import (event_pb2, publisher_pb2, publisher_pb2_grpc,  # noqa: E402
                     subscriber_pb2, subscriber_pb2_grpc)

CLIENTS = 4
# The log file reaches it; nothing that a start writes does.
FILE_BYTES = 8 << 20
EVENT_BYTES = 64 << 10


def limit_files():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))


class Fatal(BrokerTest):
    options = ('--storage.ballast=0',)

    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 't', '--partitions', CLIENTS)
        self.acked = {}
        self.errors = {}

    def publish(self, client):
        """Until a call fails: what was acknowledged, by its place, and the error."""
        with grpc.insecure_channel(self.broker.address) as channel:
            stub = publisher_pb2_grpc.PublisherStub(channel)
            for number in range(1 << 20):
                data = f'{client}/{number}/'.encode().ljust(EVENT_BYTES, b'.')
                try:
                    answer = stub.Publish(publisher_pb2.PublishFrame(
                        batches=[publisher_pb2.PartitionBatch(
                            topic='t', partition=client,
                            events=[event_pb2.Event(data=data)])]), timeout=PATIENCE_S)
                except grpc.RpcError as error:
                    self.errors[client] = error
                    return
                part = answer.results[0].batches[0].parts[0]
                self.acked[client, part.base_offset] = data

    def stored(self):
        events = {}
        with grpc.insecure_channel(self.broker.address) as channel:
            stub = subscriber_pb2_grpc.SubscriberStub(channel)
            for partition in range(CLIENTS):
                offset, end = 0, 1
                while offset < end:
                    page = stub.Fetch(subscriber_pb2.FetchRequest(
                        topic='t', partition=partition, offset=offset, max_bytes=4 << 20),
                        timeout=PATIENCE_S)
                    end = page.end_offset
                    for batch in page.batches:
                        self.assertEqual(batch.base_offset, offset, 'a hole')
                        for event in batch.events:
                            events[partition, offset] = event.data
                            offset += 1
        return events

    def test_a_failed_write_ends_in_70_and_everything_acknowledged_is_there(self):
        self.assertEqual(self.broker.stop(), 0)
        self.broker.before_exec = limit_files
        self.broker.start()
        clients = [threading.Thread(target=self.publish, args=(client,))
                   for client in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        self.assertEqual(self.broker.process.wait(timeout=PATIENCE_S), 70)
        self.assertEqual([error.code() for error in self.errors.values()],
                         [grpc.StatusCode.UNAVAILABLE] * CLIENTS)
        # Who waited was told. A call that is sent just then may meet the end of the process.
        reasons = [stubs.reason_of(error)[0] for error in self.errors.values()]
        self.assertIn('OUTCOME_UNKNOWN', reasons)
        self.assertLessEqual(set(reasons), {'OUTCOME_UNKNOWN', ''})
        log = self.broker.log.read_text()
        self.assertIn('stopping: durability is in doubt', log)
        self.assertIn('database background error in log write', log)
        self.assertIn('File too large', log)
        self.assertGreater(len(self.acked), FILE_BYTES // EVENT_BYTES // 2)

        self.broker.before_exec = None
        self.broker.start()
        stored = self.stored()
        lost = [place for place, data in self.acked.items() if stored.get(place) != data]
        self.assertEqual(lost, [])
        # At most the calls that were told that nobody knows.
        self.assertLessEqual(len(stored), len(self.acked) + CLIENTS)
        self.acta('publish', 't', 'on we go')


if __name__ == '__main__':
    unittest.main()
