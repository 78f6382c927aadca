#!/usr/bin/env python3
"""The Python program of docs/start, with stubs generated now, against a real broker."""

import shutil
import tempfile
import unittest

import example_programs
from broker import SOURCE
from stubs import PYTHON, generate, require


class PythonExample(example_programs.ExamplePrograms):
    program = 'docs/start/python/events.py'
    command = (PYTHON, SOURCE / program)
    group = 'python'
    lines = 60

    @classmethod
    def setUpClass(cls):
        stubs = tempfile.mkdtemp(prefix='acta-stubs-')
        cls.addClassCleanup(shutil.rmtree, stubs)
        generate(stubs)
        cls.environment = {'PYTHONPATH': stubs}


if __name__ == '__main__':
    require()
    unittest.main()
