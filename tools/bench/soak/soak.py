#!/usr/bin/env python3
"""Runs acta-soak, looks at its broker from outside all the while, and judges: CSV, plot, verdict.

Exit code 0: every check passed; 1: one failed.
"""

import argparse
import csv
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import judge

try:
    import plot
except ImportError:
    plot = None

SOURCE = pathlib.Path(__file__).resolve().parents[3]
BIN = pathlib.Path(os.environ.get('ACTA_BIN', SOURCE / 'build/release/bin'))
MIB = 1 << 20
TICKS = os.sysconf('SC_CLK_TCK')
PROGRESS_SECONDS = 30
LATENCIES = ('p50_ms', 'p99_ms', 'p999_ms', 'max_ms')


def say(text):
    print(text, file=sys.stderr, flush=True)


def metrics(http):
    """{name: value} of the metrics without labels."""
    with urllib.request.urlopen(f'http://{http}/metrics', timeout=30) as page:
        lines = page.read().decode().splitlines()
    pairs = (line.split() for line in lines if line and line[0] != '#' and '{' not in line)
    return {name: float(value) for name, value in pairs}


def disk_bytes(folder):
    """Allocated by the files of a folder, which come and go meanwhile."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_blocks * 512
            except FileNotFoundError:
                pass
    return total


def busy_ticks():
    """Of all cores: what did not idle or wait for the disk, and what the host took away."""
    user, nice, system, _, _, *rest = pathlib.Path('/proc/stat').read_text().split()[1:9]
    return sum(map(int, (user, nice, system, *rest)))


def process_ticks(proc):
    """User and system time; the name in front may hold anything."""
    words = (proc / 'stat').read_text().rpartition(')')[2].split()
    return int(words[11]) + int(words[12])


class Watcher:
    """Looks at the broker of a folder, and at its load, from outside."""

    def __init__(self, folder, load_pid):
        ready = json.loads((folder / 'ready.json').read_text())
        self.proc = pathlib.Path(f'/proc/{ready["pid"]}')
        self.load = pathlib.Path(f'/proc/{load_pid}')
        self.http = ready['http']
        self.data = folder / 'data'
        self.before = self.counters(0)

    def counters(self, acknowledged):
        cpu, load = process_ticks(self.proc), process_ticks(self.load)
        return {'time': time.monotonic(), 'cpu': cpu, 'load': load,
                'others': busy_ticks() - cpu - load,
                'written': int(self.fields('io')['write_bytes']), 'events': acknowledged}

    def fields(self, name):
        lines = (self.proc / name).read_text().splitlines()
        return dict(line.split(':', 1) for line in lines)

    def held(self):
        """What clients make a broker hold."""
        links = []
        for name in os.listdir(self.proc / 'fd'):
            try:
                links.append(os.readlink(self.proc / 'fd' / name))
            except FileNotFoundError:
                pass
        return {'sockets': sum(link.startswith('socket:') for link in links),
                'threads': int(self.fields('status')['Threads'])}

    def row(self, line):
        """One row of the CSV from one sample of acta-soak."""
        now = self.counters(line['acknowledged'])
        seconds = now['time'] - self.before['time']
        rate = {key: (now[key] - self.before[key]) / seconds for key in now if key != 'time'}
        self.before = now
        status, page = self.fields('status'), metrics(self.http)
        return {
            'seconds': line['seconds'],
            'events_per_second': rate['events'],
            **{name: line[name] for name in LATENCIES},
            'follow_behind': line['follow_behind'],
            'behind_events': line['behind'],
            'returns': line['returns'],
            'rss_mib': int(status['VmRSS'].split()[0]) / 1024,
            'threads': int(status['Threads']),
            'descriptors': len(os.listdir(self.proc / 'fd')),
            'cpu_percent': 100 * rate['cpu'] / TICKS,
            'load_cpu_percent': 100 * rate['load'] / TICKS,
            'others_cpu_percent': max(0, 100 * rate['others'] / TICKS),  # Ticks are coarse.
            'wal_mib': page['acta_log_wal_bytes'] / MIB,
            'slices': int(page['acta_log_slices']),
            'disk_mib': disk_bytes(self.data) / MIB,
            'written_mb_s': rate['written'] / 1e6,
            'cold_reads': int(page['acta_log_cold_reads_total']),
            'alarms': ' '.join(line['alarms']),
        }


class Rows:
    """The CSV, line by line: what is there is there."""

    def __init__(self, path):
        self.file = open(path, 'w', newline='')
        self.writer = None
        self.rows = []

    def add(self, row):
        if self.writer is None:
            self.writer = csv.DictWriter(self.file, row, lineterminator='\n')
            self.writer.writeheader()
        self.writer.writerow({key: round(value, 3) if isinstance(value, float) else value
                              for key, value in row.items()})
        self.file.flush()
        self.rows.append(row)


def progress(row):
    latency = [f'{row[key]:.1f}' if row[key] is not None else '-' for key in LATENCIES]
    say(f'{row["seconds"] / 60:6.1f} min  {row["events_per_second"]:>9,.0f} events/s  '
        f'p50/p99/p99.9/max {"/".join(latency)} ms  away {row["behind_events"]:>11,}  '
        f'rss {row["rss_mib"]:.0f} MiB  wal {row["wal_mib"]:.0f} MiB  slices {row["slices"]}  '
        f'disk {row["disk_mib"]:,.0f} MiB  cpu {row["cpu_percent"]:.0f} %'
        f', of others {row["others_cpu_percent"]:.0f} %')


def watch(load, folder, rows, seen):
    """Until the load ends. Fills `seen`: plan, before, after, end."""
    watcher, said = None, -PROGRESS_SECONDS
    for line in map(json.loads, load.stdout):
        if line['is'] == 'plan':
            watcher = Watcher(folder, load.pid)
            seen.update(plan=line, before=watcher.held())
            say('plan: ' + json.dumps(line))
        elif line['is'] == 'sample':
            row = watcher.row(line)
            rows.add(row)
            if row['seconds'] >= said + PROGRESS_SECONDS or row['alarms']:
                said = row['seconds']
                progress(row)
        elif line['is'] == 'quiet':
            seen['after'] = watcher.held()
        else:
            seen['end'] = line


def run(options, folder, rows):
    """What was seen; `error` is why it ended before its time."""
    command = [BIN / 'acta-soak', '--actad', BIN / 'actad', '--folder', folder, '--seconds',
               str(options.minutes * 60), '--interval', str(options.interval)]
    if options.rate:
        command += ['--rate', str(options.rate)]
    errors = folder / 'errors'
    seen = {'plan': None, 'before': None, 'after': None, 'end': None, 'error': ''}
    with open(errors, 'w') as stderr, subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, text=True) as load:
        try:
            watch(load, folder, rows, seen)
        except KeyboardInterrupt:
            seen['error'] = 'interrupted'
        except (OSError, KeyError, ValueError) as gone:
            seen['error'] = f'the broker cannot be looked at: {gone}; '
        if seen['error']:
            load.kill()  # Its broker goes with it.
    if load.returncode != 0:
        seen['end'] = None
        seen['error'] += errors.read_text().strip()
    return seen


def table(rows):
    """Medians and peaks of the thirds, as Markdown."""
    lines = ['| | first third | middle | last | peak |', '|---|--:|--:|--:|--:|']
    for column in ('events_per_second', *LATENCIES, 'follow_behind', 'rss_mib', 'descriptors',
                   'threads', 'wal_mib', 'slices', 'disk_mib', 'written_mb_s', 'cpu_percent',
                   'load_cpu_percent', 'others_cpu_percent'):
        medians = []
        for part in judge.thirds(rows):
            values = sorted(row[column] for row in part if row[column] is not None)
            medians.append(values[len(values) // 2] if values else 0)
        cells = [f'{value:,.1f}' if value < 100 else f'{value:,.0f}'
                 for value in (*medians, judge.peak(rows, column))]
        lines.append(f'| {column} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def draw(plan, csv_path, svg_path):
    if plot is None:
        say(f'no plot: matplotlib is not there; tools/bench/soak/plot.py {csv_path} {svg_path}')
        return
    caption = f'{plan["events_per_second"]:,.0f} events/s of 100 bytes; {plan["machine"]}'
    plot.draw(csv_path, svg_path, caption)


def report(options, plan, rows, checks):
    lines = [f'{"ok  " if check.passed else "FAIL"} {check.name}: {check.text}'
             for check in checks]
    text = '\n'.join(lines)
    if len(rows) >= judge.LEAST_SAMPLES:
        text += '\n\nMedian of each third:\n\n' + table(rows)
    (options.out / 'verdict.txt').write_text(json.dumps(plan) + '\n\n' + text + '\n')
    print(text)


def parse():
    parser = argparse.ArgumentParser(prog='tools/dev soak', description=__doc__)
    parser.add_argument('--minutes', type=float, default=60)
    parser.add_argument('--rate', type=float, metavar='EVENTS/S',
                        help='of the soak; else half of the most, which takes some minutes to find')
    parser.add_argument('--out', type=pathlib.Path, default=pathlib.Path('build/soak'),
                        metavar='DIR', help='soak.csv, soak.svg, verdict.txt (build/soak)')
    parser.add_argument('--dir', type=pathlib.Path, default=pathlib.Path('/var/tmp'),
                        help='where the broker lives; an hour takes about 30 GiB (/var/tmp)')
    parser.add_argument('--interval', type=float, default=5, metavar='S')
    parser.add_argument('--no-plot', action='store_true')
    return parser.parse_args()


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    # Ended by a signal, it takes with it what it started, and says what it saw.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    folder = pathlib.Path(tempfile.mkdtemp(prefix='acta-soak-', dir=options.dir))
    rows = Rows(options.out / 'soak.csv')
    try:
        seen = run(options, folder, rows)
        log = (folder / 'actad.log').read_text(errors='replace') if seen['plan'] else ''
        (options.out / 'actad.log').write_text(log)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if seen['plan'] is None:
        say(seen['error'])
        return 1
    checks = judge.judge(seen, rows.rows, log.count('slice dropped'))
    report(options, seen['plan'], rows.rows, checks)
    if rows.rows and not options.no_plot:
        draw(seen['plan'], options.out / 'soak.csv', options.out / 'soak.svg')
    return 0 if all(check.passed for check in checks) else 1


if __name__ == '__main__':
    sys.exit(main())
