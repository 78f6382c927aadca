#!/usr/bin/env python3
"""A disk that refuses a write: the daemon says so to who waits, exits 70, and loses nothing."""

import resource
import signal
import unittest

import stubs
from broker import PATIENCE_S, BrokerTest

stubs.use()

import grpc  # noqa: E402
from ledger import Ledger  # noqa: E402

CLIENTS = 4
# The log file reaches it; nothing that a start writes does.
FILE_BYTES = 8 << 20
EVENT_BYTES = 64 << 10


def limit_files():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))


class Fatal(BrokerTest):
    options = ('--storage.ballast=0',)

    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 't', '--partitions', CLIENTS)
        self.ledger = Ledger(CLIENTS, EVENT_BYTES)

    def test_a_failed_write_ends_in_70_and_everything_acknowledged_is_there(self):
        self.assertEqual(self.broker.stop(), 0)
        self.broker.before_exec = limit_files
        self.broker.start()
        self.ledger.publish_until_refused(self.broker.address)
        self.assertEqual(self.broker.process.wait(timeout=PATIENCE_S), 70)
        self.assertEqual([error.code() for error in self.ledger.errors.values()],
                         [grpc.StatusCode.UNAVAILABLE] * CLIENTS)
        # Who waited was told. A call that is sent just then may meet the end of the process.
        reasons = [stubs.reason_of(error)[0] for error in self.ledger.errors.values()]
        self.assertIn('OUTCOME_UNKNOWN', reasons)
        self.assertLessEqual(set(reasons), {'OUTCOME_UNKNOWN', ''})
        log = self.broker.log.read_text()
        self.assertIn('stopping: durability is in doubt', log)
        self.assertIn('database background error in log write', log)
        self.assertIn('File too large', log)
        self.assertGreater(len(self.ledger.acked), FILE_BYTES // EVENT_BYTES // 2)

        self.broker.before_exec = None
        self.broker.start()
        stored = self.ledger.stored(self.broker.address)
        self.assertEqual(self.ledger.lost(stored), [])
        # At most the calls that were told that nobody knows.
        self.assertLessEqual(len(stored), len(self.ledger.acked) + CLIENTS)
        self.acta('publish', 't', 'on we go')


if __name__ == '__main__':
    unittest.main()
