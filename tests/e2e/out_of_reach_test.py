#!/usr/bin/env python3
"""Clients that are silently out of reach: a half-open link, of which TCP tells neither side. The
broker forgets them by its own deadlines, and others go on from where they were."""

import threading
import time

import stubs
from broker import PATIENCE_S

stubs.use()

from acta.v1 import subscriber_pb2, subscriber_pb2_grpc  # noqa: E402
from faults import Footprint, until  # noqa: E402
from network import Event, Frame, NetworkTest, batch  # noqa: E402
from oracle import side_by_side  # noqa: E402

PARTITIONS = 4
# What it takes beyond a deadline until others have read on. The machine may be busy.
SLACK_S = 8
# In which who can be reached answers and ticks: on a slow machine a thread may stand for seconds.
ANSWER_S = 4
KEEPALIVE = ('--listen.keepalive=1s', f'--listen.keepalive_timeout={ANSWER_S}s')
ENDED_S = 1 + ANSWER_S


class HalfOpen(NetworkTest):
    options = KEEPALIVE

    def test_a_client_out_of_reach_is_forgotten_and_others_are_not(self):
        near, far = self.subscribe(self.broker.address), self.subscribe(self.proxy.address)
        before = Footprint(self.broker.process.pid)
        self.proxy.say('half-open')
        # gRPC's and the duplicate by which it is counted.
        until(lambda: Footprint(self.broker.process.pid).sockets == before.sockets - 2,
              'its connection is closed', ENDED_S + SLACK_S)
        self.acta('publish', 't', 'after')
        self.assertEqual([event.data for got in next(near).batches for event in got.events],
                         [b'after'])
        far.cancel()

    def subscribe(self, address):
        """A stream that has begun, and so answers when it is asked whether it is there."""
        start = subscriber_pb2.SubscribeStart(topics=[subscriber_pb2.TopicPosition(topic='t')])
        done = threading.Event()
        self.addCleanup(done.set)

        def controls():
            yield subscriber_pb2.SubscribeControl(frame_id=1, start=start)
            done.wait()
        stream = subscriber_pb2_grpc.SubscriberStub(self.connect(address)).Subscribe(
            controls(), timeout=PATIENCE_S)
        next(stream)
        return stream


class MemberOutOfReach(NetworkTest):
    """A member that holds every partition, commits two events of each and vanishes; publishers go
    on. Unanswered pings end its connection here, and with it its place."""
    partitions = PARTITIONS
    options = (*KEEPALIVE, '--limits.member_timeout=1h', '--limits.revoke_deadline=1h',
               '--limits.member_grace=3s')
    deadline_s = ENDED_S

    def setUp(self):
        super().setUp()
        self.published = 0
        self.publish(10)
        self.far = self.member(self.connect(self.proxy.address), member_id=self.name())
        until(lambda: all(len(self.far.got(p)) == 10 for p in range(PARTITIONS)), 'it reads')
        self.handles = {p: one.assignment for p, one in self.far.assigned.items()}
        self.generations = {p: one.generation for p, one in self.far.assigned.items()}
        self.settled(self.far.commit(handle, 2) for handle in self.handles.values())

    def name(self):
        return ''

    def settled(self, answers):
        for answer in list(answers):
            self.assertIsNone(answer.get(timeout=PATIENCE_S))

    def publish(self, count):
        """To each partition; acknowledged when it returns."""
        for _ in range(count):
            self.publisher.Publish(Frame(batches=[
                batch(Event(data=b'%d' % self.published), partition=partition)
                for partition in range(PARTITIONS)]), timeout=PATIENCE_S)
            self.published += 1

    def vanish(self):
        """In the middle of its commits: they wait on the link until it passes again."""
        self.proxy.say('half-open')
        self.late = {p: self.far.commit(handle, 10) for p, handle in self.handles.items()}
        return time.monotonic()

    def takes_over(self, near, since, count=PARTITIONS):
        """Reads on in so many partitions, each at the position committed, without a hole."""
        while len(near.assigned) < count:
            self.assertLess(time.monotonic() - since, self.deadline_s + SLACK_S)
            self.assertIsNone(near.error)
            self.publish(1)
        took_s = time.monotonic() - since
        print(f'{self.id().split(".", 1)[1]}: after {took_s:.1f} s, deadline {self.deadline_s} s',
              flush=True)
        self.assertGreater(took_s, self.deadline_s / 2, 'somebody told the broker')
        self.publish(5)
        wanted = [(offset, b'%d' % offset) for offset in range(2, self.published)]
        for partition, assigned in dict(near.assigned).items():
            until(lambda: len(near.delivered.get(partition, [])) >= len(wanted), 'it is delivered')
            self.assertEqual(near.delivered[partition], wanted)
            self.assertGreater(assigned.generation, self.generations[partition])

    def test_another_gets_its_partitions_and_its_commits_are_stale(self):
        since = self.vanish()
        near = self.member()
        self.takes_over(near, since)
        self.settled(near.commit(near.assigned[p].assignment, 5) for p in range(PARTITIONS))
        self.proxy.say('pass')
        until(self.far.ended.is_set, 'it learns of its end')
        self.assertTrue(all(answer.empty() for answer in self.late.values()))
        again = self.member(self.connect(self.proxy.address), member_id=self.name())
        for handle in self.handles.values():
            error = again.commit(handle, 10).get(timeout=PATIENCE_S)
            self.assertEqual(stubs.reason_in(error), 'FENCED')
        self.assertEqual(self.committed(), {p: 5 for p in range(PARTITIONS)})
        self.assertEqual(len(self.payloads()), self.published)


class NamedMemberOutOfReach(MemberOutOfReach):
    """Its place is kept for a while after its connection."""
    deadline_s = ENDED_S + 3

    def name(self):
        return 'far'


class SilentMemberOutOfReach(MemberOutOfReach):
    """Nobody asks whether it is there; it is silent too long."""
    options = ('--listen.keepalive=1h', f'--limits.member_timeout={ANSWER_S}s',
               '--limits.revoke_deadline=1h')
    deadline_s = ANSWER_S

    def tearDown(self):
        self.assertEqual(stubs.reason_of(self.far.error)[0], 'MEMBER_TIMED_OUT')


class DeafMemberOutOfReach(MemberOutOfReach):
    """It is still a member, and does not hear that it has to hand over what another is due."""
    options = ('--listen.keepalive=1h', '--limits.member_timeout=1h', '--limits.revoke_deadline=2s')
    deadline_s = 2

    def test_another_gets_its_partitions_and_its_commits_are_stale(self):
        since = self.vanish()
        near = self.member()
        self.takes_over(near, since, PARTITIONS // 2)
        self.settled(near.commit(one.assignment, 5) for one in near.assigned.values())
        self.proxy.say('pass')
        for partition, answer in self.late.items():
            error = answer.get(timeout=PATIENCE_S)
            self.assertEqual(stubs.reason_in(error) if error else '',
                             'FENCED' if partition in near.assigned else '')
        until(lambda: len(self.far.revoked) == PARTITIONS // 2, 'it is told')
        self.assertEqual(self.committed(),
                         {p: 5 if p in near.assigned else 10 for p in range(PARTITIONS)})
        self.assertIsNone(self.far.error)


if __name__ == '__main__':
    side_by_side(HalfOpen, MemberOutOfReach, NamedMemberOutOfReach, SilentMemberOutOfReach,
                 DeafMemberOutOfReach)
