#!/usr/bin/env python3
"""The Node program of docs/start against a real broker. Skips itself where Node or npm is missing,
or the network that its packages come from."""

import unittest

import example_programs
from language_builds import NODE, require


class NodeExample(example_programs.ExamplePrograms):
    program = 'docs/start/node/events.mjs'
    command = ('node', NODE.here / 'events.mjs')
    group = 'node'
    lines = 60


if __name__ == '__main__':
    require(NODE)
    unittest.main()
