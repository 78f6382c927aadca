#!/usr/bin/env python3
"""What is asked right behind a publish is answered with it, while others publish all they can."""

import statistics
import threading
import time
import unittest

import stubs

stubs.use()

from acta.v1 import journeys_pb2, journeys_pb2_grpc  # noqa: E402
from broker import PATIENCE_S  # noqa: E402
from network import Event, Frame, NetworkTest, batch  # noqa: E402

QUESTIONS = 200


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

    def test_an_event_is_found_as_soon_as_it_is_acknowledged(self):
        journeys = journeys_pb2_grpc.JourneysStub(self.channel)
        ended = threading.Event()
        self.crowded = 0
        crowd = threading.Thread(target=self.crowd, args=(ended,))
        crowd.start()
        took = []
        try:
            for number in range(QUESTIONS):
                name = f'o{number}'
                self.publisher.Publish(
                    Frame(batches=[batch(Event(id=name, correlation_id=f'of-{name}'))]),
                    timeout=PATIENCE_S)
                asked = time.monotonic()
                selection = (journeys_pb2.JourneySelection(correlation_id=f'of-{name}')
                             if number % 2 else journeys_pb2.JourneySelection(
                                 event=journeys_pb2.EventName(id=name)))
                answer = journeys.GetJourney(
                    journeys_pb2.GetJourneyRequest(selection=selection), timeout=PATIENCE_S)
                took.append(time.monotonic() - asked)
                self.assertEqual([event.event.id for event in answer.events], [name])
                self.assertEqual(answer.index.lag_events, 0)
            self.assertTrue(crowd.is_alive())
            self.assertGreater(self.crowded, 0)
        finally:
            ended.set()
            crowd.join()
        took.sort()
        print(f'asked at once: median {1e3 * statistics.median(took):.1f} ms, '
              f'longest {1e3 * took[-1]:.1f} ms')


if __name__ == '__main__':
    unittest.main(verbosity=2)
