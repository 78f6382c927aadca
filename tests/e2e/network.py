"""What tests of clients on a good or bad network share. Import it after stubs.use()."""

import queue
import threading
import time

import grpc
from acta.v1 import (event_pb2, groups_pb2, publisher_pb2, publisher_pb2_grpc, subscriber_pb2,
                     subscriber_pb2_grpc)
from broker import PATIENCE_S, BrokerTest
from faults import FaultProxy, Footprint, given_back, stored_mib, until

Event = event_pb2.Event
Frame = publisher_pb2.PublishFrame
Control = subscriber_pb2.SubscribeControl
KEEPALIVE_MS = 16_000  # A broker is asked every 15 s at most (half of `listen.keepalive`).
EARLIEST = groups_pb2.StartPosition(earliest=True)


def visible_end(address, topic, partition=0):
    """How many events were ever published there, without a program that is started for it."""
    with grpc.insecure_channel(address) as channel:
        return subscriber_pb2_grpc.SubscriberStub(channel).Fetch(
            subscriber_pb2.FetchRequest(topic=topic, partition=partition, max_events=1),
            timeout=PATIENCE_S).end_offset


def batch(*events, **fields):
    return publisher_pb2.PartitionBatch(**{'topic': 't', 'partition': 0, 'events': events,
                                           **fields})


class NetworkTest(BrokerTest):
    """A topic `t`, clients that reach the broker, and clients behind a proxy that fails. What they
    took of the broker is given back, whatever they did."""
    partitions = 1
    extra_mib = 300  # What it keeps of what it was sent: caches, and memory of the allocator.

    def setUp(self):
        super().setUp()
        self.began = self.broker.process.pid, self.footprint()
        self.acta('topic', 'create', 't', '--partitions', self.partitions)
        self.proxy = FaultProxy(self.broker.address.rsplit(':', 1)[1])
        self.addCleanup(self.proxy.close)
        self.channel = self.connect(self.broker.address)
        self.publisher = publisher_pb2_grpc.PublisherStub(self.channel)

    def end(self):
        """Behind the ends of all clients."""
        pid, before = self.began
        if self.broker.process.pid == pid and self.broker.process.poll() is None:
            self.gives_back(before, self.extra_mib)
        super().end()

    def footprint(self):
        held = Footprint(self.broker.process.pid)
        held.stored_mib = stored_mib(self.acta_json('status'))
        return held

    def gives_back(self, before, extra_mib):
        given_back(self.broker.process.pid, before, extra_mib, stored_mib(self.acta_json('status')))

    def connect(self, address):
        # grpcio does not notice a reset that comes right behind the last bytes it read (TCP_INQ
        # says that none are left, and the edge of epoll is gone) until it writes again: it asks
        # whether the broker is there, as every client should.
        channel = grpc.insecure_channel(address, options=[
            ('grpc.use_local_subchannel_pool', 1), ('grpc.max_reconnect_backoff_ms', 100),
            ('grpc.initial_reconnect_backoff_ms', 20), ('grpc.min_reconnect_backoff_ms', 20),
            ('grpc.enable_retries', 0), ('grpc.keepalive_time_ms', KEEPALIVE_MS)])
        self.addCleanup(channel.close)
        return channel

    def through_proxy(self):
        return publisher_pb2_grpc.PublisherStub(self.connect(self.proxy.address))

    def payloads(self):
        """Of the whole log, by somebody on a good network."""
        fetch = subscriber_pb2_grpc.SubscriberStub(self.channel).Fetch
        offset, found = 0, []
        while True:
            page = fetch(subscriber_pb2.FetchRequest(topic='t', offset=offset),
                         timeout=PATIENCE_S)
            found += [event.data for got in page.batches for event in got.events]
            if page.next_offset == offset:
                return found
            offset = page.next_offset

    def member(self, channel=None, **start):
        """Of the group `g`, which reads `t` from its start."""
        member = Member(channel or self.channel, **start)
        self.addCleanup(member.close)
        return member

    def committed(self):
        """The position of the group in each partition."""
        lag = self.acta_json('group', 'lag', 'g')['partitions']
        return {row.get('partition', 0): int(row.get('committedOffset', 0)) for row in lag}


class Member:
    """A member of a group that notes what it is told. It ticks twice a second."""

    def __init__(self, channel, **start):
        self.assigned = {}  # Partition: the latest `Assigned`.
        self.revoked = set()  # Handles.
        self.delivered = {}  # Partition: [(offset, data)], as they came.
        self.commits = {}  # Frame id: the queue for its error or None.
        self.notices = []
        self.error = None  # How the stream ended, once it has.
        self.handles = {}
        self.frame_id = 0
        self.mutex = threading.Lock()  # Ids rise in the order sent.
        self.controls = queue.Queue()
        self.send(start=subscriber_pb2.SubscribeStart(**{
            'group': 'g', 'mode': groups_pb2.GROUP_MODE_STREAM, 'create_at': EARLIEST,
            'topics': [subscriber_pb2.TopicPosition(topic='t')],
            'credit': subscriber_pb2.Credit(events=1 << 20, bytes=1 << 30), **start}))
        self.stream = subscriber_pb2_grpc.SubscriberStub(channel).Subscribe(
            iter(self.controls.get, None), timeout=4 * PATIENCE_S)
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=work) for work in (self.read, self.tick)]
        for thread in self.threads:
            thread.start()

    def send(self, **control):
        with self.mutex:
            self.frame_id += 1
            self.controls.put(Control(frame_id=self.frame_id, **control))
            return self.frame_id

    def tick(self):
        while not self.ended.wait(0.5):
            self.send(tick=subscriber_pb2.Tick())

    def read(self):
        try:
            for frame in self.stream:
                self.take(frame)
        except grpc.RpcError as error:
            self.error = error
        self.ended.set()

    def take(self, frame):
        for one in frame.assigned:
            self.handles[one.assignment] = one.partition
            self.assigned[one.partition] = one
        for got in frame.batches:
            self.delivered.setdefault(self.handles[got.assignment], []).extend(
                (got.base_offset + number, event.data) for number, event in enumerate(got.events))
        self.revoked.update(one.assignment for one in frame.revoked)
        self.notices += [notice.code for notice in frame.notice]
        errors = {error.frame_id: error.status for error in frame.errors}
        for frame_id in list(self.commits):
            if frame_id in errors or frame_id <= frame.acked_through:
                self.commits[frame_id].put(errors.get(frame_id))
                del self.commits[frame_id]
        for one in frame.revoking:
            self.send(released=subscriber_pb2.Released(assignment=one.assignment))

    def commit(self, handle, offset):
        """Sends it; the queue gets its error, or None when it is done."""
        answer = queue.Queue()
        with self.mutex:
            self.frame_id += 1
            self.commits[self.frame_id] = answer
            self.controls.put(Control(frame_id=self.frame_id, commit=subscriber_pb2.Commit(
                assignment=handle, offset=offset)))
        return answer

    def got(self, partition=0):
        return [data for _, data in self.delivered.get(partition, [])]

    def close(self):
        self.stream.cancel()
        self.ended.wait(PATIENCE_S)
        self.controls.put(None)
        for thread in self.threads:
            thread.join()


# A client that does not read ahead more than this, however much there is.
NO_READ_AHEAD = [('grpc.http2.lookahead_bytes', 65535), ('grpc.http2.bdp_probe', 0),
                 ('grpc.use_local_subchannel_pool', 1)]


class Reader:
    """Reads from the start without a group; the credit is for 1 GiB."""

    def __init__(self, address, options=NO_READ_AHEAD):
        self.controls = queue.Queue()
        self.channel = grpc.insecure_channel(address, options=options)
        self.stream = subscriber_pb2_grpc.SubscriberStub(self.channel).Subscribe(
            iter(self.controls.get, None), timeout=4 * PATIENCE_S)
        self.controls.put(subscriber_pb2.SubscribeControl(
            frame_id=1, start=subscriber_pb2.SubscribeStart(
                credit=subscriber_pb2.Credit(events=1 << 20, bytes=1 << 30),
                topics=[subscriber_pb2.TopicPosition(topic='t', **{'from': EARLIEST})])))

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
