#!/usr/bin/env python3
"""kill -9 while the index of journeys is written and groups settle: afterwards journeys and what
groups did are what a naive look at the log, and at what workers were told, says.

ACTA_KILL_CYCLES says how often (4), ACTA_KILL_SEED repeats a run.
"""

import collections
import contextlib
import json
import os
import random
import subprocess
import threading
import time
import unittest
import urllib.request

import stubs

stubs.use()

import grpc  # noqa: E402
from acta.v1 import journeys_pb2, journeys_pb2_grpc  # noqa: E402
from broker import PATIENCE_S, BrokerTest  # noqa: E402
from faults import until  # noqa: E402
from workers import ACK, NACK, REJECT, Worker  # noqa: E402

CYCLES = int(os.environ.get('ACTA_KILL_CYCLES', 4))
SEED = int(os.environ.get('ACTA_KILL_SEED', time.time_ns() % 1_000_000_007))
JOURNEYS = 500
ASKED = 200
SETTLED = 500  # In each life, at least.


def group_of(cycle):
    """Each life settles in a group of its own: what the one before had leased would be kept for
    its members for longer than a life is."""
    return f'workers-{cycle}'


class Settler:
    """A worker that settles at random, and remembers what was confirmed."""

    def __init__(self, channel, group, rng, told):
        self.rng = rng
        self.told = told  # {(partition, offset): [kind]}, confirmed.
        self.unknown = []  # (frame, place, kind)
        self.worker = Worker(channel, group, on_event=self.on_event, credit=300)

    def on_event(self, worker, lease):
        kind = self.rng.choices((ACK, NACK, REJECT), (90, 8, 2))[0]
        place = worker.partitions[lease.assignment][1], lease.offset
        self.unknown.append((worker.settle(kind, lease), place, kind))
        if len(self.unknown) % 100 == 0:
            worker.credit(100)

    def end(self):
        """The stream broke: what was not confirmed may be written or not."""
        self.worker.ended.wait(PATIENCE_S)
        refused = {(self.worker.partitions[error.assignment][1], error.offset + index)
                   for error in self.worker.errors for index in range(max(1, error.count))}
        maybe = set()
        for frame, place, kind in self.unknown:
            if frame <= self.worker.acked_through and place not in refused:
                self.told[place].append(kind)
            else:
                maybe.add(place)
        return maybe


class JourneyKill(BrokerTest):
    options = ('--storage.journey_memory', '1MiB')

    def setUp(self):
        super().setUp()
        self.rng = random.Random(SEED)
        print(f'ACTA_KILL_SEED={SEED}')
        self.acta('topic', 'create', 'orders', '--partitions', 2, '--visible-at', 'os', '--ack',
                  'os')
        self.told = collections.defaultdict(list)
        self.maybe = set()

    def publish_until_killed(self, cycle):
        """Events of random journeys, each caused by one before it."""
        source = self.broker.spawn('publish', 'orders', '--format', 'jsonl', '--id', '@/id',
                                   '--correlation', '@/journey', '--causation', '@/cause',
                                   stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, text=True)
        last = {}

        rng = random.Random(SEED * 31 + cycle)

        def feed():
            try:
                for number in range(200_000):
                    journey = f'j{rng.randrange(JOURNEYS)}'
                    name = f'e{cycle}-{number}'
                    source.stdin.write(json.dumps(
                        {'id': name, 'journey': journey, 'cause': last.get(journey, '')}) + '\n')
                    last[journey] = name
            except OSError:
                pass  # It was killed with its broker.
            with contextlib.suppress(OSError):
                source.stdin.close()

        thread = threading.Thread(target=feed)
        thread.start()
        return source, thread

    def measure(self, name):
        """0: it is not there yet."""
        with urllib.request.urlopen(f'http://{self.broker.http}/metrics') as page:
            for line in page.read().decode().splitlines():
                if line.startswith(f'acta_journeys_index_{name} '):
                    return float(line.split()[-1])
        return 0

    def one_life(self, cycle):
        self.acta('group', 'create', group_of(cycle), '--topic', 'orders', '--mode', 'queue',
                  '--from', 'latest', '--max-attempts', '3', '--backoff', '10ms', '--backoff-max',
                  '20ms', '--max-dead-letters', '1000000')
        channel = grpc.insecure_channel(self.broker.address)
        settler = Settler(channel, group_of(cycle), random.Random(SEED + cycle), self.told)
        source, thread = self.publish_until_killed(cycle)
        until(lambda: self.measure('files_total') >= 1, 'the index is being written', PATIENCE_S)
        until(lambda: settler.worker.acked_through >= SETTLED, 'enough is settled', PATIENCE_S)
        time.sleep(self.rng.random() * 0.5)  # The moment of the kill, not a wait.
        told = sum(map(len, self.told.values()))
        self.broker.kill()
        source.kill()
        source.wait()
        thread.join()
        self.maybe |= settler.end()
        self.assertGreater(sum(map(len, self.told.values())) - told, SETTLED // 2)
        channel.close()
        self.broker.start()

    def scan(self):
        """{journey: {id: (partition, offset, cause)}}, by reading all."""
        journeys = collections.defaultdict(dict)
        for line in self.acta('subscribe', 'orders', '--from', 'earliest', '--until-end',
                              '--format', 'json').splitlines():
            event = json.loads(line)
            journeys[event['correlationid']][event['id']] = (
                event['partition'], event['offset'], event.get('causationid', ''))
        return journeys

    def ask(self, stub, journey):
        """{id: JourneyEvent} of all pages."""
        events = {}
        request = journeys_pb2.GetJourneyRequest(
            selection=journeys_pb2.JourneySelection(correlation_id=journey), page_size=1000)
        while True:
            for _ in range(3):
                answer = stub.GetJourney(request, timeout=PATIENCE_S)
                if not answer.truncated:  # Or the two seconds were over that a call may take.
                    break
            for event in answer.events:
                events[event.event.id] = event
            if not answer.next_page_token:
                return events
            request.page_token = answer.next_page_token

    def check_outcome(self, name, place, outcomes):
        """Of the group of the event's life, against what the broker confirmed; where that is not
        known only that it is possible. Returns whether something was known."""
        of_group = {outcome.group: outcome for outcome in outcomes}
        self.assertEqual(sorted(outcome.group for outcome in outcomes),
                         sorted(map(group_of, range(CYCLES))), place)
        outcome = of_group.pop(group_of(name[1:].split('-')[0]))
        for other in of_group.values():  # Nobody settled it in those.
            self.assertFalse(other.failed_attempts, place)
        state = journeys_pb2.OutcomeState.Name(outcome.state).removeprefix('OUTCOME_STATE_')
        kinds = self.told.get(place, [])
        confirmed_failures = sum(kind != ACK for kind in kinds)
        self.assertGreaterEqual(len(outcome.failed_attempts), confirmed_failures, place)
        if place in self.maybe:
            return False
        if ACK in kinds:
            self.assertEqual(state, 'PROCESSED', place)
        elif REJECT in kinds:
            self.assertEqual(state, 'DEAD_LETTERED', place)
        return ACK in kinds or REJECT in kinds

    def test_journeys_are_what_the_log_says(self):
        for cycle in range(CYCLES):
            self.one_life(cycle)
        # What is behind is told as such: SETTLED, where somebody could have been told how.
        until(lambda: self.measure('lag_events') == 0, 'the index has caught up', PATIENCE_S)
        log = self.scan()
        self.assertGreater(sum(len(of) for of in log.values()), 10_000)
        checked = 0
        with grpc.insecure_channel(self.broker.address) as channel:
            stub = journeys_pb2_grpc.JourneysStub(channel)
            for journey in self.rng.sample(sorted(log), min(ASKED, len(log))):
                told = self.ask(stub, journey)
                stored = {name: event for name, event in told.items()
                          if event.state == journeys_pb2.JOURNEY_EVENT_STATE_STORED}
                self.assertEqual(set(stored), set(log[journey]), journey)
                for name, (partition, offset, cause) in log[journey].items():
                    event = stored[name]
                    self.assertEqual((event.position.partition, event.position.offset),
                                     (partition, offset))
                    self.assertEqual(event.event.causation_id, cause)
                    checked += self.check_outcome(name, (partition, offset), event.groups)
            letters = sum(self.check_letters(stub, cycle) for cycle in range(CYCLES))
        self.assertGreater(checked, 300)
        self.assertGreater(letters, 10)

    def check_letters(self, stub, cycle):
        """What the group has as a dead letter is told as one. How many were looked at."""
        letters = self.acta_json('deadletter', 'list', group_of(cycle), '--max',
                                 50 // CYCLES + 1)['deadLetters']
        for letter in letters:
            ref = letter['ref']
            place = journeys_pb2.EventPosition(
                topic=ref['topic'], partition=ref.get('partition', 0), offset=int(ref['offset']))
            told = stub.GetJourney(journeys_pb2.GetJourneyRequest(
                selection=journeys_pb2.JourneySelection(position=place), page_size=1),
                timeout=PATIENCE_S)
            states = [outcome.state for event in told.events if event.position == place
                      for outcome in event.groups if outcome.group == group_of(cycle)]
            self.assertEqual(states, [journeys_pb2.OUTCOME_STATE_DEAD_LETTERED], place)
        return len(letters)


if __name__ == '__main__':
    unittest.main()
