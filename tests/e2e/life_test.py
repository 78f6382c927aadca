#!/usr/bin/env python3
"""The life of the daemon: what it says as it starts and stops, and that a stop costs nothing."""

import concurrent.futures
import json
import os
import queue
import re
import signal
import socket
import threading
import unittest
import urllib.error
import urllib.request

import stubs
from broker import PATIENCE_S, Broker, BrokerTest

stubs.use()

import grpc  # noqa: E402
from acta.v1 import (event_pb2, groups_pb2, publisher_pb2, publisher_pb2_grpc,  # noqa: E402
                     subscriber_pb2, subscriber_pb2_grpc)
from faults import until  # noqa: E402

Frame = publisher_pb2.PublishFrame
# A client that does not read ahead more than this, however much there is.
NO_READ_AHEAD = [('grpc.http2.lookahead_bytes', 65535), ('grpc.http2.bdp_probe', 0)]


def frame(data, **fields):
    return Frame(batches=[publisher_pb2.PartitionBatch(
        topic='t', events=[event_pb2.Event(data=data)])], **fields)


class Subscription:
    """A reader without a group that asks for everything and takes a frame when it is told to."""

    def __init__(self, address):
        self.controls = queue.Queue()
        position = subscriber_pb2.TopicPosition(
            topic='t', **{'from': groups_pb2.StartPosition(earliest=True)})
        self.controls.put(subscriber_pb2.SubscribeControl(
            frame_id=1, start=subscriber_pb2.SubscribeStart(
                topics=[position], credit=subscriber_pb2.Credit(events=1 << 20, bytes=1 << 30))))
        self.channel = grpc.insecure_channel(address, options=NO_READ_AHEAD)
        self.stream = subscriber_pb2_grpc.SubscriberStub(self.channel).Subscribe(
            iter(self.controls.get, None), timeout=PATIENCE_S)

    def frames(self):
        """All frames until the stream ends; then the error it ended with."""
        frames = []
        try:
            for one in self.stream:
                frames.append(one)
        except grpc.RpcError as error:
            return frames, error
        return frames, None

    def close(self):
        self.controls.put(None)
        self.stream.cancel()
        self.channel.close()


class Publishing(threading.Thread):
    """Publishes one event after another by unary calls until one is refused."""

    def __init__(self, address, name):
        super().__init__()
        self.address = address
        self.name_ = name
        self.acknowledged = set()
        self.refusal = None
        self.busy = threading.Event()

    def run(self):
        with grpc.insecure_channel(self.address) as channel:
            stub = publisher_pb2_grpc.PublisherStub(channel)
            for number in range(1 << 30):
                data = f'{self.name_}/{number}'.encode()
                try:
                    result = stub.Publish(frame(data), timeout=PATIENCE_S).results[0]
                except grpc.RpcError as error:
                    self.refusal = error
                    return
                if not result.batches[0].HasField('error'):
                    self.acknowledged.add(data)
                self.busy.set()


class Streaming(Publishing):
    """The same by one stream, whose frames are sent without waiting for their answers."""

    def run(self):
        sent = {}
        room = threading.Semaphore(100)
        answered = threading.Event()

        def frames():
            yield Frame(frame_id=1, open=publisher_pb2.PublishOpen(topic='t'))
            for number in range(2, 1 << 30):
                while not room.acquire(timeout=0.1):
                    if answered.is_set():
                        return
                sent[number] = f'{self.name_}/{number}'.encode()
                yield frame(sent[number], frame_id=number)
        with grpc.insecure_channel(self.address) as channel:
            stream = publisher_pb2_grpc.PublisherStub(channel).PublishStream(frames(),
                                                                            timeout=PATIENCE_S)
            try:
                for answer in stream:
                    for result in answer.results:
                        room.release()
                        if result.batches and not result.batches[0].HasField('error'):
                            self.acknowledged.add(sent[result.frame_id])
                            self.busy.set()
            except grpc.RpcError as error:
                self.refusal = error
            answered.set()


class Life(BrokerTest):
    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 't')

    def subscription(self):
        subscription = Subscription(self.broker.address)
        self.addCleanup(subscription.close)
        return subscription

    def hold_the_stop(self):
        """A subscriber that does not take the second frame, which is on its way: the stop waits."""
        with grpc.insecure_channel(self.broker.address) as channel:
            stub = publisher_pb2_grpc.PublisherStub(channel)
            for number in range(3):
                stub.Publish(frame(b'%d' % number + b'x' * 1_000_000), timeout=PATIENCE_S)
        subscription = self.subscription()
        next(subscription.stream)
        until(lambda: int(self.acta_json('status')['eventsDelivered']) >= 2, 'it is on its way')
        return subscription

    def ask_to_stop(self):
        """Sends the signal and waits until it is heard; for a stop that is held."""
        self.assertEqual(self.readyz(), 200)
        self.broker.process.send_signal(signal.SIGTERM)
        until(lambda: self.readyz() == 503, 'it is heard')
        self.assertFalse(self.broker.ready.exists())

    def readyz(self):
        try:
            with urllib.request.urlopen(f'http://{self.broker.http}/readyz', timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code


class LongGrace(Life):
    options = ('--listen.stop_grace=1h',)

    def test_a_second_signal_ends_it_at_once(self):
        self.hold_the_stop()
        self.ask_to_stop()
        self.assertIsNone(self.broker.process.poll())
        self.assertEqual(self.broker.stop(), 1)
        self.assertIn('asked twice to stop', self.broker.log.read_text())
        # As after kill -9: what was acknowledged is there.
        self.broker.start()
        self.assertEqual(len(self.events('subscribe', 't', '--from', 'earliest', '--until-end')),
                         3)


class Stop(Life):
    options = ('--listen.stop_grace=1m',)

    def test_a_stop_under_load_refuses_with_a_delay_and_loses_nothing(self):
        slow = self.hold_the_stop()
        fast = self.subscription()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            followed = pool.submit(fast.frames)
            publishers = [kind(self.broker.address, f'{kind.__name__}{number}')
                          for kind in (Publishing, Streaming) for number in (1, 2)]
            for publisher in publishers:
                publisher.start()
                self.addCleanup(publisher.join)
            for publisher in publishers:
                self.assertTrue(publisher.busy.wait(PATIENCE_S))
            self.ask_to_stop()
            for publisher in publishers:
                publisher.join()
            ends = [slow.frames(), followed.result()]
        self.assertEqual(self.broker.process.wait(timeout=PATIENCE_S), 0)

        for frames, end in ends:
            self.assertEqual(stubs.reason_of(end)[0], 'SERVER_STOPPING', end)
            self.assertGreater(stubs.retry_of(end), 0)
            going = [one.going_away for one in frames if one.HasField('going_away')]
            self.assertEqual(len(going), 1)
            self.assertGreater(going[0].retry_after.ToTimedelta().total_seconds(), 0)

        acknowledged = set()
        for publisher in publishers:
            self.assertEqual(stubs.reason_of(publisher.refusal)[0], 'SERVER_STOPPING',
                             publisher.refusal)
            self.assertGreater(stubs.retry_of(publisher.refusal), 0)
            acknowledged |= publisher.acknowledged
        self.broker.start()
        stored = self.acta('subscribe', 't', '--from', 'earliest', '--until-end').split()
        self.assertEqual(len(stored), len(set(stored)))
        self.assertLessEqual(acknowledged, {data.encode() for data in stored})
        self.assertIn('exit=0', self.broker.log.read_text())


class Said(Life):
    def log_lines(self):
        return self.broker.log.read_text().splitlines()

    def test_the_supervisor_is_told_of_start_and_stop(self):
        self.assertEqual(self.broker.stop(), 0)
        path = os.path.join(self.folder, 'notify')
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
            supervisor.settimeout(PATIENCE_S)
            supervisor.bind(path)
            self.broker.environment = {'NOTIFY_SOCKET': path}
            self.broker.start()
            self.assertEqual(supervisor.recv(1000), b'READY=1')
            self.assertEqual(self.broker.stop(), 0)
            self.assertEqual(supervisor.recv(1000), b'STOPPING=1')

    def test_log_lines_are_text(self):
        self.assertEqual(self.broker.stop(), 0)
        line = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warn|error) \S.*')
        for text in self.log_lines():
            self.assertRegex(text, line)
        self.assertTrue(any(' started version=' in text for text in self.log_lines()))

    def test_log_lines_are_json_that_of_a_failed_start_too(self):
        self.broker.stop()
        self.broker.log.unlink()
        self.broker.options = ('--log.format=json',)
        self.broker.start()
        other = Broker(self.folder, '--log.format=json')
        with self.assertRaisesRegex(AssertionError, 'FOLDER_IN_USE'):
            other.start()
        self.assertEqual(self.broker.stop(), 0)
        lines = [json.loads(text) for text in self.log_lines()]
        for line in lines:
            self.assertLessEqual({'time', 'level', 'event'}, set(line))
        said = {line['event']: line for line in lines}
        self.assertLessEqual({'started', 'not started', 'asked to stop', 'stopped'}, set(said))
        self.assertEqual(said['started']['grpc'], self.broker.address)
        self.assertEqual((said['not started']['level'], said['not started']['reason']),
                         ('error', 'FOLDER_IN_USE'))

    def test_insecure_opens_other_addresses_and_warns(self):
        self.broker.stop()
        self.broker.options = ('--grpc', '0.0.0.0:0', '--http', '0.0.0.0:0')
        with self.assertRaisesRegex(AssertionError, 'neither TLS nor authentication.*--insecure'):
            self.broker.start()
        self.broker.options += ('--insecure',)
        self.broker.start()
        self.assertRegex(self.broker.address, r'^0\.0\.0\.0:[1-9]')
        self.broker.address = self.broker.address.replace('0.0.0.0', '127.0.0.1')
        status = self.acta_json('status')
        self.assertTrue(status['insecure'])
        self.assertEqual([alarm['code'] for alarm in status['alarms']], ['INSECURE'])
        self.assertRegex(self.broker.log.read_text(), r'warn INSECURE: everybody .*0\.0\.0\.0:0')


class Folder(Life):
    def test_a_folder_of_a_newer_format_is_refused(self):
        self.broker.stop()
        (self.broker.data / 'FORMAT').write_text('acta 999\n')
        with self.assertRaisesRegex(AssertionError, 'FORMAT_TOO_NEW.*999.*newer actad'):
            self.broker.start()


if __name__ == '__main__':
    unittest.main()
