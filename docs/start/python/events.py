"""Publishes events with keys and ids, joins a group, reads them, commits. Stubs: see python.md."""
import os
import queue
import sys

import grpc
from acta.v1 import (event_pb2, groups_pb2, publisher_pb2, publisher_pb2_grpc, subscriber_pb2,
                     subscriber_pb2_grpc, topics_pb2, topics_pb2_grpc)

COUNT = 10
topic = sys.argv[1] if len(sys.argv) > 1 else 'orders'
channel = grpc.insecure_channel(os.environ.get('ACTA_SERVER', '127.0.0.1:7450'))

try:
    topics_pb2_grpc.TopicsStub(channel).CreateTopic(
        topics_pb2.CreateTopicRequest(topic=topics_pb2.Topic(name=topic)))
except grpc.RpcError as error:
    if error.code() != grpc.StatusCode.ALREADY_EXISTS:
        raise

# The broker splits the batch by key; an event whose id it has seen is stored once.
events = [event_pb2.Event(id=f'order-{n}', key=f'customer-{n % 3}'.encode(), type='OrderPlaced',
                          source='/docs/start', data=b'{"number": %d}' % n,
                          content_type='application/json') for n in range(COUNT)]
frame = publisher_pb2.PublishFrame(batches=[publisher_pb2.PartitionBatch(topic=topic,
                                                                         events=events)])
results = publisher_pb2_grpc.PublisherStub(channel).Publish(frame, timeout=30)
batch = results.results[0].batches[0]
print(f'published {sum(part.count for part in batch.parts)}, duplicates {len(batch.duplicates)}')

# A member says who it is, then commits what it has done; control frames are numbered.
controls = queue.Queue()
controls.put(subscriber_pb2.SubscribeControl(frame_id=1, start=subscriber_pb2.SubscribeStart(
    group='python', mode=groups_pb2.GROUP_MODE_STREAM,
    create_at=groups_pb2.StartPosition(earliest=True),
    topics=[subscriber_pb2.TopicPosition(topic=topic)])))
stream = subscriber_pb2_grpc.SubscriberStub(channel).Subscribe(iter(controls.get, None))

partitions, received, frame_id = {}, 0, 1
for delivery in stream:
    partitions.update({a.assignment: a for a in delivery.assigned})
    for batch in delivery.batches:
        for number, event in enumerate(batch.events):
            offset = batch.base_offset + number
            print(f'{partitions[batch.assignment].partition}/{offset} {event.key.decode()} '
                  f'{event.id} {event.data.decode()}')
        received += len(batch.events)
        frame_id += 1
        controls.put(subscriber_pb2.SubscribeControl(frame_id=frame_id, commit=(
            subscriber_pb2.Commit(assignment=batch.assignment, offset=offset + 1))))
    if received >= COUNT and delivery.acked_through == frame_id:
        controls.put(None)  # Half-close: the broker finishes what is outstanding and ends.
print(f'read and committed {received}')
