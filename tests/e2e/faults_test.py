#!/usr/bin/env python3
"""What is done to the process and to its disk under load, judged by the oracle.

ACTA_LONG=1 does more of it: 200 kills in recovery, every named moment twice, a stop and stalls of
30 s.
ACTA_FAULTS_SEED repeats the moments.
"""

import os
import random
import signal
import subprocess
import time
import unittest

from broker import BIN, PATIENCE_S
from faults import Footprint
from oracle import HURRY, OracleTest

LONG = os.environ.get('ACTA_LONG') == '1'
SEED = int(os.environ.get('ACTA_FAULTS_SEED', time.time_ns() % 1_000_000_007))

WAL_BYTES = 4 << 20
KILLS = 200 if LONG else 20  # In recovery.
IN_A_ROW = 20  # Without a start that succeeds between them.
STALL_MS = 30_000 if LONG else 3000
DURING_STALL_MS = max(STALL_MS, 10_000)  # Others do something in the middle of it.
# Moments of a disk (tests/oracle/moments.h). At the first few of a start the daemon has not begun
# to work; so some are counted from far in.
MOMENTS = [
    'before-wal-sync:40', 'after-wal-sync:40', 'torn-wal-write:300', 'after-wal-write:300',
    'before-wal-create:3', 'after-wal-create:3', 'before-wal-delete:2', 'after-wal-delete:2',
    'before-sst-create:4', 'torn-sst-write:4', 'before-sst-sync:4', 'after-sst-sync:4',
    'before-manifest-write:6', 'torn-manifest-write:9', 'after-manifest-sync:6',
    'after-manifest-create', 'before-current-rename', 'after-current-rename',
    'before-options-rename', 'after-options-rename', 'torn-witness-write:2',
    'torn-witness-write:12', 'after-witness-write:12', 'after-witness-sync:12',
]


def wal_bytes(folder):
    return sum(path.stat().st_size for path in folder.glob('**/*.log'))


class Faults(OracleTest):
    def setUp(self):
        super().setUp()
        print(f'ACTA_FAULTS_SEED={SEED}', flush=True)
        self.chance = random.Random(SEED)

    def await_death(self):
        self.assertEqual(self.broker.wait(PATIENCE_S), -signal.SIGKILL, 'it ended by itself:\n' +
                         self.log.read_text()[-3000:])

    def await_log(self):
        """A running broker is killed when it has much to replay."""
        deadline = time.monotonic() + PATIENCE_S
        while wal_bytes(self.folder / 'data') < WAL_BYTES:
            self.assertLess(time.monotonic(), deadline)
            self.works_for(0.02)
        self.kill()

    def recovers(self):
        """Whether the process has its database open."""
        try:
            return any('/data/db/' in path for path in Footprint.descriptors(self.broker.pid))
        except FileNotFoundError:
            return False

    def begin_recovery(self):
        """Returns just after it began."""
        self.spawn_broker()
        deadline = time.monotonic() + PATIENCE_S
        while not self.recovers():
            self.assertIsNone(self.broker.poll(), self.log.read_text()[-3000:])
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.0005)

    def time_recovery(self):
        """From its begin to ready, of a log of WAL_BYTES."""
        self.begin_recovery()
        began = time.monotonic()
        while not self.ready.exists():
            self.assertIsNone(self.broker.poll(), self.log.read_text()[-3000:])
        return time.monotonic() - began

    def test_kills_in_recovery(self):
        """Again and again while it replays a write-ahead log of some MiB."""
        self.start_broker()
        self.start_load(f'--seed={SEED}', '--rate=4000')
        self.await_log()
        takes = self.time_recovery()
        late, early = takes, takes / 3
        self.await_log()
        kills = within = in_a_row = 0
        while kills < KILLS or in_a_row < IN_A_ROW:
            self.assertLess(kills, KILLS + 10 * IN_A_ROW, f'{in_a_row} in a row')
            if wal_bytes(self.folder / 'data') < WAL_BYTES // 2:
                self.start_broker()  # The one before came so far that nothing is left to replay.
                self.await_log()
                in_a_row = 0
            self.begin_recovery()
            # The moment of the kill: anywhere, and at last where no start succeeds between them.
            time.sleep(self.chance.uniform(0, late if kills < KILLS else early))
            self.kill()
            kills += 1
            ready = self.ready.exists()
            within += not ready
            in_a_row = 0 if ready else in_a_row + 1
            # The machine is less busy than it was when that was measured.
            if ready and kills <= KILLS:
                late *= 0.8
            # The log is read sooner than a third of the time: earlier, then.
            over = ready or wal_bytes(self.folder / 'data') < WAL_BYTES // 2
            if over and kills > KILLS:
                early *= 0.8
        print(f'{within} of {kills} kills in recovery, which takes {takes:.3f} s, the last '
              f'{in_a_row} in a row', flush=True)
        self.assertGreaterEqual(within, KILLS // 2)
        self.start_broker()
        self.works_for(0.3)
        self.nothing_is_broken()

    def test_kills_at_named_moments(self):
        self.environment = HURRY
        self.start_broker()
        self.start_load(f'--seed={SEED}')
        moments = MOMENTS * (2 if LONG else 1)
        self.chance.shuffle(moments)
        self.goes_on()
        self.kill()
        for moment in moments:
            began = time.monotonic()
            self.spawn_broker(ACTA_ORACLE_KILL_AT=moment)
            try:
                self.await_death()
            except subprocess.TimeoutExpired:
                self.fail(f'{moment} never came')
            print(f'{moment} after {time.monotonic() - began:.2f} s', flush=True)
            self.works_for(0)
        self.start_broker()
        self.works_for(0.3)
        self.nothing_is_broken()

    def test_stops_under_load(self):
        self.start_broker()
        self.start_load(f'--seed={SEED}')
        for _ in range(20 if LONG else 3):
            self.works_for(self.chance.uniform(0.2, 0.6))
            began = time.monotonic()
            self.broker.send_signal(signal.SIGTERM)
            self.assertEqual(self.broker.wait(PATIENCE_S), 0)
            print(f'stopped in {time.monotonic() - began:.2f} s', flush=True)
            self.start_broker()
        self.works_for(0.3)
        self.nothing_is_broken()

    def test_a_process_that_stands_still(self):
        """SIGSTOP: members keep their places, clients wait."""
        self.start_broker()
        self.start_load(f'--seed={SEED}', '--rejoin=0')
        self.works_for(0.5)
        self.goes_on()
        members = self.members()
        self.assertEqual(len(members), 2)
        for seconds in (1, 5, 30) if LONG else (1, 5):
            self.broker.send_signal(signal.SIGSTOP)
            time.sleep(seconds)  # That long it stands still.
            self.broker.send_signal(signal.SIGCONT)
            self.goes_on()
            self.assertEqual(self.members(), members)
        self.nothing_is_broken()

    def test_a_slow_disk(self):
        """Each sync takes 50 ms, and the power goes: what was answered was synced."""
        self.environment = {'ACTA_ORACLE_SYNC_US': '50000'}
        self.start_broker()
        self.start_load(f'--seed={SEED}')
        for _ in range(10 if LONG else 2):
            self.works_for(self.chance.uniform(0.7, 1.2))
            self.cut_power()
            self.start_broker()
        self.goes_on()
        self.nothing_is_broken('--power-cut')

    def publish(self, level):
        return subprocess.Popen(
            [BIN / 'acta', 'publish', 'beside', 'x', '--ack', level, '--timeout', f'{PATIENCE_S}s',
             '--server', f'127.0.0.1:{self.port}'], stdout=subprocess.DEVNULL)

    def stall(self, moment, length_ms=STALL_MS):
        """Returns in the middle of it, under load."""
        self.start_broker(ACTA_ORACLE_STALL_AT=moment, ACTA_ORACLE_STALL_MS=str(length_ms))
        self.acta('topic', 'create', 'beside', '--visible-at', 'os')
        self.start_load(f'--seed={SEED}')
        deadline = time.monotonic() + PATIENCE_S
        while 'stall begins' not in self.log.read_text():
            self.assertLess(time.monotonic(), deadline)
            self.works_for(0.01)

    def test_a_sync_that_stalls(self):
        """Nobody is told FSYNC before it is over; level OS goes on, and all do after."""
        self.stall('before-wal-sync:200', DURING_STALL_MS)
        synced, written = self.publish('fsync'), self.publish('os')
        self.assertEqual(written.wait(PATIENCE_S), 0)
        self.assertNotIn('stall ends', self.log.read_text())
        self.assertIsNone(synced.poll())
        self.assertEqual(synced.wait(PATIENCE_S), 0)
        self.assertIn('stall ends', self.log.read_text())
        self.goes_on()
        self.nothing_is_broken()

    def test_a_write_that_stalls(self):
        """Nobody is answered before it is over, and all go on after."""
        self.stall('before-wal-write:300')
        for waiting in [self.publish('os'), self.publish('fsync')]:
            self.assertEqual(waiting.wait(PATIENCE_S), 0)
            self.assertIn('stall ends', self.log.read_text())
        self.goes_on()
        self.nothing_is_broken()

    def test_the_power_goes_while_a_sync_stalls(self):
        self.stall('before-wal-sync:200', DURING_STALL_MS)
        self.works_for(0.5)
        self.assertNotIn('stall ends', self.log.read_text())
        self.cut_power()
        self.start_broker()
        self.goes_on()
        self.nothing_is_broken('--power-cut')


if __name__ == '__main__':
    unittest.main()
