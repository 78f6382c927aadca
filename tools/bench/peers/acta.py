"""Acta, by its own load generator, which starts a fresh broker for each of its measures."""

import json
import os
import pathlib

from peers.figures import Figure
from peers.install import Missing

PROGRAMS = pathlib.Path(os.environ.get(
    'ACTA_BIN', pathlib.Path(__file__).resolve().parents[3] / 'build/release/bin'))
PROFILES = {'log': 'Acta LOG', 'full': 'Acta FULL'}
THROUGHPUTS = {'publish': 'publish_100', 'publish_1k': 'publish_1k',
               'publish_consume': 'consume_100', 'sdk': 'sdk_100',
               'publish_consume_1k': 'consume_1k'}
LATENCIES = {'stream': 'in_flight', 'end_to_end': 'end_to_end'}
# The log is read twice after a restart; the second time it is in the page cache, as the peers' is.
# Acks are durable always.
QUEUES = {'queue_runs_1': 'acks_1', 'queue_runs_8': 'acks_8'}
CATCH_UPS = {'catch_up_cold': 'catch_up_100', 'catch_up_1k_cold': 'catch_up_1k'}


def measures_of(level):
    """Which measure of acta-bench is whose row: {name: (peer, measure, p99 measure or '')}."""
    found = {}
    for profile, peer in PROFILES.items():
        for name, measure in THROUGHPUTS.items():
            found[f'{name}_{level}_{profile}'] = (peer, measure, '')
        for name, measure in LATENCIES.items():
            suffix = '_full' if profile == 'full' else ''
            found[f'{name}_{level}{suffix}'] = (peer, measure, measure + '_p99')
    if level == 'fsync':
        found.update({f'{name}_fsync': ('Acta LOG', measure, '')
                      for name, measure in QUEUES.items()})
    if level == 'os':
        found.update({name: ('Acta LOG', measure, '') for name, measure in CATCH_UPS.items()})
    return found


def figures_of(level, report, foreign_percent=0):
    """Of what acta-bench reports as JSON."""
    rows = {row['measure']: row for row in report['rows']}
    figures = []
    for name, (peer, measure, p99) in measures_of(level).items():
        row = rows[name + '.again' if name in CATCH_UPS else name]
        figures.append(Figure(peer, level, measure, row['value'],
                              row['broker_cpu_s_per_million'], row['client_cpu_s_per_million'],
                              foreign_percent))
        if p99:
            figures.append(Figure(peer, level, p99, rows[name + '.p99']['value']))
    for profile, peer in PROFILES.items():
        main = f'_{level}_{profile}'
        figures.append(Figure(peer, level, 'disk',
                              rows[f'publish{main}.disk_bytes_per_byte']['value']))
        rss = [row['value'] for key, row in rows.items() if key.endswith(main + '.rss')]
        figures.append(Figure(peer, level, 'rss', max(rss)))
    return figures


class Acta:
    name = 'acta'
    levels = ('os', 'fsync')

    def __init__(self, installed):
        del installed
        for program in ('actad', 'acta-bench', 'acta-bench-limits'):
            if not (PROGRAMS / program).exists():
                raise Missing(f'acta: {PROGRAMS / program} is not built')
        self.version = 'of this tree'

    def measure(self, bed, level):
        with bed.folder(f'acta-{level}') as folder:
            report = folder / 'report.json'
            # --short: only for its smaller log of the catch-up.
            load = bed.load([PROGRAMS / 'acta-bench', '--runs', 1, '--no-limits', '--short',
                             '--seconds', bed.seconds, '--warm-up', max(1, bed.seconds / 3),
                             '--dir', folder, '--json', report,
                             '--only', ','.join(measures_of(level))])
            return figures_of(level, json.loads(report.read_text()), load.foreign_percent)


def limits(bed):
    """What the machine does without any broker: [(name, value, unit)]."""
    with bed.folder('limits') as folder:
        load = bed.load([PROGRAMS / 'acta-bench-limits', '--dir', folder, '--seconds', 0.5,
                         '-o', 'json'])
    return [(row['measure'], row['value'], row['unit'])
            for row in json.loads(load.outputs[0])['rows']]
