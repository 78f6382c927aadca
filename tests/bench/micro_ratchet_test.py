"""Instructions and allocations of an event on its way through the broker do not grow.

A ratchet: what is counted may exceed micro_baseline.json by 5 % at most. Who makes it cheaper, or
has a reason to make it dearer, writes the new figures down:

    python3 tests/bench/micro_ratchet_test.py --write

Instructions need valgrind, and it fails without.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = os.environ.get('ACTA_MICRO_RUN', HERE.parents[1] / 'build/release/tests/micro_run')
BASELINE = HERE / 'micro_baseline.json'
SLACK = 1.05
BATCHES = 120


def run(profile, valgrind):
    """Allocations and instructions of an event."""
    with tempfile.TemporaryDirectory(prefix='acta-micro-') as folder:
        out = pathlib.Path(folder) / 'callgrind.out'
        command = [valgrind, '--tool=callgrind', '--instr-atstart=no',
                   f'--callgrind-out-file={out}', str(PROGRAM), profile, str(BATCHES)]
        done = subprocess.run(command, text=True, capture_output=True, timeout=200,
                              env={**os.environ, 'TMPDIR': folder})
        if done.returncode != 0:
            raise AssertionError(f'{command}: {done.returncode}\n{done.stderr[-3000:]}')
        counted = json.loads(done.stdout)
        dumped = pathlib.Path(f'{out}.1').read_text()
        instructions = int(re.search(r'^totals: (\d+)', dumped, re.M).group(1))
        return counted['allocations'] / counted['events'], instructions / counted['events']


def measure(valgrind):
    """Figures of one event by name."""
    figures = {}
    for profile in ('log', 'full'):
        allocations, instructions = run(profile, valgrind)
        figures[f'{profile}_allocations_per_event'] = round(allocations, 4)
        figures[f'{profile}_instructions_per_event'] = round(instructions, 1)
    return figures


class MicroRatchetTest(unittest.TestCase):
    def test_an_event_takes_no_more_than_it_did(self):
        baseline = json.loads(BASELINE.read_text())
        valgrind = shutil.which('valgrind')
        self.assertTrue(valgrind, 'valgrind is not installed: tools/dev setup')
        figures = measure(valgrind)
        print(json.dumps(figures, indent=2))
        for name, value in figures.items():
            with self.subTest(name):
                self.assertGreater(value, 0)
                self.assertLessEqual(
                    value, baseline[name] * SLACK,
                    f'{name} grew from {baseline[name]} to {value}. If there is a reason: '
                    f'{pathlib.Path(__file__).name} --write, and say why in the commit')
                if value < baseline[name] / SLACK:
                    print(f'{name} fell from {baseline[name]}: --write keeps it there')


def main():
    if sys.argv[1:] != ['--write']:
        unittest.main()
    valgrind = shutil.which('valgrind')
    if not valgrind:
        sys.exit('valgrind is not installed')
    BASELINE.write_text(json.dumps(measure(valgrind), indent=2) + '\n')


if __name__ == '__main__':
    main()
