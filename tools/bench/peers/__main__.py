"""Acta beside Kafka, NATS, Redis and RabbitMQ, by turns in one run on one machine."""

import argparse
import json
import os
import pathlib
import shutil
import signal
import sys
import time

from peers import acta, figures
from peers.acta import Acta
from peers.bed import Bed
from peers.figures import Figure
from peers.install import Installed, Missing
from peers.kafka import Kafka
from peers.nats import Nats
from peers.processes import Children, Failed
from peers.rabbitmq import RabbitMq
from peers.redis import Redis

# In a round each is close to its rival: RabbitMQ in the class OS, Kafka in FSYNC.
ALL = (Acta, RabbitMq, Kafka, Nats, Redis)
SECONDS, SHORT_SECONDS = 3.5, 0.6
EPILOG = """Installs what is missing into WORK/install (never into the machine), says what it
cannot get and goes on without it. About 9 minutes a round, 5 with --short, whose figures show no
more than that all of it works; the machine must do nothing else. The logs of all servers and load
tools stay in WORK."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def arguments(words):
    default = os.environ.get('ACTA_PEERS', '~/.cache/acta-peers')
    parser = argparse.ArgumentParser(prog='tools/dev peers', description=__doc__, epilog=EPILOG)
    parser.add_argument('--rounds', type=int, metavar='N',
                        help='the median counts (3, with --short 1); 0: what --json has')
    parser.add_argument('--only', metavar='NAMES', default=','.join(one.name for one in ALL),
                        help='of %(default)s')
    parser.add_argument('--level', choices=list(figures.LEVELS), action='append',
                        help='only this class of durability')
    parser.add_argument('--short', action='store_true',
                        help=f'loads of {SHORT_SECONDS} s, not {SECONDS}')
    parser.add_argument('--install', action='store_true', help='only fetches what is missing')
    parser.add_argument('--json', type=pathlib.Path, metavar='FILE', help='all single figures')
    parser.add_argument('--append', action='store_true',
                        help='count the rounds that are in the file of --json, too')
    parser.add_argument('-o', choices=('text', 'docs', 'tsv'), default='text', dest='output',
                        help='what is printed (text)')
    parser.add_argument('--work', type=pathlib.Path, metavar='DIR', default=pathlib.Path(default),
                        help='outside the tree (%(default)s, or $ACTA_PEERS)')
    options = parser.parse_args(words)
    options.work = options.work.expanduser()
    chosen = options.only.split(',')
    if options.rounds is None:
        options.rounds = 1 if options.short else 3
    unknown = set(chosen) - {one.name for one in ALL}
    if unknown or options.rounds < 0 or (options.append and not options.json):
        parser.error(f'unknown: {", ".join(unknown)}' if unknown else
                     '--append needs --json, and --rounds is not negative')
    options.only = [one for one in ALL if one.name in chosen]
    return options


def install(options, report):
    """Those of the chosen that are to be had."""
    installed, found = Installed(options.work / 'install', say), []
    for kind in options.only:
        try:
            found.append(kind(installed))
            report['versions'][kind.name] = found[-1].version
        except Missing as error:
            say(f'not installed: {kind.name}: {error}')
            report['missing'][kind.name] = str(error)
    return found


def run_round(options, peers, bed, report, number):
    """Appends what each peer gives; one that fails gives nothing, and the round goes on."""
    failed = False
    if any(one.name == 'acta' for one in peers):
        report['limits'] += [[number, *limit] for limit in acta.limits(bed)]
    for level in options.level or figures.LEVELS:
        for peer in peers:
            if level not in peer.levels:
                continue
            begin = time.monotonic()
            try:
                taken = peer.measure(bed, level)
            except Failed as error:
                say(f'round {number}, {level}, {peer.name}: failed: {error}')
                failed = True
                continue
            report['figures'] += [[number, *figure] for figure in taken]
            main = [f'{one.peer} {figures.short(one.value)}' for one in taken
                    if one.measure == 'consume_100']
            say(f'round {number}, {level}, {peer.name}: {", ".join(main)} events/s published '
                f'and consumed; {time.monotonic() - begin:.0f} s')
    return failed


def text_of(report, output):
    taken = [Figure(*figure[1:]) for figure in report['figures']]
    if output == 'tsv':
        return figures.tsv(taken)
    draw = figures.markdown if output == 'docs' else figures.aligned
    short = report['seconds'] == SHORT_SECONDS
    parts = [f'Loads of about {report["seconds"]} s' +
             (': too short for figures to build on' if short else '') + '. Versions: ' +
             '; '.join(f'{name} {version}' for name, version in report['versions'].items()) + '.']
    for level, meaning in figures.LEVELS.items():
        lines = figures.table(taken, level)
        if len(lines) > 1:
            parts.append(f'Class {meaning}\n\n{draw(lines)}')
    for peer in acta.PROFILES.values():
        parts.append(f'{peer} is behind in:\n' + '\n'.join(
            f'- {line}' for line in figures.behind(taken, peer) or ['nothing']))
    limits = {}
    for _, name, value, unit in report['limits']:
        limits.setdefault((name, unit), []).append(value)
    lines = [['limit of the machine', 'unit', 'median']]
    lines += [[name, unit, f'{figures.short(sorted(values)[len(values) // 2])} '
               f'[{figures.short(min(values))}-{figures.short(max(values))}]']
              for (name, unit), values in limits.items()]
    parts.append(draw(lines))
    noisy = sum(one.foreign_percent >= figures.NOISY_PERCENT for one in taken)
    parts.append(f'{len(taken)} figures, {noisy} of them while other programs took more than '
                 f'{figures.NOISY_PERCENT} % of the machine.')
    parts += [f'Not installed: {name}: {why}' for name, why in report['missing'].items()]
    return '\n\n'.join(parts)


def measure(options, report, peers):
    """Whether something failed. Nothing that it started is left, whatever happens."""
    failed, done = False, max([one[0] for one in report['figures']], default=0)
    children = Children()
    run = options.work / 'run'
    try:
        bed = Bed(options.work, children, report['seconds'])
        for number in range(done + 1, done + 1 + options.rounds):
            failed |= run_round(options, peers, bed, report, number)
            if options.json:
                options.json.write_text(json.dumps(report, indent=1) + '\n')
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        children.end_all()
        shutil.rmtree(run, ignore_errors=True)
    return failed


def main():
    options = arguments(sys.argv[1:])
    report = {'seconds': SHORT_SECONDS if options.short else SECONDS,
              'versions': {}, 'missing': {}, 'limits': [], 'figures': []}
    if options.append and options.json.exists():
        known = json.loads(options.json.read_text())
        if options.rounds and known['seconds'] != report['seconds']:
            say(f'{options.json} is of loads of another length: {known["seconds"]} s')
            return 2
        report = known
    if options.install:
        install(options, report)
        return 1 if report['missing'] else 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    failed = False
    if options.rounds:
        failed = measure(options, report, install(options, report))
    print(text_of(report, options.output))
    return 1 if failed or not report['figures'] else 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
