"""Where a peer runs: a fresh folder, free ports, and loads whose cost is watched."""

import contextlib
import os
import shutil
import time
from typing import NamedTuple

from peers import processes
from peers.figures import Figure
from peers.processes import Failed

LOAD_PATIENCE_S = 120


class Load(NamedTuple):
    """What load tools printed, when each ended, and what it all took."""
    outputs: list
    ends: list
    server: processes.Use  # During the load; its memory: the most until now.
    client_cpu_s: float
    foreign_percent: float


class Bed:
    """One server after the other. `seconds`: about how long a load takes.

    Failed names the log in which everything that was run stands with its output.
    """

    def __init__(self, work, children, seconds):
        self.seconds = seconds
        self.work = work
        self._children = children
        self._log = None
        self._server = None

    @contextlib.contextmanager
    def folder(self, name):
        """A fresh one that is gone afterwards; the log of the same name stays."""
        path = self.work / 'run' / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        log = self.work / f'{name}.log'
        with open(log, 'w+') as self._log:
            try:
                yield path
            except (Failed, ValueError, OSError) as error:
                raise Failed(f'{error}; see {log}') from error
            finally:
                self._children.end_all()  # Before what they work on is gone.
                self._server = None
                shutil.rmtree(path, ignore_errors=True)

    def serve(self, command, ports, env=None, cwd=None, prepare=()):
        """Starts the server after the commands that prepare its folder; it listens afterwards."""
        for one in prepare:
            self.call(one, env)
        self._server = self._children.start(command, self._log, env, cwd)
        for port in ports:
            processes.await_port(self._server, port)

    def beside(self, command, port, env=None):
        """What the server needs and what is no part of its costs."""
        processes.await_port(self._children.start(command, self._log, env), port)

    def call(self, command, env=None):
        """A short command that has to succeed; its output is in the log."""
        self._end(self._start(command, env))

    def load(self, *commands, env=None, delay_s=0.0):
        """Runs load tools, each `delay_s` after the one before, until all are over."""
        os.sync()
        self._await_quiet()
        before, machine, begin = self._use(), processes.machine_cpu_s(), time.monotonic()
        started = []
        for number, command in enumerate(commands):
            time.sleep(delay_s if number else 0)
            started.append(self._start(command, env))
        outputs, ends, client_cpu_s = [], [], 0.0
        for one in self._in_order_of_ends(started):
            output, cpu_s = self._end(one)
            client_cpu_s += cpu_s
            outputs.append((one, output))
            ends.append((one, time.monotonic()))
        after, wall = self._use(), time.monotonic() - begin
        used = processes.Use(after.cpu_s - before.cpu_s, after.peak_rss_mib,
                             after.written_bytes - before.written_bytes)
        foreign = processes.machine_cpu_s() - machine - used.cpu_s - client_cpu_s
        percent = max(0.0, foreign / wall / os.cpu_count() * 100)
        by_start = [dict(pairs) for pairs in (outputs, ends)]
        return Load([by_start[0][one] for one in started], [by_start[1][one] for one in started],
                    used, client_cpu_s, percent)

    def figure(self, peer, level, measure, value, load, events, note=''):
        """With the CPU that the load took for each million of its events."""
        return Figure(peer, level, measure, value, load.server.cpu_s / events * 1e6,
                      load.client_cpu_s / events * 1e6, load.foreign_percent, note)

    def percentiles(self, peer, level, measure, p50_us, p99_us, load, events, note=''):
        return [self.figure(peer, level, measure, p50_us / 1e3, load, events, note),
                self.figure(peer, level, measure + '_p99', p99_us / 1e3, load, events, note)]

    def peak_rss(self, peer, level):
        return Figure(peer, level, 'rss', self._use().peak_rss_mib)

    def _use(self):
        if not self._server:
            return processes.Use(0, 0, 0)
        if self._server.poll() is not None:
            raise Failed(f'the server ended with {self._server.returncode}')
        return processes.use_of(self._server.pid)

    def _await_quiet(self, share=0.15):
        """Until others, and the server afterwards, take less of a core; 1.5 loads at most."""
        end = time.monotonic() + 1.5 * self.seconds
        while time.monotonic() < end:
            before = processes.machine_cpu_s()
            time.sleep(0.25)
            if processes.machine_cpu_s() - before < share * 0.25:
                return

    def _start(self, command, env=None):
        self._log.write(f'$ {" ".join(str(word)[:200] for word in command)}\n')
        self._log.flush()
        output = open(self.work / 'run' / f'output-{time.monotonic_ns()}', 'w+')
        return self._children.start(command, output, env, self.work / 'run'), output

    def _in_order_of_ends(self, started):
        left, end = list(started), time.monotonic() + LOAD_PATIENCE_S
        while left:
            over = [one for one in left if has_ended(one[0].pid)]
            yield from over
            left = [one for one in left if one not in over]
            if left and time.monotonic() > end:
                raise Failed(f'{left[0][0].args[0]} took too long')
            time.sleep(0.005)

    def _end(self, started):
        """The output and the CPU seconds of what `_start` started."""
        child, output = started
        with output:
            cpu_s = self._children.wait(child, time.monotonic() + LOAD_PATIENCE_S)
            output.seek(0)
            text = output.read()
        os.unlink(output.name)
        self._log.write(text + '\n')
        self._log.flush()
        if child.returncode != 0:
            raise Failed(f'{child.args[0]} exited with {child.returncode}')
        return text, cpu_s


def has_ended(pid):
    """Whether it only waits to be asked for its exit code."""
    return processes.stat_of(pid)[0] == 'Z'
