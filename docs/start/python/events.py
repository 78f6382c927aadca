"""Publishes events with keys and ids, joins a group, reads them, commits. Stubs: see python.md."""
import itertools
import os
import queue
import sys

import grpc
from acta.v1 import (event_pb2, groups_pb2, publisher_pb2, publisher_pb2_grpc, subscriber_pb2 as pb,
                     subscriber_pb2_grpc, topics_pb2, topics_pb2_grpc)

COUNT = 10
topic = sys.argv[1] if len(sys.argv) > 1 else 'orders'
channel = grpc.insecure_channel(os.environ.get('ACTA_SERVER', '127.0.0.1:7450'), [
    ('grpc.keepalive_time_ms', 30_000)])  # Notices a connection that breaks without a word.
try:
    topics_pb2_grpc.TopicsStub(channel).CreateTopic(
        topics_pb2.CreateTopicRequest(topic=topics_pb2.Topic(name=topic)), timeout=30)
except grpc.RpcError as error:
    if error.code() != grpc.StatusCode.ALREADY_EXISTS:
        raise

# The broker splits the batch by key; an event whose id it has seen is stored once.
events = [event_pb2.Event(
    id=f'order-{n}', key=f'customer-{n % 3}'.encode(), type='OrderPlaced', source='/docs/start',
    data=b'{"number": %d}' % n, content_type='application/json') for n in range(COUNT)]
frame = publisher_pb2.PublishFrame(batches=[{'topic': topic, 'events': events}])
batch = publisher_pb2_grpc.PublisherStub(channel).Publish(frame, timeout=30).results[0].batches[0]
print(f'published {sum(part.count for part in batch.parts)}, duplicates {len(batch.duplicates)}')

# A member says who it is, then commits what it has done; control frames are numbered.
controls = queue.Queue()
controls.put(pb.SubscribeControl(start=pb.SubscribeStart(
    group='python', mode=groups_pb2.GROUP_MODE_STREAM, topics=[pb.TopicPosition(topic=topic)],
    create_at=groups_pb2.StartPosition(earliest=True))))


def numbered():
    for frame_id in itertools.count(1):
        try:
            control = controls.get(timeout=5)
        except queue.Empty:  # A member that says nothing for 15 s is taken for dead.
            control = pb.SubscribeControl(tick=pb.Tick())
        if control is None:
            return
        control.frame_id = frame_id
        yield control


partitions, received = {}, 0
for delivery in subscriber_pb2_grpc.SubscriberStub(channel).Subscribe(numbered()):
    partitions.update({a.assignment: a.partition for a in delivery.assigned})
    for batch in delivery.batches:
        for offset, e in enumerate(batch.events, batch.base_offset):
            print(f'{partitions[batch.assignment]}/{offset}', e.key.decode(), e.id, e.data.decode())
        received += len(batch.events)
        last = pb.SubscribeControl(commit=pb.Commit(assignment=batch.assignment, offset=offset + 1))
        controls.put(last)
    if received >= COUNT and 0 < last.frame_id <= delivery.acked_through:
        controls.put(None)  # Half-close: the broker finishes what is outstanding and ends.
print(f'read and committed {received}')
