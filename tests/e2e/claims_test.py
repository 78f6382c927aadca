#!/usr/bin/env python3
"""Claims on a real broker: who is FIRST, what others learn, and what is left of it after a broker
was killed between FIRST and the completion."""

import base64
import re
import threading
import unittest
import urllib.request
import uuid

import stubs

stubs.use()

import grpc  # noqa: E402
from acta.v1 import claims_pb2, claims_pb2_grpc  # noqa: E402
from broker import PATIENCE_S, BrokerTest  # noqa: E402
from faults import until  # noqa: E402
from google.protobuf.duration_pb2 import Duration  # noqa: E402

SAMPLE = re.compile(
    r'^acta_claims_(\w+?)(?:{group="billing"(?:,outcome="(\w+)")?})? (\S+)$', re.MULTILINE)
FIRST = claims_pb2.CLAIM_OUTCOME_FIRST
DUPLICATE = claims_pb2.CLAIM_OUTCOME_DUPLICATE
IN_PROGRESS = claims_pb2.CLAIM_OUTCOME_IN_PROGRESS
GONE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN, grpc.StatusCode.DEADLINE_EXCEEDED)


class ClaimTest(BrokerTest):
    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 'orders')
        self.acta('group', 'create', 'billing', '--topic', 'orders')
        self.connect()

    def connect(self):
        self.channel = grpc.insecure_channel(self.broker.address, options=[
            ('grpc.use_local_subchannel_pool', 1)])
        self.addCleanup(self.channel.close)
        self.claims = claims_pb2_grpc.ClaimsStub(self.channel)

    def restart(self):
        self.broker.kill()
        self.broker.start()
        self.connect()

    def ask(self, key, **how):
        return self.claims.Claim(claims_pb2.ClaimRequest(group='billing', key=key, **how),
                                 timeout=PATIENCE_S)

    def complete(self, key, token, result=b'done'):
        return self.claims.CompleteClaim(claims_pb2.CompleteClaimRequest(
            group='billing', key=key, token=token, result=result), timeout=PATIENCE_S)

    def release(self, key, token):
        return self.claims.ReleaseClaim(claims_pb2.ReleaseClaimRequest(
            group='billing', key=key, token=token), timeout=PATIENCE_S)

    def refused(self, reason, call, *args):
        with self.assertRaises(grpc.RpcError) as raised:
            call(*args)
        self.assertEqual(stubs.reason_of(raised.exception)[0], reason)
        return raised.exception


class Claims(ClaimTest):
    def test_one_is_first_and_the_others_learn_the_result(self):
        first = self.ask('k', owner='worker-a')
        self.assertEqual((first.outcome, len(first.token)), (FIRST, 32))
        other = self.ask('k', owner='worker-b')
        self.assertEqual((other.outcome, other.owner, other.token), (IN_PROGRESS, 'worker-a', ''))
        self.assertTrue(0 < other.retry_after.seconds < 30)
        self.assertEqual(self.complete('k', first.token, b'm-1').changed, True)
        other = self.ask('k', owner='worker-b')
        self.assertEqual((other.outcome, other.result, other.owner),
                         (DUPLICATE, b'm-1', 'worker-a'))
        self.assertEqual(self.complete('k', first.token, b'm-2').changed, False)
        self.assertEqual(self.ask('k').result, b'm-1')

    def test_a_kill_between_first_and_completion_changes_nothing(self):
        wish = {'owner': 'worker-a', 'request_id': str(uuid.uuid4())}
        first = self.ask('k', **wish)
        done = self.ask('done')
        self.complete('done', done.token, b'result')
        self.restart()
        self.assertEqual(self.ask('k', owner='worker-b').outcome, IN_PROGRESS)
        again = self.ask('k', **wish)
        self.assertEqual((again.outcome, again.token, again.until),
                         (FIRST, first.token, first.until))
        self.assertEqual(self.ask('done').result, b'result')
        self.complete('k', first.token, b'after the kill')
        self.restart()
        self.assertEqual(self.ask('k', **wish).result, b'after the kill')

    def test_a_lease_that_ran_out_is_lost_to_who_asks_next(self):
        former = self.ask('k', lease=Duration(seconds=1))
        asked = []

        def is_first():
            asked.append(self.ask('k', owner='worker-b'))
            return asked[-1].outcome == FIRST
        until(is_first, 'the lease is over', PATIENCE_S)
        self.assertNotEqual(asked[-1].token, former.token)
        self.refused('CLAIM_LOST', self.complete, 'k', former.token)
        self.refused('CLAIM_LOST', self.release, 'k', former.token)
        self.complete('k', asked[-1].token, b'latter')
        self.assertEqual(self.ask('k').result, b'latter')

    def test_what_is_wrong_has_a_reason(self):
        token = self.ask('k').token
        self.refused('CLAIM_NOT_FOUND', self.complete, 'other', token)
        self.refused('INVALID_ARGUMENT', self.complete, 'k', 'no token')
        self.refused('INVALID_ARGUMENT', self.ask, '')
        self.refused('KEY_TOO_LARGE', self.ask, 'k' * 1025)
        self.refused('LIMIT_EXCEEDED', self.complete, 'k', token, b'r' * (65536 + 1))
        self.complete('k', token, b'r' * 65536)
        self.refused('ALREADY_SETTLED', self.release, 'k', token)
        self.acta('group', 'delete', 'billing', '--yes')
        self.refused('GROUP_NOT_FOUND', self.ask, 'k')
        self.acta('group', 'create', 'billing', '--topic', 'orders')
        self.assertEqual(self.ask('k').outcome, FIRST)

    def test_what_became_of_calls_is_counted(self):
        self.assertEqual(self.numbers(), {'limit': 1e6})
        token = self.ask('k').token
        self.ask('k')
        self.complete('k', token)
        self.ask('k')
        self.release('other', self.ask('other').token)
        self.refused('CLAIM_LOST', self.complete, 'k', '0' * 32)
        self.assertEqual(self.numbers(), {
            'limit': 1e6, 'claims': 1, 'first': 2, 'completed': 1, 'released': 1, 'duplicate': 1,
            'in_progress': 1, 'lost': 1})
        self.acta('group', 'delete', 'billing', '--yes')
        self.assertEqual(self.numbers(), {'limit': 1e6})

    def numbers(self):
        """{outcome, or what is counted: number} of the group, and of the broker."""
        metrics = f'http://{self.broker.http}/metrics'
        with urllib.request.urlopen(metrics, timeout=PATIENCE_S) as page:
            samples = SAMPLE.findall(page.read().decode())
        return {label or what: float(number) for what, label, number in samples}

    def test_as_many_as_the_property_says(self):
        self.broker.stop()
        self.broker.options = ('--limits.claims_per_group=2',)
        self.broker.start()
        self.connect()
        token = self.ask('a').token
        self.ask('b')
        refused = self.refused('LIMIT_EXCEEDED', self.ask, 'c')
        self.assertEqual(stubs.reason_of(refused)[1]['limit'], 'limits.claims_per_group')
        self.release('a', token)
        self.assertEqual(self.ask('c').outcome, FIRST)


class Killed(ClaimTest):
    """Goal: an effect that is fenced by its claim is done once, and everybody is told the result of
    it, whatever becomes of the broker. Method: workers try the same keys while it is killed; each
    effect is noted when its worker is FIRST, and leases outlast the test."""
    KEYS, WORKERS, KILLS = 60, 6, 3

    def setUp(self):
        super().setUp()
        self.lock = threading.Lock()
        self.effects = {}  # Of each key: the token it was done under.
        self.results = {}  # Of each key: every result that anybody was told.
        self.faults = []
        self.changed = threading.Condition()

    def call(self, method, request):
        """Until it is answered; the broker may be away meanwhile."""
        while True:
            with self.changed:
                address = self.broker.address
            try:
                with grpc.insecure_channel(address, options=[
                        ('grpc.use_local_subchannel_pool', 1)]) as channel:
                    return getattr(claims_pb2_grpc.ClaimsStub(channel), method)(
                        request, timeout=PATIENCE_S)
            except grpc.RpcError as error:
                if error.code() not in GONE:
                    raise
            with self.changed:
                self.changed.wait(0.02)

    def work(self, worker):
        try:
            for number in range(self.KEYS):
                self.do(worker, f'key-{(number + worker * 7) % self.KEYS}')
        except Exception as fault:  # pylint: disable=broad-except
            self.faults.append(fault)

    def do(self, worker, key):
        request = claims_pb2.ClaimRequest(group='billing', key=key, owner=f'worker-{worker}',
                                          request_id=str(uuid.uuid4()),
                                          lease=Duration(seconds=3600))
        answer = self.call('Claim', request)
        if answer.outcome == FIRST:
            with self.lock:
                if self.effects.setdefault(key, answer.token) != answer.token:
                    raise AssertionError(f'{key} was done twice')
            self.call('CompleteClaim', claims_pb2.CompleteClaimRequest(
                group='billing', key=key, token=answer.token, result=answer.token.encode()))
            answer = self.call('Claim', request)
        if answer.outcome == DUPLICATE:
            with self.lock:
                self.results.setdefault(key, set()).add(answer.result)

    def test_effects_are_done_once_over_kills(self):
        workers = [threading.Thread(target=self.work, args=(n,), daemon=True)
                   for n in range(self.WORKERS)]
        for worker in workers:
            worker.start()
        for kill in range(self.KILLS):
            so_far = (kill + 1) * self.KEYS // (self.KILLS + 1)
            until(lambda: len(self.effects) >= so_far or self.faults, 'some are done', PATIENCE_S)
            self.broker.kill()
            with self.changed:
                self.broker.start()
                self.changed.notify_all()
        for worker in workers:
            worker.join(PATIENCE_S)
        self.assertEqual(self.faults, [])
        self.assertEqual(len(self.effects), self.KEYS)
        self.connect()
        for key, token in self.effects.items():
            self.assertEqual(self.ask(key).result, token.encode())
            self.assertEqual(self.results[key], {token.encode()})


class Commands(ClaimTest):
    def test_claims_are_listed_shown_and_released(self):
        token = self.ask('order-17/mail', owner='worker-a').token
        self.complete('order-17/mail', token, b'm-1\n')
        self.ask('order-18/mail', owner='worker-b')
        table = self.acta('claim', 'list', 'billing').splitlines()
        self.assertRegex(table[0], r'^KEY +STATE +OWNER ')
        self.assertRegex(table[1], r'^order-17/mail +completed +worker-a .* 4$')
        self.assertRegex(table[2], r'^order-18/mail +in-progress +worker-b .* - .* 0$')
        claims = self.acta_json('claim', 'list', 'billing')['claims']
        self.assertEqual([claim['key'] for claim in claims], ['order-17/mail', 'order-18/mail'])
        self.assertNotIn(token, str(claims))
        self.assertEqual(len(self.acta_json('claim', 'list', 'billing', '--max', 1)['claims']), 1)

        show = ('claim', 'show', 'billing', 'order-17/mail')
        self.assertRegex(self.acta(*show).splitlines()[1], r'^order-17/mail +completed ')
        claim = self.acta_json(*show)['claim']
        self.assertEqual((claim['state'], base64.b64decode(claim['result'])),
                         ('CLAIM_STATE_COMPLETED', b'm-1\n'))
        self.assertEqual(self.acta(*show, '--result'), 'm-1\n')
        self.fails(3, 'CLAIM_NOT_FOUND', 'claim', 'show', 'billing', 'nothing')

        release = ('claim', 'release', 'billing', 'order-17/mail')
        self.fails(4, '--yes', *release)
        self.assertEqual(self.acta(*release, '--yes'), 'released claim order-17/mail\n')
        self.fails(3, 'CLAIM_NOT_FOUND', *release, '--yes')
        self.assertEqual(self.ask('order-17/mail').outcome, FIRST)
        for command in (('list',), ('show', 'k'), ('release', 'k', '--yes')):
            self.fails(3, 'GROUP_NOT_FOUND', 'claim', command[0], 'nobody', *command[1:])


if __name__ == '__main__':
    unittest.main()
