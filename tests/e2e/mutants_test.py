#!/usr/bin/env python3
"""The test of the oracle: a broker that breaks one promise is caught, by the class of what it does,
and the same broker that breaks none is not.

ACTA_ORACLE_RUN_SEED repeats a run; ACTA_LONG=1 breaks a promise more seldom, under more load.
"""

import os
import time
import unittest

from oracle import OracleTest

LONG = os.environ.get('ACTA_LONG') == '1'
SECONDS = 4 if LONG else 1
# One in so many is hit.
EVERY = 10_000 if LONG else 1000
EVERY_DELIVERY = 50 if LONG else 10
RATE = 4000  # A second, of each of four publishers.
# As much is not synced at any moment either way.
RATE_UNDER_CUTS, SYNC_US = (4000, 20_000) if LONG else (1000, 80_000)
CUTS = 4


class Mutants(OracleTest):
    def run_mutant(self, mutant, every=EVERY, patience=10):
        self.environment = {'ACTA_ORACLE_MUTANT': mutant, 'ACTA_ORACLE_EVERY': str(every)}
        self.start_broker()
        self.start_load(f'--seconds={SECONDS}', f'--rate={RATE}', f'--patience={patience}')
        self.end_load(stop=False)
        return self.check()

    def run_power_cuts(self, mutant, patience=10):
        """Syncs are slow, so that much is not synced when the power goes."""
        self.environment = {'ACTA_ORACLE_MUTANT': mutant, 'ACTA_ORACLE_SYNC_US': str(SYNC_US)}
        self.start_broker()
        self.start_load(f'--rate={RATE_UNDER_CUTS}', f'--patience={patience}')
        for _ in range(CUTS):
            time.sleep(0.7)  # The moment of the cut, not a wait.
            self.cut_power()
            self.start_broker()
        self.end_load()
        return self.check('--power-cut')

    def caught(self, found, wanted):
        classes, report = found
        self.assertIn(wanted, classes, report)

    def test_a_faithful_broker_shows_nothing(self):
        self.shows_nothing(*self.run_mutant('none', patience=60))

    def test_a_lost_event(self):
        self.caught(self.run_mutant('lose'), 'lost-write')

    def test_two_events_in_the_wrong_order(self):
        self.caught(self.run_mutant('reorder'), 'reordered')

    def test_an_event_stored_twice(self):
        self.caught(self.run_mutant('store-twice'), 'duplicate')

    def test_a_skip_in_delivery(self):
        self.caught(self.run_mutant('skip', EVERY_DELIVERY), 'poll-skip')

    def test_an_offset_used_again(self):
        self.caught(self.run_mutant('reuse-offset'), 'inconsistent-offsets')

    def test_an_altered_byte(self):
        self.caught(self.run_mutant('alter'), 'altered')

    def test_an_answer_before_the_sync(self):
        self.caught(self.run_power_cuts('ack-before-sync'), 'lost-write')

    def test_a_delivery_before_the_sync(self):
        self.caught(self.run_power_cuts('show-before-sync'), 'lost-write')

    def test_a_faithful_broker_under_the_same_power_cuts_shows_nothing(self):
        self.shows_nothing(*self.run_power_cuts('none', patience=60))

    def test_a_hole_after_recovery(self):
        self.environment = {'ACTA_ORACLE_MUTANT': 'hole'}
        self.start_broker()
        self.start_load('--patience=10')
        time.sleep(1.5)  # The moment of the kill, not a wait.
        self.kill()
        self.start_broker()
        self.end_load()
        self.caught(self.check(), 'lost-write')


if __name__ == '__main__':
    unittest.main()
