"""tools/bench/soak for a few seconds against a real broker: rows, a verdict, and an end in time."""

import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PATIENCE_S = 60


class SoakSmokeTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='acta-soak-')
        self.addCleanup(folder.cleanup)
        self.place, self.out = pathlib.Path(folder.name, 'place'), pathlib.Path(folder.name, 'out')
        self.place.mkdir()

    def start(self, minutes):
        process = subprocess.Popen(
            [sys.executable, SOURCE / 'tools/bench/soak/soak.py', '--minutes', str(minutes),
             '--interval', '0.5', '--rate', '5000', '--no-plot', '--dir', self.place, '--out',
             self.out], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def rows(self):
        try:
            with open(self.out / 'soak.csv', newline='') as file:
                return list(csv.DictReader(file))
        except FileNotFoundError:
            return []

    def until_rows(self, count):
        deadline = time.monotonic() + PATIENCE_S
        while len(self.rows()) < count:
            self.assertLess(time.monotonic(), deadline, 'no rows')
            time.sleep(0.05)

    def verdict(self, process):
        out, err = process.communicate(timeout=PATIENCE_S)
        self.assertTrue((self.out / 'verdict.txt').exists(), out + err)
        self.assertEqual(os.listdir(self.place), [], 'something was left behind')
        return (self.out / 'verdict.txt').read_text()

    def test_a_moment_of_soak(self):
        verdict = self.verdict(self.start(0.1))
        # Nothing grows in a moment, but much is still being filled: only what must be.
        for check in ('every event once, in order, unaltered: 30,000 events',
                      'lag of all groups at the end: 0', 'the group that was away caught up',
                      'sockets when the clients are gone', 'no alarm'):
            self.assertIn('ok   ' + check, verdict)
        self.assertEqual(len(self.rows()), 12)
        for column in ('events_per_second', 'max_ms', 'rss_mib', 'threads', 'descriptors',
                       'wal_mib', 'slices', 'disk_mib'):
            self.assertGreater(float(self.rows()[-1][column]), 0, column)

    def test_one_that_is_interrupted_says_what_it_saw(self):
        process = self.start(5)
        self.until_rows(2)
        process.send_signal(signal.SIGINT)
        self.assertIn('FAIL every event once, in order, unaltered: interrupted',
                      self.verdict(process))
        self.assertEqual(process.returncode, 1)

    def test_a_broker_that_dies_fails_it_and_its_log_is_kept(self):
        process = self.start(5)
        self.until_rows(2)
        [ready] = self.place.glob('*/ready.json')
        os.kill(json.loads(ready.read_text())['pid'], signal.SIGKILL)
        self.assertIn('FAIL every event once, in order, unaltered: ', self.verdict(process))
        self.assertEqual(process.returncode, 1)
        self.assertIn('started', (self.out / 'actad.log').read_text())


if __name__ == '__main__':
    unittest.main()
