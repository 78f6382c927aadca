"""tools/bench/soak for a few seconds against a real broker: rows, a verdict, and an end in time."""

import csv
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]


class SoakSmokeTest(unittest.TestCase):
    def test_a_moment_of_soak(self):
        with tempfile.TemporaryDirectory(prefix='acta-soak-') as folder:
            place, out = pathlib.Path(folder, 'place'), pathlib.Path(folder, 'out')
            place.mkdir()
            done = subprocess.run(
                [sys.executable, SOURCE / 'tools/bench/soak/soak.py', '--minutes', '0.1',
                 '--interval', '0.5', '--rate', '5000', '--no-plot', '--dir', place, '--out', out],
                text=True, capture_output=True, timeout=100)
            # Nothing grows in a moment, but much is still being filled: only what must be.
            verdict = (out / 'verdict.txt').read_text() if done.returncode < 2 else ''
            for check in ('every event once, in order, unaltered: 30,000 events',
                          'lag of all groups at the end: 0', 'the group that was away caught up',
                          'no alarm'):
                self.assertIn('ok   ' + check, verdict, done.stdout + done.stderr)
            with open(out / 'soak.csv', newline='') as file:
                rows = list(csv.DictReader(file))
            self.assertEqual(len(rows), 12)
            for column in ('events_per_second', 'max_ms', 'rss_mib', 'threads', 'descriptors',
                           'wal_mib', 'slices', 'disk_mib'):
                self.assertGreater(float(rows[-1][column]), 0, column)
            self.assertEqual(os.listdir(place), [], 'something was left behind')


if __name__ == '__main__':
    unittest.main()
