#!/usr/bin/env python3
"""QUEUE groups under kill -9 and power cuts, judged from outside by the oracle: workers that
acknowledge in no order, fail, reject, release, extend, hang, leave, break their streams, and hold
events over a restart; keys that are held until somebody decides; and 50 members that come and go.

ACTA_ORACLE_CYCLES says how often the broker dies (3), ACTA_ORACLE_RUN_SEED repeats the moments.
"""

import os
import random
import time

from faults import until
from oracle import SEED, OracleTest, side_by_side

CYCLES = int(os.environ.get('ACTA_ORACLE_CYCLES', 3))
LONG = CYCLES > 3
# In which members say what they hold, and nothing of an ordered group is delivered.
GRACE_S = 10
# Of the lines of a history.
OP, DETAIL = 11, 12
ALL_OPS = {'0', '1', '2', '3', '4'}
CLEAN_BROKEN_LOST = {'0', '1', '2'}
REJECTED_EXHAUSTED = {'0', '1'}


class Queues(OracleTest):
    environment = {'ACTA_ORACLE_SYNC_US': '2000'}

    def crash_again_and_again(self, cycles, *load):
        chance = random.Random(SEED)
        print(f'ACTA_ORACLE_RUN_SEED={SEED}, {cycles} cycles', flush=True)
        self.start_broker()
        self.start_load(f'--seed={SEED}', '--patience=300' if LONG else '--patience=60', *load)
        began = time.monotonic()
        self.works_for(1)
        crashes = [self.kill, self.cut_power]
        chance.shuffle(crashes)
        for cycle in range(1, cycles + 1):
            # The moment of the crash: often within the grace, in a long run also behind it.
            behind = LONG and chance.random() < 0.4
            self.works_for(chance.uniform(0.2, 1) + (GRACE_S if behind else 0))
            # Both at least once.
            (crashes[cycle - 1] if cycle <= 2 else chance.choice(crashes))()
            self.start_broker()
            if cycle % 25 == 0:
                print(f'{cycle} of {cycles} in {time.monotonic() - began:.0f} s', flush=True)
        self.works_for(0.3)
        until(self.has_seen_enough, 'what has to happen has happened')
        self.nothing_is_broken('--power-cut')

    def records(self, kind):
        """The fields of all lines of this kind (tests/oracle/queue_records.h)."""
        lines = [line.split() for path in self.history.glob('*.queue')
                 for line in path.read_text().splitlines() if line.startswith(kind + ' ')]
        return [fields for fields in lines if len(fields) > DETAIL]  # The last may be half there.


class Crashes(Queues):
    def has_seen_enough(self):
        """Of what is asked for below, as far as it does not happen when the load ends."""
        return (ALL_OPS <= {fields[OP] for fields in self.records('ok')} and
                CLEAN_BROKEN_LOST <= {fields[DETAIL] for fields in self.records('gone')} and
                self.records('held'))

    def test_kill_9_and_power_cuts(self):
        self.crash_again_and_again(CYCLES, '--workers=3', '--rate=150', '--rejoin=20',
                                   f'--longest-delay={11 if LONG else 8}')
        # A run in which something never happened proves nothing of it.
        self.assertEqual({fields[OP] for fields in self.records('ok')}, ALL_OPS)
        ends = {fields[DETAIL] for fields in self.records('gone')}
        self.assertLessEqual(CLEAN_BROKEN_LOST, ends)
        self.assertEqual({fields[DETAIL] for fields in self.records('letter')}, REJECTED_EXHAUSTED)
        self.assertGreater(len(self.records('held')), 0)
        # Keys that were held, and somebody who decided.
        self.assertGreater(len(self.records('redriven')), 0)
        self.assertGreater(len(self.records('skipped')), 0)
        # Steps that acked, nacked and rejected.
        self.assertEqual({fields[OP] for fields in self.records('result')}, {'0', '1', '2'})


class ManyMembers(Queues):
    def has_seen_enough(self):
        return len(self.records('gone')) > 100

    def test_50_members_that_come_and_go(self):
        self.crash_again_and_again(max(2, CYCLES // 3), '--workers=50', '--healthy=1', '--rate=250',
                                   '--rejoin=4')
        lives = len(self.records('gone'))
        print(f'{lives} lives of 50 members', flush=True)
        self.assertGreater(lives, 100)


if __name__ == '__main__':
    side_by_side(Crashes, ManyMembers)
