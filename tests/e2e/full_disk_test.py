#!/usr/bin/env python3
"""A disk that is really full: a small one, mounted here, which takes root. The same scenes on tmpfs
and on ext4, which hands out blocks late, keeps some for root and writes a journal."""

import os
import pathlib
import signal
import sys
import unittest

import small_disk
import stubs
from broker import PATIENCE_S, BrokerTest

stubs.use()

from faults import until  # noqa: E402
from ledger import Ledger  # noqa: E402

CLIENTS = 4
EVENT_BYTES = 64 << 10
BALLAST = 40 << 20  # What a start may need: the memtables.


def watermarks(warn, soft, hard):
    return (f'--storage.disk_warn_percent={warn}', f'--storage.disk_soft_percent={soft}',
            f'--storage.disk_hard_percent={hard}')


class FullDisk:
    """Its scenes."""
    mount = None
    options = (f'--storage.ballast={BALLAST}', '--storage.memtable=32MiB',
               '--storage.write_buffer=1MiB')

    def setUp(self):
        reason = small_disk.why_not(self.mount)
        if reason:
            self.skipTest(reason)
        super().setUp()
        self.assertEqual(self.broker.stop(), 0)
        self.disk = pathlib.Path(self.folder) / 'disk'
        self.disk.mkdir()
        mounted = self.mount(self.disk)
        self.assertEqual(mounted.returncode, 0, mounted.stderr)
        # After the broker has ended: what is added last is done first.
        self.addCleanup(small_disk.unmount, self.disk)
        self.addCleanup(self.end)
        self.broker.data = self.disk / 'data'
        self.ledger = Ledger(CLIENTS, EVENT_BYTES)

    def begin(self, *options):
        self.broker.options = (*self.options, *options)
        self.broker.start()
        self.acta('topic', 'create', 't', '--partitions', CLIENTS)

    def free(self):
        disk = os.statvfs(self.disk)
        return disk.f_bavail * disk.f_frsize

    def size(self):
        disk = os.statvfs(self.disk)
        return disk.f_blocks * disk.f_frsize

    def fill(self):
        """All that is left, by somebody else."""
        with open(self.disk / 'other', 'ab', buffering=0) as other:
            for block in (1 << 16, 1 << 12):
                try:
                    while True:
                        other.write(bytes(block))
                except OSError:
                    pass

    def make_room(self):
        (self.disk / 'other').unlink()

    def reasons(self):
        return [stubs.reason_of(error)[0] for error in self.ledger.errors.values()]

    def alarms(self):
        return [alarm['code'] for alarm in self.acta_json('status')['alarms']]

    def nothing_is_lost(self, unknown=0):
        stored = self.ledger.stored(self.broker.address)
        self.assertEqual(self.ledger.lost(stored), [])
        self.assertLessEqual(len(stored), len(self.ledger.acked) + unknown)

    def full_restart(self):
        """Dies and starts where nothing is free: the ballast makes room."""
        self.fill()
        if self.broker.process.poll() is None:
            self.broker.kill()
        self.fill()
        self.assertEqual(self.free(), 0)
        self.broker.start()
        self.assertIn('the ballast file was deleted', self.broker.log.read_text())

    def goes_on_when_there_is_room(self):
        """After it died."""
        self.full_restart()
        self.nothing_is_lost(CLIENTS)
        self.assertEqual(self.broker.stop(), 0)
        self.make_room()
        self.broker.start()
        self.acta('publish', 't', 'on we go')
        self.nothing_is_lost(CLIENTS + 1)

    def test_the_guard_refuses_before_the_disk_is_full(self):
        self.begin(*watermarks(40, 30, 15))
        self.ledger.publish_until_refused(self.broker.address)
        self.assertEqual(self.reasons(), ['DISK_FULL'] * CLIENTS)
        self.assertGreater(self.free(), self.size() * 15 // 100)
        self.nothing_is_lost()
        self.fill()
        until(lambda: 'DISK_HARD' in self.alarms(), 'the disk is full')
        self.fails(5, 'DISK_FULL', 'topic', 'create', 'other')
        self.nothing_is_lost()
        self.full_restart()
        self.fill()
        until(lambda: 'DISK_HARD' in self.alarms(), 'the disk is full')
        self.goes_on_failing(5, 'DISK_FULL', 'publish', 't', 'x')
        self.nothing_is_lost()
        self.make_room()
        until(lambda: not self.alarms(), 'there is room')
        self.acta('publish', 't', 'on we go')
        self.assertEqual(self.broker.stop(), 0)
        self.broker.start()
        self.assertEqual((self.disk / 'data/ballast').stat().st_size, BALLAST)
        self.nothing_is_lost(1)

    def test_writes_that_fail(self):
        """Without a guard: the daemon ends, or the library ends it by an assertion, which is why
        there is a guard. It starts on the full disk by its ballast, and has lost nothing."""
        self.begin(*watermarks(0, 0, 0))
        self.ledger.publish_until_refused(self.broker.address)
        code = self.broker.process.wait(PATIENCE_S)
        self.assertIn(code, (70, -signal.SIGABRT))
        self.assertLessEqual(set(self.reasons()), {'OUTCOME_UNKNOWN', ''})
        says = 'No space left on device' if code == 70 else 'AssertFalseAndGetStatusForPrevError'
        self.assertIn(says, self.broker.log.read_text())
        self.goes_on_when_there_is_room()

    def test_a_flush_that_fails(self):
        """The log is on a disk with room: what finds none is a table file."""
        self.begin(f'--storage.wal_dir={self.folder}/log', *watermarks(0, 0, 0))
        self.fill()
        self.ledger.publish_until_refused(self.broker.address)
        code = self.broker.process.wait(PATIENCE_S)
        self.assertIn(code, (70, -signal.SIGABRT))
        self.assertLessEqual(set(self.reasons()), {'OUTCOME_UNKNOWN', ''})
        says = ('background error in flush: .*No space left on device' if code == 70
                else 'AssertFalseAndGetStatusForPrevError')
        self.assertRegex(self.broker.log.read_text(), says)
        self.assertGreater(len(self.ledger.acked), 0)
        self.goes_on_when_there_is_room()

    def test_a_start_without_room_is_refused_and_says_how_much_it_takes(self):
        self.begin('--storage.ballast=0', *watermarks(40, 30, 15))
        self.ledger.publish_until_refused(self.broker.address)
        self.broker.kill()
        self.fill()
        with self.assertRaisesRegex(AssertionError, r'not started: DISK_FULL: .*are needed'):
            self.broker.start()
        self.assertEqual(self.broker.process.wait(PATIENCE_S), 1)
        self.make_room()
        self.broker.start()
        self.nothing_is_lost()

    def test_a_new_folder_without_room(self):
        self.fill()
        with self.assertRaisesRegex(AssertionError, 'not started: DISK_FULL: .*free disk'):
            self.broker.start()
        self.assertEqual(self.broker.process.wait(PATIENCE_S), 1)
        self.make_room()
        self.broker.start()


class FullTmpfs(FullDisk, BrokerTest):
    mount = staticmethod(small_disk.mount_tmpfs)


class FullExt4(FullDisk, BrokerTest):
    mount = staticmethod(small_disk.mount_ext4)


if __name__ == '__main__':
    small_disk.with_own_mounts()
    FORBIDDEN = small_disk.why_not(small_disk.mount_tmpfs)
    if FORBIDDEN and small_disk.why_not(small_disk.mount_ext4):
        print(f'skipped: no disk can be mounted here: {FORBIDDEN}')
        sys.exit(77)  # What CTest takes for a test that was skipped.
    unittest.main()
