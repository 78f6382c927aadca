#!/usr/bin/env python3
"""How `acta subscribe` ends while events go on coming, its reader is slow, or its partition goes to
another member: what a member commits or acks is what it has shown, once, and what it says that it
did. And how `acta publish` ends in the middle of a flood."""

import contextlib
import fcntl
import itertools
import json
import pathlib
import signal
import struct
import subprocess
import termios
import threading
import time
import unittest

import stubs
from broker import PATIENCE_S, BrokerTest

stubs.use()

import grpc  # noqa: E402
from acta.v1 import event_pb2, publisher_pb2, publisher_pb2_grpc  # noqa: E402
from faults import await_signal, until  # noqa: E402


class SubscribeEndsTest(BrokerTest):
    def setUp(self):
        super().setUp()
        channel = grpc.insecure_channel(self.broker.address)
        self.addCleanup(channel.close)
        self.publisher = publisher_pb2_grpc.PublisherStub(channel)
        self.published = 0

    def publish(self, partition=0, count=1, size=0):
        """Events in one batch; each says how many there were before it."""
        numbers = range(self.published, self.published + count)
        self.publisher.Publish(publisher_pb2.PublishFrame(batches=[publisher_pb2.PartitionBatch(
            topic='t', partition=partition,
            events=[event_pb2.Event(data=(b'%d' % number).ljust(size)) for number in numbers])]),
            timeout=PATIENCE_S)
        self.published += count

    @contextlib.contextmanager
    def steady_traffic(self, partitions=1):
        """One event behind the other in each partition, as long as it is entered."""
        enough = threading.Event()

        def go_on():
            while not enough.is_set():
                for partition in range(partitions):
                    self.publish(partition)
        traffic = threading.Thread(target=go_on)
        traffic.start()
        try:
            yield
        finally:
            enough.set()
            traffic.join()


class UntilEnd(SubscribeEndsTest):
    def test_what_came_behind_the_end_is_shown_the_next_time(self):
        self.acta('topic', 'create', 't', '--partitions', 1)
        self.publish(count=100)
        shown = []
        with self.steady_traffic():
            for _ in range(5):
                shown += self.acta('subscribe', 't', '--group', 'g', '--until-end').split()
        shown += self.acta('subscribe', 't', '--group', 'g', '--until-end').split()
        self.assertEqual(shown, [str(number) for number in range(self.published)])

    def test_two_members_end_although_events_come_all_the_time(self):
        self.acta('topic', 'create', 't', '--partitions', 2)
        self.acta('group', 'create', 'g', '--topic', 't', '--from', 'earliest')
        for number in range(80):
            self.publish(number % 2)
        members = [self.spawn('subscribe', 't', '--group', 'g', '--until-end', '--exec',
                              'echo $ACTA_PARTITION $ACTA_OFFSET; sleep 0.1') for _ in range(2)]
        until(lambda: len(self.acta_json('group', 'describe', 'g')['group']['members']) == 2,
              'both have joined')
        shown = set()
        with self.steady_traffic(partitions=2):
            for member in members:
                out, err = member.communicate(timeout=PATIENCE_S)
                self.assertEqual(member.returncode, 0, err)
                shown.update(out.decode().splitlines())
        self.assertEqual(shown, {f'{partition} {offset}' for partition in (0, 1)
                                 for offset in range(40)})


class SlowReader(SubscribeEndsTest):
    """The one of the output, behind a pipe that is full."""

    @staticmethod
    def waiting_bytes(pipe):
        return struct.unpack('i', fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]

    def stopped_while_it_writes(self, how, *options):
        """What a member has shown that is told to stop when its reader does not read, and what it
        says that it did."""
        self.acta('topic', 'create', 't', '--partitions', 1)
        for _ in range(20):
            self.publish(count=100, size=1000)
        member = self.spawn('subscribe', 't', '--group', 'g', '--format', 'json', *options)
        until(lambda: self.waiting_bytes(member.stdout) > 32_000, 'it writes')
        time.sleep(0.5)  # Until the pipe is full.
        member.send_signal(how)
        await_signal(member.pid, how)
        time.sleep(0.5)  # Until it has noticed.
        out, err = member.communicate(timeout=PATIENCE_S)
        self.assertEqual(member.returncode, 0, err)
        return ([json.loads(line)['data'] for line in out.decode().splitlines()],
                err.decode().splitlines()[-1])

    def test_a_member_of_a_stream_shows_each_event_once(self):
        shown, said = self.stopped_while_it_writes(signal.SIGINT)
        self.assertEqual(shown, list(range(len(shown))))
        self.assertEqual(said, f'committed t/0 up to offset {len(shown) - 1}')
        rest = [event['data'] for event in
                self.events('subscribe', 't', '--group', 'g', '--until-end')]
        self.assertEqual(shown + rest, list(range(self.published)))

    def test_a_member_of_a_queue_shows_each_event_once(self):
        shown, said = self.stopped_while_it_writes(signal.SIGTERM, '--mode', 'queue')
        self.assertLess(len(shown), self.published)
        self.assertEqual(said, f'processed {len(shown)}, failed 0, rejected 0')
        rest = [event['data'] for event in
                self.events('subscribe', 't', '--group', 'g', '--max', self.published - len(shown))]
        self.assertEqual(sorted(shown + rest), list(range(self.published)))


class Flood(BrokerTest):
    def test_an_interrupted_publisher_has_stored_a_beginning_of_it_and_says_how_much(self):
        self.acta('topic', 'create', 't', '--partitions', 1)
        publisher = self.spawn('publish', 't', '-o', 'json', stdin=subprocess.PIPE)

        def feed():
            with contextlib.suppress(BrokenPipeError), publisher.stdin as lines:
                for number in itertools.count():
                    lines.write(b'%d\n' % number)
            publisher.stdin = None  # Nobody closes it again.
        thread = threading.Thread(target=feed)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(publisher.kill)  # Before who feeds it is joined.
        until(lambda: self.acta_json('topic', 'describe', 't')['partitions'][0]['endOffset'] != '0',
              'it is under way')
        publisher.send_signal(signal.SIGINT)
        code = publisher.wait(PATIENCE_S)
        row, = json.load(publisher.stdout)
        err = publisher.stderr.read().decode()
        self.assertEqual(code, 6, err)
        stored = int(row['stored'])
        self.assertIn(f'before the end of the input; {stored} events went through', err)
        shown = self.acta('subscribe', 't', '--from', 'earliest', '--until-end').split()
        self.assertEqual(len(shown), stored)
        self.assertTrue(all(line == str(number) for number, line in enumerate(shown)))


class PartitionMovesAway(SubscribeEndsTest):
    """From a member whose commands take longer than it may have to hand a partition over."""
    options = ('--limits.revoke_deadline=1s',)

    def member(self, name, pause=''):
        """The file to which it writes what its commands were given."""
        file = pathlib.Path(self.folder) / name
        file.touch()
        self.spawn('subscribe', 't', '--group', 'g', '--exec',
                   f'{pause} echo $ACTA_PARTITION $ACTA_OFFSET >>{file}')
        return file

    def test_a_member_leaves_what_it_has_of_it_to_the_next_one(self):
        self.acta('topic', 'create', 't', '--partitions', 2)
        self.acta('group', 'create', 'g', '--topic', 't', '--from', 'earliest')
        self.publish(partition=1, count=60)
        first = self.member('first', 'sleep 0.3;')
        until(lambda: len(first.read_text().splitlines()) > 2, 'the first is at work')
        second = self.member('second')  # It gets the highest one.
        until(lambda: '1 59' in second.read_text().splitlines(), 'the second has come to the end')
        self.publish(partition=0)
        until(lambda: '0 0' in first.read_text().splitlines(), 'the first goes on')
        shown = [set(file.read_text().splitlines()) for file in (first, second)]
        self.assertEqual(shown[0] | shown[1], {'0 0', *(f'1 {offset}' for offset in range(60))})
        # The one whose command was running, and one whose commit was on its way.
        self.assertLessEqual(len(shown[0] & shown[1]), 2)

    def test_a_member_drops_what_it_has_of_it_when_that_is_passed_over(self):
        def pass_over(offset, *how):
            until(pathlib.Path(f'{begun}.{offset}').exists, 'a command runs')
            self.acta('group', *how, '--reason', 'bad ones')
            until(lambda: any(one.get('connected') for one in
                              self.acta_json('group', 'describe', 'g')['group'].get('members', [])),
                  'the member is back')  # Its place is there all the time.
            pathlib.Path(f'{go}.{offset}').touch()
            self.publish()
        self.acta('topic', 'create', 't', '--partitions', 1)
        self.acta('group', 'create', 'g', '--topic', 't', '--from', 'earliest')
        self.publish(count=3)
        begun, go = (pathlib.Path(self.folder) / name for name in ('begun', 'go'))
        member = self.member('member', f'touch {begun}.$ACTA_OFFSET; until test -e '
                             f'{go}.$ACTA_OFFSET -o $ACTA_OFFSET = 4; do sleep 0.05; done; '
                             'test $ACTA_OFFSET != 3 || exit 7;')
        pass_over(0, 'reset', 'g', '--to', 'latest', '--force')
        # One whose command fails in the end.
        pass_over(3, 'skip', 'g', '--topic', 't', '--partition', 0, '--offset', 3)
        until(lambda: '0 4' in member.read_text().splitlines(), 'it goes on behind them')
        self.assertEqual(member.read_text().splitlines(), ['0 0', '0 4'])


if __name__ == '__main__':
    unittest.main()
