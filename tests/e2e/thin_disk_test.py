#!/usr/bin/env python3
"""A disk that promises more room than it has: writes succeed, and the kernel finds out when it
writes back. So a sync fails, once; what it left is in memory only, and passes for written. As ext4
in a file that does not fit on its tmpfs, which takes root."""

import pathlib
import signal
import sys
import unittest

import small_disk
import stubs
from broker import PATIENCE_S, BrokerTest

stubs.use()

from ledger import Ledger  # noqa: E402

CLIENTS = 4
EVENT_BYTES = 64 << 10
PROMISED = 1 << 30
ROOM = 60 << 20  # Nothing that watches free space sees it.


class ThinDisk(BrokerTest):
    # No table file is written before there is no room: what fails is the log.
    options = ('--storage.ballast=0', '--storage.memtable=256MiB', '--storage.write_buffer=128MiB')

    def setUp(self):
        super().setUp()
        self.assertEqual(self.broker.stop(), 0)
        self.host = pathlib.Path(self.folder) / 'host'
        self.disk = self.host / 'disk'
        self.host.mkdir()
        self.succeeded(small_disk.mount_tmpfs(self.host, ROOM))
        self.addCleanup(small_disk.unmount, self.host)
        self.disk.mkdir()
        self.broker.data = self.disk / 'data'
        self.ledger = Ledger(CLIENTS, EVENT_BYTES)

    def succeeded(self, command):
        self.assertEqual(command.returncode, 0, command.stderr)

    def publish_until_a_sync_fails(self, *features):
        self.succeeded(small_disk.mount_ext4(self.disk, PROMISED, *features))
        self.addCleanup(small_disk.unmount, self.disk)
        self.addCleanup(self.end)  # Before the disk goes.
        self.broker.start()
        self.acta('topic', 'create', 't', '--partitions', CLIENTS)
        self.ledger.publish_until_refused(self.broker.address)
        reasons = {stubs.reason_of(error)[0] for error in self.ledger.errors.values()}
        self.assertLessEqual(reasons, {'OUTCOME_UNKNOWN', ''})
        code = self.broker.process.wait(PATIENCE_S)
        self.assertIn(code, (70, -signal.SIGABRT))
        # The journal fails for the witness too, which may be first to say so.
        says = ('in doubt .*(While fdatasync|witness: )' if code == 70
                else 'AssertFalseAndGetStatusForPrevError')
        self.assertRegex(self.broker.log.read_text(), says)
        self.assertGreater(len(self.ledger.acked), 0)

    def forget(self):
        """What the kernel has of the disk in memory. The disk is mended as at a boot: it lost
        structures of its own as well."""
        small_disk.unmount(self.disk)
        mended = small_disk.run('e2fsck', '-f', '-y', f'{self.disk}.image')
        self.assertLessEqual(mended.returncode, 1, mended.stdout + mended.stderr)
        self.succeeded(small_disk.mount_ext4(self.disk))

    def make_room(self):
        self.succeeded(small_disk.mount_tmpfs(self.host, PROMISED, 'remount,'))

    def is_refused(self, why):
        with self.assertRaisesRegex(AssertionError, f'not started: {why}'):
            self.broker.start()
        self.assertEqual(self.broker.process.wait(PATIENCE_S), 1)

    def nothing_is_lost(self):
        stored = self.ledger.stored(self.broker.address)
        self.assertEqual(self.ledger.lost(stored), [])
        self.assertLessEqual(len(stored), len(self.ledger.acked) + CLIENTS)
        return stored

    def test_with_a_journal_that_fails_too(self):
        """So that the kernel writes nothing more to this disk."""
        self.publish_until_a_sync_fails()
        self.is_refused('')
        self.make_room()
        self.forget()
        self.broker.start()
        self.nothing_is_lost()
        self.acta('publish', 't', 'on we go')

    def test_what_was_only_in_memory_is_written_anew_before_anybody_sees_it(self):
        self.publish_until_a_sync_fails('-O', '^has_journal')
        for _ in range(2):
            self.is_refused('DISK_FULL')
        self.make_room()
        self.broker.start()  # It finds what the kernel has in memory, and no disk.
        shown = self.nothing_is_lost()
        self.broker.kill()
        self.forget()
        self.broker.start()
        self.assertEqual(self.nothing_is_lost(), shown)
        self.acta('publish', 't', 'on we go')


if __name__ == '__main__':
    small_disk.with_own_mounts()
    FORBIDDEN = small_disk.why_not(small_disk.mount_ext4)
    if FORBIDDEN:
        print(f'skipped: no disk can be mounted here: {FORBIDDEN}')
        sys.exit(77)  # What CTest takes for a test that was skipped.
    unittest.main()
