"""What tests of a bad network share: the fault proxy, raw HTTP/2, and what a process holds."""

import collections
import os
import pathlib
import re
import socket
import struct
import subprocess
import time

from broker import PATIENCE_S, SANITIZED
from oracle import TESTS, pause

PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0, 1, 3, 4, 6, 7, 8, 9)
END_STREAM, END_HEADERS = 1, 4
LAZY_FILES = 3  # Of an event loop that a broker makes when it needs it first.
LAZY_THREADS = 6  # gRPC's and of the disk, made as they are needed and kept for a while.
# gRPC runs timers on as many threads as were ever busy with them at one moment, and keeps those: a
# hundred handshakes that time out together left 9. They wait for the next ones.
TIMER_THREADS = 16
TIMER_THREAD = 'grpc_global_tim'
# Files and folders that are there for a moment: written beside their place, on their way into the
# database, or on their way out.
TEMPORARY = ('*.new', '*.tmp', '*.dbtmp', '*.trash', 'backup.cut')
LAZY_DISK_MIB = 1  # What the log writes ahead of itself, and rows of who came and went.
EVENT_BYTES = 300  # On the disk, besides its payload: key, header, context, place in the index.


class FaultProxy:
    """A network to the port that fails as told (acta-fault-proxy says how)."""

    def __init__(self, port):
        self.process = subprocess.Popen([TESTS / 'acta-fault-proxy', str(port)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())
        self.address = f'127.0.0.1:{self.port}'

    def say(self, command):
        """In force when it returns."""
        self.process.stdin.write(command + '\n')
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        assert answer and answer != 'no such command', command
        return answer

    def close(self):
        self.process.communicate()


def until(condition, what, patience=PATIENCE_S):
    """The first true result of the condition."""
    began = time.monotonic()
    while True:
        found = condition()
        if found:
            return found
        waited = time.monotonic() - began
        if waited > patience:
            raise AssertionError(f'not within {patience} s: {what() if callable(what) else what}')
        time.sleep(pause(began))


def await_signal(pid, number):
    """Until a signal that was sent has come to the process: none of this number waits for it."""
    def has_come():
        status = pathlib.Path(f'/proc/{pid}/status').read_text()
        waiting = int(re.search(r'^ShdPnd:\s*(\w+)$', status, re.MULTILINE)[1], 16)
        return not waiting >> (number - 1) & 1
    until(has_come, f'signal {number} comes')


def thread_names(pid):
    """How many there are of each name."""
    names = collections.Counter()
    for task in pathlib.Path(f'/proc/{pid}/task').iterdir():
        try:
            names[(task / 'comm').read_text().strip()] += 1
        except (FileNotFoundError, ProcessLookupError):
            pass  # It ended meanwhile.
    return names


class Footprint:
    """What a process holds just now."""

    def __init__(self, pid):
        status = dict(line.split(':', 1) for line in
                      pathlib.Path(f'/proc/{pid}/status').read_text().splitlines())
        names = thread_names(pid)
        self.timer_threads = names.pop(TIMER_THREAD, 0)
        self.threads = sum(names.values())
        self.memory_mib = int(status['VmRSS'].split()[0]) / 1024
        kinds = list(self.descriptors(pid))
        self.sockets = sum(kind.startswith('socket:') for kind in kinds)
        # Those of the database come and go by themselves.
        self.files = sum('/db' not in kind for kind in kinds) - self.sockets
        data, = (pathlib.Path(kind).parent for kind in kinds if kind.endswith('/acta.lock'))
        self.disk_mib = disk_mib(data, written)
        self.stored_mib = 0  # Set by those who publish more than a MiB.
        self.temporary = [path.name for mark in TEMPORARY for path in data.rglob(mark)]

    @staticmethod
    def descriptors(pid):
        folder = f'/proc/{pid}/fd'
        for name in os.listdir(folder):
            try:
                yield os.readlink(f'{folder}/{name}')
            except FileNotFoundError:
                pass  # Closed meanwhile.

    def __str__(self):
        return (f'{self.threads} threads, {self.sockets} sockets, {self.files} files, '
                f'{self.memory_mib:.0f} MiB, {self.disk_mib:.1f} MiB of disk')


def stored_mib(status):
    """What `acta status` says was published since the broker started, as it lies on the disk."""
    bytes_ = int(status['bytesPublished']) + EVENT_BYTES * int(status['eventsPublished'])
    return bytes_ / (1 << 20)


def given_back(pid, before, extra_mib, stored=0):
    """Waits until a process holds no more than before; memory may stay with the allocator.

    The disk has what was published, which is `stored` MiB since the broker started: each byte is in
    the log that is written ahead, and in a table once it was flushed, which may come after `before`
    for what came before."""
    until(lambda: Footprint(pid).sockets <= before.sockets, 'sockets are closed')
    until(lambda: Footprint(pid).files <= before.files + LAZY_FILES, 'files are closed')
    until(lambda: Footprint(pid).threads <= before.threads + LAZY_THREADS,
          lambda: f'{before.threads} threads, now {dict(thread_names(pid))}')
    assert Footprint(pid).timer_threads <= TIMER_THREADS, thread_names(pid)
    until(lambda: not Footprint(pid).temporary, lambda: f'left: {Footprint(pid).temporary}')
    after = Footprint(pid)
    extra_mib += 512 if SANITIZED else 0  # What the sanitizer keeps of what was freed.
    print(f'{before}; then {after}', flush=True)
    assert after.memory_mib < before.memory_mib + extra_mib, f'{before}; then {after}'
    assert after.disk_mib < before.disk_mib - before.stored_mib + 2 * stored + LAZY_DISK_MIB, (
        f'{before}, {before.stored_mib:.1f} MiB published; then {after}, {stored:.1f} MiB')


def allocated(status):
    return status.st_blocks * 512


def written(status):
    """Without what the database allocates ahead of a log file, up to a whole one."""
    return status.st_size


def disk_mib(folder, taken=allocated):
    """What a folder takes of the disk."""
    total = 0
    for path in pathlib.Path(folder).rglob('*'):
        try:
            total += taken(path.lstat())
        except FileNotFoundError:
            pass  # Deleted meanwhile.
    return total / (1 << 20)


def frame(kind, flags, stream, payload=b''):
    return struct.pack('>I', len(payload))[1:] + struct.pack('>BBI', kind, flags, stream) + payload


def hpack(*fields):
    """Literal fields, neither indexed nor Huffman coded."""
    def text(value):
        length = len(value)
        if length < 127:
            return bytes([length]) + value
        length, out = length - 127, b'\x7f'
        while length >= 128:
            out += bytes([length % 128 + 128])
            length //= 128
        return out + bytes([length]) + value
    return b''.join(b'\0' + text(name.encode()) + text(value.encode()) for name, value in fields)


def call_headers(path, *more):
    return hpack((':method', 'POST'), (':scheme', 'http'), (':path', path),
                 (':authority', 'localhost'), ('te', 'trailers'),
                 ('content-type', 'application/grpc'), *more)


class RawHttp2:
    """A client that follows HTTP/2 no further than it likes."""

    def __init__(self, address, hello=True):
        host, port = address.rsplit(':', 1)
        self.socket = socket.create_connection((host, int(port)), timeout=PATIENCE_S)
        if hello:
            self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0))
        self.received = b''

    def flood(self, bytes_, times):
        """Sends it again and again and reads nothing. False: the server has closed or stopped to
        read before the end."""
        self.socket.settimeout(0.5)
        try:
            for _ in range(times):
                self.socket.sendall(bytes_)
        except OSError:
            return False
        finally:
            self.socket.settimeout(PATIENCE_S)
        return True

    def next_frame(self):
        """(kind, flags, stream, payload); None when the connection has ended."""
        while len(self.received) < 9 or len(self.received) < 9 + self.length():
            try:
                more = self.socket.recv(1 << 16)
            except ConnectionError:
                more = b''
            if not more:
                return None
            self.received += more
        length = self.length()
        kind, flags, stream = struct.unpack('>BBI', self.received[3:9])
        payload = self.received[9:9 + length]
        self.received = self.received[9 + length:]
        return kind, flags, stream, payload

    def length(self):
        return struct.unpack('>I', b'\0' + self.received[:3])[0]

    def frames(self):
        return iter(self.next_frame, None)

    def ended(self):
        """Whether the server closes in time, whatever it says before."""
        try:
            for _ in self.frames():
                pass
        except TimeoutError:
            return False
        return True

    def close(self):
        self.socket.close()
