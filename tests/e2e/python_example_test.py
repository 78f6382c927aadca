#!/usr/bin/env python3
"""The Python program of docs/start, with stubs generated now, against a real broker."""

import os
import unittest

import example_programs
from broker import SOURCE
from stubs import PYTHON, generate, require


class PythonExample(example_programs.ExamplePrograms):
    program = 'docs/start/python/events.py'
    command = (PYTHON, SOURCE / program)
    group = 'python'
    lines = 60

    def setUp(self):
        super().setUp()
        stubs = os.path.join(self.folder, 'stubs')
        os.mkdir(stubs)
        generate(stubs)
        self.environment = {'PYTHONPATH': stubs}


if __name__ == '__main__':
    require()
    unittest.main()
