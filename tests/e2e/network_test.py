#!/usr/bin/env python3
"""A bad network between clients and broker: what was promised is kept, and nobody else notices.

ACTA_NETWORK_FAULTS says how many faults the load meets, ACTA_NETWORK_SEED repeats a run.
"""

import os
import pathlib
import random
import shutil
import tempfile
import threading
import time
import unittest

import stubs
from broker import BIN, PATIENCE_S, Broker
from faults import FaultProxy, Footprint, given_back, stored_mib, until
from oracle import OracleTest, free_port

stubs.use()

import grpc  # noqa: E402
from acta.v1 import (admin_pb2, admin_pb2_grpc, publisher_pb2_grpc,  # noqa: E402
                     subscriber_pb2, subscriber_pb2_grpc)
from network import Event, Frame, NetworkTest, batch  # noqa: E402

FAULTS = int(os.environ.get('ACTA_NETWORK_FAULTS', 12))
SEED = int(os.environ.get('ACTA_NETWORK_SEED', time.time_ns() % 1_000_000_007))
READER = 4  # Of the fields of a line of a history.


class LoadOverABadNetwork(OracleTest):
    """The load of the oracle through the fault proxy, judged by the checker."""
    program = BIN / 'actad'
    options = ('--storage.tail_cache=32MiB', '--storage.memtable=32MiB')
    extra_mib = 200  # These two, and what the allocator keeps.
    ids_mib = 70e-6  # Of an event whose id is remembered.
    # (mode, most seconds, whether the links must be cut for the clients to learn of it).
    faults = (('delay 30', 0.5, False), ('rate 100000', 0.5, False), ('tear 3000', 0.4, False),
              ('tear 200', 0.2, False), ('pass', 0.2, True), ('half-open', 0.5, False),
              ('half-open', 0.5, True), ('drop-direction up', 0.4, False),
              ('drop-direction up', 0.4, True), ('drop-direction down', 0.4, False),
              ('drop-direction down', 0.4, True))

    def judge(self, before):
        """It got through, the checker finds nothing, and the broker holds what it held before."""
        _, errors = self.end_load()
        classes, report = self.check()
        print(report, flush=True)
        self.shows_nothing(classes, report, errors)
        given_back(self.broker.pid, before,
                   self.extra_mib + self.ids_mib * self.acknowledged(report),
                   stored_mib(self.acta_json('status')))

    def test_cut_torn_slow_and_half_open_links_break_no_promise(self):
        chance = random.Random(SEED)
        print(f'ACTA_NETWORK_SEED={SEED}, {FAULTS} faults', flush=True)
        self.start_broker()
        before = Footprint(self.broker.pid)
        proxy = FaultProxy(self.port)
        self.addCleanup(proxy.close)
        self.start_load(f'--seed={SEED}', port=proxy.port)
        faults = list(self.faults)
        for number in range(FAULTS):
            if number % len(faults) == 0:
                chance.shuffle(faults)
            mode, most, cut = faults[number % len(faults)]
            time.sleep(chance.uniform(0.05, 0.4))  # The moment of the fault, not a wait.
            self.assertIsNone(self.load.poll(), 'the load gave up')
            proxy.say(mode)
            time.sleep(chance.uniform(0.3, 1) * most)
            if cut:
                proxy.say('cut')
            proxy.say('pass')
        time.sleep(0.3)
        self.judge(before)
        self.assertGreater(int(proxy.say('count').split()[1]), FAULTS // 4)

    def records_of_members(self, kind):
        """Who noted one of this kind, once for each (tests/oracle/records.h)."""
        lines = [line.split() for path in self.history.glob('member-*')
                 for line in path.read_text().splitlines() if line.startswith(kind + ' ')]
        # The last line of a file may be half there.
        return [fields[READER] for fields in lines if len(fields) > READER + 1]

    def test_50_members_join_and_leave_while_they_commit(self):
        self.start_broker()
        before = Footprint(self.broker.pid)
        self.start_load('--members=50', '--partitions=50', '--rejoin=5')
        self.works_for(2)

        def enough():
            return (len(set(self.records_of_members('joined'))) == 50 and
                    len(self.records_of_members('left')) > 200 and
                    len(self.records_of_members('committed')) > 2000)
        until(enough, 'there are enough lives and commits')
        self.judge(before)
        joined, left, committed = (self.records_of_members(kind)
                                   for kind in ('joined', 'left', 'committed'))
        print(f'{len(joined)} joins, {len(left)} lives, {len(committed)} commits', flush=True)
        self.assertEqual(set(joined), set(map(str, range(1, 51))))
        self.assertGreater(len(left), 200)
        self.assertGreater(len(committed), 2000)


class UnknownOutcomes(NetworkTest):
    def lose_the_answer(self, publisher, frame, count):
        """Publishes; the broker stores it and the answer never arrives."""
        publisher.Publish(Frame(batches=[batch(Event(data=b'first'))]), timeout=PATIENCE_S)
        self.proxy.say('drop-direction down')
        call = publisher.Publish.future(frame, timeout=PATIENCE_S)
        until(lambda: len(self.payloads()) == 1 + count, 'the event is stored')
        self.proxy.say('cut')
        self.proxy.say('pass')
        self.assertEqual(call.code(), grpc.StatusCode.UNAVAILABLE)

    def test_with_ids_a_repeated_publish_is_stored_once_and_told_where(self):
        publisher = self.through_proxy()
        frame = Frame(batches=[batch(Event(id='a', data=b'a'), Event(id='b', data=b'b'))])
        self.lose_the_answer(publisher, frame, 2)
        answer = publisher.Publish(frame, timeout=PATIENCE_S, wait_for_ready=True).results[0]
        self.assertEqual([(d.event_index, d.offset) for d in answer.batches[0].duplicates],
                         [(0, 1), (1, 2)])
        self.assertEqual(self.payloads(), [b'first', b'a', b'b'])

    def test_with_sequences_too(self):
        publisher = self.through_proxy()
        frame = Frame(batches=[batch(Event(data=b'a'), producer_id=7, first_sequence=5)])
        self.lose_the_answer(publisher, frame, 1)
        answer = publisher.Publish(frame, timeout=PATIENCE_S, wait_for_ready=True).results[0]
        self.assertEqual([d.offset for d in answer.batches[0].duplicates], [1])
        self.assertEqual(self.payloads(), [b'first', b'a'])

    def test_without_ids_nobody_repeats_it_behind_the_back_of_the_client(self):
        publisher = self.through_proxy()
        self.lose_the_answer(publisher, Frame(batches=[batch(Event(data=b'a'))]), 1)
        publisher.Publish(Frame(batches=[batch(Event(data=b'b'))]), timeout=PATIENCE_S,
                          wait_for_ready=True)
        self.assertEqual(self.payloads(), [b'first', b'a', b'b'])

    def test_without_ids_who_repeats_it_has_it_twice(self):
        publisher = self.through_proxy()
        frame = Frame(batches=[batch(Event(data=b'a'))])
        self.lose_the_answer(publisher, frame, 1)
        answer = publisher.Publish(frame, timeout=PATIENCE_S, wait_for_ready=True).results[0]
        self.assertEqual(answer.batches[0].parts[0].base_offset, 2)
        self.assertEqual(self.payloads(), [b'first', b'a', b'a'])

    def test_with_ids_it_is_known_after_a_crash_too(self):
        frame = Frame(batches=[batch(Event(id='a', data=b'a'), Event(data=b'b'))])
        numbered = Frame(batches=[batch(Event(data=b'c'), producer_id=7, first_sequence=0)])
        self.lose_the_answer(self.through_proxy(), frame, 2)
        self.publisher.Publish(numbered, timeout=PATIENCE_S)
        self.broker.kill()
        self.broker.start()
        again = publisher_pb2_grpc.PublisherStub(self.connect(self.broker.address))
        results = [again.Publish(one, timeout=PATIENCE_S).results[0].batches[0]
                   for one in (frame, numbered)]
        self.assertEqual([[d.offset for d in one.duplicates] for one in results], [[1], [3]])

    def test_a_torn_publish_is_stored_whole_or_not_at_all(self):
        events = [Event(data=bytes([65 + n]) * 3000) for n in range(10)]
        for tear in (1, 40, 300, 5000, 29000):
            publisher = self.through_proxy()
            publisher.Publish(Frame(batches=[batch(Event(data=b'before'))]), timeout=PATIENCE_S)
            before = len(self.payloads())
            self.proxy.say(f'tear {tear}')
            with self.assertRaises(grpc.RpcError) as caught:
                publisher.Publish(Frame(batches=[batch(*events)]), timeout=PATIENCE_S)
            self.proxy.say('pass')
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
            self.assertEqual(len(self.payloads()), before, tear)


class ProducersWithOneId(NetworkTest):
    def numbered(self, name, sequence, epoch=1):
        answer = self.publisher.Publish(Frame(batches=[
            batch(Event(data=f'{name}-{sequence}'.encode()), producer_id=9, producer_epoch=epoch,
                  first_sequence=sequence)]), timeout=PATIENCE_S)
        return answer.results[0].batches[0]

    def test_each_sequence_is_stored_once_whoever_comes_first(self):
        told = {'a': [], 'b': []}
        forgotten = []

        def run(name):
            for sequence in range(100):
                got = self.numbered(name, sequence)
                if got.HasField('error'):  # It came so late that only the fact is remembered.
                    forgotten.append(stubs.reason_in(got.error))
                    told[name].append(sequence)
                else:
                    told[name].append(got.parts[0].base_offset if got.parts
                                      else got.duplicates[0].offset)
        threads = [threading.Thread(target=run, args=name) for name in told]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertLessEqual(set(forgotten), {'DUPLICATE_SEQUENCE_FORGOTTEN'})
        self.assertEqual(told['a'], list(range(100)))
        self.assertEqual(told['b'], told['a'])
        self.assertEqual([data.split(b'-')[1] for data in self.payloads()],
                         [str(n).encode() for n in range(100)])

    def test_a_newer_epoch_takes_over_and_the_older_is_told(self):
        self.numbered('old', 0)
        self.numbered('new', 0, epoch=2)
        error = self.numbered('old', 1).error
        self.assertEqual(stubs.reason_in(error), 'STALE_PRODUCER_EPOCH')
        self.assertEqual(self.payloads(), [b'old-0', b'new-0'])


class AnotherStoreBehindTheAddress(unittest.TestCase):
    """A broker that answers where another one was, with a store of its own."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='acta-e2e-')
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.address = f'127.0.0.1:{free_port()}'
        self.channel = grpc.insecure_channel(self.address, options=[
            ('grpc.use_local_subchannel_pool', 1), ('grpc.max_reconnect_backoff_ms', 100)])
        self.addCleanup(self.channel.close)

    def start(self, name):
        folder = pathlib.Path(self.folder, name)
        folder.mkdir()
        broker = Broker(folder, '--grpc', self.address)
        self.addCleanup(lambda: broker.process.poll() is None and broker.kill())
        return broker.start()

    def store(self):
        def ask():
            try:
                return admin_pb2_grpc.AdminStub(self.channel).GetServer(
                    admin_pb2.GetServerRequest(), timeout=PATIENCE_S).store_id
            except grpc.RpcError as error:
                self.assertEqual(error.code(), grpc.StatusCode.UNAVAILABLE)
                return None
        return until(ask, 'the broker answers')

    def fill(self, broker, count):
        for number in range(count):
            self.assertEqual(broker.acta('publish', 't', number)[0], 0)

    def read_on(self, offset):
        """From a position of the first store; the reason when it is refused."""
        try:
            subscriber_pb2_grpc.SubscriberStub(self.channel).Fetch(subscriber_pb2.FetchRequest(
                topic='t', offset=offset, incarnation=1), timeout=PATIENCE_S)
        except grpc.RpcError as error:
            return stubs.reason_of(error)[0]
        return None

    def test_is_told_apart_by_its_store_id_and_by_what_it_does_not_have(self):
        first = self.start('a')
        known = self.store()
        first.acta('topic', 'create', 't', '--partitions', '1')
        self.fill(first, 5)
        self.assertIsNone(self.read_on(5))
        first.kill()
        second = self.start('b')
        self.assertNotEqual(self.store(), known)
        self.assertEqual(self.read_on(5), 'TOPIC_NOT_FOUND')
        second.acta('topic', 'create', 't', '--partitions', '1')
        self.fill(second, 2)
        self.assertEqual(self.read_on(5), 'OFFSET_OUT_OF_RANGE')


if __name__ == '__main__':
    unittest.main()
