#!/usr/bin/env python3
"""kill -9 under mixed load, again and again: what was acknowledged is there, once, in its place.

ACTA_KILL_CYCLES says how often (5), ACTA_KILL_SEED repeats a run.
"""

import os
import queue
import random
import threading
import time
import unittest
from collections import defaultdict

import stubs
from broker import PATIENCE_S, BrokerTest

stubs.use()

import grpc  # noqa: E402
from acta.v1 import (event_pb2, groups_pb2, publisher_pb2, publisher_pb2_grpc,  # noqa: E402
                     subscriber_pb2, subscriber_pb2_grpc)
from faults import until  # noqa: E402

CYCLES = int(os.environ.get('ACTA_KILL_CYCLES', 5))
SEED = int(os.environ.get('ACTA_KILL_SEED', time.time_ns() % 1_000_000_007))
PARTITIONS = 4
OS, FSYNC = publisher_pb2.ACK_LEVEL_OS, publisher_pb2.ACK_LEVEL_FSYNC


class Load(threading.Thread):
    """Works against one address until the broker is gone, which it is not before `killing`."""

    def __init__(self, address, work, killing):
        super().__init__()
        self.address = address
        self.work = work
        self.killing = killing
        self.fault = None

    def run(self):
        try:
            with grpc.insecure_channel(self.address) as channel:
                self.work(channel)
        except grpc.RpcError as error:
            if not self.killing.is_set():
                self.fault = error
        except Exception as fault:  # pylint: disable=broad-except
            self.fault = fault


class Kill(BrokerTest):
    """What was acknowledged: self.acked[(partition, offset)] = data. Both levels survive kill -9:
    only a power cut may take what is in the page cache."""

    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 't', '--partitions', PARTITIONS, '--visible-at', 'os')
        self.lock = threading.Lock()
        self.acked = {}
        self.committed = defaultdict(int)
        self.unknown = set()
        self.cycle = 0

    def acknowledge(self, results, batches):
        with self.lock:
            for batch, result in zip(batches, results):
                self.assertFalse(result.HasField('error'), result.error)
                datas = [event.data for event in batch.events]
                for part in result.parts:
                    indexes = part.event_indexes or range(len(datas))
                    for step, index in enumerate(indexes):
                        place = part.partition, part.base_offset + step
                        self.assertNotIn(place, self.acked, 'an offset was given twice')
                        self.acked[place] = datas[index]
                        self.unknown.discard(datas[index])

    def events(self, name, number, count):
        """Distinct for the whole test."""
        events = [event_pb2.Event(id=f'{name}-{self.cycle}-{number}-{index}',
                                  data=f'{name}/{self.cycle}/{number}/{index}'.encode())
                  for index in range(count)]
        with self.lock:
            self.unknown.update(event.data for event in events)
        return events

    def unary(self, name, level, seed):
        """Calls with a few events, some of them atomic over two partitions."""
        def work(channel):
            chance = random.Random(seed)
            stub = publisher_pb2_grpc.PublisherStub(channel)
            for number in range(1 << 30):
                spread = chance.sample(range(PARTITIONS), chance.randint(1, 2))
                batches = [publisher_pb2.PartitionBatch(
                    topic='t', partition=partition,
                    events=self.events(f'{name}.{partition}', number, chance.randint(1, 20)))
                    for partition in spread]
                answer = stub.Publish(publisher_pb2.PublishFrame(
                    level=level, atomic=chance.random() < 0.5, batches=batches), timeout=PATIENCE_S)
                self.acknowledge(answer.results[0].batches, batches)
        return work

    def streaming(self, name, level, seed):
        """One stream, several frames in flight."""
        def work(channel):
            chance = random.Random(seed)
            sent, window = {}, threading.Semaphore(16)
            over = threading.Event()

            def frames():
                yield publisher_pb2.PublishFrame(frame_id=1, open=publisher_pb2.PublishOpen(
                    topic='t', level=level))
                for number in range(2, 1 << 30):
                    window.acquire()
                    if over.is_set():
                        return
                    batches = [publisher_pb2.PartitionBatch(
                        partition=chance.randrange(PARTITIONS),
                        events=self.events(name, number, chance.randint(1, 200)))]
                    sent[number] = batches
                    yield publisher_pb2.PublishFrame(frame_id=number, batches=batches)
            try:
                for answer in publisher_pb2_grpc.PublisherStub(channel).PublishStream(frames()):
                    for result in answer.results:
                        if result.frame_id in sent:
                            self.acknowledge(result.batches, sent.pop(result.frame_id))
                            window.release()
            finally:
                over.set()
                window.release()
        return work

    def member(self):
        """Reads as a member of a group and commits; remembers what was settled."""
        def work(channel):
            controls = queue.Queue()
            controls.put(subscriber_pb2.SubscribeControl(
                frame_id=1, start=subscriber_pb2.SubscribeStart(
                    group='g', mode=groups_pb2.GROUP_MODE_STREAM, member_id='the-one',
                    create_at=groups_pb2.StartPosition(earliest=True),
                    credit=subscriber_pb2.Credit(events=1 << 20, bytes=1 << 29),
                    topics=[subscriber_pb2.TopicPosition(topic='t')])))
            places, asked, frame_id = {}, {}, 1
            for frame in subscriber_pb2_grpc.SubscriberStub(channel).Subscribe(
                    iter(controls.get, None)):
                places.update({got.assignment: got.partition for got in frame.assigned})
                for got in frame.assigned:
                    self.assertGreaterEqual(got.offset, self.committed[got.partition])
                for got in frame.batches:
                    frame_id += 1
                    offset = got.base_offset + len(got.events)
                    asked[frame_id] = places[got.assignment], offset
                    controls.put(subscriber_pb2.SubscribeControl(
                        frame_id=frame_id, commit=subscriber_pb2.Commit(
                            assignment=got.assignment, offset=offset)))
                self.assertFalse(frame.errors, frame.errors)
                for done in [number for number in asked if number <= frame.acked_through]:
                    partition, offset = asked.pop(done)
                    self.committed[partition] = max(self.committed[partition], offset)
        return work

    def check(self):
        """Everything acknowledged is in its place; everything there was sent, once; no hole."""
        seen = {}
        with grpc.insecure_channel(self.broker.address) as channel:
            stub = subscriber_pb2_grpc.SubscriberStub(channel)
            for partition in range(PARTITIONS):
                offset = 0
                while True:
                    page = stub.Fetch(subscriber_pb2.FetchRequest(
                        topic='t', partition=partition, offset=offset, max_bytes=4 << 20),
                        timeout=PATIENCE_S)
                    for batch in page.batches:
                        self.assertEqual(batch.base_offset, offset, 'a hole')
                        for event in batch.events:
                            seen[partition, offset] = event.data
                            offset += 1
                    if offset >= page.end_offset:
                        break
        lost = {place: data for place, data in self.acked.items() if seen.get(place) != data}
        self.assertEqual(lost, {}, 'acknowledged and lost or altered')
        self.assertEqual(len(set(seen.values())), len(seen), 'stored twice')
        strangers = set(seen.values()) - set(self.acked.values()) - self.unknown
        self.assertEqual(strangers, set(), 'stored and never sent')
        lag = self.acta_json('group', 'lag', 'g')['partitions']
        for row in lag:
            self.assertGreaterEqual(int(row.get('committedOffset', 0)),
                                    self.committed[int(row.get('partition', 0))])

    def test_nothing_acknowledged_is_lost(self):
        print(f'ACTA_KILL_SEED={SEED}, {CYCLES} cycles', flush=True)
        chance = random.Random(SEED)
        for self.cycle in range(CYCLES):
            killing = threading.Event()
            loads = [Load(self.broker.address, work, killing) for work in (
                self.unary('one', FSYNC, chance.random()),
                self.unary('two', OS, chance.random()),
                self.streaming('three', FSYNC, chance.random()),
                self.streaming('four', OS, chance.random()),
                self.member())]
            before = len(self.acked)
            for load in loads:
                load.start()
            until(lambda: len(self.acked) > before or any(load.fault for load in loads),
                  'something is published')
            time.sleep(chance.uniform(0.5, 1.5))  # The moment of the crash, not a wait.
            killing.set()
            self.broker.kill()
            for load in loads:
                load.join(PATIENCE_S)
                self.assertFalse(load.is_alive(), 'a call does not end')
            self.assertEqual([load.fault for load in loads if load.fault], [])
            self.assertGreater(len(self.acked), before, 'nothing was published in this cycle')
            self.broker.start()
            self.check()
        self.assertGreater(sum(self.committed.values()), 0, 'nothing was committed')
        print(f'{len(self.acked)} events acknowledged, positions {dict(self.committed)}')


if __name__ == '__main__':
    unittest.main()
