"""What the services of the order flow share: members of groups, what became of each event, and
publishing what follows from it. Stubs: see docs/start/python.md."""
import json
import os
import queue
import signal
import sys
import time

import grpc
from acta.v1 import (event_pb2, groups_pb2, publisher_pb2, publisher_pb2_grpc, subscriber_pb2 as pb,
                     subscriber_pb2_grpc)

VERSION = '1.0'
CREDIT = 10  # Events a service has at a time: no more than it processes within a lease (30 s).

channel = grpc.insecure_channel(os.environ.get('ACTA_SERVER', '127.0.0.1:7450'))
publisher = publisher_pb2_grpc.PublisherStub(channel)
subscriber = subscriber_pb2_grpc.SubscriberStub(channel)


class Never(Exception):
    """No other attempt would help: the event becomes a dead letter."""

    def __init__(self, reason, text):
        super().__init__(text)
        self.reason = reason


def publish(app, topic, event, caused_by=None):
    """It is on disk when this returns. One whose id was published just before is stored once."""
    frame = publisher_pb2.PublishFrame(
        open=publisher_pb2.PublishOpen(app=app, app_version=VERSION),
        batches=[publisher_pb2.PartitionBatch(topic=topic, events=[event], caused_by=caused_by)])
    [result] = publisher.Publish(frame, timeout=10).results[0].batches
    if result.HasField('error'):
        raise RuntimeError(result.error.message)
    before = ' (was published before)' if result.duplicates else ''
    print(f'{app}: {event.type} {event.id}{before}', flush=True)


class Received:
    """An event in hand."""

    def __init__(self, service, batch, event, offset):
        self.service, self.event, self.attempt = service, event, batch.attempt
        self.order = json.loads(event.data)
        self.place = publisher_pb2.CausedBy(delivery_token=batch.delivery_token, offset=offset)

    def then(self, topic, event_type, name, **facts):
        """Publishes what follows from it: the same order, and these facts. When the event comes
        again what follows has the same id, and is stored once."""
        order = {**self.order, **facts}
        event = event_pb2.Event(
            id=f"{name}-{order['order']}", type=event_type, source=f'/{self.service}',
            key=self.event.key, affected=self.event.affected, process=self.event.process,
            content_type='application/json', data=json.dumps(order).encode())
        publish(self.service, topic, event, caused_by=self.place)


class Member:
    """Of the group of its name, which is created when it is missing."""

    def __init__(self, name, mode, topics):
        self.name, self.mode, self.topics = name, mode, topics
        self.out, self.busy, self.leaving = queue.SimpleQueue(), False, False

    def run(self):
        """Until Ctrl-C or `kill`. When the broker is away it waits for it."""
        signal.signal(signal.SIGINT, self.leave)
        signal.signal(signal.SIGTERM, self.leave)
        while True:
            self.out = queue.SimpleQueue()
            if self.leaving:
                return
            self.out.put({'start': self.start()})
            try:
                for frame in subscriber.Subscribe(controls(self.out)):
                    self.take(frame)
            except grpc.RpcError as error:
                print(self.name, error.code(), error.details(), file=sys.stderr, flush=True)
                time.sleep(1)
            self.out.put(None)

    def start(self):
        return pb.SubscribeStart(
            group=self.name, mode=self.mode, create_at=groups_pb2.StartPosition(earliest=True),
            topics=[pb.TopicPosition(topic=topic) for topic in self.topics],
            member_id=f'{self.name}.{os.getpid()}', app=self.name, app_version=VERSION,
            credit=pb.Credit(events=CREDIT), wanted_features=['DELIVERY_TOKENS'])

    def leave(self, *_):
        self.leaving = True
        if not self.busy:
            self.out.put(None)  # Half-close.


class Service(Member):
    """Of a QUEUE group: it says of each event what became of it."""

    def __init__(self, name, topics):
        super().__init__(name, groups_pb2.GROUP_MODE_QUEUE, topics)
        self.handlers = {}

    def on(self, event_type):
        """Events of this type go to the function below. It returns: done. Never: a dead letter.
        Any other exception: again, later."""
        def add(handler):
            self.handlers[event_type] = handler
            return handler
        return add

    def take(self, frame):
        print(*frame.errors, sep='', end='', file=sys.stderr, flush=True)
        for batch in frame.batches:
            for number, delta in enumerate(batch.offset_deltas or range(len(batch.events))):
                self.busy = not self.leaving  # Who leaves gives back what it has not begun.
                if self.busy:
                    done = self.process(batch, batch.events[number], batch.base_offset + delta)
                    self.out.put({'settle': pb.Settle(settlements=[done])})
            self.busy = False
            if self.leaving:
                self.out.put(None)
            self.out.put({'credit': pb.Credit(events=len(batch.events), bytes=batch.ByteSize())})

    def process(self, batch, event, offset):
        """What became of one event."""
        outcome = {'kind': pb.SETTLE_KIND_ACK}
        try:
            if event.type in self.handlers:
                self.handlers[event.type](Received(self.name, batch, event, offset))
        except Never as error:
            outcome = {'kind': pb.SETTLE_KIND_REJECT, 'reason': error.reason, 'text': str(error)}
        except Exception as error:
            outcome = {'kind': pb.SETTLE_KIND_NACK, 'reason': type(error).__name__,
                       'text': str(error)[:250]}
        return pb.Settlement(assignment=batch.assignment, offset=offset, **outcome)


def controls(out):
    """What a member sends, with numbers that rise, until None."""
    frame_id = 0
    while True:
        try:
            control = out.get(timeout=5)
        except queue.Empty:
            control = {'tick': pb.Tick()}  # Who says nothing for 15 s is taken for dead.
        if control is None:
            return
        frame_id += 1
        yield pb.SubscribeControl(frame_id=frame_id, **control)
