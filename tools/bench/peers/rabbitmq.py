"""RabbitMQ: one stream, which is never synced, so there is only the class OS of it; and a quorum
queue on one node, whose write-ahead log is synced."""

import os

from peers import parse, processes

HOME = '/usr/lib/rabbitmq/lib'
KINDS = {'RabbitMQ packed': 100, 'RabbitMQ single': 1}  # Events in one entry.
CONFIG = """listeners.tcp.1 = 127.0.0.1:{0}
stream.listeners.tcp.1 = 127.0.0.1:{1}
stream.advertised_host = 127.0.0.1
stream.advertised_port = {1}
log.console = true
log.console.level = error
disk_free_limit.absolute = 1GB
"""
# Debian's own knows only /usr/lib/erlang.
ERL = """#!/bin/sh
export ROOTDIR={0} BINDIR=$(echo {0}/erts-*/bin) EMU=beam PROGNAME=erl
exec "$BINDIR/erlexec" "$@"
"""


class RabbitMq:
    name = 'rabbitmq'
    levels = ('os', 'fsync')

    def __init__(self, installed):
        self._root = installed.debian('/usr/sbin/rabbitmq-server', 'rabbitmq-server')
        self._server = next((self._root / HOME.lstrip('/')).glob('rabbitmq_server-*'))
        self._client = installed.streams_client()
        self._queues = installed.queues_tool()
        self.version = self._server.name.partition('-')[2]

    def measure(self, bed, level):
        return self._queue(bed, level) if level == 'fsync' else self._streams(bed, level)

    def _streams(self, bed, level):
        with bed.folder(f'rabbitmq-{level}') as folder:
            _, port = self._serve(bed, folder)
            self._load(bed, port, 'consume', 'warm', 100, 100, 1, bed.seconds)  # The server's JIT.
            figures = []
            for peer, pack in KINDS.items():
                for size, suffix in ((100, '_100'), (1024, '_1k')):
                    figures += self._throughput(bed, port, peer, level, size, suffix, pack)
            figures += self._latencies(bed, port, level)
            rss = bed.peak_rss('RabbitMQ single', level)
            return [*figures, rss, rss._replace(peer='RabbitMQ packed')]

    def _serve(self, bed, folder):
        """Its ports. The server keeps everything that it writes in the folder."""
        amqp, streams, names, nodes = processes.free_ports(4)
        (folder / 'plugins').write_text('[rabbitmq_stream].\n')
        (folder / 'rabbitmq.conf').write_text(CONFIG.format(amqp, streams))
        erlang = self._root / 'usr/lib/erlang'
        erl = folder / 'bin/erl'
        erl.parent.mkdir()
        erl.write_text(ERL.format(erlang))
        erl.chmod(0o755)
        paths = [erl.parent, erlang / 'bin', self._root / 'usr/bin', os.environ['PATH']]
        env = {
            **os.environ, 'PATH': ':'.join(map(str, paths)), 'HOME': str(folder),
            'RUNNING_UNDER_SYSTEMD': '1',  # The script becomes the server.
            'ERL_EPMD_PORT': str(names), 'ERL_EPMD_ADDRESS': '127.0.0.1',
            'RABBITMQ_DIST_PORT': str(nodes), 'RABBITMQ_NODENAME': 'peer@localhost',
            'RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS':
                '-kernel inet_dist_use_interface {127,0,0,1}',
            'RABBITMQ_CONF_ENV_FILE': str(folder / 'none'),
            'RABBITMQ_CONFIG_FILE': str(folder / 'rabbitmq.conf'),
            'RABBITMQ_ENABLED_PLUGINS_FILE': str(folder / 'plugins'),
            'RABBITMQ_MNESIA_BASE': str(folder / 'data'),
            'RABBITMQ_LOG_BASE': str(folder / 'log'), 'RABBITMQ_PID_FILE': str(folder / 'pid'),
        }
        bed.beside([erlang / 'bin/epmd'], names, env)  # The name service: it would make a daemon.
        bed.serve([self._server / 'sbin/rabbitmq-server'], [streams], env, folder)
        return amqp, streams

    def _queue(self, bed, level):
        """Of a backlog; each message is acked by itself."""
        with bed.folder(f'rabbitmq-{level}') as folder:
            port, _ = self._serve(bed, folder)
            figures = []
            for members in (1, 8):
                seconds = max(1, round(bed.seconds))
                # More than it can take: who stops at a number keeps what it had fetched ahead.
                self._perf(bed, port, members, '-x', 1, '-y', 0, '-c', 2000, '-C',
                           60_000 * seconds)
                load = self._perf(bed, port, members, '-x', 0, '-y', members, '-q', 500, '-z',
                                  seconds)
                rate = parse.perf_test(load.outputs[0])
                figures.append(bed.figure('RabbitMQ quorum', level, f'acks_{members}', rate, load,
                                          rate * seconds))
            return [*figures, bed.peak_rss('RabbitMQ quorum', level)]

    def _perf(self, bed, port, queue, *words):
        return bed.load(['java', '-Xmx1g', '-cp', self._queues, 'com.rabbitmq.perf.PerfTest',
                         '--uri', f'amqp://guest:guest@127.0.0.1:{port}', '--quorum-queue',
                         '--queue', f'q{queue}', '-s', 100, *words])

    def _throughput(self, bed, port, peer, level, size, suffix, pack):
        scale = 1 if size == 100 else size / 1e6
        times = (max(1, bed.seconds / 2), bed.seconds)
        stream = f'p{size}-{pack}'
        load, published = self._load(bed, port, 'publish', stream, size, pack, *times)
        yield bed.figure(peer, level, 'publish' + suffix, published['per_second'] * scale, load,
                         published['events'])
        if size == 100:
            disk = load.server.written_bytes / published['events'] / size
            yield bed.figure(peer, level, 'disk', disk, load, published['events'])
        # As much of it as it wrote in the time of one load.
        some = int(min(published['events'], published['per_second'] * bed.seconds))
        load, read = self._load(bed, port, 'read', stream, some)
        yield bed.figure(peer, level, 'catch_up' + suffix, read['per_second'] * size / 1e6, load,
                         read['events'])
        load, both = self._load(bed, port, 'consume', f'c{size}-{pack}', size, pack, *times)
        yield bed.figure(peer, level, 'consume' + suffix, both['per_second'] * scale, load,
                         both['events'])

    def _latencies(self, bed, port, level):
        """Packing has no use for single events."""
        for measure, words in (('in_flight', ('latency', 'flight', 100, int(800 * bed.seconds))),
                               ('end_to_end', ('paced', 'paced', 100, 20_000, 2 * bed.seconds))):
            load, found = self._load(bed, port, *words)
            yield from bed.percentiles('RabbitMQ single', level, measure, found['p50_us'],
                                       found['p99_us'], load, found['events'])

    def _load(self, bed, port, mode, *words):
        load = bed.load(['java', '-Xmx1g', '-XX:+UseParallelGC',
                         '-Dorg.slf4j.simpleLogger.defaultLogLevel=error', '-cp', self._client,
                         'StreamLoad', mode, port, *words])
        return load, parse.own(load.outputs[0])
