#!/usr/bin/env python3
"""The C++ client as others have it: installed, found by CMake and by pkg-config; what it shows, and
the examples of its manual against a real broker. ACTA_SEED repeats what is drawn."""

import functools
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import unittest

from broker import BIN, PATIENCE_S, SOURCE, BrokerTest, seed
from faults import until
from oracle import free_port

EXAMPLES = SOURCE / 'client/cpp/examples'
# What is compiled stays beside the build, for the next run.
BUILD = pathlib.Path(os.environ.get('ACTA_BUILD', BIN.parent))
PREFIX = BUILD / 'client-prefix'
PROGRAMS = BUILD / 'client-examples'
FLAGS = ['-std=c++17', '-Wall', '-Wextra', '-Werror']
BUILD_S = 200  # The first time on a machine; with warm caches it takes seconds.
LAUNCHER = ['ccache'] if shutil.which('ccache') else []


def run(*command, **how):
    """The output of a command that must succeed."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=BUILD_S,
                          **{'env': {**os.environ, 'CCACHE_BASEDIR': str(SOURCE)}, **how})
    assert done.returncode == 0, f'{command}: {done.stdout}{done.stderr}'
    return done.stdout


def configure(folder, *options):
    return ['cmake', '-G', 'Ninja', '-S', EXAMPLES, '-B', folder, f'-DCMAKE_PREFIX_PATH={PREFIX}',
            f'-DCMAKE_CXX_COMPILER_LAUNCHER={";".join(LAUNCHER)}',
            f'-DCMAKE_CXX_FLAGS={" ".join(FLAGS)}', *options]


def setUpModule():
    run('cmake', '--install', BUILD, '--component', 'client', '--prefix', PREFIX)
    run(*configure(PROGRAMS))
    run('cmake', '--build', PROGRAMS, '-j', 2)


@functools.cache
def symbols():
    """Of the library."""
    out = run('nm', '-DC', '--defined-only', PREFIX / 'lib/libacta_client.so')
    return [line.split(' ', 2)[2] for line in out.splitlines()]


class Installed(unittest.TestCase):
    def headers(self):
        return sorted((PREFIX / 'include').rglob('*.h'))

    def test_public_headers_include_nothing_of_ours_that_is_not_installed(self):
        names = {path.relative_to(PREFIX / 'include').as_posix() for path in self.headers()}
        self.assertIn('acta/client/publisher.h', names)
        self.assertIn('acta/v1/event.pb.h', names)
        for path in self.headers():
            for include in re.findall(r'#\s*include ["<]([^">]+)', path.read_text()):
                top = include.split('/')[0]
                if top in ('acta', 'client', 'proto', 'storage', 'grpc', 'grpcpp'):
                    self.assertIn(include, names, path)

    def test_each_class_says_which_threads_may_use_it(self):
        told = {}
        for path in sorted((PREFIX / 'include/acta/client').iterdir()):
            for comment, name in re.findall(r'((?:^//.*\n)*)^class ACTA_CLIENT_EXPORT (\w+)',
                                            path.read_text(), re.M):
                told[name] = re.search(r'^// Threads: ', comment, re.M) is not None
        self.assertIn('Publisher', told)
        self.assertEqual([name for name, is_told in told.items() if not is_told], [])

    def test_the_library_shows_the_marked_classes_and_the_messages_and_nothing_else(self):
        marked = {'[abi:cxx11]'}
        for path in (PREFIX / 'include/acta/client').iterdir():
            marked |= set(re.findall(r'ACTA_CLIENT_EXPORT [^;({]*?(\w+)(?= [:{]|\()',
                                     path.read_text()))
        self.assertIn('Publisher', marked)
        self.assertGreater(len(symbols()), 1000)
        for symbol in symbols():
            name = re.sub(r'^(typeinfo |typeinfo name |vtable )for ', '', symbol)
            if name.startswith('acta::v1::') or name.startswith('descriptor_table_acta_2fv1_2f'):
                self.assertNotIn('Stub', name)
                continue
            self.assertTrue(name.startswith('acta::client::'), symbol)
            words = re.split(r'::|\(|\[', name[len('acta::client::'):])
            self.assertIn(words[0], marked, symbol)
            self.assertNotIn('Core', words[1:2], symbol)

    def test_what_programs_link_against_is_what_symbols_txt_has(self):
        """One that is gone needs another ACTA_CLIENT_SOVERSION; a new one, a line there."""
        shown = sorted({symbol for symbol in symbols() if 'acta::client' in symbol})
        kept = (SOURCE / 'client/cpp/symbols.txt').read_text().splitlines()
        self.assertEqual(shown, kept)

    def test_it_has_the_descriptors_of_acta_and_of_nobody_else(self):
        text = (PREFIX / 'lib/libacta_client.so').read_bytes()
        found = set(re.findall(rb'[\w/]+\.proto(?=\x12)', text))
        found = {name.decode().lstrip('\n') for name in found}
        for other in ('health', 'reflection', 'trace_service', 'records'):
            self.assertFalse([name for name in found if other in name], found)
        for proto in (SOURCE / 'proto/acta/v1').glob('*.proto'):
            self.assertIn(f'acta/v1/{proto.name}'.encode(), text)

    def test_a_package_that_is_missing_is_named_with_what_to_install(self):
        folder = PROGRAMS / 'without-protobuf'
        shutil.rmtree(folder, ignore_errors=True)
        command = configure(folder, '-DCMAKE_DISABLE_FIND_PACKAGE_Protobuf=ON')
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn('Acta needs Protobuf: install it (Debian: libprotobuf-dev)', done.stderr)

    def test_pkg_config_is_enough_to_compile_a_program_with_every_header(self):
        where = {**os.environ, 'PKG_CONFIG_PATH': str(PREFIX / 'lib/pkgconfig'),
                 'CCACHE_BASEDIR': str(SOURCE)}
        flags = {which: run('pkg-config', which, 'acta-client', env=where).split()
                 for which in ('--cflags', '--libs')}
        every = [word for path in sorted((PREFIX / 'include/acta/client').iterdir())
                 for word in ('-include', f'acta/client/{path.name}')]
        program = PROGRAMS / 'reread-by-pkg-config'
        run(*LAUNCHER, 'c++', *FLAGS, *flags['--cflags'], *every, '-c', EXAMPLES / 'reread.cc',
            '-o', f'{program}.o', env=where)
        run('c++', f'{program}.o', '-o', program, *flags['--libs'],
            f'-Wl,-rpath,{PREFIX / "lib"}')
        done = subprocess.run([program], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn('usage: reread', done.stderr)


class Program:
    """An example that goes on by itself, and the lines it has printed."""

    def __init__(self, test, name, *args):
        self.lines = []
        self.process = subprocess.Popen([PROGRAMS / name, *map(str, args)], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        test.addCleanup(self.end, signal.SIGKILL)

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip('\n'))

    def end(self, how=signal.SIGTERM):
        """Its exit code; what it said otherwise is in `errors`."""
        if not self.process.stderr.closed:
            self.process.send_signal(how)
            self.wait()
        return self.process.returncode

    def wait(self):
        self.reader.join(PATIENCE_S)
        self.errors = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        return self.process.wait(PATIENCE_S)


class Examples(BrokerTest):
    def start(self, name, *args):
        return Program(self, name, self.broker.address, *args)

    def example(self, name, *args, stdin=None):
        """What an example prints that ends by itself."""
        return run(PROGRAMS / name, self.broker.address, *args, input=stdin).splitlines()

    def produce(self, topic, numbers):
        return self.example('producer', topic, stdin=''.join(f'{n}\n' for n in numbers))

    def test_the_producer_tells_places_and_the_consumer_goes_on_behind_what_it_committed(self):
        self.acta('topic', 'create', 'lines', '--partitions', 2)
        places = self.produce('lines', range(300))
        self.assertEqual((len(places), len(set(places))), (300, 300))
        consumer = self.start('consumer', 'lines', 'readers')
        until(lambda: len(consumer.lines) >= 300, '300 lines')
        self.assertEqual(consumer.end(), 0, consumer.errors)
        self.produce('lines', range(300, 310))
        again = self.start('consumer', 'lines', 'readers')
        until(lambda: len(again.lines) >= 10, '10 lines')
        self.assertEqual(again.end(), 0, again.errors)
        self.assertEqual(sorted(map(int, consumer.lines)), list(range(300)))
        self.assertEqual(sorted(map(int, again.lines)), list(range(300, 310)))

    def test_a_producer_says_why_it_was_refused(self):
        done = subprocess.run([PROGRAMS / 'producer', self.broker.address, 'nothing'], input='x\n',
                              capture_output=True, text=True, timeout=PATIENCE_S)
        self.assertEqual((done.returncode, "'nothing'" in done.stderr), (1, True), done.stderr)

    def test_members_hand_partitions_over_and_no_event_is_done_twice_or_lost(self):
        self.acta('topic', 'create', 'work', '--partitions', 4)
        first = self.start('handover', 'work', 'members', 'first')
        self.produce('work', range(1000))
        until(lambda: len(first.lines) > 100, 'the first member works')
        second = self.start('handover', 'work', 'members', 'second')
        until(lambda: any(line.startswith('gave') for line in first.lines), 'it gives partitions')
        self.produce('work', range(1000, 2000))
        until(lambda: len(second.lines) > 100, 'the second member works')
        self.assertEqual(first.end(signal.SIGINT), 0, first.errors)
        self.produce('work', range(2000, 2100))

        def done():
            return [int(line.split()[2]) for line in first.lines + second.lines
                    if line.startswith('did')]

        until(lambda: len(done()) >= 2100, 'all of it is done')
        self.assertEqual(second.end(), 0, second.errors)
        self.assertEqual(sorted(done()), list(range(2100)))

    def test_an_import_that_is_killed_and_repeated_stores_every_line_once(self):
        chance = random.Random(seed())
        count = 100_000
        path = pathlib.Path(self.folder) / 'lines'
        path.write_text(''.join(f'{n}\n' for n in range(count)))
        self.broker.start_again('--grpc', f'127.0.0.1:{free_port()}')  # It comes back there.
        # Who stands still when it is to be killed kills none: then it is another one's turn.
        topic = next((topic for topic in ('imported', 'again', 'once-more')
                      if self.is_killed_three_times(topic, path, count, chance)), None)
        self.assertIsNotNone(topic, 'an import was done before it was killed')
        self.assertEqual(self.example('import', topic, 7, path)[-1], str(count))
        self.assertEqual(self.acta('read', topic, '--partition', 0, '--max', count * 2),
                         path.read_text())

    def is_killed_three_times(self, topic, path, count, chance):
        """Whether an import into the topic was, before it was done."""
        self.acta('topic', 'create', topic, '--partitions', 1)
        for number in range(3):
            importing = self.start('import', topic, 7, path)
            # Batches, of a thousand. Those of before count.
            wanted = chance.randrange(10, 100)
            until(lambda: len(importing.lines) >= wanted, f'{wanted} batches')
            if number == 1:
                self.broker.kill()
                said = len(importing.lines)
                self.broker.start()
                until(lambda: len(importing.lines) > said or importing.process.poll() == 0,
                      'it goes on with the broker')
            code = importing.end(signal.SIGKILL)
            if code == 0 or len(importing.lines) >= count // 100:
                return False
            self.assertEqual(code, -signal.SIGKILL)
        return True

    def test_a_range_is_read_again_and_its_end_ends_it(self):
        self.acta('topic', 'create', 'past', '--partitions', 1)
        self.produce('past', range(100))
        self.assertEqual(self.example('reread', 'past', 0, 10, 20),
                         [f'{n} {n}' for n in range(10, 20)])
        self.assertEqual(self.example('reread', 'past', 0, 95, 1000),
                         [f'{n} {n}' for n in range(95, 100)])


if __name__ == '__main__':
    if os.environ.get('ACTA_SANITIZE'):
        print('skipped: programs without the sanitizer cannot load a library that has it')
        sys.exit(77)  # What CTest takes for a test that was skipped.
    unittest.main()
