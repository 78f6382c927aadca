#!/usr/bin/env python3
"""One allocation of the broker fails, the n-th for many n, alone or with all that follow, under
load and in a start: it ends at once, or goes on as if nothing was, and nothing is broken for the
oracle.

ACTA_LONG=1 does more of it, also with the workers of QUEUE groups. ACTA_ALLOCATION_SEED repeats the
numbers.
"""

import os
import random
import re
import signal
import time
import unittest

from broker import BIN, SANITIZED
from faults import until
from oracle import TESTS, OracleTest, side_by_side

LONG = os.environ.get('ACTA_LONG') == '1'
SEED = int(os.environ.get('ACTA_ALLOCATION_SEED', time.time_ns() % 1_000_000_007))
LIBRARY = TESTS / 'libacta-fail-allocation.so'
ROUNDS = 100 if LONG else 6
# A load comes by as many in a fraction of a second; a start makes about as many.
MOST = 30_000
MOST_MALLOC = 300  # Of those that no operator new makes.
FAILED = 'fail_allocation: it failed in'
# By operator new; by what libraries do that ask malloc themselves.
ENDS = {70, -signal.SIGABRT, -signal.SIGSEGV}


class Allocations(OracleTest):
    program = BIN / 'actad'

    def setUp(self):
        if SANITIZED:
            self.skipTest('a sanitizer brings an allocator of its own')
        super().setUp()
        print(f'ACTA_ALLOCATION_SEED={SEED}', flush=True)
        self.chance = random.Random(SEED)
        self.before = 0  # How long the log was.
        self.ends = {}

    def said(self):
        """By this life of the broker."""
        return self.log.read_bytes()[self.before:].decode(errors='replace')

    def ended(self):
        return self.broker.poll() is not None

    def failing(self, number):
        """The environment of a life whose allocation of this number fails: of all, with all behind
        it, or of those that are not by operator new. Small ones are as frequent as large ones."""
        share = (number + self.chance.random()) / ROUNDS
        variables = {'LD_PRELOAD': str(LIBRARY)}
        most, kind = self.chance.choice([(MOST, None), (MOST, 'ALL'), (MOST_MALLOC, 'MALLOC')])
        variables['ACTA_FAIL_ALLOCATION'] = str(int(most ** share))
        if kind:
            variables[f'ACTA_FAIL_{kind}'] = '1'
        self.before = self.log.stat().st_size if self.log.exists() else 0
        return variables

    def judge(self, variables):
        """A broker one allocation of which fails about now: it ends, or works on."""
        until(lambda: self.ended() or FAILED in self.said(),
              lambda: f'an allocation fails: {self.said()}')
        end = 'went on' if self.works_on() else self.broker.returncode
        if end == 1 and 'ACTA_FAIL_FROM_START' in variables:
            self.assertIn('not started: FOLDER_UNUSABLE', self.said())
            self.assertNotIn('backup', self.said())
        elif end == 'went on':
            self.kill()
        else:
            self.assertIn(end, ENDS, self.said())
        self.assertIn(FAILED, self.said())
        self.ends[end] = self.ends.get(end, 0) + 1
        # Of one that fails alone it is known who asked for it. A start first reads its options.
        by_new = re.search(r'\(_Zn[wa]m\+', self.said())
        if by_new and 'ACTA_FAIL_ALL' not in variables and self.ready.exists():
            self.assertEqual(end, 70, self.said())
        if end == 70:
            self.assertIn('error stopping: no memory is left exit=70', self.said())

    def works_on(self):
        """Nobody is to be left with a broker that neither ends nor answers."""
        deadline = time.monotonic() + 1
        while not self.ended() and time.monotonic() < deadline:
            time.sleep(0.01)
        until(lambda: self.ended() or self.ready.exists(),
              lambda: f'it ends or is ready: {self.said()}')
        try:
            if not self.ended():
                self.goes_on()
        except AssertionError:
            if not self.ended():
                raise
        return not self.ended()

    def fail_again_and_again(self, *load):
        self.start_broker()
        self.start_load(f'--seed={SEED}', '--patience=300', *load)
        self.works_for(0.5)
        self.kill()
        numbers = list(range(ROUNDS))
        self.chance.shuffle(numbers)
        for number in numbers:
            variables = self.failing(number)
            self.start_broker(**variables)
            self.works_for(self.chance.uniform(0.1, 0.4))  # The moment of the fault, not a wait.
            self.broker.send_signal(signal.SIGUSR1)
            self.judge(variables)
            variables = {**self.failing(number), 'ACTA_FAIL_FROM_START': '1'}
            self.spawn_broker(**variables)
            self.judge(variables)
        print(f'ends: {self.ends}', flush=True)
        self.start_broker()
        self.works_for(0.3)
        self.nothing_is_broken()

    def test_under_load_and_in_a_start(self):
        self.fail_again_and_again()

    @unittest.skipUnless(LONG, 'members that crash hold events for 10 s; ACTA_LONG=1 waits for it')
    def test_with_workers_of_queues(self):
        self.fail_again_and_again('--workers=3', '--rate=150', '--rejoin=20')


if __name__ == '__main__':
    side_by_side(Allocations)
