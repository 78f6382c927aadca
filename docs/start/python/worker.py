"""Leases events of a QUEUE group, processes each, says what became of it. Stubs: see python.md."""
import json
import os
import queue
import signal
import sys
import threading
import time

import grpc
from acta.v1 import groups_pb2, subscriber_pb2 as pb, subscriber_pb2_grpc

CREDIT = 10  # Events it has at a time: no more than it processes within a lease (30 s).
topic, group = sys.argv[1:] or ('jobs', 'workers')
stub = subscriber_pb2_grpc.SubscriberStub(grpc.insecure_channel(
    os.environ.get('ACTA_SERVER', '127.0.0.1:7450'), [
        ('grpc.keepalive_time_ms', 30_000), ('grpc.max_reconnect_backoff_ms', 1000)]))
held, outcomes, leaving, in_hand = {}, {}, threading.Event(), threading.Lock()
out, handles = queue.SimpleQueue(), {}  # Control frames; of each topic and partition.


def process(event):
    """Yours. It returns: done. ValueError: never again. Any other exception: again, later."""
    time.sleep((job := json.loads(event.data)).get('seconds', 0))
    if job['picture'] < 0:
        raise ValueError(f"there is no picture {job['picture']}")
    print(f"picture {job['picture']} done", flush=True)


def outcome_of(event):
    try:
        process(event)
        return {'kind': pb.SETTLE_KIND_ACK}
    except Exception as error:
        kind = pb.SETTLE_KIND_REJECT if isinstance(error, ValueError) else pb.SETTLE_KIND_NACK
        return {'kind': kind, 'reason': type(error).__name__, 'text': str(error)[:250]}


def keep_alive():  # A member that says nothing for 15 s is taken for dead.
    while not (leaving.wait(5) and in_hand.acquire(timeout=5)):
        out.put({'tick': pb.Tick()})
    out.put(None)  # Half-close: what is not processed is given back.
    in_hand.release()


for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: leaving.set())
threading.Thread(target=keep_alive, daemon=True).start()
while not leaving.is_set():
    out.put({'start': pb.SubscribeStart(
        group=group, mode=groups_pb2.GROUP_MODE_QUEUE, topics=[pb.TopicPosition(topic=topic)],
        create_at=groups_pb2.StartPosition(earliest=True), credit=pb.Credit(events=CREDIT),
        held=[pb.HeldEvents(topic=t, partition=p, generation=g, offset=o) for t, p, g, o in held])})
    stream = stub.Subscribe(pb.SubscribeControl(frame_id=frame_id, **control)
                            for frame_id, control in enumerate(iter(out.get, None), 1))
    try:
        for frame in stream:
            with in_hand:  # Of what it holds, what came before a reset of the group is nobody's.
                handles.update({(a.topic, a.partition): a for a in frame.assigned})
                where = {a.assignment: (*place, a.generation) for place, a in handles.items()}
                held = {p: held[p] for p in held if p[:2] not in handles or p[:3] in where.values()}
                held.update({(*where[b.assignment], b.base_offset + n): event for b in frame.batches
                             for n, event in zip(b.offset_deltas or range(CREDIT), b.events)})
                print(*frame.errors, *frame.gap, sep='', end='', file=sys.stderr, flush=True)
                while held and not leaving.is_set():
                    place = next(iter(held))
                    outcomes[place] = outcomes.get(place) or outcome_of(held[place])
                    if place[:2] not in handles or not stream.is_active():
                        break  # It is told when the broker, or the next stream, names the handle.
                    out.put({'settle': pb.Settle(settlements=[pb.Settlement(offset=place[3],
                        assignment=handles[place[:2]].assignment, **outcomes.pop(place))])})
                    del held[place]
                taken = pb.DeliveredBatch(events=[e for b in frame.batches for e in b.events])
                if taken.events:
                    out.put({'credit': pb.Credit(events=len(taken.events), bytes=taken.ByteSize())})
    except grpc.RpcError as error:
        print(error.code(), error.details(), file=sys.stderr, flush=True)
    out.put(None)
    time.sleep(0.5)
    out, handles = queue.SimpleQueue(), {}  # Of the next stream.
