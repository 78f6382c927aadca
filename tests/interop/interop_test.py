#!/usr/bin/env python3
"""What Acta says works with others, with the real thing: see README.md. Run by hand.

Needs actad and acta in ACTA_BIN, and go, npm and dot for what is made with them.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import unittest
import xml.etree.ElementTree

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'e2e'))

from broker import SOURCE, BrokerTest  # noqa: E402
from faults import until  # noqa: E402

BUILD_S = 1800  # The first time, on a small machine.
TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
PARENT = '00f067aa0ba902b7'
INTERNAL, PRODUCER, CONSUMER = 1, 4, 5
NAMES = ['q"uote', 'back\\slash', '\\l\\n\\N', 'two\nlines', '<b>x</b>', 'a|b', '{r}', '[s]', '(p)',
         'a&b', 'a&amp;b', '&#65;', '#35;', '`md`', "%%{init: {'theme': 'forest'}}%%", '%% x',
         'style a:#1;', 'classDef b fill:#f00;', 'end', '--> e1', '\u65e5\u672c \U0001f680',
         '\x1b[2J', '\x85\x9b', '\ufffe']


def made(name, *command):
    """The folder build/interop/NAME with the sources of here, after the command."""
    if not shutil.which(command[0]):
        raise unittest.SkipTest(f'no {command[0]}')
    folder = SOURCE / 'build/interop' / name
    shutil.copytree(HERE / name, folder, dirs_exist_ok=True)
    subprocess.run(command, cwd=folder, check=True, timeout=BUILD_S)
    return folder


def program(name):
    return made(name, 'go', 'build', '-mod=mod', '-o', 'program', '.') / 'program'


def output(*command, stdin=None, cwd=None):
    return subprocess.run(command, input=stdin, cwd=cwd, capture_output=True, text=True,
                          check=True, timeout=120).stdout


class Dashboards(unittest.TestCase):
    def test_grafana_reads_them_strictly(self):
        boards = sorted((SOURCE / 'deploy/grafana').glob('*.json'))
        self.assertEqual(len(boards), 2)
        self.assertEqual(output(program('dashboards'), *boards), '')


class Drawings(BrokerTest):
    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 'odd', '--partitions', 1)
        lines = [json.dumps({'type': name, 'id': f'{at}', 'journey': 'odd',
                             'cause': f'{at - 1}' if at else ''}) for at, name in enumerate(NAMES)]
        self.acta('publish', 'odd', '--format', 'jsonl', '--type', '@/type', '--id', '@/id',
                  '--correlation', '@/journey', '--causation', '@/cause', stdin='\n'.join(lines))
        odd = {'\n': '?', '\x1b': '?', '\x85': '?', '\x9b': '?', '\ufffe': '?'}
        self.labels = [name.translate(str.maketrans(odd)) + f'  {at}  odd/0/{at}'
                       for at, name in enumerate(NAMES)]

    def draw(self, how):
        return self.acta('journey', '--correlation', 'odd', '--draw', how)

    # Graphviz is a package that nothing else here needs; the rest is made by Go and npm.
    @unittest.skipUnless(shutil.which('dot'), 'no dot: install graphviz')
    def test_graphviz_draws_names_as_they_are(self):
        picture = xml.etree.ElementTree.fromstring(output('dot', '-Tsvg', stdin=self.draw('dot')))
        svg = '{http://www.w3.org/2000/svg}'
        drawn = [text.text.replace('\xa0', ' ') for text in picture.iter(svg + 'text')]
        self.assertEqual(sorted(drawn), sorted(self.labels))
        self.assertEqual(len([group for group in picture.iter(svg + 'g')
                              if group.get('class') == 'edge']), len(NAMES) - 1)

    def test_mermaid_reads_names_as_they_are_and_no_settings(self):
        folder = made('mermaid', 'npm', 'install', '--no-audit', '--no-fund', '--silent')
        read = json.loads(output('node', 'read.mjs', cwd=folder, stdin=self.draw('mermaid')))
        self.assertEqual(read['labels'], self.labels)
        self.assertEqual(read['config'], {})


class Collector(BrokerTest):
    @classmethod
    def setUpClass(cls):
        cls.program = program('collector')

    def setUp(self):
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            self.address = '127.0.0.1:%d' % free.getsockname()[1]
        self.options = ('--telemetry.otlp_endpoint', f'http://{self.address}')
        super().setUp()
        self.received = pathlib.Path(self.folder) / 'spans'
        self.start()
        self.addCleanup(lambda: self.end_process(self.collector))
        self.acta('topic', 'create', 'orders', '--partitions', 1)
        self.acta('group', 'create', 'workers', '--topic', 'orders', '--from', 'earliest',
                  '--mode', 'queue', '--backoff', '50ms')

    def start(self):
        config = {'receivers': {'otlp': {'protocols': {'grpc': {'endpoint': self.address}}}},
                  'exporters': {'file': {'path': str(self.received), 'append': True,
                                         'flush_interval': '100ms'}},
                  'service': {'telemetry': {'metrics': {'level': 'none'}},
                              'pipelines': {'traces': {'receivers': ['otlp'],
                                                       'exporters': ['file']}}}}
        file = pathlib.Path(self.folder) / 'collector.json'
        file.write_text(json.dumps(config))
        self.collector = subprocess.Popen([self.program, '--config', file],
                                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def publish(self, name):
        self.acta('publish', 'orders', name, '--id', name,
                  '--traceparent', f'00-{TRACE}-{PARENT}-01')

    def resources(self):
        lines = self.received.read_text().splitlines() if self.received.exists() else []
        return [resource for line in lines for resource in json.loads(line)['resourceSpans']]

    def spans(self):
        return [span for resource in self.resources() for scope in resource['scopeSpans']
                for span in scope['spans']]

    def has(self, name):
        until(lambda: name in [span['name'] for span in self.spans()], name)

    def test_spans_of_every_kind_arrive(self):
        self.publish('good')
        self.publish('bad')
        self.acta('subscribe', 'orders', '--group', 'workers', '--max', 3, '--exec',
                  'test $ACTA_ID = good || exit $((65 + 10 * (ACTA_ATTEMPT == 1)))')
        self.has('dead letter orders')
        publish = {span['spanId'] for span in self.spans() if span['name'] == 'publish orders'}
        told = sorted((span['name'].removesuffix(' orders'), span['kind'],
                       span['parentSpanId'] == PARENT, span['parentSpanId'] in publish,
                       'code' in span['status']) for span in self.spans())
        self.assertEqual(told, [
            ('dead letter', INTERNAL, False, True, True), ('deliver', INTERNAL, False, True, False),
            ('deliver', INTERNAL, False, True, False), ('publish', PRODUCER, True, False, False),
            ('publish', PRODUCER, True, False, False), ('retry', INTERNAL, False, True, False),
            ('settle', CONSUMER, False, True, False), ('settle', CONSUMER, False, True, True),
            ('settle', CONSUMER, False, True, True)])
        self.assertEqual({span['traceId'] for span in self.spans()}, {TRACE})
        service = {one['key']: one['value']['stringValue']
                   for one in self.resources()[0]['resource']['attributes']}
        self.assertEqual((service['service.name'], sorted(service)), (
            'acta', ['service.instance.id', 'service.name', 'service.version']))

    def test_one_that_is_killed_gets_what_waited_when_it_is_there_again(self):
        self.publish('before')
        self.has('publish orders')
        self.end_process(self.collector)
        self.publish('while')
        until(lambda: 'spans are not taken' in self.broker.log.read_text(), 'it is told')
        self.start()
        until(lambda: len(self.spans()) == 2, 'it arrives')


if __name__ == '__main__':
    os.environ.setdefault('GOTOOLCHAIN', 'local')
    unittest.main()
