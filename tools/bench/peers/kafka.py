"""Kafka: one node that is broker and controller, 16 partitions, no replication."""

import random
import string

from peers import install, parse, processes

CONFIG = """process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{1}
listeners=PLAINTEXT://127.0.0.1:{0},CONTROLLER://127.0.0.1:{1}
advertised.listeners=PLAINTEXT://127.0.0.1:{0},CONTROLLER://127.0.0.1:{1}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={2}/logs
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
"""
JAVA = ['java', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-Xms1g', '-Xmx1g']
# The best of what was tried for each class and size: linger, batch, memory of the producer.
PRODUCER = {('os', 100): (5, 128 << 10, 32 << 20), ('os', 1024): (5, 128 << 10, 32 << 20),
            ('fsync', 100): (10, 512 << 10, 32 << 20), ('fsync', 1024): (20, 1000000, 64 << 20)}
# About what it does a second: publish alone, and with a consumer.
RATES = {('os', 100): (1_000_000, 600_000), ('os', 1024): (450_000, 200_000),
         ('fsync', 100): (800_000, 450_000), ('fsync', 1024): (270_000, 120_000)}
TOPICS = ('warm', 'p100', 'p1024', 'c100', 'c1024', 'flight', 'paced')
# A young JVM gives half: before anything counts the broker gets this much a second of a load,
# twice, and each load, whose client is a new one, is longer than others'.
WARM_UP_RATE = 700_000
LONGER = 1.75


class Kafka:
    name = 'kafka'
    levels = ('os', 'fsync')

    def __init__(self, installed):
        self._broker, self._tools = installed.kafka()
        version, tools = (one.rpartition(':')[2] for one in (install.KAFKA, install.KAFKA_TOOLS))
        self.version = f'{version}, load tools {tools}'

    def measure(self, bed, level):
        with bed.folder(f'kafka-{level}') as folder:
            return Session(self._broker, self._tools, bed, level, folder).run()


class Session:
    """One broker of one class, from its start to its end."""

    def __init__(self, broker, tools, bed, level, folder):
        self._bed, self._level, self._folder = bed, level, folder
        self._tools = [*JAVA, '-XX:+UseParallelGC', '-cp', tools]
        client, controller = processes.free_ports(2)
        self._address = f'127.0.0.1:{client}'
        config = folder / 'server.properties'
        config.write_text(CONFIG.format(client, controller, folder))
        java = [*JAVA, '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20',
                '-XX:InitiatingHeapOccupancyPercent=35', '-cp', broker]
        bed.serve([*java, 'kafka.Kafka', config], [client], prepare=[
            [*java, 'kafka.tools.StorageTool', 'format', '--standalone', '-t',
             'AAAAAAAAAAAAAAAAAAAAAQ', '-c', config]])
        flush = 1 if level == 'fsync' else 0
        bed.call(self._own('topics', flush, *TOPICS))
        for size in (100, 1024):
            lines = (''.join(random.choices(string.ascii_letters, k=size)) for _ in range(100))
            (folder / f'payload{size}').write_text('\n'.join(lines) + '\n')

    def run(self):
        bed = self._bed
        warm_up = int(WARM_UP_RATE * bed.seconds)
        for _ in range(2):
            bed.load(self._producer('warm', 100, warm_up))
        bed.load(self._consumer('warm', 2 * warm_up))
        figures = []
        for size, suffix in ((100, '_100'), (1024, '_1k')):
            figures += self._throughput(size, suffix)
        figures += self._latency('in_flight', self._own('latency', 'flight', 100,
                                                        int(800 * bed.seconds)))
        figures += self._latency('end_to_end', self._own('paced', 'paced', 100, 20_000,
                                                         2 * bed.seconds))
        return [*figures, bed.peak_rss('Kafka', self._level)]

    def _throughput(self, size, suffix):
        """Publish, read that, publish with a consumer."""
        bed, level = self._bed, self._level
        alone, both = (int(rate * LONGER * bed.seconds) for rate in RATES[level, size])
        scale = 1 if size == 100 else size / 1e6
        load = bed.load(self._producer(f'p{size}', size, alone))
        rate = parse.kafka_producer(load.outputs[0])
        yield bed.figure('Kafka', level, 'publish' + suffix, rate * scale, load, alone)
        if size == 100:
            disk = load.server.written_bytes / alone / size
            yield bed.figure('Kafka', level, 'disk', disk, load, alone)
        if level == 'os':
            load = bed.load(self._consumer(f'p{size}', alone))
            rate = parse.kafka_consumer(load.outputs[0])
            yield bed.figure('Kafka', level, 'catch_up' + suffix, rate * size / 1e6, load, alone)
        load = bed.load(self._consumer(f'c{size}', both), self._producer(f'c{size}', size, both),
                        delay_s=1.5)
        rate = parse.slower(parse.kafka_producer(load.outputs[1]), both,
                            load.ends[0] - load.ends[1])
        yield bed.figure('Kafka', level, 'consume' + suffix, rate * scale, load, both)

    def _latency(self, measure, command):
        load = self._bed.load(command)
        found = parse.own(load.outputs[0])
        return self._bed.percentiles('Kafka', self._level, measure, found['p50_us'],
                                     found['p99_us'], load, found['events'])

    def _own(self, mode, *words):
        return [*self._tools, 'KafkaLoad', mode, self._address, *words]

    def _producer(self, topic, size, events):
        linger, batch, memory = PRODUCER[self._level, size]
        return [*self._tools, 'org.apache.kafka.tools.ProducerPerformance',
                '--bootstrap-server', self._address, '--topic', topic, '--num-records', events,
                '--payload-file', self._folder / f'payload{size}', '--throughput', -1,
                '--warmup-records', events // 5, '--command-property', 'acks=all',
                'compression.type=none', f'linger.ms={linger}', f'batch.size={batch}',
                f'buffer.memory={memory}']

    def _consumer(self, topic, events):
        return [*self._tools, 'org.apache.kafka.tools.ConsumerPerformance',
                '--bootstrap-server', self._address, '--topic', topic, '--num-records', events,
                '--timeout', 20_000, '--command-property', 'max.poll.records=5000']
