#!/usr/bin/env python3
"""Alerts fire on brokers that are in the condition they are about: eight of them side by side, and
one Prometheus. Their rules are what they are, but for how long something lasts. Disks that are slow
or stand, and clocks that are wrong, are those of actad-oracle, which is actad over them.

Needs prometheus in the folder ACTA_PROMETHEUS, and actad and acta in ACTA_BIN, and
actad-oracle in ACTA_TESTS.
"""

import pathlib
import socket
import subprocess
import sys
import unittest
import urllib.error
import urllib.request

import deployed

sys.path[:0] = [str(deployed.ROOT / 'tests/e2e')]

from broker import PATIENCE_S, Broker, BrokerTest  # noqa: E402
from faults import until  # noqa: E402
from oracle import TESTS, free_port  # noqa: E402
from scraping import Prometheus  # noqa: E402

SHORTER = (('acta_groups_lag_seconds > 3600', 1, 'acta_groups_lag_seconds > 3'),
           ('acta_backups_newest_timestamp_seconds > 2 * 86400', 1,
            'acta_backups_newest_timestamp_seconds > 3'),
           ('acta_schedules_overdue_seconds > 60', 1, 'acta_schedules_overdue_seconds > 2'),
           ('acta_journeys_index_lag_seconds > 300', 1, 'acta_journeys_index_lag_seconds > 3'),
           ('bool 0)[10m:30s]', 1, 'bool 0)[10s:1s]'),
           ('OUTCOME_UNKNOWN|INTERNAL"}[5m])', 1, 'OUTCOME_UNKNOWN|INTERNAL"}[5s])'))


def watermarks(*below):
    """Options with which every disk is below these watermarks, and above the others."""
    return [option for level in ('warn', 'soft', 'hard') for option in (
        (f'--storage.disk_{level}_percent=100', f'--storage.disk_{level}_bytes=1024TiB')
        if level in below else (f'--storage.disk_{level}_percent=0',))]


class Conditions(BrokerTest):
    """`self.broker` has the groups."""

    def setUp(self):
        super().setUp()
        self.backups = pathlib.Path(self.folder) / 'backups'
        self.broker.start_again(*watermarks(), '--storage.slice_seconds=1',
                                f'--storage.backup_dir={self.backups}')

    def another(self, name, *options):
        folder = pathlib.Path(self.folder) / name
        folder.mkdir()
        broker = Broker(folder, *options)
        self.addCleanup(lambda: broker.process.poll() is None and broker.kill())
        return broker.start()

    def start_over_test_disk(self, broker, **words):
        """Again, over a disk and by a clock that are as said (oracle_daemon_main.cc)."""
        self.assertEqual(broker.stop(), 0)
        broker.program = TESTS / 'actad-oracle'
        broker.environment = {f'ACTA_ORACLE_{word}': str(value) for word, value in words.items()}
        broker.start()

    def goes_on(self, process):
        """Until the test ends."""
        self.addCleanup(self.end_process, process)
        return process

    def on(self, broker, *args, stdin=None, code=0):
        """What a command of another broker says, which ends with this code."""
        got, out, err = broker.acta(*args, stdin=stdin)
        self.assertEqual(got, code, f'acta {args}: {err}{out}')
        return out + err

    def groups(self):
        """One that nobody reads, one that is full of dead letters with one, one whose attempts
        fail, one that lost an event; and a backup that was made."""
        self.acta('topic', 'create', 'jobs', '--partitions', 1)
        self.acta('topic', 'create', 'short', '--partitions', 1, '--retention', '1s')
        queue = ('--topic', 'jobs', '--from', 'earliest', '--mode', 'queue')
        self.acta('group', 'create', 'idle', '--topic', 'jobs', '--from', 'earliest')
        self.acta('group', 'create', 'full', *queue, '--max-dead-letters', 1)
        self.acta('group', 'create', 'failing', *queue, '--max-attempts', 1000, '--backoff', '10ms',
                  '--backoff-max', '10ms')
        self.acta('group', 'create', 'late', '--topic', 'short', '--from', 'earliest')
        self.acta('publish', 'short', 'gone')
        self.acta('backup', 'create')

    def worn(self):
        """Little room, damage, no protection, more series than are shown, and a folder for its
        backups that has those of another store."""
        broker = self.another('worn', *watermarks('warn'), '--insecure', '--telemetry.max_series=1',
                              '--storage.write_buffer=1MiB', f'--storage.backup_dir={self.backups}')
        self.on(broker, 'topic', 'create', 'orders', '--partitions', 1)
        self.on(broker, 'publish', 'orders', '--batch', '64KiB', stdin=('x' * 1000 + '\n') * 8000)
        self.assertEqual(broker.stop(), 0)
        largest = max((broker.data / 'db').glob('*.sst'), key=lambda table: table.stat().st_size)
        with open(largest, 'r+b') as file:
            file.seek(100_000)
            byte = file.read(1)[0]
            file.seek(100_000)
            file.write(bytes([byte ^ 1]))
        broker.start()
        self.assertIn('DATA_CORRUPTED', self.on(broker, 'admin', 'scrub', code=1))
        code, _, err = broker.acta('backup', 'create')
        self.assertNotEqual(code, 0)
        self.assertIn('the backup failed', err)
        return broker

    def full(self):
        """A disk that refuses publishes, also of what was for later."""
        broker = self.another('full', *watermarks())
        self.on(broker, 'topic', 'create', 'orders', '--partitions', 1)
        self.on(broker, 'publish', 'orders', 'later', '--delay', '3s')
        broker.kill()  # Before it is due.
        broker.options = watermarks('warn', 'soft')
        return broker.start()

    def slept(self):
        """A machine that was off while a group had an hour to read, whose clock is wrong, and whose
        disk is slower than what comes."""
        clock = pathlib.Path(self.folder) / 'clock'
        broker = self.another('slept', *watermarks())
        for topic, retention in (('aging', '1h'), ('load', '1d')):
            self.on(broker, 'topic', 'create', topic, '--partitions', 1, '--retention', retention)
        self.on(broker, 'group', 'create', 'late', '--topic', 'aging', '--from', 'earliest')
        self.on(broker, 'publish', 'aging', 'almost gone')
        clock.write_text(f'{55 * 60}\n')
        self.start_over_test_disk(broker, CLOCK_FILE=clock, SYNC_US=520_000, BUFFER=64 << 10)
        clock.write_text('0\n')
        lines = self.goes_on(subprocess.Popen(['yes', 'x' * 1000], stdout=subprocess.PIPE))
        self.goes_on(broker.spawn('publish', 'load', stdin=lines.stdout))
        return broker

    def stuck(self, name, moment):
        """One whose disk does not end something that it does to the log."""
        broker = self.another(name, *watermarks())
        self.on(broker, 'topic', 'create', 'orders', '--partitions', 1)
        self.start_over_test_disk(broker, STALL_AT=moment, STALL_MS=3_600_000)

        def is_stuck():
            return 'stall begins' in broker.log.read_text()
        while not is_stuck():
            publisher = self.goes_on(broker.spawn('publish', 'orders', 'x'))
            until(lambda: is_stuck() or publisher.poll() == 0, f'{name} answers or is stuck')
        return broker

    def crowded(self):
        """One that has as many connections as it may, and a disk that refuses every write, also of
        the index of more events than it has memory for."""
        broker = self.another('crowded', *watermarks())
        self.on(broker, 'topic', 'create', 'orders', '--partitions', 4)
        self.on(broker, 'publish', 'orders', '--format', 'jsonl', '--id', '@/id', '--key', '@/id',
                stdin=''.join(f'{{"id": "{n}"}}\n' for n in range(100_000)))
        broker.kill()  # Before it is in a file.
        broker.options = (*watermarks('warn', 'soft', 'hard'), '--storage.journey_memory=1MiB',
                          '--listen.max_connections=1', '--listen.handshake_timeout=1m')
        broker.start()
        self.addCleanup(self.connect(broker).close)
        return broker

    @staticmethod
    def connect(broker):
        host, port = broker.address.split(':')
        return socket.create_connection((host, int(port)), PATIENCE_S)

    def test_they_fire(self):
        self.groups()
        worn, full, crowded, slept = self.worn(), self.full(), self.crowded(), self.slept()
        restless = self.another('restless', *watermarks(), '--http', f'127.0.0.1:{free_port()}')
        no_sync = self.stuck('no_sync', 'before-wal-sync:6')
        no_write = self.stuck('no_write', 'before-wal-write:9')
        wanted = {
            (f'Acta{alert}', broker.http)
            for broker, alerts in (
                (self.broker, ('BackupOld', 'DeadLetters', 'GroupBehind', 'GroupHasNoMembers',
                               'GroupLostEvents', 'GroupStopped', 'ManyRetries', 'NearLimit')),
                (worn, ('BackupFailed', 'DamagedEvents', 'DiskFilling', 'Insecure',
                        'TelemetryIncomplete')),
                (full, ('DiskRefusesWrites', 'ScheduledEventsOverdue')),
                (slept, ('ClockJumpIgnored', 'GroupAboutToLoseEvents', 'LogSlow',
                         'WritesStalled')),
                (no_sync, ('LogNotSyncing',)), (no_write, ('LogNotSyncing',)),
                (crowded, ('CallsRefused', 'DiskRefusesWrites', 'JourneyIndexBehind')),
                (restless, ('Restarting',)))
            for alert in alerts}
        # deploy_test.py stops a broker.
        self.assertEqual({alert for alert, _ in wanted}, {*deployed.alerts()} - {'ActaDown'})
        folder = pathlib.Path(self.folder) / 'prometheus'
        folder.mkdir()
        prometheus = Prometheus(folder, *sorted({address for _, address in wanted}),
                                shorter=SHORTER)
        self.addCleanup(prometheus.end)
        # What is counted from now on has been 0.
        new = 'sum(acta_queues_dead_lettered_events_total{group="full"}) == 0'
        up = 'sum(up{job="acta"}) == 8'
        until(lambda: None not in (prometheus.value(new), prometheus.value(up)), 'all are scraped')
        self.acta('publish', 'jobs', stdin=''.join(f'{n}\n' for n in range(50)))
        self.broker.acta('subscribe', 'jobs', '--group', 'full', '--exec', 'exit 65', '--max', 1)
        self.spawn('subscribe', 'jobs', '--group', 'failing', '--exec', 'exit 1',
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        starts = f'changes(acta_app_start_timestamp_seconds{{instance="{restless.http}"}}[1h])'
        started = 0

        def missing():
            nonlocal started
            self.connect(crowded).close()  # One too many.
            if prometheus.value(starts) == started:
                restless.kill()
                restless.start()
                started += 1
            return wanted - set(prometheus.firing('instance'))
        until(lambda: not missing(), lambda: f'all of them fire: not {missing()}')
        for broker, what in ((no_sync, 'sync'), (no_write, 'write')):
            stalled = f'a {what} of the log has not ended for '
            until(lambda: stalled in self.on(broker, 'status'), stalled)
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f'http://{no_write.http}/readyz', timeout=PATIENCE_S)
        self.assertEqual(refused.exception.code, 503)
        self.assertIn('a write of the log', refused.exception.read().decode())
        refused.exception.close()


if __name__ == '__main__':
    unittest.main()
