#!/usr/bin/env python3
"""The test of the oracle for QUEUE groups: a broker that breaks one promise of queues is caught, by
the class of what it does, and the same broker that breaks none is not."""

import signal
import time

from faults import until
from oracle import OracleTest, side_by_side

# Of the lines of a history (tests/oracle/queue_records.h).
GROUP, DELAY_US, OP, DETAIL = 2, 10, 11, 12
UNORDERED, ACK, NACK = '1', '0', '1'
# A life in which less was settled shows nothing.
SETTLED = 200


class QueueMutants(OracleTest):
    def begin(self, mutant, *load, every=1000, **more):
        self.environment = {'ACTA_ORACLE_MUTANT': mutant, 'ACTA_ORACLE_EVERY': str(every), **more}
        self.start_broker()
        self.start_load('--workers=3', '--rate=150', '--patience=20', *load)

    def run_mutant(self, mutant):
        self.begin(mutant, '--seconds=3', '--longest-delay=1', '--keys=20')
        self.end_load(stop=False)
        return self.check()

    def settled(self):
        """The fields of what was confirmed to workers so far."""
        lines = [line.split() for path in self.history.glob('*.queue')
                 for line in path.read_text().splitlines() if line.startswith('ok ')]
        return [fields for fields in lines if len(fields) > DETAIL]  # The last may be half there.

    def is_at_work(self, longest_delay, put_off):
        """Whether enough is settled, of that so many put off as long as may be where no order keeps
        them waiting behind a restart."""
        settled = self.settled()
        waiting = [fields for fields in settled
                   if (fields[GROUP], fields[OP]) == (UNORDERED, NACK) and
                   int(fields[DELAY_US]) >= longest_delay * 1_000_000]
        return len(settled) >= SETTLED and len(waiting) >= put_off

    def cut_power_behind_an_ack(self):
        """Before the sync that it did not wait for is over."""
        def acks():
            return sum(fields[OP] == ACK for fields in self.settled())

        before = acks()
        until(lambda: acks() > before, 'an ack is answered')
        self.cut_power()

    def run_crashes(self, mutant, crash, *load, longest_delay=1, crashes=1, first=2, put_off=0,
                    **more):
        """What is published when the broker is gone is all there will be. The first life is the
        long one: what is ordered waits for the grace in the others."""
        self.begin(mutant, f'--longest-delay={longest_delay}', *load, **more)
        time.sleep(first - 1)
        until(lambda: self.is_at_work(longest_delay, put_off), 'the load is at work')
        for left in reversed(range(crashes)):
            time.sleep(1)  # The moment of the crash, not a wait.
            crash()
            if left == 0:
                self.load.send_signal(signal.SIGTERM)
            self.start_broker()
        self.end_load(stop=False)
        return self.check('--power-cut')

    def caught(self, found, wanted):
        classes, report = found
        self.assertIn(wanted, classes, report)

    def test_a_faithful_broker_shows_nothing(self):
        self.shows_nothing(*self.run_crashes('none', self.kill, '--patience=60', longest_delay=13))

    def test_acknowledgements_that_are_not_written(self):
        self.caught(self.run_crashes('forget-positions', self.kill, every=20),
                    'redelivered-after-ack')

    def test_answers_before_the_sync(self):
        # What steps append syncs the acks before it.
        self.caught(self.run_crashes('settle-before-sync', self.cut_power_behind_an_ack,
                                     '--steps=0', crashes=3, ACTA_ORACLE_SYNC_US='60000'),
                    'redelivered-after-ack')

    def test_parked_events_that_are_forgotten(self):
        self.caught(self.run_crashes('forget-parked', self.kill, longest_delay=13),
                    'lost-delivery')

    def test_delays_that_are_over_too_soon(self):
        self.caught(self.run_crashes('due-now', self.kill, longest_delay=16, put_off=3),
                    'early-retry')

    def test_a_restart_that_counts_as_an_attempt(self):
        self.caught(self.run_crashes('count-again', self.kill), 'counted-release')

    def test_dead_letters_that_are_not_written(self):
        self.caught(self.run_mutant('drop-letters'), 'wrong-dead-letter')

    def test_steps_of_which_only_the_result_is_written(self):
        self.caught(self.run_crashes('tear-steps', self.kill, '--steps=100'), 'torn-step')

    def test_keys_that_are_held_and_go_on_after_a_restart(self):
        self.caught(self.run_crashes('free-held', self.kill, '--keys=10', '--patience=60',
                                     longest_delay=13, first=10), 'passed-hold')

    def test_keys_that_are_not_kept_together(self):
        self.caught(self.run_mutant('split-keys'), 'key-reordered')


if __name__ == '__main__':
    side_by_side(QueueMutants)
