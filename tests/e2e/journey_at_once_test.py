#!/usr/bin/env python3
"""What is asked right behind a publish is answered with it, while others publish all they can."""

import statistics
import threading
import time
import unittest

import stubs

stubs.use()

import grpc  # noqa: E402
from acta.v1 import journeys_pb2, journeys_pb2_grpc  # noqa: E402
from broker import PATIENCE_S  # noqa: E402
from network import Event, Frame, NetworkTest, batch  # noqa: E402

QUESTIONS = 200
# A broker waits so long for its index before it says that it is behind; a thread of a slow machine
# may stand still for longer. Who asks again then is answered, and that is seldom.
CATCH_UP_S = 0.5
SELDOM = QUESTIONS // 20


class AtOnce(NetworkTest):
    partitions = 4

    def crowd(self, ended):
        """Publishes frames of events with ids, as fast as they are acknowledged."""
        while not ended.is_set():
            number = self.crowded
            events = [Event(id=f'crowd-{number}-{i}', correlation_id=f'c-{i}', data=b'x' * 60)
                      for i in range(500)]
            answer = self.publisher.Publish(
                Frame(batches=[batch(*events, partition=number % 3 + 1)]), timeout=PATIENCE_S)
            self.assertFalse(answer.results[0].batches[0].HasField('error'), answer)
            self.crowded += 1

    def ask(self, journeys, selection):
        """The first answer for which the broker did not wait in vain."""
        while True:
            asked = time.monotonic()
            try:
                answer = journeys.GetJourney(
                    journeys_pb2.GetJourneyRequest(selection=selection), timeout=PATIENCE_S)
            except grpc.RpcError as error:
                answer = None
                self.assertGreater(time.monotonic() - asked, CATCH_UP_S, error)
                self.assertEqual(stubs.reason_of(error)[0], 'EVENT_NOT_FOUND', error)
            took = time.monotonic() - asked
            if took < CATCH_UP_S or answer and answer.index.lag_events == 0:
                self.took.append(took)
                return answer
            self.in_vain += 1
            self.assertLessEqual(self.in_vain, SELDOM)

    def test_an_event_is_found_as_soon_as_it_is_acknowledged(self):
        journeys = journeys_pb2_grpc.JourneysStub(self.channel)
        ended = threading.Event()
        self.crowded = 0
        crowd = threading.Thread(target=self.crowd, args=(ended,))
        crowd.start()
        self.took, self.in_vain = [], 0
        try:
            for number in range(QUESTIONS):
                name = f'o{number}'
                self.publisher.Publish(
                    Frame(batches=[batch(Event(id=name, correlation_id=f'of-{name}'))]),
                    timeout=PATIENCE_S)
                selection = (journeys_pb2.JourneySelection(correlation_id=f'of-{name}')
                             if number % 2 else journeys_pb2.JourneySelection(
                                 event=journeys_pb2.EventName(id=name)))
                answer = self.ask(journeys, selection)
                self.assertEqual([event.event.id for event in answer.events], [name])
                self.assertEqual(answer.index.lag_events, 0)
            self.assertTrue(crowd.is_alive())
            self.assertGreater(self.crowded, 0)
        finally:
            ended.set()
            crowd.join()
        print(f'asked at once: median {1e3 * statistics.median(self.took):.1f} ms, '
              f'longest {1e3 * max(self.took):.1f} ms, {self.in_vain} in vain')


if __name__ == '__main__':
    unittest.main(verbosity=2)
