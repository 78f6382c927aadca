"""Members that settle, over plain stubs. Import it after stubs.use()."""

import queue
import threading

from acta.v1 import groups_pb2, subscriber_pb2, subscriber_pb2_grpc
from broker import PATIENCE_S
from faults import until

Control = subscriber_pb2.SubscribeControl
Settlement = subscriber_pb2.Settlement
ACK = subscriber_pb2.SETTLE_KIND_ACK
NACK = subscriber_pb2.SETTLE_KIND_NACK
REJECT = subscriber_pb2.SETTLE_KIND_REJECT


class Leased:
    """One event with its lease."""

    def __init__(self, batch, index):
        self.assignment = batch.assignment
        self.offset = batch.base_offset + index
        self.attempt = batch.attempt
        self.token = batch.delivery_token
        self.event = batch.events[index]
        self.data = self.event.data


class Worker:
    """A member that notes what it is leased, and settles what the test says. It ticks."""

    def __init__(self, channel, group='workers', on_event=None, credit=1000, **start):
        self.leased = []
        self.partitions = {}  # Of each handle.
        self.acked_through = 0
        self.errors = []
        self.notices = []
        self.error = None
        self.ended = threading.Event()
        self.on_event = on_event
        self.controls = queue.Queue()
        self.lock = threading.Lock()
        self.last_id = 0
        self.send(start=subscriber_pb2.SubscribeStart(
            group=group, credit=subscriber_pb2.Credit(events=credit, bytes=1 << 26), **start))
        self.stream = subscriber_pb2_grpc.SubscriberStub(channel).Subscribe(self.frames())
        threading.Thread(target=self.read, daemon=True).start()

    def frames(self):
        while True:
            try:
                control = self.controls.get(timeout=2)
            except queue.Empty:
                with self.lock:
                    self.last_id += 1
                    control = Control(frame_id=self.last_id, tick=subscriber_pb2.Tick())
            if control is None:
                return
            yield control

    def send(self, **control):
        with self.lock:
            self.last_id += 1
            self.controls.put(Control(frame_id=self.last_id, **control))
            return self.last_id

    def read(self):
        try:
            for frame in self.stream:
                for assigned in frame.assigned:
                    self.partitions[assigned.assignment] = (assigned.topic, assigned.partition)
                for revoking in frame.revoking:  # Of a STREAM group.
                    self.send(released=subscriber_pb2.Released(assignment=revoking.assignment))
                self.errors += frame.errors
                self.notices += frame.notice
                for batch in frame.batches:
                    for index in range(len(batch.events)):
                        self.leased.append(Leased(batch, index))
                        if self.on_event:
                            self.on_event(self, self.leased[-1])
                self.acked_through = max(self.acked_through, frame.acked_through)
        except Exception as error:  # How the stream ended.
            self.error = error
        self.ended.set()

    def settle(self, kind, *events, **how):
        """Returns the frame's number; one settlement for each event."""
        return self.send(settle=subscriber_pb2.Settle(settlements=[
            Settlement(assignment=event.assignment, offset=event.offset, kind=kind, **how)
            for event in events]))

    def settled(self, frame_id):
        until(lambda: self.acked_through >= frame_id, 'the frame is settled', PATIENCE_S)

    def has(self, count):
        until(lambda: len(self.leased) >= count, f'{count} events are leased', PATIENCE_S)

    def credit(self, events):
        self.send(credit=subscriber_pb2.Credit(events=events, bytes=events * 1000))

    def leave(self):
        self.controls.put(None)
        until(self.ended.is_set, 'its stream ends', PATIENCE_S)

    def die(self):
        """As a worker that is killed: its stream breaks."""
        self.stream.cancel()
        self.controls.put(None)
        self.ended.wait(PATIENCE_S)


def queue_group(name, topics, **settings):
    return groups_pb2.Group(name=name, topics=topics, mode=groups_pb2.GROUP_MODE_QUEUE,
                            queue=groups_pb2.QueueSettings(**settings))
