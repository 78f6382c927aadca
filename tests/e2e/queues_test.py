#!/usr/bin/env python3
"""QUEUE groups on a real broker: workers that die, hang and are replaced, and a broker that is
killed: nothing acknowledged comes again, nothing is forgotten, nothing healthy is given up."""

import threading
import time

import stubs

stubs.use()

import grpc  # noqa: E402
from acta.v1 import (dead_letters_pb2, dead_letters_pb2_grpc, groups_pb2,  # noqa: E402
                     groups_pb2_grpc, publisher_pb2, publisher_pb2_grpc, subscriber_pb2)
from broker import PATIENCE_S, BrokerTest  # noqa: E402
from faults import until  # noqa: E402
from google.protobuf.duration_pb2 import Duration  # noqa: E402
from network import EARLIEST, Event  # noqa: E402
from oracle import side_by_side  # noqa: E402
from workers import ACK, NACK, REJECT, Worker, queue_group  # noqa: E402

PARTITIONS = 4


class QueueTest(BrokerTest):
    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 'jobs', '--partitions', PARTITIONS)
        self.connect()

    def connect(self):
        self.channel = grpc.insecure_channel(self.broker.address, options=[
            ('grpc.use_local_subchannel_pool', 1)])
        self.addCleanup(self.channel.close)
        self.groups = groups_pb2_grpc.GroupsStub(self.channel)
        self.letters = dead_letters_pb2_grpc.DeadLettersStub(self.channel)

    def group(self, **settings):
        """However slow the machine is, no lease ends in a test that does not say so."""
        self.groups.CreateGroup(groups_pb2.CreateGroupRequest(
            group=queue_group('workers', ['jobs'], **{'lease': Duration(seconds=3600), **settings}),
            start=EARLIEST), timeout=PATIENCE_S)

    def publish(self, count, keys=0):
        batches = {}
        for number in range(count):
            key = b'k%d' % (number % keys) if keys else b''
            batches.setdefault(number % PARTITIONS, []).append(
                Event(data=b'%d' % number, key=key))
        publisher = publisher_pb2_grpc.PublisherStub(self.channel)
        for partition, events in batches.items():
            named = {} if keys else {'partition': partition}
            results = publisher.Publish(publisher_pb2.PublishFrame(batches=[
                publisher_pb2.PartitionBatch(topic='jobs', events=events, **named)]),
                timeout=PATIENCE_S)
            for batch in results.results[0].batches:
                self.assertFalse(batch.HasField('error'), batch.error.message)

    def worker(self, **how):
        worker = Worker(self.channel, **how)
        self.addCleanup(worker.die)
        return worker

    def states(self):
        """Outstanding events by state, of all partitions."""
        lag = self.groups.GetLag(groups_pb2.GetLagRequest(group='workers'), timeout=PATIENCE_S)
        names = ('ready', 'leased', 'retry_wait', 'blocked_by_key', 'held', 'not_scanned')
        sums = {name: sum(getattr(row.queue, name) for row in lag.partitions) for name in names}
        sums['dead_letters'] = lag.partitions[0].queue.dead_letters
        return sums

    def outstanding(self):
        return sum(count for name, count in self.states().items() if name != 'dead_letters')

    def restart(self):
        self.broker.kill()
        self.broker.start()
        self.connect()


class Workers(QueueTest):
    in_turn = True

    def test_each_event_is_processed_by_one_of_many(self):
        self.group()
        self.publish(4000)
        done, lock = [], threading.Lock()

        def work(worker, leased):
            with lock:
                done.append(leased.data)
            worker.settle(ACK, leased)
            worker.credit(1)

        for _ in range(8):
            self.worker(on_event=work, credit=50)
        until(lambda: self.outstanding() == 0, 'everything is settled', PATIENCE_S)
        self.assertEqual(sorted(done), sorted(b'%d' % number for number in range(4000)))

    def test_the_events_of_a_killed_worker_go_to_another_at_once(self):
        self.group()
        self.publish(20)
        killed = self.worker()
        killed.has(20)
        other = self.worker()
        started = time.monotonic()
        killed.die()
        other.has(20)
        self.assertLess(time.monotonic() - started, 5)
        self.assertEqual({event.attempt for event in other.leased}, {2})

    def test_the_lease_of_a_worker_that_hangs_runs_out(self):
        self.group(lease=Duration(seconds=1))
        self.publish(4)
        hanging = self.worker()
        hanging.has(4)
        other = self.worker()
        other.has(1)
        self.assertGreaterEqual(other.leased[0].attempt, 2)

    def test_ten_deployments_make_no_dead_letter(self):
        self.group(max_attempts=2)
        self.publish(40)
        for _ in range(10):
            worker = self.worker()
            worker.has(40)
            self.assertEqual({event.attempt for event in worker.leased}, {1})
            worker.leave()
        self.assertEqual(self.states()['dead_letters'], 0)
        self.assertEqual(self.outstanding(), 40)

    def test_keys_stay_in_order_over_many_workers(self):
        self.group(order=groups_pb2.QUEUE_ORDER_KEY)
        self.publish(2000, keys=20)
        done, lock = {}, threading.Lock()

        def work(worker, leased):
            with lock:
                done.setdefault(leased.event.key, []).append(int(leased.data))
            worker.settle(ACK, leased)
            worker.credit(1)

        for _ in range(4):
            self.worker(on_event=work, credit=20)
        until(lambda: self.outstanding() == 0, 'everything is settled', PATIENCE_S)
        self.assertEqual(sum(map(len, done.values())), 2000)
        for numbers in done.values():
            self.assertEqual(numbers, sorted(numbers))


class Crashes(QueueTest):
    def test_after_kill_9_what_was_acknowledged_never_comes_again_and_the_rest_does(self):
        self.group()
        self.publish(100)
        worker = self.worker(app='shop', app_version='7')
        worker.has(100)
        acked, nacked, rejected = worker.leased[:50], worker.leased[50:60], worker.leased[60:65]
        worker.settle(ACK, *acked)
        worker.settle(NACK, *nacked, delay=Duration(seconds=3600), reason='LATER')
        worker.settled(worker.settle(REJECT, *rejected, reason='BAD', text='no such thing'))
        self.assertEqual(worker.errors, [])
        self.restart()
        states = self.states()
        self.assertEqual((states['retry_wait'], states['dead_letters']), (10, 5))
        self.assertEqual(self.outstanding(), 45)
        again = self.worker()
        again.has(35)
        self.assertEqual({event.data for event in again.leased},
                         {event.data for event in worker.leased[65:]})
        # Nobody's fault: the attempt is the same one.
        self.assertEqual({event.attempt for event in again.leased}, {1})
        listed = self.letters.ListDeadLetters(
            dead_letters_pb2.ListDeadLettersRequest(group='workers'), timeout=PATIENCE_S)
        letter = self.letters.GetDeadLetter(dead_letters_pb2.GetDeadLetterRequest(
            group='workers', ref=listed.dead_letters[0].ref), timeout=PATIENCE_S).dead_letter
        self.assertEqual(len(letter.history), 1)
        self.assertEqual((letter.history[0].app, letter.history[0].app_version), ('shop', '7'))
        self.assertEqual(letter.history[0].text, 'no such thing')
        self.assertIn(letter.event.data, {event.data for event in rejected})

    def test_a_member_that_comes_back_in_time_keeps_what_it_holds(self):
        self.group()
        self.publish(800)
        worker = self.worker(member_id='one')
        worker.has(800)
        places = [(*worker.partitions[event.assignment], event.offset) for event in worker.leased]
        self.restart()
        other = self.worker(member_id='two')
        back = self.worker(member_id='one', held=[
            subscriber_pb2.HeldEvents(topic=topic, partition=partition, offset=offset)
            for topic, partition, offset in places])
        # At once: what is held can be settled as soon as its partition is named.
        until(lambda: len(back.partitions) == PARTITIONS, 'the partitions are named')
        handles = {where: handle for handle, where in back.partitions.items()}
        for topic, partition, offset in places:
            back.send(settle=subscriber_pb2.Settle(settlements=[subscriber_pb2.Settlement(
                assignment=handles[topic, partition], offset=offset, kind=ACK)]))
        until(lambda: self.outstanding() == 0, 'all are settled', PATIENCE_S)
        self.assertEqual(back.errors, [])
        self.assertEqual(other.leased, [])

    def test_redriven_letters_survive_a_crash_as_one_or_the_other(self):
        self.group()
        self.publish(40)
        worker = self.worker()
        worker.has(40)
        worker.settled(worker.settle(REJECT, *worker.leased))
        worker.leave()
        redriven = self.letters.RedriveDeadLetters(dead_letters_pb2.RedriveDeadLettersRequest(
            group='workers', selection=dead_letters_pb2.DeadLetterSelection(all=True), max=25),
            timeout=PATIENCE_S)
        self.assertEqual((redriven.redriven, redriven.left), (25, 15))
        self.restart()
        self.assertEqual(self.states()['dead_letters'], 15)
        self.assertEqual(self.outstanding(), 25)
        again = self.worker()
        again.has(25)
        again.settled(again.settle(ACK, *again.leased))
        self.assertEqual(self.outstanding(), 0)

    def test_what_a_group_needs_outlives_its_slice(self):
        self.acta('topic', 'create', 'small', '--partitions', 1, '--retention-bytes', '1MiB')
        self.groups.CreateGroup(groups_pb2.CreateGroupRequest(
            group=queue_group('small', ['small'], backoff_initial=Duration(seconds=2)),
            start=EARLIEST), timeout=PATIENCE_S)
        publisher = publisher_pb2_grpc.PublisherStub(self.channel)

        def publish(*events):
            publisher.Publish(publisher_pb2.PublishFrame(batches=[
                publisher_pb2.PartitionBatch(topic='small', events=events)]), timeout=PATIENCE_S)

        publish(Event(data=b'dead'), Event(data=b'waits'), Event(data=b'held'))
        def work(worker, leased):
            if leased.data.startswith(b'x'):
                worker.settle(ACK, leased)
                worker.credit(1)

        worker = self.worker(group='small', credit=3, on_event=work)
        worker.has(3)
        worker.settle(REJECT, worker.leased[0])
        worker.settled(worker.settle(NACK, worker.leased[1]))
        worker.credit(100)
        for batch in range(40):
            publish(*[Event(data=b'x' * 10000)] * 10)
            # Retention is not to take what nobody looked at.
            until(lambda: len(worker.leased) >= 10 * batch - 40, 'the worker keeps up', 30)
        until(lambda: int(self.acta_json('topic', 'describe', 'small')['partitions'][0]
                          .get('firstOffset', 0)) > 3, 'retention takes them', 30)
        until(lambda: len(worker.leased) >= 403, 'the rest is processed', 30)
        self.restart()
        letter = self.letters.GetDeadLetter(dead_letters_pb2.GetDeadLetterRequest(
            group='small', ref=dead_letters_pb2.DeadLetterRef(topic='small')),
            timeout=PATIENCE_S).dead_letter
        self.assertEqual(letter.event.data, b'dead')
        self.letters.RedriveDeadLetters(dead_letters_pb2.RedriveDeadLettersRequest(
            group='small', selection=dead_letters_pb2.DeadLetterSelection(all=True)),
            timeout=PATIENCE_S)
        again = self.worker(group='small', credit=3)
        again.has(3)
        self.assertEqual({event.data for event in again.leased}, {b'dead', b'waits', b'held'})

    def test_a_pause_survives_a_restart(self):
        self.group()
        self.publish(4)
        self.groups.PauseGroup(groups_pb2.PauseGroupRequest(group='workers', reason='deploying'),
                               timeout=PATIENCE_S)
        self.restart()
        worker = self.worker()
        time.sleep(0.5)
        self.assertEqual(worker.leased, [])
        why = self.groups.ExplainGroup(groups_pb2.ExplainGroupRequest(group='workers'),
                                       timeout=PATIENCE_S)
        self.assertEqual(why.pause.reason, 'deploying')
        self.groups.ResumeGroup(groups_pb2.ResumeGroupRequest(group='workers'), timeout=PATIENCE_S)
        worker.has(4)


if __name__ == '__main__':
    side_by_side(Workers, Crashes)  # After a restart most wait for members of before.
