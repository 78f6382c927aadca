#!/usr/bin/env python3
"""Clients that are slow, that do not read, or that commit more often than they should: others are
answered in time meanwhile, positions stay true, and what it costs has a bound and is given back."""

import concurrent.futures
import queue
import threading
import time
import unittest

import stubs
from broker import PATIENCE_S

stubs.use()

import grpc  # noqa: E402
from acta.v1 import (groups_pb2, groups_pb2_grpc, publisher_pb2,  # noqa: E402
                     publisher_pb2_grpc, subscriber_pb2, subscriber_pb2_grpc)
from faults import until  # noqa: E402
from network import EARLIEST, Control, Event, Frame, NetworkTest, batch  # noqa: E402

# Members here tick twice a second; a thread of a slow machine stands still for longer.
MEMBER_TIMEOUT_S = 4


class ConsumerTest(NetworkTest):
    def others_are_answered(self, within=5):
        started = time.monotonic()
        self.publisher.Publish(Frame(batches=[batch(Event(data=b'innocent'))]), timeout=PATIENCE_S)
        self.assertLess(time.monotonic() - started, within)

    def longest_answer_beside(self, work, *args):
        """How long others wait at most while that works: on a busy machine everything is slow."""
        longest = 0
        with concurrent.futures.ThreadPoolExecutor() as pool:
            working = pool.submit(work, *args)
            while not working.done():
                started = time.monotonic()
                self.others_are_answered(PATIENCE_S)
                longest = max(longest, time.monotonic() - started)
            working.result()
        return longest

    def flood(self, megabytes):
        for _ in range(megabytes):
            self.publisher.Publish(Frame(batches=[batch(*[Event(data=b'x' * 65536)] * 16)]),
                                   timeout=PATIENCE_S)

    def publish_numbers(self, count):
        self.publisher.Publish(Frame(batches=[
            batch(*[Event(data=b'%d' % number) for number in range(count)])]), timeout=PATIENCE_S)


class ClientsThatDoNotRead(ConsumerTest):
    options = (f'--limits.member_timeout={MEMBER_TIMEOUT_S}s',)

    def never_read(self, **start):
        """A stream that says how it starts, then neither reads nor sends."""
        channel = self.connect(self.broker.address)
        controls = queue.Queue()
        controls.put(Control(frame_id=1, start=subscriber_pb2.SubscribeStart(
            credit=subscriber_pb2.Credit(events=1 << 20, bytes=1 << 30), **start)))
        stream = subscriber_pb2_grpc.SubscriberStub(channel).Subscribe(iter(controls.get, None))

        def close():
            controls.put(None)
            stream.cancel()
            channel.close()
        self.addCleanup(close)
        return close

    def test_subscribers(self):
        self.flood(70)  # The tail cache is full.
        before = self.footprint()
        position = subscriber_pb2.TopicPosition(topic='t', **{'from': EARLIEST})
        closers = [self.never_read(topics=[position]) for _ in range(20)]
        self.flood(30)
        self.others_are_answered()
        self.assertLess(self.footprint().memory_mib, before.memory_mib + 100)
        for close in closers:
            close()
        self.gives_back(before, 100)

    def test_a_member_that_is_silent_too_hands_over_although_a_frame_to_it_is_on_its_way(self):
        self.flood(20)
        before = self.footprint()
        started = time.monotonic()  # The first and last that is heard of it comes later.
        close = self.never_read(group='g', mode=groups_pb2.GROUP_MODE_STREAM, create_at=EARLIEST,
                                topics=[subscriber_pb2.TopicPosition(topic='t')])
        until(lambda: self.acta_json('status')['eventsDelivered'] != '0', 'it is sent something')
        near = self.member()
        until(lambda: len(near.got()) == 20 * 16, 'another reads all of it', MEMBER_TIMEOUT_S + 8)
        self.assertGreater(time.monotonic() - started, MEMBER_TIMEOUT_S / 2)
        self.others_are_answered()
        near.close()
        close()
        self.gives_back(before, 100)

    def test_a_publisher_of_its_answers(self):
        sent = 0
        frame = Frame(batches=[batch(Event())] * 1000)

        def frames(count):
            nonlocal sent
            yield Frame(frame_id=1, open=publisher_pb2.PublishOpen(topic='t'))
            for sent in range(2, count):
                frame.frame_id = sent
                yield frame

        def read(publisher, count):
            for _ in publisher.PublishStream(frames(count), timeout=PATIENCE_S):
                pass
        read(self.publisher, 1000)  # What it takes when somebody reads.
        longest = self.longest_answer_beside(
            read, publisher_pb2_grpc.PublisherStub(self.connect(self.broker.address)), 300)
        before = self.footprint()
        channel = self.connect(self.broker.address)
        stream = publisher_pb2_grpc.PublisherStub(channel).PublishStream(frames(5000))
        last, since = 0, time.monotonic()
        while time.monotonic() < since + 1:  # It is not read any more when nothing leaves.
            self.others_are_answered(max(5, 3 * longest))
            if sent != last:
                last, since = sent, time.monotonic()
        self.assertLess(sent, 4999)
        self.assertLess(self.footprint().memory_mib, before.memory_mib + 50)
        stream.cancel()
        channel.close()
        self.gives_back(before, 50)


class SlowConsumers(ConsumerTest):
    options = (f'--limits.member_timeout={MEMBER_TIMEOUT_S}s',)

    def test_a_slow_link_delivers_all_of_it_in_order_and_keeps_nobody_waiting(self):
        self.proxy.say('rate 100000')  # Half a minute for what the quick one reads meanwhile.
        slow = self.member(self.connect(self.proxy.address), group='slow')
        quick = self.member()
        data = [b'%d' % number + b'x' * 10000 for number in range(300)]
        for one in data:
            self.publisher.Publish(Frame(batches=[batch(Event(data=one))]), timeout=PATIENCE_S)
        until(lambda: len(quick.got()) == len(data), 'the quick one has it')
        self.assertLess(len(slow.got()), len(data))
        self.proxy.say('rate 1000000')
        until(lambda: len(slow.got()) == len(data), 'the slow one has it')
        self.assertEqual((slow.got(), quick.got()), (data, data))

    def test_one_that_stalls_and_ticks_is_a_member_and_holds_up_its_own_partitions_only(self):
        self.publish_numbers(10)
        stalled = self.member(credit=subscriber_pb2.Credit(events=3, bytes=1 << 20))
        until(lambda: len(stalled.got()) == 3, 'it reads three')
        other = self.member(group='other')
        until(lambda: len(other.got()) == 10, 'another group reads on')
        beside = self.member()
        until(lambda: beside.notices, 'it has joined')
        time.sleep(MEMBER_TIMEOUT_S + 0.5)  # Longer than a member may be silent.
        self.assertIsNone(stalled.error)
        self.assertEqual((len(stalled.got()), beside.assigned), (3, {}))
        stalled.close()
        until(lambda: len(beside.got()) == 10, 'it has what was not committed')


class DoubleCommits(ConsumerTest):
    """The same events settled twice, by one who holds them and by others who do not."""

    def setUp(self):
        super().setUp()
        self.publish_numbers(10)
        self.holder = self.member(member_id='holder')
        until(lambda: len(self.holder.got()) == 10, 'it reads')
        self.handle = self.holder.assigned[0].assignment

    def reason(self, member, offset):
        error = member.commit(self.handle, offset).get(timeout=PATIENCE_S)
        return stubs.reason_in(error) if error else None

    def test_the_same_commit_twice_changes_nothing_and_says_so(self):
        for offset in (4, 4, 2):
            self.assertIsNone(self.reason(self.holder, offset))
        self.assertEqual(self.holder.notices.count('COMMIT_NOT_NEWER'), 2)
        self.assertEqual(self.committed(), {0: 4})
        self.broker.kill()
        self.broker.start()
        self.assertEqual(self.committed(), {0: 4})

    def test_a_handle_is_good_on_its_own_connection_only(self):
        other = self.member(self.connect(self.broker.address))
        self.assertEqual(self.reason(other, 7), 'FENCED')
        self.assertIsNone(self.reason(self.holder, 4))
        self.assertEqual(self.reason(other, 8), 'FENCED')
        self.assertEqual(self.committed(), {0: 4})

    def test_two_connections_with_one_name_are_one_member_the_newer(self):
        newer = self.member(self.connect(self.broker.address), member_id='holder')
        until(self.holder.ended.is_set, 'the older is told')
        self.assertEqual(stubs.reason_of(self.holder.error)[0], 'MEMBER_REPLACED')
        self.assertEqual(self.reason(newer, 7), 'FENCED')
        until(lambda: len(newer.got()) == 10, 'it reads what was not committed')
        self.assertIsNone(newer.commit(newer.assigned[0].assignment, 5).get(timeout=PATIENCE_S))
        self.assertEqual(self.committed(), {0: 5})

    def test_nobody_commits_from_outside_beside_a_member(self):
        request = groups_pb2.CommitOffsetsRequest(group='g', offsets=[
            groups_pb2.GroupOffset(topic='t', partition=0, offset=7)])
        with self.assertRaises(grpc.RpcError) as caught:
            groups_pb2_grpc.GroupsStub(self.channel).CommitOffsets(request, timeout=PATIENCE_S)
        self.assertEqual(stubs.reason_of(caught.exception)[0], 'FENCED')
        self.assertEqual(self.committed(), {0: 0})

    def test_a_storm_of_them_from_two_connections(self):
        """Each offset a hundred times, by the holder and by somebody else."""
        other = self.member(self.connect(self.broker.address))
        until(lambda: other.notices, 'it has joined')
        before = self.footprint()
        answers = {self.holder: [], other: []}

        def storm(member):
            for number in range(1000):
                answers[member].append(member.commit(self.handle, number % 10))
        threads = [threading.Thread(target=storm, args=(member,)) for member in answers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.others_are_answered()
        told = {member: {error and stubs.reason_in(error) for error in
                         (answer.get(timeout=PATIENCE_S) for answer in list_)}
                for member, list_ in answers.items()}
        self.assertEqual(told, {self.holder: {None}, other: {'FENCED'}})
        self.assertEqual(self.committed(), {0: 9})
        self.gives_back(before, 50)


if __name__ == '__main__':
    unittest.main()
