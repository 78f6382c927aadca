#!/usr/bin/env python3
"""Readers that ask for everything, take one frame and stop: they cost a bounded amount of memory
and no disk, and nobody else waits for them.

ACTA_LONG=1 publishes more, and waits until the disk is given back.
"""

import os
import threading
import unittest

import stubs
from broker import PATIENCE_S, SANITIZED, BrokerTest

stubs.use()

import grpc  # noqa: E402
from acta.v1 import event_pb2, publisher_pb2, publisher_pb2_grpc  # noqa: E402
from faults import Footprint, disk_mib, until  # noqa: E402
from network import Reader  # noqa: E402

READERS = 20
PARTITIONS = 4
EVENT_BYTES = 64 << 10
FRAME_EVENTS = 8
LONG = os.environ.get('ACTA_LONG') == '1'
PUBLISHED = (800 if LONG else 200) << 20
# What the broker may grow by: a tail cache, memtables, and for each reader what is on its way.
TAIL_CACHE, MEMTABLES, READER, ELSE = 32 << 20, 32 << 20, 1 << 20, 48 << 20
ALLOWED = TAIL_CACHE + MEMTABLES + READERS * READER + ELSE
if SANITIZED:
    ALLOWED += 512 << 20  # What the sanitizer keeps of what was freed.


class ReadersTest(BrokerTest):
    options = (f'--storage.tail_cache={TAIL_CACHE}', f'--storage.memtable={MEMTABLES}')

    def resident(self):
        return int(Footprint(self.broker.process.pid).memory_mib * (1 << 20))

    def publish(self, total):
        with grpc.insecure_channel(self.broker.address) as channel:
            stub = publisher_pb2_grpc.PublisherStub(channel)
            for number in range(total // FRAME_EVENTS):
                stub.Publish(publisher_pb2.PublishFrame(batches=[publisher_pb2.PartitionBatch(
                    topic='t', partition=number % PARTITIONS,
                    events=[event_pb2.Event(data=os.urandom(EVENT_BYTES))
                            for _ in range(FRAME_EVENTS)])]), timeout=PATIENCE_S)


class Memory(ReadersTest):
    def test_readers_that_stop_reading(self):
        self.acta('topic', 'create', 't', '--partitions', PARTITIONS, '--ack', 'os')
        self.publish(FRAME_EVENTS * PARTITIONS)
        before = self.resident()
        sockets = Footprint(self.broker.process.pid).sockets
        readers = [Reader(self.broker.address) for _ in range(READERS)]
        for reader in readers:
            self.addCleanup(reader.close)
            reader.one_frame()
        quick = Reader(self.broker.address)
        self.addCleanup(quick.close)
        total = PUBLISHED // EVENT_BYTES
        taking = threading.Thread(target=quick.take, args=(total + FRAME_EVENTS * PARTITIONS,))
        taking.start()
        most = 0
        publishing = threading.Thread(target=self.publish, args=(total,))
        publishing.start()
        while publishing.is_alive():
            most = max(most, self.resident())
            publishing.join(0.05)
        taking.join(PATIENCE_S)
        self.assertFalse(taking.is_alive(), 'the quick reader waits')
        most = max(most, self.resident())
        print(f'{READERS} readers stand; {PUBLISHED >> 20} MiB published and delivered: '
              f'{before >> 20} MiB before, at most {most >> 20} MiB, allowed '
              f'{(before + ALLOWED) >> 20} MiB', flush=True)
        self.assertLess(most, before + ALLOWED)
        for reader in readers:
            reader.close()
        quick.close()
        until(lambda: self.acta_json('status')['subscriptions'] == '0', 'subscriptions end')
        until(lambda: Footprint(self.broker.process.pid).sockets <= sockets, 'sockets are closed')


@unittest.skipUnless(LONG, 'files of a log are dropped once a minute; ACTA_LONG=1 waits for it')
class Disk(ReadersTest):
    options = (*ReadersTest.options, '--storage.slice_seconds=1', '--storage.write_buffer=4MiB')

    def test_readers_that_stop_reading_keep_no_file(self):
        self.acta('topic', 'create', 't', '--partitions', PARTITIONS, '--ack', 'os',
                  '--retention', '2s')
        self.publish(FRAME_EVENTS * PARTITIONS)
        before = disk_mib(self.broker.data)
        readers = [Reader(self.broker.address) for _ in range(READERS)]
        for reader in readers:
            self.addCleanup(reader.close)
            reader.one_frame()
        self.publish((100 << 20) // EVENT_BYTES)
        most = disk_mib(self.broker.data)
        self.assertGreater(most, before + 80)
        until(lambda: disk_mib(self.broker.data) < before + 20, 'the disk is given back', 150)
        self.assertEqual(self.acta_json('status')['subscriptions'], str(READERS))
        print(f'{before:.0f} MiB of disk before, at most {most:.0f}, then '
              f'{disk_mib(self.broker.data):.0f}', flush=True)


if __name__ == '__main__':
    unittest.main()
