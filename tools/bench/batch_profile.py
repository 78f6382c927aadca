#!/usr/bin/env python3
"""Where the broker's CPU time goes, of prepared batches of 64 KiB that are published and read once.

    tools/bench/batch_profile.py [--measure NAME] [--events N] [--seconds N] [--dir DIR]

Needs `perf`, which may have to be allowed to see the kernel: sysctl kernel.perf_event_paranoid=1.
Runs the measure of acta-bench, samples its broker and prints a table: microseconds of CPU for each
batch, or for N events, by thread, and by what it did: a system call, or a library. What the measure
says a million events take is shared out by the samples.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

BIN = pathlib.Path(__file__).resolve().parents[2] / 'build/release/bin'
EVENTS_OF_BATCH = 655  # Of 100 bytes.
SAMPLES_A_SECOND = 1999
LEAST_US = 1  # Less is summed up.
SYSTEM_CALL = re.compile(r'^(?:__x64_sys|__do_sys|__sys|ksys|vfs)_(\w+)')


def child_of(process, name):
    """Waits for the child of this name."""
    while process.poll() is None:
        pid = process.pid
        children = pathlib.Path(f'/proc/{pid}/task/{pid}/children').read_text().split()
        for child in children:
            if pathlib.Path(f'/proc/{child}/comm').read_text().strip() == name:
                return int(child)
        time.sleep(0.05)
    sys.exit('acta-bench ended before it had a broker')


def samples(text):
    """Thread and frames, the innermost first, of each sample of `perf script`."""
    for sample in text.split('\n\n'):
        lines = sample.strip('\n').splitlines()
        if not lines:
            continue
        frames = []
        for line in lines[1:]:
            match = re.match(r'\s*[0-9a-f]+ (.*) \((.*)\)$', line)
            if match:
                frames.append((match[1], match[2]))
        yield lines[0].strip(), frames


def what(frames):
    """What a sample was taken in."""
    symbol, file = frames[0] if frames else ('?', '?')
    if 'kernel' in file or file.startswith('['):
        for name, _ in frames:
            if call := SYSTEM_CALL.match(name):
                return f'system call {call[1]}'
            if 'page_fault' in name:
                return 'page fault'
        return 'kernel'
    library = re.sub(r'\.so.*', '', pathlib.Path(file).name)
    if library == 'libc' and ('mem' in symbol or 'str' in symbol):
        return 'copying (libc)'
    if 'crc32' in symbol.lower():
        return 'CRC32C'
    if library == 'actad' and symbol.startswith('acta::'):
        return re.sub(r'[(<].*', '', symbol.replace('(anonymous namespace)::', ''))
    return library


def profile(args):
    folder = pathlib.Path(tempfile.mkdtemp(prefix='acta-profile-', dir=args.dir))
    data, report = folder / 'perf.data', folder / 'report.json'
    bench = subprocess.Popen(
        [BIN / 'acta-bench', '--only', args.measure, '--runs', '1', '--no-limits', '--warm-up', '2',
         '--seconds', str(args.seconds + 3), '--dir', folder, '--json', report],
        stdout=subprocess.DEVNULL)
    try:
        broker = child_of(bench, 'actad')
        time.sleep(4)
        subprocess.run(['perf', 'record', '-q', '-F', str(SAMPLES_A_SECOND), '-g', '-p',
                        str(broker), '-o', data, '--', 'sleep', str(args.seconds)], check=True)
    finally:
        if bench.wait() != 0:
            sys.exit('acta-bench failed')
    script = subprocess.run(['perf', 'script', '-i', data, '-F', 'comm,ip,sym,dso'], check=True,
                            capture_output=True, text=True, errors='replace').stdout
    rows = json.loads(report.read_text())['rows']
    shutil.rmtree(folder)
    return script, next(row['broker_cpu_s_per_million'] for row in rows
                        if row['measure'] == args.measure)


def main():
    options = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    options.add_argument('--measure', default='publish_consume_os_log')
    options.add_argument('--events', type=int, default=EVENTS_OF_BATCH)
    options.add_argument('--seconds', type=float, default=8)
    options.add_argument('--dir', default=os.environ.get('TMPDIR', '/var/tmp'))
    args = options.parse_args()
    if shutil.which('perf') is None:
        sys.exit('perf is missing: install linux-perf')
    script, cpu = profile(args)
    counts = collections.Counter((re.sub(r'[-_]?\d+$', '', thread), what(frames))
                                 for thread, frames in samples(script))
    total = cpu * args.events
    us = {key: count / sum(counts.values()) * total for key, count in counts.items()}
    print(f'{args.measure}: {total:.1f} us of CPU for {args.events} events\n')
    print('| thread | in | us |\n|---|---|--:|')
    threads = collections.Counter()
    for (thread, _), spent in us.items():
        threads[thread] += spent
    for thread, spent in threads.most_common():
        print(f'| **{thread}** | | **{spent:.1f}** |')
        parts = sorted(((part, place) for (one, place), part in us.items() if one == thread),
                       reverse=True)
        for part, place in parts:
            if part >= LEAST_US:
                print(f'| | {place} | {part:.1f} |')
        others = sum(part for part, _ in parts if part < LEAST_US)
        if 0 < others < spent:
            print(f'| | others | {others:.1f} |')


if __name__ == '__main__':
    main()
