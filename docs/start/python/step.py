"""Mails about each picture once, and publishes its thumbnail in the step that settles the event and
completes the claim. Stubs: see python.md."""
import os
import queue
import signal
import socket
import sys
import time

import grpc
from acta.v1 import (claims_pb2, claims_pb2_grpc, event_pb2, publisher_pb2, subscriber_pb2 as pb,
                     subscriber_pb2_grpc)

topic, group, thumbnails = sys.argv[1:]
channel = grpc.insecure_channel(os.environ.get('ACTA_SERVER', '127.0.0.1:7450'), [
    ('grpc.keepalive_time_ms', 30_000)])  # Notices a connection that breaks without a word.
subscriber = subscriber_pb2_grpc.SubscriberStub(channel)
claims = claims_pb2_grpc.ClaimsStub(channel)
out, busy, leaving = queue.SimpleQueue(), False, False


def controls():
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


def leave(*_):
    global leaving
    leaving = True
    if not busy:
        out.put(None)  # Half-close.


def mail(picture, key):
    """Yours, and outside of the broker. Hand the key on where the other side knows such keys."""
    print(f'mail about {picture}', flush=True)
    return f'mail {os.urandom(4).hex()}'.encode()


def settle(**step):
    """A step whose outcome is not known may be sent again: it does nothing twice. ABORTED is
    CONCURRENT_CHANGE here, as nothing is published at an expected offset."""
    again = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED,
             grpc.StatusCode.ABORTED)
    while True:
        try:
            return subscriber.Settle(pb.SettleRequest(group=group, **step))
        except grpc.RpcError as error:
            if leaving or error.code() not in again:
                raise
            time.sleep(1)


def process(token, event):
    picture = event.key.decode()
    key = f'{picture}/mail'
    claim = claims.Claim(claims_pb2.ClaimRequest(group=group, key=key, owner=socket.gethostname()))
    if claim.outcome == claims_pb2.CLAIM_OUTCOME_IN_PROGRESS:
        failed = pb.FailedEvents(delivery_token=token, kind=pb.SETTLE_KIND_NACK, text=claim.owner,
                                 delay=claim.retry_after, reason='in-progress')
        return settle(failed=[failed])
    completed = []
    if claim.outcome == claims_pb2.CLAIM_OUTCOME_FIRST:
        result = mail(picture, key)
        completed.append(pb.CompletedClaim(key=key, token=claim.token, result=result))
    else:
        print(f'mail about {picture} was sent before: {claim.result.decode()}', flush=True)
    small = event_pb2.Event(type='ThumbnailMade', key=event.key, data=event.data)
    return settle(processed=[pb.ProcessedEvents(delivery_token=token)], claims=completed,
                  publish=[publisher_pb2.PartitionBatch(topic=thumbnails, events=[small])])


signal.signal(signal.SIGINT, leave)
signal.signal(signal.SIGTERM, leave)
out.put({'start': pb.SubscribeStart(
    group=group, topics=[pb.TopicPosition(topic=topic)], credit=pb.Credit(events=1),
    wanted_features=['DELIVERY_TOKENS'])})
for frame in subscriber.Subscribe(controls()):
    for batch in frame.batches:  # With a credit of 1 each has one event.
        busy = not leaving  # Who leaves gives it back.
        if not busy:
            continue
        try:
            process(batch.delivery_token, batch.events[0])
        except grpc.RpcError as error:  # It comes again, or is somebody else's by now.
            print(error.code(), error.details(), file=sys.stderr, flush=True)
        busy = False
        out.put(None if leaving else {'credit': pb.Credit(events=1, bytes=batch.ByteSize())})
