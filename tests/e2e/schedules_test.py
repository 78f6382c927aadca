#!/usr/bin/env python3
"""Events that are published for later: by `acta`, across kill -9, and across clocks that jump.
ACTA_SEED repeats what is drawn."""

import datetime
import json
import random
import signal
import time

import stubs

stubs.use()

import grpc  # noqa: E402
from acta.v1 import event_pb2, publisher_pb2, publisher_pb2_grpc  # noqa: E402
from broker import PATIENCE_S, BrokerTest, rfc3339, seed  # noqa: E402
from faults import until  # noqa: E402
from oracle import ClockTest, side_by_side  # noqa: E402

HOUR = 3600


def seconds_of(text):
    return datetime.datetime.fromisoformat(text).timestamp()


class Commands(BrokerTest):
    in_turn = True

    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 'reminders', '--partitions', 1)

    def data(self):
        return self.acta('read', 'reminders', '--partition', 0, '--max', 100_000).split()

    def schedules(self, *options):
        return self.acta_json('schedule', 'list', *options)['schedules']

    def ids(self, *options):
        return [one['scheduleId'] for one in self.schedules(*options)]

    def publish(self, *args, stdin=None):
        return self.acta_json('publish', 'reminders', *args, stdin=stdin)

    def while_it_waits(self, look):
        """(the event's id, the data before it, what `look(id, seconds)` found), which publishes an
        event that is due in so many seconds. It was due later than that: who is too slow looks
        again, at one that waits longer."""
        for seconds in (3, 30, 300):
            before = self.data()
            over = time.monotonic() + seconds
            found = look(f'r-{seconds}', seconds)
            if time.monotonic() < over:
                return f'r-{seconds}', before, found
            until(lambda: not self.ids(), 'it is published', PATIENCE_S)
        self.fail(f'no look within {seconds} s')

    def test_an_event_is_published_after_its_delay(self):
        def look(name, seconds):
            return (self.publish('--delay', f'{seconds}s', '--id', name, 'soon'), self.data(),
                    self.ids(), self.publish('--delay', '1h', '--id', name, 'soon'))
        name, before, (rows, data, ids, again) = self.while_it_waits(look)
        self.assertEqual((rows[0]['event_id'], rows[0]['duplicate']), (name, 'no'))
        self.assertEqual(data, before)
        self.assertEqual(ids, [rows[0]['schedule_id']])
        self.assertEqual((again[0]['schedule_id'], again[0]['deliver_at'], again[0]['duplicate']),
                         (rows[0]['schedule_id'], '', 'yes'))
        until(lambda: self.data() == [*before, 'soon'], 'the event', PATIENCE_S)
        self.assertEqual(self.ids(), [])

    def test_an_event_is_published_at_its_time_not_before_and_is_listed_until_then(self):
        def look(name, seconds):
            due = int(time.time()) + 1 + seconds
            return (due, self.publish('--deliver-at', rfc3339(due), '--id', name, '17'),
                    self.schedules('reminders'))
        name, before, (due, [row], [waits]) = self.while_it_waits(look)
        self.assertEqual((waits['scheduleId'], waits['eventId'], seconds_of(waits['deliverAt'])),
                         (row['schedule_id'], name, due))
        # The moment of the looks, not a wait: they are many just before it is due.
        time.sleep(max(0, due - 0.5 - time.time()))
        while self.data() == before:
            self.assertTrue(self.ids() or self.data() != before, 'neither listed nor there')
        self.assertGreaterEqual(time.time(), due)
        event = self.events('read', 'reminders', '--partition', 0)[len(before)]
        self.assertEqual(len(self.data()), len(before) + 1)
        self.assertEqual((event['id'], event['data']), (name, 17))
        self.assertGreaterEqual(seconds_of(event['append_time']), due)
        self.assertEqual(self.ids(), [])

    def test_many_lines_are_scheduled_and_come_in_their_order(self):
        lines = [str(n) for n in range(1200)]
        rows = self.publish('--delay', '3s', stdin='\n'.join(lines))
        self.assertEqual(len(rows), 1200)
        until(lambda: len(self.data()) == 1200, 'all of them', PATIENCE_S)
        self.assertEqual(self.data(), lines)

    def test_what_waits_is_listed_shown_moved_and_cancelled(self):
        self.acta('topic', 'create', 'alarms')
        late = self.publish('--delay', '2h', '--type', 'bill.due', 'late')[0]['schedule_id']
        soon = self.publish('--delay', '1h', 'soon')[0]['schedule_id']
        self.acta('publish', 'alarms', '--delay', '90m', 'wake up')
        self.assertEqual(self.ids('reminders'), [soon, late])
        self.assertEqual(len(self.ids()), 3)
        self.assertEqual(self.ids('reminders', '--within', '100m'), [soon])
        self.assertEqual(self.ids('--max', '1'), [soon])
        self.assertRegex(self.acta('schedule', 'list').splitlines()[3], fr'^{late} +reminders .*'
                         'bill.due')
        shown = self.acta_json('schedule', 'show', 'reminders', late)['schedule']
        self.assertEqual((shown['eventType'], shown['app'], shown['principal']),
                         ('bill.due', 'acta', 'anonymous'))
        self.assertIn('"type":"bill.due"', self.acta('schedule', 'show', 'reminders', late))
        self.assertIn('moved', self.acta('schedule', 'move', 'reminders', late, '--delay', '1m'))
        self.assertEqual(self.ids('reminders'), [late, soon])
        self.acta('schedule', 'move', 'reminders', late, '--deliver-at', '-1s')
        until(lambda: self.data() == ['late'], 'the event that was moved', PATIENCE_S)
        self.assertIn('cancelled 1', self.acta('schedule', 'cancel', 'reminders', soon))
        self.assertEqual(self.ids('reminders'), [])

    def test_a_schedule_names_the_application_that_made_it(self):
        for options, made_by in ((('--app', 'shop', '--app-version', '2.1'), ('shop', '2.1')),
                                 (('--app', 'shop'), ('shop', ''))):
            [row] = self.publish('--delay', '1h', *options, 'x')
            shown = self.acta_json('schedule', 'show', 'reminders', row['schedule_id'])['schedule']
            self.assertEqual((shown['app'], shown['appVersion']), made_by)

    def test_what_is_wrong_is_said(self):
        self.fails(3, 'SCHEDULE_NOT_FOUND', 'schedule', 'cancel', 'reminders', '7')
        self.fails(3, 'TOPIC_NOT_FOUND', 'schedule', 'show', 'nothing', '7')
        self.fails(3, 'TOPIC_NOT_FOUND', 'publish', 'nothing', '--delay', '1h', 'x')
        self.fails(2, 'INVALID_ARGUMENT', 'schedule', 'show', 'reminders', 'x')
        self.fails(1, 'SCHEDULE_TOO_FAR', 'publish', 'reminders', '--delay', '401d', 'x')
        self.fails(2, 'only one', 'publish', 'reminders', '--delay', '1h', '--deliver-at',
                   '2099-01-01T00:00:00Z', 'x')
        self.fails(2, 'say when', 'schedule', 'move', 'reminders', '7')
        self.fails(2, '--rate', 'publish', 'reminders', '--delay', '1h', '--rate', '5', 'x')
        one = self.publish('--delay', '1h', 'x')[0]['schedule_id']
        self.fails(6, '1 of 2 are cancelled', 'schedule', 'cancel', 'reminders', one, '7')
        self.assertEqual(self.data(), [])


class Crashes(BrokerTest):
    PARTITIONS = 3

    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 'reminders', '--partitions', self.PARTITIONS)
        self.first_answers = []  # (due, id) of those that were acknowledged well before.

    def publish(self, ids, random_):
        """One frame, until it is answered. Restarts the broker that it finds dead."""
        now_us = time.time_ns() // 1000
        due = {one: now_us + random_.randrange(300_000, 3_000_000) for one in ids}
        frame = publisher_pb2.PublishFrame(batches=[
            publisher_pb2.PartitionBatch(topic='reminders', deliver_at_us=at, events=[
                event_pb2.Event(id=one, key=one.encode(), data=json.dumps([one, at]).encode())])
            for one, at in due.items()])
        for attempt in range(10):
            with grpc.insecure_channel(self.broker.address) as channel:
                try:
                    answer = publisher_pb2_grpc.PublisherStub(channel).Publish(
                        frame, timeout=PATIENCE_S).results[0]
                except grpc.RpcError:
                    self.broker.process.wait()
                    self.broker.start()
                    continue
            for result in answer.batches:
                self.assertEqual(result.error.message, '')
            in_time = time.time_ns() // 1000 + 100_000
            if attempt == 0:
                self.first_answers += [(at, one) for one, at in due.items() if at > in_time]
            return
        self.fail('the broker never answered')

    def stored(self):
        """[id, due, append time] of each partition, in order."""
        found = []
        for partition in range(self.PARTITIONS):
            rows = []
            for event in self.events('read', 'reminders', '--partition', partition, '--max',
                                     100_000):
                one, due = json.loads(event['data']) if isinstance(event['data'], str) \
                    else event['data']
                rows.append((one, due, event['append_time']))
            found.append(rows)
        return found

    def test_each_comes_once_and_in_order_whatever_is_killed(self):
        random_ = random.Random(seed())
        total = 0
        kills = [40, 80, 120]
        for frame in range(150):
            if frame in kills:
                self.broker.kill()
            self.publish([f'{frame}.{n}' for n in range(20)], random_)
            total += 20
        self.broker.kill()  # With many that wait.
        self.broker.start()
        until(lambda: self.acta_json('schedule', 'list', '--max', 1)['schedules'] == [],
              'nothing waits', PATIENCE_S)
        partitions = self.stored()
        ids = [one for rows in partitions for one, _, _ in rows]
        self.assertEqual(len(ids), total)
        self.assertEqual(len(set(ids)), total)
        sure = {one for _, one in self.first_answers}
        self.assertGreater(len(sure), total // 2)
        for rows in partitions:
            dues = [due for one, due, _ in rows if one in sure]
            self.assertEqual(dues, sorted(dues))


class LostAnswers(ClockTest):
    in_turn = True

    def publish(self, one):
        """What it was answered; None: the broker died before it was."""
        frame = publisher_pb2.PublishFrame(batches=[publisher_pb2.PartitionBatch(
            topic='reminders', deliver_at_us=self.due_us,
            events=[event_pb2.Event(id=one, data=one.encode())])])
        with grpc.insecure_channel(f'{self.host}:{self.port}') as channel:
            try:
                answer = publisher_pb2_grpc.PublisherStub(channel).Publish(
                    frame, timeout=PATIENCE_S).results[0].batches[0]
            except grpc.RpcError:
                return None
        self.assertEqual(answer.error.message, '')
        return answer.scheduled[0]

    def dies_at(self, moment):
        """The answer of who tries again, and when it is time everybody has one event."""
        self.start_broker()
        self.acta('topic', 'create', 'reminders', '--partitions', '1')
        self.kill()
        self.start_broker(ACTA_ORACLE_KILL_AT=moment)
        self.due_us = time.time_ns() // 1000 + HOUR * 1_000_000
        for n in range(1000):
            if self.publish(f'r-{n}') is None:
                break
        self.assertEqual(self.broker.wait(PATIENCE_S), -signal.SIGKILL)
        self.start_broker()
        again = self.publish(f'r-{n}')
        ids = [f'r-{one}' for one in range(n + 1)]
        waiting = self.acta_json('schedule', 'list')['schedules']
        self.assertEqual(sorted(one['eventId'] for one in waiting), sorted(ids))
        self.assertIn(again.schedule_id, [one['scheduleId'] for one in waiting
                                          if one['eventId'] == f'r-{n}'])
        self.kill()
        self.set_clock(2 * HOUR)
        self.start_broker()
        until(lambda: not self.acta_json('schedule', 'list')['schedules'], 'all are published',
              PATIENCE_S)
        data = self.acta('read', 'reminders', '--partition', '0', '--max', '2000').split()
        self.assertEqual(sorted(data), sorted(ids))
        return again

    def test_a_schedule_whose_answer_is_lost_is_found_again_by_its_id(self):
        self.assertTrue(self.dies_at('after-wal-sync:20').duplicate)

    def test_a_schedule_that_was_not_written_is_made_by_who_tries_again(self):
        self.assertFalse(self.dies_at('before-wal-write:20').duplicate)


class Clocks(ClockTest):
    in_turn = True

    def setUp(self):
        super().setUp()
        self.start_broker()
        self.acta('topic', 'create', 'reminders', '--partitions', '1')

    def data(self):
        return self.acta('read', 'reminders', '--partition', '0').split()

    def restart(self, seconds):
        """Down for so long."""
        self.kill()
        self.set_clock(seconds)
        self.start_broker()

    def test_a_clock_that_jumps_brings_nothing_before_its_time(self):
        self.acta('publish', 'reminders', '--delay', '2h', 'late')
        self.acta('publish', 'reminders', '--delay', '1s', 'soon')
        self.set_clock(3 * HOUR)
        until(lambda: self.data() == ['soon'], 'the event that is due', PATIENCE_S)
        self.set_clock(-3 * HOUR)
        self.assertEqual(self.data(), ['soon'])
        self.assertEqual(len(self.acta_json('schedule', 'list')['schedules']), 1)

    def test_hours_pass_while_the_broker_is_down_and_each_comes_once(self):
        for hours in (5, 1, 3):
            self.acta('publish', 'reminders', '--delay', f'{hours}h', f'{hours}')
        self.restart(2 * HOUR)
        until(lambda: self.data() == ['1'], 'the first', PATIENCE_S)
        self.restart(6 * HOUR)
        until(lambda: self.data() == ['1', '3', '5'], 'the others', PATIENCE_S)
        self.restart(24 * HOUR)
        self.assertEqual(self.data(), ['1', '3', '5'])


if __name__ == '__main__':
    side_by_side(Commands, Crashes, LostAnswers, Clocks)
