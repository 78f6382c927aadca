#!/usr/bin/env python3
"""The Go worker of docs/start against a real broker: 30 events, Ctrl-C, a broker that dies, and one
group with workers in two languages. Skips itself where Go or protoc is missing, or the network that
its modules come from."""

import subprocess
import unittest

import worker_programs
from broker import PATIENCE_S, SOURCE
from faults import until
from language_builds import GO, GO_WORKER, require


class GoWorker(worker_programs.WorkerPrograms):
    command = (GO_WORKER,)
    never = 'never'
    no_number = ('failed', 'the job names no picture')
    no_json = ('never', "invalid character 'o' in literal null (expecting 'u')")
    job_s = 4  # It does them beside each other.

    def test_workers_in_two_languages_share_a_group(self):
        self.group()
        workers = [self.start_program(name='go'),
                   self.start_program(worker_programs.PYTHON_WORKER, name='python')]
        until(lambda: len(self.members()) == 2, 'both are members', PATIENCE_S)
        for first in range(0, 40, 8):
            self.publish_pictures(range(first, first + 8), seconds=0.05)
        until(lambda: sum(len(worker.pictures()) for worker in workers) >= 40, 'all are done',
              PATIENCE_S)
        self.all_settled()
        self.assertEqual(sorted(workers[0].pictures() + workers[1].pictures()), list(range(40)))
        self.assertEqual([worker.interrupt() for worker in workers], [0, 0])


class Sources(unittest.TestCase):
    def test_its_sources_are_formatted(self):
        done = subprocess.run(['gofmt', '-d', *(SOURCE / 'docs/start/go').glob('*.go')],
                              capture_output=True, text=True, timeout=PATIENCE_S)
        self.assertEqual((done.stdout, done.stderr, done.returncode), ('', '', 0))

    def test_main_has_at_most_150_lines(self):
        program = SOURCE / 'docs/start/go/main.go'
        self.assertLessEqual(len(program.read_text().splitlines()), 150)


if __name__ == '__main__':
    require(GO)
    unittest.main()
