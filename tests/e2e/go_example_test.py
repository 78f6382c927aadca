#!/usr/bin/env python3
"""The first Go program of docs/start against a real broker. Skips itself where Go or protoc is
missing, or the network that its modules come from."""

import subprocess
import unittest

import example_programs
from broker import PATIENCE_S, SOURCE
from language_builds import GO, GO_EVENTS, require


class GoExample(example_programs.ExamplePrograms):
    program = 'docs/start/go/events/main.go'
    command = (GO_EVENTS,)
    group = 'go'
    lines = 120


class Sources(unittest.TestCase):
    def test_its_sources_are_formatted(self):
        done = subprocess.run(['gofmt', '-d', SOURCE / GoExample.program], capture_output=True,
                              text=True, timeout=PATIENCE_S)
        self.assertEqual((done.stdout, done.stderr, done.returncode), ('', '', 0))


if __name__ == '__main__':
    require(GO)
    unittest.main()
