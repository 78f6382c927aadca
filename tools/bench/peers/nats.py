"""NATS JetStream: one stream on files, no replication."""

import os

from peers import install, parse, processes

CONFIG = """listen: "127.0.0.1:{0}"
jetstream {{
  store_dir: "{1}/store"
  max_file_store: 40GB
  max_memory_store: 1GB
  {2}
}}
"""
# The fastest way to publish in each class.
KIND = {'os': ('fast', '--batch', 1000, '--max-outstanding-acks', 3),
        'fsync': ('atomic', '--batch', 1000)}
RATES = {('os', 100): (280_000, 150_000), ('os', 1024): (180_000, 100_000),
         ('fsync', 100): (110_000, 80_000), ('fsync', 1024): (80_000, 50_000)}
PACED = {'os': 20_000, 'fsync': 2_000}  # Event by event it cannot do more with a sync each.


class Nats:
    name = 'nats'
    levels = ('os', 'fsync')

    def __init__(self, installed):
        self._programs = installed.nats()
        self._own = installed.go_load()
        self.version = install.NATS_SERVER.rpartition('@v')[2]

    def measure(self, bed, level):
        with bed.folder(f'nats-{level}') as folder:
            port, = processes.free_ports(1)
            sync = 'sync_interval: always' if level == 'fsync' else ''
            config = folder / 'nats.conf'
            config.write_text(CONFIG.format(port, folder, sync))
            bed.serve([self._programs / 'nats-server', '-c', config], [port])
            session = Session(self._programs / 'nats', f'127.0.0.1:{port}', bed, level, folder)
            figures = []
            for size, suffix in ((100, '_100'), (1024, '_1k')):
                figures += session.throughput(size, suffix)
            figures += session.in_flight()
            figures += session.paced(self._own)
            if level == 'fsync':
                for members in (1, 8):
                    figures.append(session.acks(members))
            return [*figures, bed.peak_rss('NATS', level)]


class Session:
    """The load on one server."""

    def __init__(self, tool, address, bed, level, folder):
        self._tool, self._address = tool, address
        self._bed, self._level = bed, level
        self._env = {**os.environ, 'HOME': str(folder), 'XDG_CONFIG_HOME': str(folder),
                     'NO_COLOR': '1', 'TERM': 'dumb'}

    def throughput(self, size, suffix):
        bed, level = self._bed, self._level
        alone, both = (int(rate * bed.seconds) for rate in RATES[level, size])
        scale = 1 if size == 100 else size / 1e6
        load = self._load(self._publish(KIND[level], f'p{size}', size, alone))
        rate = parse.nats(load.outputs[0])
        yield bed.figure('NATS', level, 'publish' + suffix, rate * scale, load, alone)
        if size == 100:
            disk = load.server.written_bytes / alone / size
            yield bed.figure('NATS', level, 'disk', disk, load, alone)
        if level == 'os':
            load = self._load(self._read(f'p{size}', size, alone))
            rate = parse.nats(load.outputs[0])
            yield bed.figure('NATS', level, 'catch_up' + suffix, rate * size / 1e6, load, alone)
        load = self._load(self._publish(KIND[level], f'c{size}', size, both),
                          self._read(f'c{size}', size, both), delay_s=0.25)
        rate = parse.slower(parse.nats(load.outputs[0]), both, load.ends[1] - load.ends[0])
        yield bed.figure('NATS', level, 'consume' + suffix, rate * scale, load, both)

    def acks(self, members):
        """Of a backlog by a pull consumer; each message is acked by itself."""
        events = int(170_000 * self._bed.seconds) // members * members
        stream = f'q{members}'
        self._load(self._publish(KIND[self._level], stream, 100, events))
        load = self._load(self._bench('fetch', '--stream', stream, '--msgs', events, '--size',
                                      '100B', '--batch', 500, '--acks', 'explicit', '--clients',
                                      members))
        return self._bed.figure('NATS', self._level, f'acks_{members}',
                                parse.nats(load.outputs[0]), load, events)

    def in_flight(self):
        events = int((4_000 if self._level == 'os' else 1_500) * self._bed.seconds)
        load = self._load(self._publish(('sync',), 'flight', 100, events))
        p50, p99 = (parse.nats_micros(number, load.outputs[0]) for number in (50, 99))
        return self._bed.percentiles('NATS', self._level, 'in_flight', p50, p99, load, events)

    def paced(self, tool):
        rate = PACED[self._level]
        load = self._load([tool, 'nats-paced', self._address, 'paced', 100, rate,
                           self._bed.seconds])
        found = parse.own(load.outputs[0])
        return self._bed.percentiles('NATS', self._level, 'end_to_end', found['p50_us'],
                                     found['p99_us'], load, found['events'],
                                     '' if rate == 20_000 else f'at {rate:,}/s')

    def _load(self, *commands, delay_s=0.0):
        return self._bed.load(*commands, env=self._env, delay_s=delay_s)

    def _bench(self, *words):
        return [self._tool, '-s', f'nats://{self._address}', 'bench', 'js', *words,
                '--no-progress']

    def _publish(self, kind, stream, size, events):
        return self._bench('pub', kind[0], f'{stream}.x', '--stream', stream, '--create',
                           '--storage', 'file', '--maxbytes', '4GB', '--msgs', events,
                           '--size', f'{size}B', *kind[1:])

    def _read(self, stream, size, events):
        return self._bench('ordered', '--stream', stream, '--msgs', events,
                           '--size', f'{size}B', '--batch', 1000)
