#!/usr/bin/env python3
"""Bad input on the wire, with stubs or raw bytes: typed errors, and others do not notice."""

import queue
import unittest

import stubs
from broker import PATIENCE_S, BrokerTest

stubs.use()

import grpc  # noqa: E402
from acta.v1 import (event_pb2, groups_pb2, publisher_pb2, publisher_pb2_grpc,  # noqa: E402
                     subscriber_pb2, subscriber_pb2_grpc)

Event = event_pb2.Event
Frame = publisher_pb2.PublishFrame
Control = subscriber_pb2.SubscribeControl
Start = subscriber_pb2.SubscribeStart


def batch(*events, topic='t', **fields):
    return publisher_pb2.PartitionBatch(topic=topic, events=events, **fields)


def open_frame(**fields):
    return Frame(frame_id=1, open=publisher_pb2.PublishOpen(topic='t', **fields))


class Subscription:
    """A Subscribe stream; its end is an exception or StopIteration of next()."""

    def __init__(self, channel, *controls):
        self.controls = queue.Queue()
        self.send(*controls)
        self.stream = subscriber_pb2_grpc.SubscriberStub(channel).Subscribe(
            iter(self.controls.get, None), timeout=PATIENCE_S)

    def send(self, *controls):
        for control in controls:
            self.controls.put(control)

    def until(self, wanted):
        """The first of what `wanted` finds in the frames."""
        for frame in self.stream:
            found = wanted(frame)
            if found:
                return found
        raise AssertionError('the stream ended')

    def close(self):
        self.controls.put(None)
        self.stream.cancel()


class WireTest(BrokerTest):
    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 't', '--partitions', '4')
        self.channel = grpc.insecure_channel(self.broker.address)
        self.addCleanup(self.channel.close)
        self.publisher = publisher_pb2_grpc.PublisherStub(self.channel)
        # Somebody else, who must not notice.
        self.other = Subscription(self.channel, Control(frame_id=1, start=Start(
            topics=[subscriber_pb2.TopicPosition(
                topic='t', **{'from': groups_pb2.StartPosition(earliest=True)})])))
        self.addCleanup(self.other.close)

    def tearDown(self):
        self.acta('publish', 't', 'the-last', '--key', 'k')
        self.other.until(lambda frame: any(event.data == b'the-last' for got in frame.batches
                                           for event in got.events))

    def refused(self, reason, call, *args, **details):
        with self.assertRaises(grpc.RpcError) as caught:
            answer = call(*args, timeout=PATIENCE_S)
            if hasattr(answer, '__iter__'):
                list(answer)
        got, metadata = stubs.reason_of(caught.exception)
        self.assertEqual(got, reason, caught.exception)
        for name, value in details.items():
            self.assertEqual(metadata.get(name), str(value))
        return caught.exception

    def publish(self, *batches, **fields):
        return self.publisher.Publish(Frame(batches=batches, **fields),
                                      timeout=PATIENCE_S).results[0]

    def batch_fails(self, reason, bad, **fields):
        """The batch fails and its neighbour in the frame does not."""
        result = self.publish(bad, batch(Event(data=b'good')), **fields)
        self.assertEqual(stubs.reason_in(result.batches[0].error), reason)
        self.assertTrue(result.batches[0].error.message)
        self.assertFalse(result.batches[1].HasField('error'))
        return result.batches[0].error

    def stream(self, *frames, timeout=PATIENCE_S):
        return self.publisher.PublishStream(iter(frames), timeout=timeout)


class BadPublish(WireTest):
    def test_limits_of_an_event_name_the_limit(self):
        self.batch_fails('KEY_TOO_LARGE', batch(Event(key=b'k' * 1025, data=b'x')))
        self.batch_fails('ATTRIBUTES_TOO_LARGE',
                         batch(Event(attributes={'a': 'v' * 8192}, data=b'x')))
        self.batch_fails('ATTRIBUTES_TOO_LARGE',
                         batch(Event(attributes={f'a{n}': '' for n in range(65)}, data=b'x')))
        error = self.batch_fails('EVENT_TOO_LARGE', batch(Event(data=b'x' * ((1 << 20) + 1))))
        self.assertIn('1048576', error.message + str(dict(error.details)))

    def fails_whole(self, reason, *batches, **fields):
        """The unary call fails, or its one result does."""
        try:
            result = self.publish(*batches, **fields)
        except grpc.RpcError as error:
            self.assertEqual(stubs.reason_of(error)[0], reason, error)
            return
        errors = [result.error] + [got.error for got in result.batches]
        self.assertIn(reason, [stubs.reason_in(error) for error in errors], result)

    def test_limits_of_a_frame_are_refused(self):
        self.fails_whole('BATCH_TOO_LARGE', batch(*[Event()] * 65537))
        self.fails_whole('FRAME_TOO_LARGE', *[batch(Event()) for _ in range(1001)])

    def test_an_empty_call_is_refused(self):
        self.fails_whole('EMPTY_PUBLISH')
        self.fails_whole('EMPTY_PUBLISH', batch())

    def test_an_atomic_call_has_its_own_limit(self):
        self.fails_whole('ATOMIC_TOO_LARGE', batch(*[Event()] * 1001, partition=0), atomic=True)

    def test_an_unknown_level_is_refused(self):
        self.fails_whole('UNKNOWN_ENUM_VALUE', batch(Event()), level=7)

    def test_an_unknown_topic_and_partition_are_named(self):
        error = self.batch_fails('TOPIC_NOT_FOUND', batch(Event(), topic='nothing'))
        self.assertIn('nothing', error.message)
        self.batch_fails('PARTITION_NOT_FOUND', batch(Event(), partition=4))
        self.batch_fails('PARTITION_NOT_FOUND', batch(Event(), partition=-1))

    def test_a_partition_that_does_not_fit_the_key_is_refused(self):
        events = Event(key=b'foobar')  # -790332482 & 0x7fffffff, modulo 4: 2
        self.batch_fails('PARTITION_KEY_MISMATCH', batch(events, partition=1))
        self.assertFalse(self.publish(batch(events, partition=2)).batches[0].HasField('error'))

    def test_sequences_have_no_gap_and_no_stale_epoch(self):
        def numbered(first, epoch=2):
            return batch(Event(), partition=0, producer_id=9, producer_epoch=epoch,
                         first_sequence=first)
        self.publish(numbered(0))
        self.batch_fails('OUT_OF_SEQUENCE', numbered(5))
        self.batch_fails('STALE_PRODUCER_EPOCH', numbered(1, epoch=1))
        again = self.publish(numbered(0)).batches[0]
        self.assertEqual([(d.partition, d.offset) for d in again.duplicates], [(0, 0)])

    def test_a_wrong_expected_end_names_the_end(self):
        wrong = batch(Event(), partition=0, expect=publisher_pb2.Expect(end_offset=3))
        error = self.batch_fails('WRONG_EXPECTED_OFFSET', wrong)
        self.assertEqual(dict(error.details)['end_offset'], '0')

    def test_a_wrong_checksum_is_refused(self):
        self.batch_fails('CHECKSUM_MISMATCH', batch(Event(), partition=0, payload_crc32c=1))

    def test_malformed_bytes_end_the_call_or_the_stream(self):
        raw = {name: make(f'/acta.v1.Publisher/{name}', None, None) for name, make in (
            ('Publish', self.channel.unary_unary), ('PublishStream', self.channel.stream_stream))}
        # Frame 2 with a batch for 't' of one event, whose source is no UTF-8.
        invalid_utf8 = b'\x08\x02\x22\x0b\x0a\x01t\x7a\x06\x12\x04\xff\xfe\xfd\xfc'
        for bytes_ in (b'\xff' * 20, b'\x22\x7f', invalid_utf8):
            self.refused('MALFORMED_MESSAGE', raw['Publish'], bytes_)
            self.refused('MALFORMED_MESSAGE', raw['PublishStream'],
                         iter([open_frame().SerializeToString(), bytes_]))

    def test_a_stream_begins_with_its_open_frame(self):
        self.refused('STREAM_NOT_OPENED', self.stream, Frame(frame_id=1, batches=[batch(Event())]))

    def test_frame_ids_rise(self):
        answers = list(self.stream(open_frame(), Frame(frame_id=5, batches=[batch(Event())]),
                                   Frame(frame_id=5, batches=[batch(Event())]),
                                   Frame(frame_id=6, batches=[batch(Event())])))
        results = [result for answer in answers for result in answer.results]
        self.assertEqual([stubs.reason_in(result.error) for result in results
                          if result.HasField('error')], ['FRAME_ID_NOT_RISING'])

    def test_compression_is_refused_by_name(self):
        subscriber = subscriber_pb2_grpc.SubscriberStub(self.channel)
        large = batch(Event(data=b'x' * 10000))
        start = Start(topics=[subscriber_pb2.TopicPosition(topic='t' * 200)])
        for call in (
                lambda **how: self.publisher.Publish(Frame(batches=[large]), **how),
                lambda **how: list(self.publisher.PublishStream(iter([open_frame()]), **how)),
                lambda **how: list(subscriber.Subscribe(
                    iter([Control(frame_id=1, start=start)]), **how))):
            with self.assertRaises(grpc.RpcError) as caught:
                call(compression=grpc.Compression.Gzip, timeout=PATIENCE_S)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)
            self.assertIn('gzip', caught.exception.details())

    def test_a_frame_a_little_above_its_limit_has_a_reason(self):
        frame = Frame(batches=[batch(Event(data=b'x' * (17 << 20)))])
        self.refused('FRAME_TOO_LARGE', self.publisher.Publish, frame, limit_value=17 << 20)

    def test_a_message_above_the_receive_limit_is_refused(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.publisher.Publish(Frame(batches=[batch(Event(data=b'x' * (18 << 20)))]),
                                   timeout=PATIENCE_S)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertEqual(stubs.reason_of(caught.exception), ('', {}))


class SmallFrames(WireTest):
    options = ('--limits.max_frame=1MiB', '--limits.max_event=256KiB', '--limits.atomic=256KiB',
               '--topics.default_max_event=256KiB')

    def frame(self, frame_id, count):
        return Frame(frame_id=frame_id, batches=[
            batch(Event(data=b'x' * (200 << 10)), partition=0) for _ in range(count)])

    def test_a_unary_frame_above_the_limit_has_a_reason(self):
        for count in (6, 80):  # Up to 16 MiB.
            self.refused('FRAME_TOO_LARGE', self.publisher.Publish, self.frame(0, count),
                         limit_value=1 << 20)
        self.assertEqual(len(self.publish(*self.frame(0, 5).batches).batches), 5)

    def test_a_frame_above_the_limit_fails_and_its_stream_goes_on(self):
        frames = [open_frame(), self.frame(2, 6), self.frame(3, 5), self.frame(4, 80),
                  self.frame(5, 1)]
        errors = {result.frame_id: stubs.reason_in(result.error)
                  for answer in self.stream(*frames) for result in answer.results
                  if result.HasField('error')}
        self.assertEqual(errors, {2: 'FRAME_TOO_LARGE', 4: 'FRAME_TOO_LARGE'})


class BadSubscribe(WireTest):
    def subscribe(self, *controls):
        subscription = Subscription(self.channel, *controls)
        self.addCleanup(subscription.close)
        return subscription

    def ends(self, reason, *controls):
        with self.assertRaises(grpc.RpcError) as caught:
            for _ in self.subscribe(*controls).stream:
                pass
        self.assertEqual(stubs.reason_of(caught.exception)[0], reason, caught.exception)

    def member(self, **fields):
        return Control(frame_id=1, start=Start(
            group='g', mode=groups_pb2.GROUP_MODE_STREAM,
            create_at=groups_pb2.StartPosition(earliest=True),
            topics=[subscriber_pb2.TopicPosition(topic='t')], **fields))

    def test_the_first_frame_says_who_and_what(self):
        self.ends('STREAM_NOT_OPENED', Control(frame_id=1, tick=subscriber_pb2.Tick()))
        self.ends('GROUP_NOT_FOUND', Control(frame_id=1, start=Start(group='nothing')))
        self.ends('TOPIC_NOT_FOUND', Control(frame_id=1, start=Start(
            topics=[subscriber_pb2.TopicPosition(topic='nothing')])))

    def test_an_unknown_feature_is_refused_by_name_and_the_stream_goes_on(self):
        member = self.subscribe(self.member(wanted_features=['time-travel']))
        error = member.until(lambda frame: frame.errors)[0]
        self.assertEqual(stubs.reason_in(error.status), 'UNSUPPORTED_FEATURE')
        self.assertIn('time-travel', error.status.message)
        # It hears what comes next.
        member.send(Control(frame_id=2, commit=subscriber_pb2.Commit(assignment=1 << 40,
                                                                     offset=0)))
        self.assertEqual(member.until(lambda frame: frame.errors)[0].frame_id, 2)

    def test_a_frame_id_that_does_not_rise_is_named(self):
        member = self.subscribe(self.member(), Control(frame_id=1, tick=subscriber_pb2.Tick()))
        error = member.until(lambda frame: frame.errors)[0]
        self.assertEqual(stubs.reason_in(error.status), 'FRAME_ID_NOT_RISING')

    def test_a_stale_handle_is_fenced_and_the_stream_goes_on(self):
        member = self.subscribe(self.member())
        handle = member.until(lambda frame: frame.assigned)[0].assignment
        member.send(Control(frame_id=2, commit=subscriber_pb2.Commit(assignment=1 << 40,
                                                                     offset=0)))
        error = member.until(lambda frame: frame.errors)[0]
        self.assertEqual((error.frame_id, stubs.reason_in(error.status)), (2, 'FENCED'))
        member.send(Control(frame_id=3, commit=subscriber_pb2.Commit(assignment=handle, offset=0)))
        member.until(lambda frame: 'COMMIT_NOT_NEWER' in [notice.code for notice in frame.notice])

    def test_a_commit_beyond_the_end_or_negative_is_refused(self):
        member = self.subscribe(self.member())
        handle = member.until(lambda frame: frame.assigned)[0].assignment
        for number, (offset, reason) in enumerate(((99, 'OFFSET_BEYOND_END'),
                                                   (-1, 'OFFSET_OUT_OF_RANGE')), 2):
            member.send(Control(frame_id=number, commit=subscriber_pb2.Commit(
                assignment=handle, offset=offset)))
            error = member.until(lambda frame: frame.errors)[0]
            self.assertEqual(stubs.reason_in(error.status), reason)

    def test_an_event_too_large_for_the_client_names_both_sizes(self):
        self.publish(batch(Event(data=b'x' * 200_000), partition=0))
        reader = self.subscribe(self.member(max_frame_bytes=65536))
        gap = reader.until(lambda frame: frame.gap)[0]
        self.assertEqual(stubs.reason_in(gap.status), 'EVENT_TOO_LARGE_FOR_CLIENT')
        self.assertIn('65536', gap.status.message)
        fetch = subscriber_pb2_grpc.SubscriberStub(self.channel).Fetch
        refused = self.refused('EVENT_TOO_LARGE_FOR_CLIENT', fetch, subscriber_pb2.FetchRequest(
            topic='t', max_frame_bytes=65536), max_frame_bytes=65536)
        self.assertIn('200', refused.details())

    def test_fetch_names_what_is_outside(self):
        fetch = subscriber_pb2_grpc.SubscriberStub(self.channel).Fetch
        request = subscriber_pb2.FetchRequest
        self.refused('OFFSET_OUT_OF_RANGE', fetch, request(topic='t', offset=5))
        self.refused('OFFSET_OUT_OF_RANGE', fetch, request(topic='t', offset=-5))
        self.refused('PARTITION_NOT_FOUND', fetch, request(topic='t', partition=9))
        self.refused('TOPIC_NOT_FOUND', fetch, request(topic='nothing'))

    def test_malformed_bytes_end_the_stream(self):
        raw = self.channel.stream_stream('/acta.v1.Subscriber/Subscribe', None, None)
        self.refused('MALFORMED_MESSAGE', raw, iter([b'\xff' * 20]))


if __name__ == '__main__':
    unittest.main()
