"""A broker of its own for a test: real processes, a temporary folder, free ports."""

import datetime
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get('ACTA_BIN', SOURCE / 'build/release/bin'))
DATA = SOURCE / 'docs/start/data'
# Logs of tests that failed, by test program.
FAILED = (pathlib.Path(os.environ.get('ACTA_BUILD', SOURCE / 'build/release')) / 'failed' /
          pathlib.Path(sys.argv[0]).stem)
KEPT = ('.log', '.json', '.toml')
# Sanitizers make the programs slow; nothing waits this long when all is well.
PATIENCE_S = 60
SANITIZED = any(mark in (BIN / 'actad').read_bytes() for mark in (b'__asan_init', b'__tsan_init'))


def seed():
    """Of what a test draws; ACTA_SEED takes back what was printed."""
    drawn = int(os.environ.get('ACTA_SEED', time.time_ns() % 1_000_000_007))
    print(f'ACTA_SEED={drawn}', flush=True)
    return drawn


def rfc3339(seconds):
    """A time of the epoch, as commands take it."""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat()


class Broker:
    program = BIN / 'actad'

    def __init__(self, folder, *options):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / 'data'
        self.ready = self.folder / 'ready.json'
        self.log = self.folder / 'actad.log'
        self.options = options
        self.environment = {}
        self.before_exec = None  # Runs in the process that becomes actad.
        self.process = None
        self.address = None
        self.http = None

    def start(self):
        self.ready.unlink(missing_ok=True)
        command = [self.program, '--data', self.data, '--grpc', '127.0.0.1:0',
                   '--http', '127.0.0.1:0', '--ready-file', self.ready, *self.options]
        with open(self.log, 'ab') as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log,
                                            env={**os.environ, **self.environment},
                                            preexec_fn=self.before_exec)
        deadline = time.monotonic() + PATIENCE_S
        while not self.ready.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError('the broker did not start:\n' + self.log.read_text()[-2000:])
            time.sleep(0.02)
        ready = json.loads(self.ready.read_text())
        self.address, self.http = ready['grpc'], ready['http']
        return self

    def kill(self):
        """As a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def start_again(self, *options):
        """With these options instead of those it had."""
        assert self.stop() == 0
        self.options = options
        return self.start()

    def stop(self):
        """Gracefully; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE_S)

    def spawn(self, *args, **how):
        """Starts one command that goes on by itself, with its output as a pipe."""
        return subprocess.Popen([BIN / 'acta', *map(str, args)],
                                **{'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, **how},
                                env={**os.environ, 'ACTA_SERVER': self.address})

    def acta(self, *args, stdin=None, server=None):
        """Runs one command; returns (exit code, stdout, stderr)."""
        done = subprocess.run([BIN / 'acta', *map(str, args)], input=stdin, text=True,
                              capture_output=True, timeout=PATIENCE_S,
                              env={**os.environ, 'ACTA_SERVER': server or self.address})
        return done.returncode, done.stdout, done.stderr


class BrokerTest(unittest.TestCase):
    """One broker for each test, ended with it. `self.options` go to actad."""
    options = ()

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='acta-e2e-')
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.addCleanup(self.keep_logs)
        self.broker = Broker(self.folder, *self.options)
        self.broker.start()
        self.addCleanup(self.end)

    def keep_logs(self):
        """Those of a test that failed, in a folder of its name."""
        result = self._outcome.result
        failed = [getattr(test, 'test_case', test) for test, _ in result.failures + result.errors]
        if self not in failed:
            return
        kept = FAILED / self.id().removeprefix('__main__.').replace(' ', '_')
        shutil.rmtree(kept, ignore_errors=True)
        for file in pathlib.Path(self.folder).rglob('*'):
            if file.is_file() and file.suffix in KEPT and file.parent.name != 'db':
                to = kept / file.relative_to(self.folder)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, to)
        print(f'logs of the test that failed: {kept}', file=sys.stderr)

    def end(self):
        if self.broker.process.poll() is None:
            self.broker.kill()

    def skipTest(self, reason):  # noqa: N802
        """With its reason, which unittest keeps to itself."""
        print(f'skipped: {self.id()}: {reason}', flush=True)
        super().skipTest(reason)

    def acta(self, *args, stdin=None):
        """The standard output of a command that must succeed."""
        code, out, err = self.broker.acta(*args, stdin=stdin)
        self.assertEqual(code, 0, f'acta {args}: {err}{out}')
        return out

    def acta_json(self, *args, stdin=None):
        return json.loads(self.acta(*args, '-o', 'json', stdin=stdin))

    def fails(self, code, reason, *args, stdin=None):
        """A command that must end with this exit code and name this reason."""
        got, out, err = self.broker.acta(*args, stdin=stdin)
        self.assertEqual((got, reason in err), (code, True), f'acta {args}: {got} {err}{out}')
        return err

    def goes_on_failing(self, code, reason, *args):
        """The same of one that tries again until its time is over. On a slow machine that may be
        before it was answered once: then it has more."""
        got, out, err = self.broker.acta(*args, '--timeout', '1s')
        if reason in err:
            self.assertEqual(got, code, f'acta {args}: {err}{out}')
        else:
            self.fails(code, reason, *args, '--timeout', '10s')

    def with_nobody_reading(self, *args, stdin=None):
        """(exit code, stderr) of a command whose output is closed already."""
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, 'wb') as out:
            done = subprocess.run([BIN / 'acta', *map(str, args)], input=stdin, text=True,
                                  stdout=out, stderr=subprocess.PIPE, timeout=PATIENCE_S,
                                  env={**os.environ, 'ACTA_SERVER': self.broker.address})
        return done.returncode, done.stderr

    def spawn(self, *args, **how):
        """A command that goes on by itself; ended with the test, when it has not ended before."""
        process = self.broker.spawn(*args, **how)
        self.addCleanup(self.end_process, process)
        return process

    @staticmethod
    def end_process(process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def events(self, *args):
        """The events that a command prints as JSON."""
        out = self.acta(*args, '--format', 'json')
        return [json.loads(line) for line in out.splitlines()]
