#!/usr/bin/env python3
"""What the pages tell those who write a client in another language: the protos are a folder of
their own, the commands make stubs of it, the partition function is the right one."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from broker import PATIENCE_S, SOURCE
from language_builds import GO, JAVA, NODE
from stubs import PYTHON, require

PROTO_PAGE = (SOURCE / 'proto/README.md').read_text()
PAGE = (SOURCE / 'docs/start/languages.md').read_text()
COMMANDS = dict(re.findall(r'### (\S+)\n.*?```sh\n(.*?)```', PROTO_PAGE, re.S))
NOUNS = sorted(path.stem for path in (SOURCE / 'proto/acta/v1').glob('*.proto'))
SERVICES = [noun for noun in NOUNS if re.search(
    '^service ', (SOURCE / f'proto/acta/v1/{noun}.proto').read_text(), re.M)]


class Languages(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='acta-languages-')
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        shutil.copytree(SOURCE / 'proto/acta/v1', os.path.join(self.folder, 'acta/v1'))
        os.mkdir(os.path.join(self.folder, 'out'))

    def made_by(self, language, *tools):
        """The files that its command makes of the copy, with these folders in the PATH."""
        done = subprocess.run(
            ['sh', '-c', COMMANDS[language]], cwd=self.folder, text=True, capture_output=True,
            timeout=PATIENCE_S,
            env={**os.environ, 'PATH': ':'.join(map(str, (*tools, os.environ['PATH'])))})
        self.assertEqual(done.returncode, 0, done.stderr)
        out = os.path.join(self.folder, 'out')
        return sorted(os.path.relpath(os.path.join(folder, name), out)
                      for folder, _, names in os.walk(out) for name in names)

    def needs(self, build):
        skipped = build.build()
        if skipped:
            print(f'skipped: {self.id()}: {skipped}', flush=True)
            self.skipTest(skipped)

    def test_every_language_of_the_page_is_tried(self):
        self.assertEqual(sorted(COMMANDS), ['C++', 'Go', 'Java', 'Node', 'Python'])

    def test_the_page_names_every_file(self):
        named = re.findall(r'^\| `(\w+)\.proto` \|', PROTO_PAGE, re.M)
        self.assertEqual(sorted(named), NOUNS)

    def test_python_stubs_of_the_folder_alone_can_be_imported(self):
        made = self.made_by('Python', PYTHON.parent)
        self.assertEqual(made, sorted(f'acta/v1/{noun}_pb2{kind}.py' for noun in NOUNS
                                      for kind in ('', '_grpc')))
        program = ''.join(f'import acta.v1.{noun}_pb2_grpc\n' for noun in NOUNS)
        subprocess.run([PYTHON, '-c', program], cwd=os.path.join(self.folder, 'out'), check=True,
                       timeout=PATIENCE_S, env={**os.environ, 'PYTHONPATH': '.'})

    def test_cpp(self):
        self.assertEqual(self.made_by('C++'), sorted(
            f'acta/v1/{noun}{kind}.pb.{suffix}' for noun in NOUNS for kind in ('', '.grpc')
            for suffix in ('cc', 'h')))

    def test_go(self):
        self.needs(GO)
        plugins = os.path.join(self.folder, 'plugins')
        subprocess.run(['go', 'install', 'tool'], cwd=GO.here, check=True, timeout=PATIENCE_S,
                       env={**GO.environment, 'GOBIN': plugins})
        self.assertEqual(self.made_by('Go', plugins), sorted(
            [f'actav1/{noun}.pb.go' for noun in NOUNS] +
            [f'actav1/{noun}_grpc.pb.go' for noun in SERVICES]))

    def test_java(self):
        self.needs(JAVA)
        plugins = os.path.join(self.folder, 'plugins')
        os.mkdir(plugins)
        found = next((JAVA.here / 'target/protoc-plugins').glob('protoc-gen-grpc-java-*'))
        os.symlink(found, os.path.join(plugins, 'protoc-gen-grpc-java'))
        made = self.made_by('Java', plugins)
        self.assertEqual([name for name in made if name.endswith('Grpc.java')], sorted(
            f'acta/v1/{noun.title().replace("_", "")}Grpc.java' for noun in SERVICES))
        self.assertEqual(len(made), len(NOUNS) + len(SERVICES))

    def test_node(self):
        self.needs(NODE)
        os.symlink(NODE.here / 'node_modules', os.path.join(self.folder, 'node_modules'))
        made = self.made_by('Node')
        self.assertEqual([name for name in made if '/' not in name],
                         [f'{noun}.ts' for noun in NOUNS])

    def test_the_partition_function_of_the_page_is_the_one_of_the_vectors(self):
        told = {}
        exec(re.search(r'```python\n(.*?)```', PAGE, re.S).group(1), told)
        vectors = json.loads((SOURCE / 'tests/conformance/partition_vectors.json').read_text())
        for vector in vectors['vectors']:
            key = bytes.fromhex(vector['key_hex'])
            self.assertEqual(told['murmur2'](key), vector['murmur2'] & 0xffffffff, vector)
            for partitions, partition in vector['partitions'].items():
                self.assertEqual(told['partition_of'](key, int(partitions)), partition, vector)


if __name__ == '__main__':
    require()
    unittest.main()
