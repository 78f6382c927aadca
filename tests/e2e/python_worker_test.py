#!/usr/bin/env python3
"""The Python worker of docs/start against a real broker: 30 events, Ctrl-C, a broker that dies."""

import unittest

import worker_programs
from broker import SOURCE


class PythonWorker(worker_programs.WorkerPrograms):
    command = worker_programs.PYTHON_WORKER
    never = 'ValueError'
    no_number = ('KeyError', "'picture'")
    no_json = ('JSONDecodeError', 'Expecting value: line 1 column 1 (char 0)')
    job_s = 0.7  # It does them one behind the other.


class Sources(unittest.TestCase):
    def test_the_program_has_at_most_80_lines(self):
        program = SOURCE / 'docs/start/python/worker.py'
        self.assertLessEqual(len(program.read_text().splitlines()), 80)


if __name__ == '__main__':
    unittest.main()
