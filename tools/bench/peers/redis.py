"""Redis Streams: one stream in memory, with an append-only file."""

import os
import subprocess

from peers import parse, processes

CONNECTIONS, PIPELINE = 8, 64
RATES = {('os', 100): (600_000, 430_000), ('os', 1024): (200_000, 180_000),
         ('fsync', 100): (320_000, 200_000), ('fsync', 1024): (130_000, 90_000)}
# Not `everysec`: while it syncs, it answers up to two seconds before the kernel has the event.
POLICY = {'os': 'no', 'fsync': 'always'}


class Redis:
    name = 'redis'
    levels = ('os', 'fsync')

    def __init__(self, installed):
        root = installed.debian('/usr/bin/redis-server', 'redis-server')
        self._programs = root / 'usr/bin'
        self._env = {**os.environ, 'LD_LIBRARY_PATH': str(root / 'usr/lib/x86_64-linux-gnu')}
        if root == root.parent:
            self._env = dict(os.environ)
        self._own = installed.go_load()
        told = subprocess.run([self._programs / 'redis-server', '--version'], env=self._env,
                              capture_output=True, text=True)
        self.version = told.stdout.partition('v=')[2].split(' ')[0] or 'of Debian'

    def measure(self, bed, level):
        with bed.folder(f'redis-{level}') as folder:
            port, = processes.free_ports(1)
            bed.serve([self._programs / 'redis-server', '--bind', '127.0.0.1', '--port', port,
                       '--save', '', '--appendonly', 'yes', '--appendfsync', POLICY[level],
                       '--auto-aof-rewrite-percentage', 0, '--dir', folder], [port], self._env)
            figures = []
            for size, suffix in ((100, '_100'), (1024, '_1k')):
                figures += self._throughput(bed, port, level, size, suffix)
            figures += self._latencies(bed, port, level)
            return [*figures, bed.peak_rss('Redis', level)]

    def _throughput(self, bed, port, level, size, suffix):
        alone, both = (int(rate * bed.seconds) for rate in RATES[level, size])
        scale = 1 if size == 100 else size / 1e6
        load = self._load(bed, self._bench(port, 's', size, alone))
        rate = parse.redis(load.outputs[0])
        yield bed.figure('Redis', level, 'publish' + suffix, rate * scale, load, alone)
        if size == 100:
            disk = load.server.written_bytes / alone / size
            yield bed.figure('Redis', level, 'disk', disk, load, alone)
        if level == 'os':
            load = self._load(bed, self._read(port, 's', alone))
            rate = parse.own(load.outputs[0])['per_second']
            yield bed.figure('Redis', level, 'catch_up' + suffix, rate * size / 1e6, load, alone)
        self._forget(bed, port, 's')
        load = self._load(bed, self._read(port, 'c', both), self._bench(port, 'c', size, both),
                          delay_s=0.25)
        rate = parse.slower(parse.redis(load.outputs[1]), both, load.ends[0] - load.ends[1])
        yield bed.figure('Redis', level, 'consume' + suffix, rate * scale, load, both)
        self._forget(bed, port, 'c')

    def _latencies(self, bed, port, level):
        events = int((8_000 if level == 'os' else 3_000) * bed.seconds)
        load = self._load(bed, self._bench(port, 'flight', 100, events, 1, 1))
        p50, p99 = (parse.redis_micros(name, load.outputs[0]) for name in ('p50', 'p99'))
        yield from bed.percentiles('Redis', level, 'in_flight', p50, p99, load, events)
        load = self._load(bed, [self._own, 'redis-paced', f'127.0.0.1:{port}', 'paced', 100,
                                20_000, bed.seconds])
        found = parse.own(load.outputs[0])
        yield from bed.percentiles('Redis', level, 'end_to_end', found['p50_us'],
                                   found['p99_us'], load, found['events'])

    def _load(self, bed, *commands, delay_s=0.0):
        return bed.load(*commands, env=self._env, delay_s=delay_s)

    def _forget(self, bed, port, stream):
        """Its memory is free for the next."""
        bed.call([self._programs / 'redis-cli', '-p', port, 'DEL', stream], self._env)

    def _bench(self, port, stream, size, events, connections=CONNECTIONS, pipeline=PIPELINE):
        return [self._programs / 'redis-benchmark', '-p', port, '-n', events, '-c', connections,
                '-P', pipeline, 'XADD', stream, '*', 'f', 'x' * size]

    def _read(self, port, stream, events):
        return [self._own, 'redis-read', f'127.0.0.1:{port}', stream, events]
