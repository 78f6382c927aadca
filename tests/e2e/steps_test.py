#!/usr/bin/env python3
"""Members that settle an event, publish what follows from it and complete its claim in one step:
each event has one result and each claim one holder, whatever is killed. ACTA_SEED repeats what is
drawn."""

import collections
import random
import threading

import stubs

stubs.use()

import grpc  # noqa: E402
from google.protobuf.duration_pb2 import Duration  # noqa: E402
from acta.v1 import (claims_pb2, claims_pb2_grpc, groups_pb2, groups_pb2_grpc,  # noqa: E402
                     publisher_pb2, subscriber_pb2, subscriber_pb2_grpc)
from broker import PATIENCE_S, BrokerTest, seed  # noqa: E402
from faults import until  # noqa: E402
from network import EARLIEST, Event, visible_end  # noqa: E402
from oracle import side_by_side  # noqa: E402
from workers import NACK, REJECT, Worker, queue_group  # noqa: E402

WORKERS = 4
Calls = collections.namedtuple('Calls', 'steps claims')


class Steps(BrokerTest):
    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 'orders', '--partitions', 2)
        self.acta('topic', 'create', 'bills', '--partitions', 1)
        self.done = threading.Event()
        self.firsts = collections.defaultdict(set)  # Of each claim: tokens.

    def group(self, **settings):
        with grpc.insecure_channel(self.broker.address) as channel:
            groups_pb2_grpc.GroupsStub(channel).CreateGroup(groups_pb2.CreateGroupRequest(
                group=queue_group('workers', ['orders'], **settings), start=EARLIEST),
                timeout=PATIENCE_S)

    def publish(self, first, end):
        lines = ''.join(f'{{"n": "{n}", "who": "{n % 7}"}}\n' for n in range(first, end))
        self.acta('publish', 'orders', '--format', 'jsonl', '--id', '@/n', '--key', '@/who',
                  stdin=lines)

    def step(self, stub, leased, result, group='workers', **more):
        return stub.Settle(subscriber_pb2.SettleRequest(
            group=group, app='biller',
            processed=[subscriber_pb2.ProcessedEvents(
                delivery_token=leased.token, offset=leased.offset, count=1)],
            publish=[publisher_pb2.PartitionBatch(topic='bills', events=[Event(data=result)])],
            **more), timeout=PATIENCE_S)

    def claim(self, calls, leased, group):
        """What completes the claim of the event. Whoever has the event asks for the same wish, so
        that nobody has to wait for the lease of somebody who died."""
        key = f'pay/{leased.event.id}'
        answer = calls.claims.Claim(
            claims_pb2.ClaimRequest(group=group, key=key, request_id=key,
                                    lease=Duration(seconds=3600)),  # However slow the machine is.
            timeout=PATIENCE_S)
        if answer.outcome != claims_pb2.CLAIM_OUTCOME_FIRST:
            return []  # Somebody else had the event since, and the step is refused.
        self.firsts[key].add(answer.token)
        return [subscriber_pb2.CompletedClaim(key=key, token=answer.token,
                                              result=leased.event.id.encode())]

    def settle(self, calls, worker, leased, chance):
        """A step, of a QUEUE group now and then one that fails or rejects."""
        claims = self.claim(calls, leased, 'workers')
        if chance < 0.05:
            worker.settle(NACK, leased)
            return
        result = leased.event.id.encode()
        if chance > 0.1:
            self.step(calls.steps, leased, result, claims=claims)
            return
        calls.steps.Settle(subscriber_pb2.SettleRequest(
            group='workers', app='biller',
            failed=[subscriber_pb2.FailedEvents(
                delivery_token=leased.token, offset=leased.offset, count=1,
                kind=REJECT, reason='refused')],
            claims=claims, publish=[publisher_pb2.PartitionBatch(
                topic='bills', events=[Event(data=b'refused ' + result)])]), timeout=PATIENCE_S)

    def read_on(self, calls, worker, leased, chance):
        """A step of a STREAM group."""
        self.step(calls.steps, leased, leased.event.id.encode(), group='readers',
                  claims=self.claim(calls, leased, 'readers'))

    def work(self, random_, act, **start):
        """A member that dies now and then and comes back."""
        while not self.done.is_set():
            with grpc.insecure_channel(self.broker.address) as channel:
                calls = Calls(subscriber_pb2_grpc.SubscriberStub(channel),
                              claims_pb2_grpc.ClaimsStub(channel))
                dead = threading.Event()

                def handle(worker, leased):
                    if dead.is_set():
                        return  # What came in one frame with the last it had.
                    chance = random_.random()
                    try:
                        if chance < 0.01:
                            raise ConnectionAbortedError
                        act(calls, worker, leased, chance)
                    except (grpc.RpcError, ConnectionAbortedError):
                        # The event comes again, or was settled by this.
                        dead.set()
                        worker.stream.cancel()
                        return
                    worker.credit(1)

                worker = Worker(channel, on_event=handle, credit=10,
                                wanted_features=['DELIVERY_TOKENS'], **start)
                while not self.done.is_set() and not worker.ended.wait(0.05):
                    pass
                worker.die()

    def are_billed(self, count):
        until(lambda: visible_end(self.broker.address, 'bills') >= count, f'{count} bills',
              PATIENCE_S)

    def bills(self):
        return self.acta('read', 'bills', '--partition', 0, '--max', 100_000).splitlines()

    def look_at_claims(self, group, count):
        """Each was one holder's, and has the result of its event."""
        self.assertEqual({key: len(tokens) for key, tokens in self.firsts.items()},
                         {f'pay/{n}': 1 for n in range(count)})
        with grpc.insecure_channel(self.broker.address) as channel:
            stub = claims_pb2_grpc.ClaimsStub(channel)
            for key in self.firsts:
                claim = stub.GetClaim(claims_pb2.GetClaimRequest(group=group, key=key),
                                      timeout=PATIENCE_S).claim
                self.assertEqual((claim.state, f'pay/{claim.result.decode()}'),
                                 (claims_pb2.CLAIM_STATE_COMPLETED, key))

    def work_through_kills(self, act, **start):
        """The bills, once there is one for each order."""
        random_ = random.Random(seed())
        threads = [threading.Thread(target=self.work, kwargs=start,
                                    args=(random.Random(random_.random()), act))
                   for _ in range(WORKERS)]
        for thread in threads:
            thread.start()
        self.addCleanup(lambda: [thread.join(PATIENCE_S) for thread in threads])
        self.addCleanup(self.done.set)
        total = 0
        for round_ in range(2):
            self.publish(total, total + 600)
            total += 600
            wanted = random_.randrange(50, 300) + round_ * 600
            self.are_billed(wanted)
            self.broker.kill()
            self.broker.start()
        self.are_billed(total)
        self.done.set()
        for thread in threads:
            thread.join(PATIENCE_S)
        bills = self.bills()
        self.assertEqual(len(bills), total)
        self.assertEqual({bill.split()[-1] for bill in bills}, {str(n) for n in range(total)})
        return bills

    def test_each_order_has_one_bill_whatever_is_killed(self):
        self.group()
        bills = self.work_through_kills(self.settle)
        self.look_at_claims('workers', len(bills))
        letters = self.acta_json('deadletter', 'list', 'workers')['deadLetters']
        # Who was refused is a dead letter, and nobody else is.
        self.assertEqual(len(letters), len([bill for bill in bills if bill.startswith('refused')]))
        self.assertEqual({letter['reason'] for letter in letters}, {'DEAD_LETTER_REASON_REJECTED'})

    def test_readers_of_a_stream_group_publish_once_whatever_is_killed(self):
        self.work_through_kills(
            self.read_on, group='readers', mode=groups_pb2.GROUP_MODE_STREAM, create_at=EARLIEST,
            topics=[subscriber_pb2.TopicPosition(topic='orders')])
        self.look_at_claims('readers', len(self.bills()))
        lag = self.acta_json('group', 'lag', 'readers')['partitions']
        self.assertEqual([row['lagEvents'] for row in lag], ['0', '0'])

    def test_a_step_completes_a_claim(self):
        self.group()
        self.publish(0, 1)
        with grpc.insecure_channel(self.broker.address) as channel:
            claims = claims_pb2_grpc.ClaimsStub(channel)
            wish = claims_pb2.ClaimRequest(group='workers', key='pay/0')
            first = claims.Claim(wish, timeout=PATIENCE_S)
            self.assertEqual(first.outcome, claims_pb2.CLAIM_OUTCOME_FIRST)
            worker = Worker(channel, wanted_features=['DELIVERY_TOKENS'])
            worker.has(1)
            stub = subscriber_pb2_grpc.SubscriberStub(channel)
            self.step(stub, worker.leased[0], b'bill', claims=[subscriber_pb2.CompletedClaim(
                key='pay/0', token=first.token, result=b'paid')])
            worker.leave()
        self.broker.kill()
        self.broker.start()
        with grpc.insecure_channel(self.broker.address) as channel:
            again = claims_pb2_grpc.ClaimsStub(channel).Claim(wish, timeout=PATIENCE_S)
            self.assertEqual((again.outcome, again.result),
                             (claims_pb2.CLAIM_OUTCOME_DUPLICATE, b'paid'))

    def refused(self, stub, leased):
        with self.assertRaises(grpc.RpcError) as caught:
            self.step(stub, leased, b'again')
        return stubs.reason_of(caught.exception)[0]

    def test_a_token_is_good_for_one_step_over_a_restart_too(self):
        self.group()
        self.publish(0, 2)
        with grpc.insecure_channel(self.broker.address) as channel:
            worker = Worker(channel, wanted_features=['DELIVERY_TOKENS'])
            worker.has(2)
            done, lost = worker.leased
            self.step(subscriber_pb2_grpc.SubscriberStub(channel), done, b'bill')
            self.broker.kill()
        self.broker.start()
        with grpc.insecure_channel(self.broker.address) as channel:
            stub = subscriber_pb2_grpc.SubscriberStub(channel)
            # Also before anybody has looked at the events again, and when it is their turn.
            for _ in range(2):
                self.assertEqual(self.refused(stub, done), 'ALREADY_SETTLED')
                self.assertEqual(self.refused(stub, lost), 'LEASE_LOST')
                worker = Worker(channel, wanted_features=['DELIVERY_TOKENS'])
                worker.has(1)
                [leased] = worker.leased
                self.assertEqual(leased.data, lost.data)
                worker.leave()
        bills = self.events('read', 'bills', '--partition', 0)
        self.assertEqual([bill['offset'] for bill in bills], [0])

    def test_a_step_says_what_caused_it_and_a_repetition_is_refused(self):
        self.group()
        self.publish(0, 1)
        with grpc.insecure_channel(self.broker.address) as channel:
            stub = subscriber_pb2_grpc.SubscriberStub(channel)
            worker = Worker(channel, wanted_features=['DELIVERY_TOKENS'])
            worker.has(1)
            [leased] = worker.leased
            answer = self.step(stub, leased, b'bill')
            self.assertEqual(answer.batches[0].parts[0].base_offset, 0)
            with self.assertRaises(grpc.RpcError) as refused:
                self.step(stub, leased, b'bill')
            self.assertEqual(refused.exception.code(), grpc.StatusCode.FAILED_PRECONDITION)
            worker.leave()
        [bill] = self.events('read', 'bills', '--partition', 0)
        self.assertEqual((bill['correlationid'], bill['causationid']), ('0', '0'))


if __name__ == '__main__':
    side_by_side(Steps)  # After a restart most wait for members of before.
