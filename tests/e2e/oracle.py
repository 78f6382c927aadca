"""The oracle at work: a load that notes what it did and saw, a broker that is killed under it, and
the checker of the notes.

ACTA_ORACLE_RUN_SEED repeats the load, where a test has no seed of its own.
"""

import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from broker import BIN, PATIENCE_S

TESTS = pathlib.Path(os.environ.get('ACTA_TESTS', BIN.parent / 'tests'))
SEED = int(os.environ.get('ACTA_ORACLE_RUN_SEED', time.time_ns() % 1_000_000_007))
# Memtables and slices so small that files come and go within a second.
HURRY = {'ACTA_ORACLE_BUFFER': '65536'}


def free_port():
    """A port that nobody has just now: a broker that comes back must keep its address.

    It is below those that the kernel hands out by itself, to whoever runs beside it while the
    broker is down."""
    least = int(pathlib.Path('/proc/sys/net/ipv4/ip_local_port_range').read_text().split()[0])
    while True:
        port = random.randrange(10_000, least)
        with socket.socket() as probe:
            try:
                probe.bind(('127.0.0.1', port))
                return port
            except OSError:
                continue


def pause(began):
    """How long to wait before the next look at what began to be waited for then. A look is often a
    program that is started: who has waited longer looks less often, or it would take a core from
    what it waits for."""
    return min(max(0.01, (time.monotonic() - began) / 10), 0.2)


def side_by_side(*cases):
    """The main of a program whose tests wait most of the time: each in a process of its own, all at
    once; those of a case that is `in_turn` in one. With words it is unittest's own."""
    if len(sys.argv) > 1:
        unittest.main()
    names = []
    for case in cases:
        tests = unittest.defaultTestLoader.getTestCaseNames(case)
        names += ([case.__name__] if getattr(case, 'in_turn', False) else
                  [f'{case.__name__}.{name}' for name in tests])
    running = [subprocess.Popen([sys.executable, sys.argv[0], name], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
               for name in names]
    failed = 0
    for name, process in zip(names, running):
        out, _ = process.communicate()
        print(f'== {name}\n{out}', flush=True)
        failed += process.returncode != 0
    print(f'{len(names)} side by side, {failed} failed', flush=True)
    sys.exit(1 if failed else 0)


class OracleTest(unittest.TestCase):
    program = TESTS / 'actad-oracle'
    environment = {}
    options = ()
    host = '127.0.0.1'
    # What starts a broker and a client elsewhere than here.
    broker_in = ()
    client_in = ()

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='acta-oracle-'))
        self.addCleanup(self.remove)
        self.history = self.folder / 'history'
        self.history.mkdir()
        self.log = self.folder / 'actad.log'
        self.ready = self.folder / 'ready.json'
        self.port = free_port()
        self.boot = 1
        self.starts = 0
        self.broker = None
        self.load = None
        self.addCleanup(self.end)

    def remove(self):
        """A failing run is kept whole, with what it takes to check it again."""
        result = self._outcome.result
        if any(test is self for test, _ in result.failures + result.errors):
            print(f'kept: {TESTS}/acta-oracle-check {self.history}', flush=True)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def end(self):
        for process in (self.load, self.broker):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()

    def spawn_broker(self, **more):
        """Begins to start one; `more` is for its environment."""
        self.ready.unlink(missing_ok=True)
        self.starts += 1
        with open(self.log, 'ab') as log:
            self.broker = subprocess.Popen(
                [*self.broker_in, self.program, '--data', self.folder / 'data', '--grpc',
                 f'{self.host}:{self.port}', '--http', '127.0.0.1:0', '--ready-file', self.ready,
                 *self.options],
                stdout=log, stderr=log,
                env={**os.environ, **self.environment, 'ACTA_ORACLE_BOOT': f'boot-{self.boot}',
                     'ACTA_ORACLE_SEED': str(self.starts), **more})

    def start_broker(self, **more):
        self.spawn_broker(**more)
        deadline = time.monotonic() + PATIENCE_S
        while not self.ready.exists():
            if self.broker.poll() is not None or time.monotonic() > deadline:
                raise AssertionError('the broker did not start:\n' + self.log.read_text()[-3000:])
            time.sleep(0.005)

    def acta(self, *args):
        """The standard output of a command that must succeed, close to the broker."""
        done = subprocess.run([*self.broker_in, BIN / 'acta', *map(str, args), '--server',
                               f'{self.host}:{self.port}'], text=True, capture_output=True,
                              timeout=PATIENCE_S, check=False)
        self.assertEqual(done.returncode, 0, f'acta {args}: {done.stderr}{done.stdout}')
        return done.stdout

    def acta_json(self, *args):
        return json.loads(self.acta(*args, '-o', 'json'))

    def kill(self):
        self.broker.kill()
        self.broker.wait()

    def cut_power(self):
        """What is not synced may be gone, and the kernel has booted anew."""
        self.broker.send_signal(signal.SIGUSR2)
        self.assertEqual(self.broker.wait(PATIENCE_S), -signal.SIGKILL)
        self.boot += 1

    def start_load(self, *options, port=None):
        """At the broker, or at the port of what stands before it."""
        if not any(option.startswith('--seed=') for option in options):
            options += (f'--seed={SEED}',)
            print(f'ACTA_ORACLE_RUN_SEED={SEED}', flush=True)
        self.load = self.spawn_load(self.history, *options, port=port)

    def spawn_load(self, history, *options, port=None):
        return subprocess.Popen(
            [*self.client_in, TESTS / 'acta-oracle-load',
             f'--server={self.host}:{port or self.port}', f'--dir={history}', *options],
            stderr=subprocess.PIPE, text=True)

    def end_load(self, stop=True):
        """Lets it finish: publishers are answered, the group reads to the end."""
        if stop:
            self.load.send_signal(signal.SIGTERM)
        _, errors = self.load.communicate(timeout=2 * PATIENCE_S)
        return self.load.returncode, errors

    def works_for(self, seconds):
        time.sleep(seconds)  # The moment of what comes next, not a wait.
        self.assertIsNone(self.load.poll(), 'the load gave up')

    def members(self):
        """Who holds what, and since when."""
        members = self.acta_json('group', 'describe', 'oracle')['group']['members']
        return sorted((member['memberId'], member['connectTime'], str(member['partitions']))
                      for member in members)

    def delivered(self):
        return int(self.acta_json('status')['eventsDelivered'])

    def goes_on(self):
        """Publishing and delivery, by a thousand events from now on."""
        wanted, began = self.delivered() + 1000, time.monotonic()
        while self.delivered() < wanted:
            self.assertLess(time.monotonic(), began + PATIENCE_S)
            self.works_for(pause(began))

    def nothing_is_broken(self, *options):
        """Ends the load; it got through and the checker finds nothing."""
        _, errors = self.end_load()
        classes, report = self.check(*options)
        print(report, flush=True)
        self.shows_nothing(classes, report, errors)

    def shows_nothing(self, classes, report, errors=''):
        """A load that gave up, or did nothing, has nothing to show either."""
        self.assertEqual((classes, self.load.returncode, errors), (set(), 0, ''), report)
        self.assertGreater(self.acknowledged(report), 0)

    @staticmethod
    def acknowledged(report):
        """Events, by the first line of the checker."""
        return int(report.split()[1].rstrip(','))

    def check(self, *options):
        """The classes of anomaly found, and all that the checker printed."""
        done = subprocess.run([TESTS / 'acta-oracle-check', *options, self.history], text=True,
                              capture_output=True, timeout=10 * PATIENCE_S, check=False)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        classes = {line.split()[0] for line in done.stdout.splitlines()[1:]
                   if line and line[0] != ' ' and line != 'no anomaly'}
        return classes, done.stdout


class ClockTest(OracleTest):
    """A broker whose wall clock is set by the test."""

    def setUp(self):
        super().setUp()
        self.clock = self.folder / 'clock'
        self.set_clock(0)
        self.environment = {'ACTA_ORACLE_CLOCK_FILE': str(self.clock)}

    def set_clock(self, seconds):
        """The wall clock of the broker, against the machine's."""
        self.offset = seconds
        new = self.folder / 'clock.new'
        new.write_text(f'{seconds}\n')
        new.rename(self.clock)

    def until(self, true, what):
        began = time.monotonic()
        while not true():
            self.assertLess(time.monotonic(), began + PATIENCE_S, what)
            time.sleep(pause(began))
