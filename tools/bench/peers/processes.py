"""Servers and load tools as child processes: what they use, and that none outlives the run."""

import contextlib
import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import time
from typing import NamedTuple

TICKS = os.sysconf('SC_CLK_TCK')
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
PROC = pathlib.Path('/proc')
LIBC = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """A server or a load tool did not do what it had to; the text names its log."""


class Use(NamedTuple):
    """What a process and its descendants have used since their start."""
    cpu_s: float
    peak_rss_mib: float
    written_bytes: int


def parents():
    """The parent of each process."""
    found = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                found[int(entry.name)] = int(stat_of(int(entry.name))[1])
    return found


def stat_of(pid):
    """Fields of /proc/PID/stat from the state on: [1] parent, [11] and [12] CPU ticks."""
    return (PROC / str(pid) / 'stat').read_text().rpartition(')')[2].split()


def descendants(root, parent_of=None):
    """All processes below `root`, without itself."""
    parent_of = parent_of or parents()
    found = [pid for pid, parent in parent_of.items() if parent == root]
    return found + [pid for child in found for pid in descendants(child, parent_of)]


def use_of(root):
    cpu_s, rss_kib, written = 0.0, 0, 0
    for pid in [root, *descendants(root)]:
        with contextlib.suppress(OSError):
            stat = stat_of(pid)
            cpu_s += (int(stat[11]) + int(stat[12])) / TICKS
            rss_kib += field(pid, 'status', 'VmHWM:')
            written += field(pid, 'io', 'write_bytes:')
    return Use(cpu_s, rss_kib / 1024, written)


def field(pid, file, name):
    for line in (PROC / str(pid) / file).read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0


def machine_cpu_s():
    """CPU seconds that the whole machine has used: user, nice, system, interrupts."""
    ticks = [int(word) for word in (PROC / 'stat').read_text().split('\n')[0].split()[1:]]
    return (sum(ticks[:3]) + ticks[5] + ticks[6]) / TICKS


def free_ports(count):
    """Different ports of the loopback device that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(('127.0.0.1', 0))
        return [one.getsockname()[1] for one in sockets]


class Children:
    """Starts programs and ends them by their number, however this process ends."""

    def __init__(self):
        # What a child leaves behind (a daemon it made) becomes our own child.
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)
        self._running = []

    def start(self, command, log, env=None, cwd=None):
        """`log`: an open file that takes all of its output."""
        def prepare():
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

        child = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                 stdout=log, stderr=subprocess.STDOUT, env=env, cwd=cwd,
                                 start_new_session=True, preexec_fn=prepare)
        self._running.append(child)
        return child

    def wait(self, child, deadline):
        """The CPU seconds of the child and of what it waited for; Failed when it takes longer."""
        while True:
            pid, status, used = os.wait4(child.pid, os.WNOHANG)
            if pid:
                child.returncode = os.waitstatus_to_exitcode(status)
                self._running.remove(child)
                return used.ru_utime + used.ru_stime
            if time.monotonic() > deadline:
                self.end(child)
                raise Failed(f'{child.args[0]} took too long and was ended')
            time.sleep(0.005)

    def end(self, child, patience_s=30):
        """Asks it to end, then makes it and all below it end."""
        below = descendants(child.pid)
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(patience_s)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if child in self._running:
            self._running.remove(child)
        ours = set(descendants(os.getpid()))
        for pid in ours.intersection(below):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def end_all(self):
        """The latest first: loads before the server that they load."""
        for child in reversed(self._running.copy()):
            self.end(child)
        for pid in descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, 0)[0]:
                pass


def await_port(child, port, patience_s=60):
    """Until the server listens. Failed when it ends or does not within the time."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if child.poll() is not None:
            raise Failed(f'the server ended with {child.returncode}')
        with contextlib.suppress(OSError):
            socket.create_connection(('127.0.0.1', port), 1).close()
            return
        time.sleep(0.1)
    raise Failed('the server does not listen')
