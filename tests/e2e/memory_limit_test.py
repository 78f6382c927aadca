#!/usr/bin/env python3
"""A broker that may have so much memory and no more: by a control group of its own where one can be
made (root, version 2), else by a limit of its data."""

import os
import pathlib
import resource
import threading
import time
import unittest

import stubs
from broker import PATIENCE_S, SANITIZED, BrokerTest

stubs.use()

import grpc  # noqa: E402
from acta.v1 import event_pb2, publisher_pb2, publisher_pb2_grpc  # noqa: E402
from faults import Footprint  # noqa: E402
from network import Reader  # noqa: E402

LIMIT = 400 << 20
READERS = 50
PARTITIONS = 4
FRAME = publisher_pb2.PublishFrame(batches=[
    publisher_pb2.PartitionBatch(topic='t', partition=partition, events=[
        event_pb2.Event(data=os.urandom(64 << 10)) for _ in range(4)])
    for partition in range(PARTITIONS)])
FRAME_EVENTS = 4 * PARTITIONS
MOST_FRAMES = 900  # Of 1 MiB: a reader here gives the credit for 1 GiB, the most there is, once.
LEAST_FRAMES = 51  # However slow the machine is.
SECONDS = 20 if os.environ.get('ACTA_LONG') == '1' else 4


def make_group():
    """A control group that has a limit; None where that is not permitted, with the reason."""
    own = [line[3:] for line in pathlib.Path('/proc/self/cgroup').read_text().splitlines()
           if line.startswith('0::/')]
    root = pathlib.Path('/sys/fs/cgroup')
    if not own or not (root / 'cgroup.controllers').exists():
        return None, 'no control groups of version 2 alone'
    inside = root / own[0].lstrip('/')
    for parent in {inside, inside.parent if inside != root else root}:
        group = parent / f'acta-test-{os.getpid()}'
        try:
            group.mkdir()
        except OSError as error:
            return None, f'{group}: {error.strerror}'
        try:
            (group / 'memory.max').write_text(str(LIMIT))
            return group, f'control group {group}'
        except OSError as error:
            reason = f'{group}/memory.max: {error.strerror}'
            group.rmdir()
    return None, reason


@unittest.skipIf(SANITIZED, 'a sanitizer alone takes more than the limit that is tested')
class MemoryLimit(BrokerTest):
    options = ('--storage.tail_cache=32MiB', '--storage.memtable=32MiB',
               '--storage.write_buffer=8MiB', '--storage.in_flight=18MiB',
               '--storage.dedupe_memory=16MiB', '--limits.grpc_memory=128MiB')

    def setUp(self):
        super().setUp()
        self.assertEqual(self.broker.stop(), 0)
        group, how = make_group()
        print(how if group else f'by a limit of its data, because: {how}', flush=True)
        if group:
            self.addCleanup(group.rmdir)  # After the broker has ended.
            self.addCleanup(self.end)

        def limit():
            if group:
                (group / 'cgroup.procs').write_text(str(os.getpid()))
                return
            resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
            # Stacks count as a whole, used or not.
            resource.setrlimit(resource.RLIMIT_STACK, (512 << 10, 512 << 10))
        self.broker.before_exec = limit
        self.broker.start()
        self.acta('topic', 'create', 't', '--partitions', PARTITIONS, '--ack', 'os')

    def publish_at_full_rate(self, until_time, least=0):
        with grpc.insecure_channel(self.broker.address) as channel:
            stub = publisher_pb2_grpc.PublisherStub(channel)
            while self.published < least or (time.monotonic() < until_time and
                                             self.published < MOST_FRAMES):
                stub.Publish(FRAME, timeout=PATIENCE_S)
                self.published += 1

    def test_slow_readers_beside_a_publisher_at_full_rate(self):
        self.published = 0
        self.publish_at_full_rate(0)
        readers = [Reader(self.broker.address) for _ in range(READERS)]
        quick = Reader(self.broker.address, [('grpc.use_local_subchannel_pool', 1)])
        for reader in [*readers, quick]:
            self.addCleanup(reader.close)
        publishing = threading.Thread(target=self.publish_at_full_rate,
                                      args=(time.monotonic() + SECONDS, LEAST_FRAMES))
        publishing.start()
        for reader in readers:
            reader.one_frame()
        most = 0
        while publishing.is_alive():
            self.assertIsNone(self.broker.process.poll(), self.broker.log.read_text()[-2000:])
            most = max(most, Footprint(self.broker.process.pid).memory_mib)
            publishing.join(0.1)
        quick.take(self.published * FRAME_EVENTS)
        for reader in readers[:5]:
            reader.take(self.published * FRAME_EVENTS // 10)  # It goes on where it stood.
        self.assertIsNone(self.broker.process.poll())
        self.assertEqual(self.acta_json('status')['subscriptions'], str(READERS + 1))
        print(f'{self.published} MiB published in {SECONDS} s, {READERS} readers stand, at most '
              f'{most:.0f} MiB resident of {LIMIT >> 20}', flush=True)
        self.assertGreaterEqual(self.published, LEAST_FRAMES)


if __name__ == '__main__':
    unittest.main()
