#!/usr/bin/env python3
"""The Java program of docs/start against a real broker. Skips itself where a JDK or Maven is
missing, or the network that its libraries come from."""

import unittest

import example_programs
from language_builds import JAVA, require


class JavaExample(example_programs.ExamplePrograms):
    program = 'docs/start/java/src/Events.java'
    command = ('java', '-cp', f'{JAVA.here}/target/classes:{JAVA.here}/target/lib/*', 'Events')
    group = 'java'
    lines = 100


if __name__ == '__main__':
    require(JAVA)
    unittest.main()
