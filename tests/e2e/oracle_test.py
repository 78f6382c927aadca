#!/usr/bin/env python3
"""kill -9 and power cuts under load, judged from outside by the oracle. Meanwhile retention takes
all but the newest events of another topic.

ACTA_ORACLE_CYCLES says how often (5 each), ACTA_ORACLE_RUN_SEED repeats the moments.
"""

import os
import random
import time
import unittest

from broker import PATIENCE_S
from oracle import HURRY, SEED, OracleTest

CYCLES = int(os.environ.get('ACTA_ORACLE_CYCLES', 5))
KEPT_BYTES = 1 << 16  # Of a partition: what comes in about a second.
# On a busy machine a broker may be up too shortly for an answer many times in a row.
LOAD = (f'--seed={SEED}', '--patience=300')


class Crashes(OracleTest):
    """The load goes on while the broker comes and goes; nothing it was promised is broken."""

    def crash_again_and_again(self, crash, *check):
        chance = random.Random(SEED)
        print(f'ACTA_ORACLE_RUN_SEED={SEED}, {CYCLES} cycles', flush=True)
        self.start_broker()
        self.start_load(*LOAD)
        trimmed = self.start_trimmed()
        began = time.monotonic()
        for cycle in range(1, CYCLES + 1):
            time.sleep(chance.uniform(0.2, 1.5))  # The moment of the crash, not a wait.
            self.assertIsNone(self.load.poll(), 'the load gave up')
            crash()
            # Slices change every second in half of its lives.
            self.start_broker(**(HURRY if chance.random() < 0.5 else {}))
            if cycle % 25 == 0:
                print(f'{cycle} of {CYCLES} in {time.monotonic() - began:.0f} s', flush=True)
        time.sleep(0.5)
        self.until_trimmed()
        self.nothing_is_broken(*check)
        self.load, self.history = trimmed
        self.nothing_is_broken(*check)

    def start_trimmed(self):
        """Its load, which is a small one and has no group to be overtaken, and the history."""
        history = self.folder / 'trimmed'
        history.mkdir()
        load = self.spawn_load(history, *LOAD, '--topic=trimmed', '--partitions=2', '--rate=100',
                               '--members=0', f'--retention-bytes={KEPT_BYTES}')
        self.addCleanup(load.wait)
        self.addCleanup(load.kill)
        return load, history

    def until_trimmed(self):
        """A run in which retention took nothing proves nothing of it."""
        deadline = time.monotonic() + PATIENCE_S
        while not all(int(partition.get('firstOffset', 0)) for partition in
                      self.acta_json('topic', 'describe', 'trimmed')['partitions']):
            self.assertLess(time.monotonic(), deadline)
            self.works_for(0.1)

    def test_kill_9(self):
        self.crash_again_and_again(self.kill)

    def test_power_cut(self):
        self.environment = {'ACTA_ORACLE_SYNC_US': '2000'}
        self.crash_again_and_again(self.cut_power, '--power-cut')


if __name__ == '__main__':
    unittest.main()
