#!/usr/bin/env python3
"""What plain clients can say wrongly to a queue: each is a typed error that names what is wrong or
which limit, is counted, and harms nobody else."""

import re
import time
import unittest
import urllib.request

import stubs

stubs.use()

import grpc  # noqa: E402
from google.protobuf.duration_pb2 import Duration  # noqa: E402
from acta.v1 import (claims_pb2, claims_pb2_grpc, dead_letters_pb2,  # noqa: E402
                     dead_letters_pb2_grpc, errors_pb2, groups_pb2, groups_pb2_grpc, publisher_pb2,
                     publisher_pb2_grpc, subscriber_pb2, subscriber_pb2_grpc)
from broker import PATIENCE_S, BrokerTest  # noqa: E402
from faults import until  # noqa: E402
from network import EARLIEST, Event  # noqa: E402
from workers import ACK, NACK, Settlement, Worker, queue_group  # noqa: E402

EXTEND = subscriber_pb2.SETTLE_KIND_EXTEND
DAY_US = 86_400_000_000


def now_us():
    return time.time_ns() // 1000


class QueueBadInput(BrokerTest):
    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 'jobs', '--partitions', 1)
        self.acta('topic', 'create', 'bills', '--partitions', 1)
        self.acta('topic', 'create', 'others', '--partitions', 1)
        self.channel = grpc.insecure_channel(self.broker.address)
        self.addCleanup(self.channel.close)
        self.subscriber = subscriber_pb2_grpc.SubscriberStub(self.channel)
        self.group('workers', 'jobs')
        self.group('bystanders', 'others')
        self.bystander = self.worker(group='bystanders',
                                     on_event=lambda worker, event: worker.settle(ACK, event))

    def tearDown(self):
        """Who did nothing wrong works on, on the connection that the others share with it."""
        self.acta('publish', 'others', 'x')
        until(lambda: self.bystander.leased, 'the bystander has its event', PATIENCE_S)
        until(lambda: self.acta_json('group', 'lag', 'bystanders')['partitions'][0]
              .get('lagEvents', '0') == '0', 'it is settled', PATIENCE_S)
        self.assertIsNone(self.bystander.error)

    def group(self, name, topic, **settings):
        groups_pb2_grpc.GroupsStub(self.channel).CreateGroup(groups_pb2.CreateGroupRequest(
            group=queue_group(name, [topic], **settings), start=EARLIEST), timeout=PATIENCE_S)

    def worker(self, **start):
        worker = Worker(self.channel, wanted_features=['DELIVERY_TOKENS'], **start)
        self.addCleanup(worker.die)
        return worker

    def publish(self, *events, topic='jobs', **batch):
        return publisher_pb2_grpc.PublisherStub(self.channel).Publish(
            publisher_pb2.PublishFrame(batches=[publisher_pb2.PartitionBatch(
                topic=topic, events=[Event(data=event.encode()) for event in events], **batch)]),
            timeout=PATIENCE_S)

    def rejections(self, reason):
        page = f'http://{self.broker.http}/metrics'
        with urllib.request.urlopen(page, timeout=PATIENCE_S) as answer:
            found = re.search(rf'^acta_rpc_rejections_total{{reason="{reason}"}} (\d+)$',
                              answer.read().decode(), re.MULTILINE)
        return int(found[1]) if found else 0

    def refuses(self, reason, call, *words):
        """A call that fails for that reason, says these words and is counted. Its details."""
        before = self.rejections(reason)
        with self.assertRaises(grpc.RpcError) as raised:
            call()
        named, details = stubs.reason_of(raised.exception)
        said = f'{raised.exception.details()} {details}'
        self.assertEqual(named, reason, said)
        for word in words:
            self.assertIn(word, said)
        self.assertEqual(self.rejections(reason), before + 1)
        return details

    def fails_in_stream(self, reason, worker, settle, *words):
        """A control frame of the member is refused so, is counted, and the member goes on."""
        before, errors = self.rejections(reason), len(worker.errors)
        frame_id = settle()
        until(lambda: len(worker.errors) > errors, 'the error comes', PATIENCE_S)
        error = worker.errors[errors]
        self.assertEqual((error.frame_id, errors_pb2.ErrorReason.Name(error.status.reason)),
                         (frame_id, reason), error.status.message)
        for word in words:
            self.assertIn(word, f'{error.status.message} {dict(error.status.details)}')
        self.assertEqual(self.rejections(reason), before + 1)
        self.assertIsNone(worker.error)

    def settle(self, worker, kind, offset, assignment=None, **how):
        return lambda: worker.send(settle=subscriber_pb2.Settle(settlements=[
            Settlement(assignment=assignment or worker.leased[0].assignment, offset=offset,
                       kind=kind, **how)]))

    def step(self, leased, group='workers', token=None, **more):
        return lambda: self.subscriber.Settle(subscriber_pb2.SettleRequest(
            group=group, processed=[subscriber_pb2.ProcessedEvents(
                delivery_token=token or leased.token, offset=leased.offset, count=1)], **more),
            timeout=PATIENCE_S)

    def bills(self):
        return self.acta('read', 'bills', '--partition', 0, '--max', 100).split()

    def test_settlements_of_what_one_does_not_have(self):
        self.publish(*'abc')
        worker = self.worker(credit=2)
        worker.has(2)
        other = self.worker(credit=1)
        other.has(1)
        worker.settled(worker.settle(ACK, worker.leased[0]))
        for kind in (ACK, NACK, EXTEND):
            self.fails_in_stream('NEVER_LEASED', worker, self.settle(worker, kind, 77), 'delivered')
            self.fails_in_stream('LEASE_LOST', worker, self.settle(worker, kind, 2), 'lease')
            self.fails_in_stream('ALREADY_SETTLED', worker, self.settle(worker, kind, 0))
        self.fails_in_stream('FENCED', worker, self.settle(worker, ACK, 1, assignment=99), '99')
        # All of that cost nobody anything.
        worker.settled(worker.settle(ACK, worker.leased[1]))
        other.settled(other.settle(ACK, other.leased[0]))
        self.assertEqual(self.acta_json('group', 'lag', 'workers')['partitions'][0]
                         .get('lagEvents', '0'), '0')

    def test_a_lease_that_is_over(self):
        self.group('hasty', 'jobs', lease=Duration(seconds=1))
        self.publish('a')
        worker = self.worker(group='hasty', credit=1)
        worker.has(1)
        other = self.worker(group='hasty', credit=1)
        other.has(1)  # The lease of the first ran out.
        for kind in (ACK, NACK, EXTEND):
            self.fails_in_stream('LEASE_LOST', worker, self.settle(worker, kind, 0))
        self.refuses('LEASE_LOST', self.step(worker.leased[0], group='hasty'))
        other.settled(other.settle(ACK, other.leased[0]))

    def test_settlements_that_say_what_cannot_be(self):
        self.publish('a')
        worker = self.worker()
        worker.has(1)
        self.fails_in_stream('LIMIT_EXCEEDED', worker, self.settle(
            worker, EXTEND, 0, delay=Duration(seconds=12 * 3600 + 1)), '12h', 'max_lease_hours')
        self.fails_in_stream('INVALID_ARGUMENT', worker, self.settle(
            worker, NACK, 0, reason='two words'), 'reason', '64')
        self.fails_in_stream('INVALID_ARGUMENT', worker, self.settle(
            worker, NACK, 0, reason='r' * 65), 'reason', '64')
        self.fails_in_stream('LIMIT_EXCEEDED', worker, self.settle(
            worker, NACK, 0, text='t' * 1025), 'max_settle_text_bytes', '1024')
        self.fails_in_stream('INVALID_ARGUMENT', worker, self.settle(
            worker, NACK, 0, delay=Duration(seconds=-1)), 'delay')
        worker.settled(worker.settle(ACK, worker.leased[0]))
        self.assertEqual(worker.leased[0].attempt, 1)

    def test_tokens_that_are_forged_or_foreign(self):
        self.group('second', 'jobs')
        self.publish('a')
        worker, second = self.worker(), self.worker(group='second')
        worker.has(1)
        second.has(1)
        leased = worker.leased[0]
        forged = leased.token[:-1] + bytes([leased.token[-1] ^ 1])
        bill = [publisher_pb2.PartitionBatch(topic='bills', events=[Event(data=b'bill')])]
        for token in (forged, b'', b'x', leased.token * 2, second.leased[0].token):
            self.refuses('INVALID_DELIVERY_TOKEN', lambda: self.subscriber.Settle(
                subscriber_pb2.SettleRequest(
                    group='workers', publish=bill,
                    processed=[subscriber_pb2.ProcessedEvents(delivery_token=token, offset=0)]),
                timeout=PATIENCE_S), 'delivery_token')
        self.step(leased)()
        self.refuses('ALREADY_SETTLED', self.step(leased, publish=bill))
        self.assertEqual(self.bills(), [])

    def test_a_step_whose_publish_breaks_a_limit_does_nothing(self):
        self.publish('a')
        worker = self.worker()
        worker.has(1)
        claims = claims_pb2_grpc.ClaimsStub(self.channel)
        first = claims.Claim(claims_pb2.ClaimRequest(group='workers', key='pay'),
                             timeout=PATIENCE_S)
        self.refuses('KEY_TOO_LARGE', self.step(
            worker.leased[0],
            claims=[subscriber_pb2.CompletedClaim(key='pay', token=first.token, result=b'paid')],
            publish=[
                publisher_pb2.PartitionBatch(topic='bills', events=[Event(data=b'bill')]),
                publisher_pb2.PartitionBatch(topic='bills', events=[Event(key=b'k' * 1025)])]),
            '1024', "'batch': '1'")
        self.assertEqual(self.bills(), [])
        self.assertEqual(
            claims.GetClaim(claims_pb2.GetClaimRequest(group='workers', key='pay'),
                            timeout=PATIENCE_S).claim.state, claims_pb2.CLAIM_STATE_IN_PROGRESS)
        worker.settled(worker.settle(ACK, worker.leased[0]))
        self.assertEqual(worker.errors, [])

    def test_groups_with_a_lease_or_attempts_of_0(self):
        self.refuses('INVALID_ARGUMENT',
                     lambda: self.group('g', 'jobs', lease=Duration()), 'lease', '1s', '12h')
        self.refuses('INVALID_ARGUMENT',
                     lambda: self.group('g', 'jobs', max_attempts=0), 'max_attempts', '1000')
        self.fails(3, 'GROUP_NOT_FOUND', 'group', 'describe', 'g')

    def test_scheduled_for_the_past_comes_now_and_too_far_is_refused(self):
        self.publish('late', topic='bills', deliver_at_us=now_us() - DAY_US)
        until(lambda: self.bills() == ['late'], 'it comes', PATIENCE_S)
        before = self.rejections('SCHEDULE_TOO_FAR')
        answer = self.publish('far', topic='bills', deliver_at_us=now_us() + 401 * DAY_US)
        error = answer.results[0].batches[0].error
        self.assertEqual(errors_pb2.ErrorReason.Name(error.reason), 'SCHEDULE_TOO_FAR')
        self.assertIn('400 days', error.message)
        self.assertEqual(self.rejections('SCHEDULE_TOO_FAR'), before + 1)
        self.assertEqual(self.acta_json('schedule', 'list')['schedules'], [])

    def test_redrives_of_nothing(self):
        stub = dead_letters_pb2_grpc.DeadLettersStub(self.channel)
        request = dead_letters_pb2.RedriveDeadLettersRequest(group='workers')
        self.refuses('INVALID_ARGUMENT', lambda: stub.RedriveDeadLetters(request), 'selection')
        request.selection.letters.add(topic='jobs', partition=0, offset=5)
        self.refuses('DEAD_LETTER_NOT_FOUND', lambda: stub.RedriveDeadLetters(request), '5')
        request.selection.CopyFrom(dead_letters_pb2.DeadLetterSelection(all=True))
        self.assertEqual(stub.RedriveDeadLetters(request).redriven, 0)

    def test_claims_without_a_key(self):
        stub = claims_pb2_grpc.ClaimsStub(self.channel)
        for key, reason in (('', 'INVALID_ARGUMENT'), ('k' * 1025, 'KEY_TOO_LARGE')):
            self.refuses(reason, lambda: stub.Claim(
                claims_pb2.ClaimRequest(group='workers', key=key), timeout=PATIENCE_S),
                'key', '1,024' if key == '' else '1024')

    def test_credits_that_are_negative_or_absurd(self):
        self.publish('a')
        worker = self.worker(credit=10)
        worker.has(1)
        for events, reason, *words in ((-1, 'INVALID_ARGUMENT', 'credit.events', 'negative'),
                                       (1 << 62, 'LIMIT_EXCEEDED', 'max_credit_events')):
            self.fails_in_stream(reason, worker, lambda: worker.send(
                credit=subscriber_pb2.Credit(events=events, bytes=1)), *words)
        # What it had of credit it has still.
        self.publish(*'bcdefghij')
        worker.has(10)
        worker.settled(worker.settle(ACK, *worker.leased))


if __name__ == '__main__':
    unittest.main()
