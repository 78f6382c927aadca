#!/usr/bin/env python3
"""Readers that ask for everything, take one frame and stop: they cost a bounded amount of memory,
and nobody else waits for them."""

import os
import queue
import threading
import time
import unittest

import stubs
from broker import BIN, PATIENCE_S, BrokerTest

stubs.use()

import grpc  # noqa: E402
from acta.v1 import (event_pb2, groups_pb2, publisher_pb2, publisher_pb2_grpc,  # noqa: E402
                     subscriber_pb2, subscriber_pb2_grpc)

READERS = 20
PARTITIONS = 4
EVENT_BYTES = 64 << 10
FRAME_EVENTS = 8
PUBLISHED = (800 if os.environ.get('ACTA_LONG') == '1' else 200) << 20
# What the broker may grow by: a tail cache, memtables, and for each reader what is on its way.
TAIL_CACHE, MEMTABLES, READER, ELSE = 32 << 20, 32 << 20, 1 << 20, 48 << 20
ALLOWED = TAIL_CACHE + MEMTABLES + READERS * READER + ELSE
if b'__asan_init' in (BIN / 'actad').read_bytes():
    ALLOWED += 512 << 20  # What the sanitizer keeps of what was freed.
# A client that does not read ahead more than this, however much there is.
NO_READ_AHEAD = [('grpc.http2.lookahead_bytes', 65535), ('grpc.http2.bdp_probe', 0),
                 ('grpc.use_local_subchannel_pool', 1)]


class Reader:
    """Reads from the start without a group; the credit is for all there will ever be."""

    def __init__(self, address):
        self.controls = queue.Queue()
        self.channel = grpc.insecure_channel(address, options=NO_READ_AHEAD)
        self.stream = subscriber_pb2_grpc.SubscriberStub(self.channel).Subscribe(
            iter(self.controls.get, None), timeout=4 * PATIENCE_S)
        self.controls.put(subscriber_pb2.SubscribeControl(
            frame_id=1, start=subscriber_pb2.SubscribeStart(
                credit=subscriber_pb2.Credit(events=1 << 20, bytes=1 << 30),
                topics=[subscriber_pb2.TopicPosition(
                    topic='t', **{'from': groups_pb2.StartPosition(earliest=True)})])))

    def one_frame(self):
        while not next(self.stream).batches:
            pass

    def take(self, events):
        for frame in self.stream:
            events -= sum(len(batch.events) for batch in frame.batches)
            if events <= 0:
                return

    def close(self):
        self.controls.put(None)
        self.stream.cancel()
        self.channel.close()


class SlowReaders(BrokerTest):
    options = (f'--storage.tail_cache={TAIL_CACHE}', f'--storage.memtable={MEMTABLES}')

    def resident(self):
        with open(f'/proc/{self.broker.process.pid}/status', encoding='ascii') as status:
            for line in status:
                if line.startswith('VmRSS:'):
                    return int(line.split()[1]) << 10
        return 0

    def publish(self, total):
        with grpc.insecure_channel(self.broker.address) as channel:
            stub = publisher_pb2_grpc.PublisherStub(channel)
            for number in range(total // FRAME_EVENTS):
                stub.Publish(publisher_pb2.PublishFrame(batches=[publisher_pb2.PartitionBatch(
                    topic='t', partition=number % PARTITIONS,
                    events=[event_pb2.Event(data=os.urandom(EVENT_BYTES))
                            for _ in range(FRAME_EVENTS)])]), timeout=PATIENCE_S)

    def test_readers_that_stop_reading(self):
        self.acta('topic', 'create', 't', '--partitions', PARTITIONS, '--ack', 'os')
        self.publish(FRAME_EVENTS * PARTITIONS)
        before = self.resident()
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
        deadline = time.monotonic() + PATIENCE_S
        while self.acta_json('status')['subscriptions'] != '1':
            self.assertLess(time.monotonic(), deadline, 'subscriptions stay')
            time.sleep(0.05)


if __name__ == '__main__':
    unittest.main()
