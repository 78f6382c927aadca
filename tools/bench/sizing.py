#!/usr/bin/env python3
"""What a topic, a partition, a group, a connection, a subscription and an event take.

Starts brokers of its own, and prints the table of docs/operating/sizing.md. Needs ACTA_BIN (default
build/release/bin) and a Python with grpcio: build/venv/bin/python tools/bench/sizing.py
"""

import os
import pathlib
import shutil
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault('ACTA_BIN', str(ROOT / 'build/release/bin'))
os.environ.setdefault('ACTA_VENV', str(ROOT / 'build/venv'))
sys.path.insert(0, str(ROOT / 'tests/e2e'))

import stubs  # noqa: E402

stubs.use()

import grpc  # noqa: E402
from acta.v1 import (groups_pb2, groups_pb2_grpc, publisher_pb2,  # noqa: E402
                     publisher_pb2_grpc, event_pb2, subscriber_pb2, subscriber_pb2_grpc,
                     topics_pb2, topics_pb2_grpc)
from broker import Broker  # noqa: E402

MANY = 1000
EVENTS = 200_000
BATCH = 200
SETTLED_S = 3  # Threads and allocators come to rest.


class Room:
    """A broker, and what it takes now."""

    def __init__(self, *options):
        self.folder = tempfile.mkdtemp(prefix='acta-sizing-')
        self.broker = Broker(self.folder, *options)
        self.broker.start()
        self.channel = self.connect()

    def connect(self):
        return grpc.insecure_channel(self.broker.address,
                                     options=[('grpc.use_local_subchannel_pool', 1)])

    def rss(self):
        time.sleep(SETTLED_S)
        status = pathlib.Path(f'/proc/{self.broker.process.pid}/status')
        for line in status.read_text().splitlines():
            if line.startswith('VmRSS:'):
                return int(line.split()[1]) * 1024
        raise AssertionError('no VmRSS')

    def tables(self):
        """Bytes of events where they stay; the log written ahead comes and goes."""
        return sum(file.stat().st_size for file in self.broker.data.rglob('*.sst'))

    def topic(self, name, partitions=1, **settings):
        topic = topics_pb2.Topic(name=name, partitions=partitions, **settings)
        topics_pb2_grpc.TopicsStub(self.channel).CreateTopic(
            topics_pb2.CreateTopicRequest(topic=topic))

    def close(self):
        self.channel.close()
        self.broker.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def row(what, size, unit='KiB'):
    print(f'| {what} | {size / 1024 if unit == "KiB" else size:.1f} {unit} |', flush=True)


def each(room, count, make):
    before = room.rss()
    kept = [make(number) for number in range(count)]
    return (room.rss() - before) / count, kept


def memory():
    room = Room()
    print(f'| a broker with nothing in it | {room.rss() / 2**20:.1f} MiB |', flush=True)
    row('a topic of one partition', each(room, MANY, lambda n: room.topic(f't-{n}'))[0])
    size, _ = each(room, 20, lambda n: room.topic(f'wide-{n}', 256))
    row('a partition more', size / 256)
    groups = groups_pb2_grpc.GroupsStub(room.channel)
    for mode, name in ((groups_pb2.GROUP_MODE_STREAM, 'stream'),
                       (groups_pb2.GROUP_MODE_QUEUE, 'queue')):
        size, _ = each(room, MANY, lambda n, m=mode, s=name: groups.CreateGroup(
            groups_pb2.CreateGroupRequest(group=groups_pb2.Group(
                name=f'{s}-{n}', mode=m, topics=[f't-{n}']))))
        row(f'a {name} group of one partition', size)

    def connection(_):
        channel = room.connect()
        grpc.channel_ready_future(channel).result(60)
        return channel
    size, channels = each(room, MANY, connection)
    row('a connection', size)

    def subscription(number):
        start = subscriber_pb2.SubscribeControl(
            frame_id=1, start=subscriber_pb2.SubscribeStart(topics=[
                subscriber_pb2.TopicPosition(
                    topic=f't-{number}', **{'from': groups_pb2.StartPosition(latest=True)})]))
        call = subscriber_pb2_grpc.SubscriberStub(channels[number % len(channels)]).Subscribe(
            Once(start))
        next(call)
        return call
    size, calls = each(room, MANY, subscription)
    row('a subscription on it', size)
    for call in calls:
        call.cancel()
    room.close()


class Once:
    """One frame; the stream stays open."""

    def __init__(self, frame):
        self.frames = [frame]

    def __iter__(self):
        return self

    def __next__(self):
        if self.frames:
            return self.frames.pop()
        time.sleep(600)
        raise StopIteration


def publish(room, count, size, ids):
    publisher = publisher_pb2_grpc.PublisherStub(room.channel)
    for first in range(0, count, BATCH):
        events = [event_pb2.Event(id=f'{time.time_ns()}-{n}' if ids else '', type='Measured',
                                  data=b'x' * size) for n in range(BATCH)]
        publisher.Publish(publisher_pb2.PublishFrame(batches=[publisher_pb2.PartitionBatch(
            topic='t', partition=0, events=events)]))
    # What was in memory is in a table then.
    room.channel.close()
    room.broker.stop()
    room.broker.start()
    room.channel = room.connect()
    time.sleep(SETTLED_S)
    return room.tables()


def disk(what, size, ids, journey):
    room = Room()
    room.topic('t', 1, journey=journey)
    before = publish(room, EVENTS, size, ids)
    row(what, (publish(room, EVENTS, size, ids) - before) / EVENTS, 'B')
    room.close()


def main():
    print('| what | takes |\n|---|--:|')
    memory()
    for size in (100, 1000):
        disk(f'on disk, an event with {size} B of data', size, False, topics_pb2.JOURNEY_MODE_OFF)
        disk('the same with an id of 22 B', size, True, topics_pb2.JOURNEY_MODE_OFF)


if __name__ == '__main__':
    main()
