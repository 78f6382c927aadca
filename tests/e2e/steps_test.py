#!/usr/bin/env python3
"""Workers that settle an event and publish what follows from it in one step: each event has one
result, whatever is killed."""

import random
import threading
import unittest

import stubs

stubs.use()

import grpc  # noqa: E402
from acta.v1 import (groups_pb2, groups_pb2_grpc, publisher_pb2, subscriber_pb2,  # noqa: E402
                     subscriber_pb2_grpc)
from broker import PATIENCE_S, BrokerTest  # noqa: E402
from faults import until  # noqa: E402
from network import EARLIEST, Event  # noqa: E402
from workers import NACK, Worker, queue_group  # noqa: E402

WORKERS = 4


class Steps(BrokerTest):
    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 'orders', '--partitions', 2)
        self.acta('topic', 'create', 'bills', '--partitions', 1)
        self.done = threading.Event()

    def group(self, **settings):
        with grpc.insecure_channel(self.broker.address) as channel:
            groups_pb2_grpc.GroupsStub(channel).CreateGroup(groups_pb2.CreateGroupRequest(
                group=queue_group('workers', ['orders'], **settings), start=EARLIEST),
                timeout=PATIENCE_S)

    def publish(self, first, end):
        lines = ''.join(f'{{"n": "{n}", "who": "{n % 7}"}}\n' for n in range(first, end))
        self.acta('publish', 'orders', '--format', 'jsonl', '--id', '@/n', '--key', '@/who',
                  stdin=lines)

    def step(self, stub, leased, result):
        return stub.Settle(subscriber_pb2.SettleRequest(
            group='workers', app='biller',
            processed=[subscriber_pb2.ProcessedEvents(
                delivery_token=leased.token, offset=leased.offset, count=1)],
            publish=[publisher_pb2.PartitionBatch(topic='bills', events=[Event(data=result)])]),
            timeout=PATIENCE_S)

    def work(self, random_):
        """A worker that dies now and then, fails now and then, and comes back."""
        while not self.done.is_set():
            with grpc.insecure_channel(self.broker.address) as channel:
                stub = subscriber_pb2_grpc.SubscriberStub(channel)

                def handle(worker, leased):
                    chance = random_.random()
                    if chance < 0.01:
                        worker.stream.cancel()
                        return
                    if chance < 0.05:
                        worker.settle(NACK, leased)
                    else:
                        try:
                            self.step(stub, leased, leased.event.id.encode())
                        except grpc.RpcError:
                            return  # The event comes again, or was settled by this.
                    worker.credit(1)

                worker = Worker(channel, on_event=handle, credit=10,
                                wanted_features=['DELIVERY_TOKENS'])
                while not self.done.is_set() and not worker.ended.wait(0.05):
                    pass
                worker.die()

    def bills(self):
        return self.acta('read', 'bills', '--partition', 0, '--max', 100_000).split()

    def test_each_order_has_one_bill_whatever_is_killed(self):
        random_ = random.Random(seed := random.randrange(1 << 32))
        print(f'seed {seed}', flush=True)
        self.group()
        threads = [threading.Thread(target=self.work, args=(random.Random(random_.random()),))
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
            until(lambda: len(self.bills()) >= wanted, f'{wanted} bills', PATIENCE_S)
            self.broker.kill()
            self.broker.start()
        until(lambda: len(self.bills()) >= total, 'all bills', PATIENCE_S)
        self.done.set()
        for thread in threads:
            thread.join(PATIENCE_S)
        bills = self.bills()
        self.assertEqual(len(bills), total)
        self.assertEqual(set(bills), {str(n) for n in range(total)})
        self.assertEqual(self.acta_json('deadletter', 'list', 'workers')['deadLetters'], [])

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
    unittest.main()
