#!/usr/bin/env python3
"""The Python program of docs/start, with stubs generated now, against a real broker."""

import os
import subprocess
import unittest

from broker import PATIENCE_S, SOURCE, BrokerTest
from stubs import PYTHON, generate, require


class PythonExample(BrokerTest):
    def test_the_program_publishes_joins_a_group_reads_and_commits(self):
        stubs = os.path.join(self.folder, 'stubs')
        os.mkdir(stubs)
        generate(stubs)
        program = SOURCE / 'docs/start/python/events.py'
        done = subprocess.run([PYTHON, program, 'orders'], capture_output=True, text=True,
                              timeout=PATIENCE_S, env={**os.environ, 'PYTHONPATH': stubs,
                                                       'ACTA_SERVER': self.broker.address})
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0], 'published 10, duplicates 0')
        self.assertEqual(len(lines), 12)
        self.assertEqual(lines[-1], 'read and committed 10')
        lag = self.acta_json('group', 'lag', 'python')['partitions']
        self.assertEqual(sum(int(row['lagEvents']) for row in lag), 0)

    def test_the_program_has_at_most_60_lines(self):
        program = SOURCE / 'docs/start/python/events.py'
        self.assertLessEqual(len(program.read_text().splitlines()), 60)


if __name__ == '__main__':
    require()
    unittest.main()
