"""Figures of runs, their medians and ranges, and tables. Pure: no files, no processes."""

import statistics
from typing import NamedTuple, Optional

LEVELS = {
    'os': 'OS: acknowledged when the kernel has it; a power cut loses events',
    'fsync': 'FSYNC: acknowledged after the disk has it',
}
PEERS = ('Acta LOG', 'Acta FULL', 'RabbitMQ packed', 'RabbitMQ single', 'RabbitMQ quorum', 'Kafka',
         'NATS', 'Redis')
# Percent of the machine that other programs took: from there on a run is called noisy.
NOISY_PERCENT = 8


class Figure(NamedTuple):
    """One value of one run. CPU: seconds a million events, of all the run, where known."""
    peer: str
    level: str
    measure: str
    value: float
    server_cpu: Optional[float] = None
    client_cpu: Optional[float] = None
    foreign_percent: float = 0
    note: str = ''  # How it differs from the others of its row.


class Row(NamedTuple):
    """One line of the table: the `attribute` of the figures of `measure`."""
    measure: str
    text: str
    unit: str
    lower_is_better: bool = False
    attribute: str = 'value'
    # The row of which a peer's figure counts when it has none of its own here.
    like: str = ''


ROWS = (
    Row('publish_100', 'publish, 100 B', 'events/s'),
    Row('publish_1k', 'publish, 1 KiB', 'MB/s'),
    Row('consume_100', 'publish + one consumer, 100 B', 'events/s'),
    Row('sdk_100', 'the same, each event built and parsed', 'events/s', like='consume_100'),
    Row('consume_1k', 'publish + one consumer, 1 KiB', 'MB/s'),
    Row('catch_up_100', 'catch-up, 100 B', 'MB/s'),
    Row('catch_up_1k', 'catch-up, 1 KiB', 'MB/s'),
    Row('in_flight', 'one in flight, p50', 'ms', True),
    Row('in_flight_p99', 'one in flight, p99', 'ms', True),
    Row('end_to_end', 'end to end at 20,000/s, p50', 'ms', True),
    Row('end_to_end_p99', 'end to end at 20,000/s, p99', 'ms', True),
    Row('consume_100', 'server CPU, publish + consumer, 100 B', 's/M', True, 'server_cpu'),
    Row('consume_100', 'client CPU, the same', 's/M', True, 'client_cpu'),
    Row('acks_1', 'queue, each event acked, one member', 'events/s'),
    Row('acks_8', 'the same, eight members', 'events/s'),
    Row('acks_8', 'server CPU of that', 's/M', True, 'server_cpu'),
    Row('acks_8', 'client CPU of that', 's/M', True, 'client_cpu'),
    Row('disk', 'written to disk per byte of 100 B', 'B/B', True),
    Row('rss', 'largest RSS of the server', 'MiB', True),
)


class Spread(NamedTuple):
    """Of several runs."""
    median: float
    least: float
    most: float
    runs: int
    noisy: int
    note: str


def spread_of(figures, peer, level, measure, attribute='value'):
    """None when no run gave it."""
    chosen = [one for one in figures
              if (one.peer, one.level, one.measure) == (peer, level, measure)
              and getattr(one, attribute) is not None]
    if not chosen:
        return None
    values = [getattr(one, attribute) for one in chosen]
    noisy = sum(one.foreign_percent >= NOISY_PERCENT for one in chosen)
    return Spread(statistics.median(values), min(values), max(values), len(values), noisy,
                  chosen[0].note)


def short(value):
    """Three digits and a unit: 4.01 M, 286 k, 0.613."""
    for scale, name in ((1e6, ' M'), (1e4, ' k')):
        if abs(value) >= scale:
            return f'{value / (1e6 if scale == 1e6 else 1e3):.3g}{name}'
    return f'{value:.0f}' if abs(value) >= 100 else f'{value:.3g}'


def cell(spread):
    """The median, its range when there were several runs, and what is odd about it."""
    if spread is None:
        return '-'
    text = short(spread.median)
    if spread.runs > 1:
        text += f' [{short(spread.least)}-{short(spread.most)}]'
    text += f' ({spread.note})' if spread.note else ''
    return text + (f' ({spread.noisy} noisy)' if spread.noisy else '')


def spread_in_row(figures, row, peer, level):
    own = spread_of(figures, peer, level, row.measure, row.attribute)
    if own is None and row.like and not peer.startswith('Acta'):
        return spread_of(figures, peer, level, row.like, row.attribute)
    return own


def table(figures, level):
    """Lines of cells, the head first; only peers and rows that have figures."""
    there = [peer for peer in PEERS
             if any((one.peer, one.level) == (peer, level) for one in figures)]
    lines = [['', 'unit', *there]]
    for row in ROWS:
        if any(one.level == level and one.measure == row.measure for one in figures):
            cells = [cell(spread_in_row(figures, row, peer, level)) for peer in there]
            lines.append([row.text, row.unit, *cells])
    return lines


def aligned(lines):
    widths = [max(map(len, column)) for column in zip(*lines)]
    return '\n'.join('  '.join(text.ljust(width) for text, width in zip(line, widths)).rstrip()
                     for line in lines)


def markdown(lines):
    ruler = ['---', '---', *['--:'] * (len(lines[0]) - 2)]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in [lines[0], ruler, *lines[1:]])


def tsv(figures):
    """One line for each class, row and peer."""
    lines = ['class\tmeasure\tunit\tpeer\tmedian\tleast\tmost\truns\tnoisy\tnote']
    for level in LEVELS:
        for row in ROWS:
            for peer in PEERS:
                spread = spread_of(figures, peer, level, row.measure, row.attribute)
                if spread:
                    name = row.measure if row.attribute == 'value' else row.attribute
                    numbers = [f'{number:.6g}' for number in spread[:3]]
                    lines.append('\t'.join([level, name, row.unit, peer, *numbers,
                                            str(spread.runs), str(spread.noisy), spread.note]))
    return '\n'.join(lines)


def behind(figures, acta):
    """Sentences: each row in which some peer's median is better than that of `acta`. A figure that
    was taken in another way than the row says (it has a note) does not count."""
    found = []
    for level in LEVELS:
        for row in ROWS:
            own = spread_in_row(figures, row, acta, level)
            others = {peer: spread_in_row(figures, row, peer, level)
                      for peer in PEERS if not peer.startswith('Acta')}
            others = {peer: one for peer, one in others.items() if one and not one.note}
            if own is None or not others:
                continue
            choose = min if row.lower_is_better else max
            best = choose(others, key=lambda peer: others[peer].median)
            if choose(own.median, others[best].median) != own.median:
                found.append(f'{level}: {row.text}: {short(own.median)} against '
                             f'{short(others[best].median)} {row.unit} of {best}')
    return found
