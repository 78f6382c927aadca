#!/usr/bin/env python3
"""What people reach for in the first week: contexts, doctor, completion, patterns, bad lines."""

import csv
import io
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import unittest
import urllib.request

from broker import BIN, PATIENCE_S, Broker, BrokerTest
from faults import until

# Asks the completion of a shell as a key press would: the words typed so far are its arguments.
BASH = '''source <("$0" completion bash)
COMP_LINE="$0 $*"; COMP_POINT=${#COMP_LINE}
_acta
printf '%s\\n' "${COMPREPLY[@]}"'''
FISH = '$argv[1] completion fish | source; complete -C (string join " " -- acta $argv[2..-1])'
ZSH = '''compdef() { : }; compadd() { print -l -- ${(P)2} }
source <("$0" completion zsh)
words=("$0" "$@"); CURRENT=$#words
_acta'''


class EverydayTest(BrokerTest):
    def setUp(self):
        super().setUp()
        self.config = pathlib.Path(self.folder) / 'config'
        self.contexts = self.config / 'acta/contexts.json'

    def environment(self, **more):
        """Without the broker of whoever runs the tests."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith('ACTA_')}
        return {**kept, 'XDG_CONFIG_HOME': str(self.config), **more}

    def run_acta(self, *args, code=0, stdin=None, **environment):
        """(stdout, stderr) of a command that finds its broker by itself."""
        done = subprocess.run([BIN / 'acta', *map(str, args)], text=True, capture_output=True,
                              input=stdin, timeout=PATIENCE_S, env=self.environment(**environment))
        self.assertEqual(done.returncode, code, f'acta {args}: {done.stderr}{done.stdout}')
        return done.stdout, done.stderr


class Contexts(EverydayTest):
    def server(self, *args, **environment):
        row, = json.loads(self.run_acta('context', 'show', '-o', 'json', *args, **environment)[0])
        return row['server'], row['from']

    def test_a_named_broker_is_used_until_another_is_named(self):
        here, gone = self.broker.address, '127.0.0.1:1'
        self.assertEqual(self.server(), ('127.0.0.1:7450', 'default'))
        self.run_acta('context', 'add', 'here', '--server', here)
        self.run_acta('context', 'add', 'gone', '--server', gone)
        self.assertEqual(self.contexts.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.server(), (here, 'context here'))  # The first that was added.
        self.run_acta('topic', 'create', 'orders')
        self.run_acta('topic', 'list', '--context', 'gone', code=5)
        self.run_acta('context', 'use', 'gone')
        self.run_acta('topic', 'list', code=5)
        self.assertIn('orders', self.run_acta('topic', 'list', '--context', 'here')[0])
        # What is typed comes before what is set, and a server before a context.
        self.assertEqual(self.server(ACTA_CONTEXT='here'), (here, 'context here'))
        self.assertEqual(self.server(ACTA_SERVER='h:1', ACTA_CONTEXT='here'),
                         ('h:1', 'ACTA_SERVER'))
        self.assertEqual(self.server('--context', 'here', ACTA_SERVER='h:1'),
                         (here, 'context here'))
        self.assertEqual(self.server('--server', 'h:2', ACTA_SERVER='h:1'), ('h:2', '--server'))
        self.assertEqual(self.server('here'), (here, 'context here'))
        rows = json.loads(self.run_acta('context', 'list', '-o', 'json')[0])
        self.assertEqual([(row['context'], row['used']) for row in rows],
                         [('gone', 'yes'), ('here', '')])
        self.run_acta('context', 'remove', 'gone')
        self.assertEqual(self.server(), ('127.0.0.1:7450', 'default'))

    def test_what_is_wrong_is_told(self):
        self.run_acta('context', 'add', 'here', '--server', self.broker.address)
        _, err = self.run_acta('context', 'add', 'here', '--server', 'h:1', code=4)
        self.assertIn('acta context remove here', err)
        self.run_acta('context', 'add', 'a b', '--server', 'h:1', code=2)
        self.run_acta('context', 'add', 'there', code=2)
        _, err = self.run_acta('topic', 'list', '--context', 'hree', code=3)
        self.assertIn("did you mean 'here'?", err)
        self.run_acta('topic', 'list', '--context', 'here', '--server', 'h:1', code=2)
        _, err = self.run_acta('topic', 'list', '--server', 'http://h:7450', code=2)
        self.assertIn("--server: 'http://h:7450' is no address of a broker", err)
        _, err = self.run_acta('topic', 'list', code=2, ACTA_SERVER='h:73016')
        self.assertIn("ACTA_SERVER: 'h:73016'", err)
        os.chmod(self.contexts, 0o644)
        _, err = self.run_acta('topic', 'list', code=4)
        self.assertIn(f"chmod 600 '{self.contexts}'", err)
        self.run_acta('topic', 'list', ACTA_SERVER=self.broker.address)  # It needs no context.
        os.chmod(self.contexts, 0o600)
        self.contexts.write_text('{')
        _, err = self.run_acta('topic', 'list', code=1)
        self.assertIn(str(self.contexts), err)
        self.assertEqual(self.contexts.read_text(), '{')


class Doctor(EverydayTest):
    def findings(self, *args, code=0):
        got, out, err = self.broker.acta('doctor', '-o', 'json', *args)
        self.assertEqual(got, code, out + err)
        return {row['check']: row for row in json.loads(out)}

    def test_a_broker_that_is_well(self):
        self.acta('topic', 'create', 'orders')
        self.acta('publish', 'orders', 'x')
        findings = self.findings()
        self.assertEqual(set(findings), {'server', 'versions', 'clock', 'ports', 'data folder',
                                         'disk', 'stored events', 'fsync', 'descriptors',
                                         'limits', 'groups', 'journeys', 'backup'})
        for check in ('server', 'versions', 'clock', 'data folder', 'limits', 'groups'):
            self.assertEqual((findings[check]['state'], findings[check]['what_to_do']), ('ok', ''))
        self.assertIn('of the syncs', findings['fsync']['found'])
        self.assertRegex(self.acta('doctor'), r'(?m)^ok    server         127')

    def test_a_group_that_nobody_reads_and_one_that_lost_events(self):
        self.acta('topic', 'create', 'orders', '--partitions', 1)
        self.acta('group', 'create', 'billing', '--topic', 'orders', '--from', 'earliest')
        self.acta('publish', 'orders', 'x')
        group = self.findings()['group billing']
        self.assertEqual(group['state'], 'warn')
        self.assertIn('acta group explain billing', group['what_to_do'])
        self.assertRegex(self.acta('doctor'),
                         r'(?m)^warn  group billing .*\n +-> acta group explain')
        self.acta('group', 'explain', 'billing')

    def test_a_broker_that_is_not_there(self):
        server = self.findings('--server', '127.0.0.1:1', code=5)['server']
        self.assertEqual(server['state'], 'BAD')
        self.assertIn('127.0.0.1:1 (--server)', server['found'])
        self.assertIn('nothing listens there', server['what_to_do'])

    def test_the_wrong_port_and_one_that_is_silent(self):
        server = self.findings('--server', self.broker.http, '--timeout', '5s', code=5)
        self.assertIn('another program', server['server']['what_to_do'])
        with socket.create_server(('127.0.0.1', 0)) as silent:
            address = '{}:{}'.format(*silent.getsockname())
            server = self.findings('--server', address, '--timeout', '1s', code=5)
        self.assertIn('it is silent', server['server']['what_to_do'])


    def test_damage_that_a_scrub_finds_is_an_alarm_until_it_is_gone(self):
        self.broker.start_again('--storage.write_buffer=1MiB')
        self.acta('topic', 'create', 'orders', '--partitions', '1')
        line = 'x' * 1000 + '\n'
        self.acta('publish', 'orders', '--batch', '64KiB', stdin=line * 8000)
        self.assertEqual(self.broker.stop(), 0)
        tables = pathlib.Path(self.broker.data, 'db').glob('*.sst')
        largest = max(tables, key=lambda table: table.stat().st_size)
        with open(largest, 'r+b') as file:
            file.seek(100_000)
            byte = file.read(1)[0]
            file.seek(100_000)
            file.write(bytes([byte ^ 1]))
        self.broker.start()

        def alarms():
            return [alarm['code'] for alarm in self.acta_json('status')['alarms']]
        self.assertNotIn('DATA_DAMAGED', alarms())
        self.fails(1, 'DATA_CORRUPTED', 'admin', 'scrub')
        self.assertIn('DATA_DAMAGED', alarms())
        code, out, _ = self.broker.acta('doctor')
        self.assertEqual(code, 1)
        for command, told in ((('admin', 'scrub'), 'DATA_CORRUPTED'), (('doctor',), 'bad')):
            code, err = self.with_nobody_reading(*command)
            self.assertEqual((code, told in err), (1, True), err)
        self.assertRegex(out, r'BAD +stored events +a scrub found 1 range')
        with urllib.request.urlopen(f'http://{self.broker.http}/metrics') as page:
            self.assertIn('\nacta_scrubs_damaged_ranges 1\n', page.read().decode())
        self.acta('topic', 'delete', 'orders', '--yes')
        self.assertNotIn('DATA_DAMAGED', alarms())


class Completion(EverydayTest):
    def setUp(self):
        super().setUp()
        for name in ('orders', 'orders-eu', 'payments'):
            self.acta('topic', 'create', name)
        self.acta('group', 'create', 'billing', '--topic', 'orders')
        self.run_acta('context', 'add', 'here', '--server', self.broker.address)

    def completed(self, shell, script, *words):
        if shutil.which(shell[0]) is None:
            self.skipTest(f'{shell[0]} is not installed')
        done = subprocess.run([*shell, script, BIN / 'acta', *words], text=True,
                              capture_output=True, timeout=PATIENCE_S,
                              env=self.environment(HOME=self.folder,
                                                   PATH=f'{BIN}:{os.environ["PATH"]}'))
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        return sorted(filter(None, done.stdout.split('\n')))

    def check(self, shell, script):
        def completed(*words):
            return self.completed(shell, script, *words)
        self.assertEqual(completed('topic', 'cr'), ['create'])
        self.assertEqual(completed('topic', 'describe', 'ord'), ['orders', 'orders-eu'])
        self.assertEqual(completed('group', 'lag', ''), ['billing'])
        self.assertEqual(completed('topic', 'create', 'x', '--ack', ''), ['fsync', 'os'])
        self.assertEqual(completed('topic', 'create', 'x', 'ord'), ['orders', 'orders-eu'])
        self.assertEqual(completed('--context', 'h'), ['here'])
        self.assertEqual(completed('--server', self.broker.address, 'group', 'lag', 'b'),
                         ['billing'])
        self.assertEqual(completed('subscribe', 'orders', '--unt'), ['--until-end'])
        # A broker that is not there completes nothing, and says nothing.
        self.assertEqual(completed('--server', '127.0.0.1:1', 'topic', 'describe', ''), [])

    def test_the_broker_that_is_typed_is_asked(self):
        folder = pathlib.Path(self.folder) / 'other'
        folder.mkdir()
        other = Broker(folder).start()
        self.addCleanup(other.kill)
        self.run_acta('topic', 'create', 'elsewhere', '--server', other.address)
        self.run_acta('context', 'add', 'there', '--server', other.address)
        for typed in ([f'--server={other.address}'], ['--server', other.address],
                      ['--context=there'], ['--context', 'there']):
            words = ('__complete', '--', *typed, 'topic', 'delete', '')
            self.assertEqual(self.run_acta(*words)[0], 'elsewhere\n', typed)
        self.assertEqual(self.run_acta('__complete', '--', 'topic', 'delete', 'p')[0],
                         'payments\n')

    def test_bash(self):
        self.check(['bash', '-c'], BASH)

    def test_zsh(self):
        self.check(['zsh', '-f', '-c'], ZSH)

    def test_fish(self):
        self.check(['fish', '--no-config', '-c'], FISH)

    def test_another_shell_is_refused(self):
        self.fails(2, "'csh' is not one of bash, zsh, fish", 'completion', 'csh')


class Topics(EverydayTest):
    def test_several_are_created_by_one_call_and_what_cannot_be_is_named(self):
        def names(page):
            return [topic['name'] for topic in page['topics']]
        created = self.acta_json('topic', 'create', 'a', 'b', '--partitions', 2)
        self.assertEqual(names(created), ['a', 'b'])
        self.assertEqual([topic['partitions'] for topic in created['topics']], [2, 2])
        table = self.acta('topic', 'create', 'c', 'd').splitlines()
        self.assertEqual([line.split()[0] for line in table], ['TOPIC', 'c', 'd'])

        code, out, err = self.broker.acta('topic', 'create', 'e', 'b', 'no spaces', 'f', 'f',
                                          '-o', 'json')
        self.assertEqual((code, names(json.loads(out))), (6, ['e', 'f']), err)
        self.assertIn('error: 3 of 5 topics were not created\n', err)
        self.assertRegex(err, r"\n  b: topic 'b' already exists.* \[TOPIC_ALREADY_EXISTS\]\n")
        self.assertRegex(err, r'\n  no spaces: .* \[INVALID_NAME\]\n')
        self.assertRegex(err, r'\n  f: .* \[TOPIC_ALREADY_EXISTS\]\n')
        self.assertEqual(names(self.acta_json('topic', 'list')), list('abcdef'))

        # Where nothing is done, the code is that of the first; a single one has its own JSON.
        self.fails(4, '2 of 2 topics were not created', 'topic', 'create', 'a', 'no spaces')
        self.fails(2, '2 of 2 topics were not created', 'topic', 'create', 'no spaces', 'a')
        self.fails(2, '--partitions', 'topic', 'create', 'g', 'h', '--partitions', 257)
        self.assertEqual(self.acta_json('topic', 'create', 'g')['topic']['name'], 'g')
        self.broker.kill()
        err = self.fails(5, self.broker.address, 'topic', 'create', 'h', 'i', '--timeout', '200ms')
        self.assertIn('\n  i: was not tried\n', err)

    def test_a_list_by_pattern_and_by_pages(self):
        names = [f'orders-{n}' for n in range(5)] + ['payments', 'order']
        for name in names:
            self.acta('topic', 'create', name)

        def listed(*args):
            page = self.acta_json('topic', 'list', *args)
            return [topic['name'] for topic in page['topics']], page['nextPageToken']
        self.assertEqual(listed('orders-*'), (names[:5], ''))
        self.assertEqual(listed('orders-[13]'), (['orders-1', 'orders-3'], ''))
        self.assertEqual(listed('?rder'), (['order'], ''))
        self.assertEqual(listed('nothing*'), ([], ''))
        first, token = listed('orders-*', '--max', 3)
        second, end = listed('orders-*', '--max', 3, '--page', token)
        self.assertEqual((first, second, end), (names[:3], names[3:5], ''))
        paged, token = [], ''
        while True:
            page, token = listed('--max', 2, *(['--page', token] if token else []))
            paged += page
            if not token:
                break
        self.assertEqual(paged, sorted(names))

    def test_describe_watches_until_it_is_interrupted(self):
        self.acta('topic', 'create', 'orders', '--partitions', 1)
        watcher = self.spawn('topic', 'describe', 'orders', '--watch', '--interval', '100ms',
                             '-o', 'csv')
        for line in watcher.stdout:
            if line.startswith(b'0,0,0,'):
                self.acta('publish', 'orders', 'x')
            if line.startswith(b'0,0,1,'):
                break
        else:
            self.fail(f'it ended: {watcher.communicate(timeout=PATIENCE_S)}')
        watcher.send_signal(signal.SIGINT)
        watcher.wait(timeout=PATIENCE_S)
        self.fails(2, 'at least 100ms', 'topic', 'describe', 'orders', '--interval', '1ms')


class Events(EverydayTest):
    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 'orders', '--partitions', 1)
        self.acta('publish', 'orders', '{"n": 1}', '--id', 'o-1')

    def test_json_is_asked_for_as_of_every_command(self):
        for words in (('read', 'orders', '--partition', 0),
                      ('subscribe', 'orders', '--from', 'earliest', '--until-end')):
            event = json.loads(self.acta(*words, '-o', 'json'))
            self.assertEqual((event['id'], event['data']), ('o-1', {'n': 1}))
            self.assertEqual(self.acta(*words), '{"n": 1}\n')
            self.assertEqual(self.acta(*words, '-o', 'json', '--format', 'data'), '{"n": 1}\n')
            for how in (('-o', 'csv'), ('--format', 'csv')):
                row, = csv.DictReader(io.StringIO(self.acta(*words, *how)))
                self.assertEqual((row['topic'], row['offset'], row['id'], row['data']),
                                 ('orders', '0', 'o-1', '{"n": 1}'))

    def test_the_last_events_of_each_partition(self):
        self.acta('topic', 'create', 'jobs', '--partitions', 2)
        for partition, lines in ((0, 'a\nb\nc\n'), (1, 'x\n')):
            self.acta('publish', 'jobs', '--partition', partition, stdin=lines)
        last = ('subscribe', 'jobs', '--until-end', '--last')
        for count, shown in ((0, []), (1, ['c', 'x']), (2, ['b', 'c', 'x']),
                             (10, ['a', 'b', 'c', 'x'])):
            self.assertEqual(sorted(self.acta(*last, count).split()), shown)
        read = ('read', 'jobs', '--partition', 0)
        self.assertEqual(self.acta(*read, '--last', 2).split(), ['b', 'c'])
        self.assertEqual(self.acta(*read, '--last', 9).split(), ['a', 'b', 'c'])
        self.assertEqual(self.acta(*read, '--last', 2, '--max', 1).split(), ['b'])
        self.fails(2, 'exclude each other', *read, '--last', 2, '--offset', 0)
        self.fails(2, 'exclude each other', *last, 2, '--from', 'earliest')
        self.fails(2, '--last', *last, 2, '--group', 'g')
        self.fails(2, '--last', *last, -1)

    def test_an_empty_table_of_events_has_its_heading(self):
        self.acta('topic', 'create', 'empty')
        heading = 'topic,partition,offset,append_time,id,'
        for words in (('read', 'empty', '--partition', 0),
                      ('subscribe', 'empty', '--from', 'earliest', '--until-end'),
                      ('subscribe', 'empty', '--group', 'g', '--until-end')):
            out = self.acta(*words, '-o', 'csv')
            self.assertEqual((out[:len(heading)], out.count('\n')), (heading, 1))

    def test_a_queue_prints_rows(self):
        self.acta('group', 'create', 'work', '--topic', 'orders', '--mode', 'queue', '--from',
                  'earliest')
        row, = csv.DictReader(io.StringIO(self.acta('subscribe', 'orders', '--group', 'work',
                                                    '--max', 1, '-o', 'csv')))
        self.assertEqual((row['id'], row['data_base64']), ('o-1', ''))

    def test_a_line_without_the_id_that_was_asked_for_is_told_also_without_a_terminal(self):
        code, _, err = self.broker.acta('publish', 'orders', '--format', 'jsonl', '--id', '@/id',
                                        stdin='{"id": "a"}\n{"n": 2}\n')
        self.assertEqual(code, 0)
        self.assertIn('1 event had nothing where --id points to', err)

    def test_dead_letters_of_a_group_are_counted_once(self):
        self.acta('topic', 'create', 'jobs', '--partitions', 3)
        self.acta('group', 'create', 'workers', '--topic', 'jobs', '--mode', 'queue',
                  '--from', 'earliest', '--max-attempts', 1)
        self.acta('publish', 'jobs', stdin='1\n2\n3\n4\n')
        self.acta('subscribe', 'jobs', '--group', 'workers', '--max', 4, '--exec', 'exit 65')
        rows = [line.split() for line in self.acta('group', 'lag', 'workers').splitlines()]
        column = rows[0].index('DEAD_LETTERS')
        self.assertEqual(rows[-1][0], 'total')
        self.assertIn('4', rows[-1])
        self.assertNotIn('12', rows[-1])
        # Of a row the next column, BEHIND, stands there.
        self.assertEqual([row[column] for row in rows[1:-1]], ['0s'] * 3)

    def test_a_group_whose_command_fails_is_told_how_it_goes_on(self):
        for command, exit_code in (('false', 1), ('no-such-command', 127)):
            err = self.fails(1, f'the command exited with {exit_code} at orders/0 offset 0',
                             'subscribe', 'orders', '--group', 'billing', '--exec', command)
            self.assertIn('acta group skip billing', err)


class Pipes(EverydayTest):
    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 'orders', '--partitions', '1')

    def stored(self):
        return self.acta('read', 'orders', '--partition', '0').split()

    def test_a_line_is_published_when_it_is_there_and_an_interrupt_counts_those(self):
        publish = self.spawn('publish', 'orders', '-o', 'json', stdin=subprocess.PIPE)
        for number, line in enumerate((b'a\n', b'b\n', b'c\nnot ended')):
            publish.stdin.write(line)
            publish.stdin.flush()
            until(lambda: len(self.stored()) > number, 'it is stored while the pipe is open')
        publish.send_signal(signal.SIGINT)
        code = publish.wait(PATIENCE_S)
        row, = json.load(publish.stdout)
        err = publish.stderr.read().decode()
        self.assertEqual((code, row['stored']), (6, '3'), err)
        self.assertIn('interrupted before the end of the input; 3 events went through', err)
        self.assertEqual(self.stored(), ['a', 'b', 'c'])

    def test_output_that_nobody_reads_is_no_error_and_nothing_of_it_counts_as_read(self):
        self.acta('publish', 'orders', stdin='a\nb\n')
        for command in (('topic', 'list'), ('status', '-o', 'json'), ('topic', '--help'),
                        ('read', 'orders', '--partition', '0'),
                        ('subscribe', 'orders', '--from', 'earliest', '--until-end'),
                        ('group', 'lag', 'billing', '--watch', '--interval', '100ms')):
            if command[0] == 'group':
                self.acta('group', 'create', 'billing', '--topic', 'orders', '--from', 'earliest')
            self.assertEqual(self.with_nobody_reading(*command), (0, ''), command)
        self.assertEqual(self.with_nobody_reading('subscribe', 'orders', '--group', 'billing'),
                         (0, ''))
        lag = self.acta_json('group', 'lag', 'billing')['partitions'][0]
        self.assertEqual(lag['committedOffset'], '0')


    def test_output_that_cannot_be_written_is_told(self):
        for command in (['--version'], ['--help'], ['topic', 'list'], ['completion', 'bash']):
            with open('/dev/full', 'wb') as full:
                done = subprocess.run([BIN / 'acta', *command], stdout=full, timeout=PATIENCE_S,
                                      stderr=subprocess.PIPE, text=True,
                                      env={**os.environ, 'ACTA_SERVER': self.broker.address})
            self.assertEqual((done.returncode, done.stderr), (
                1, 'error: cannot write the output: No space left on device\n'), command)

    def with_closed(self, stream, *args):
        """Exit code and both outputs of a command that was given no such stream."""
        done = subprocess.run(['sh', '-c', f'exec "$@" {stream}&-', 'sh', BIN / 'acta', *args,
                               '--server', self.broker.address], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=PATIENCE_S)
        return done.returncode, done.stdout, done.stderr

    def test_no_socket_of_a_command_takes_the_place_of_a_stream_that_is_closed(self):
        closed = 'Bad file descriptor'
        code, out, err = self.with_closed('<', 'publish', 'orders')
        self.assertEqual((code, out, closed in err), (1, '', True), err)
        for command in (('topic', 'list'), ('topic', '--help'), ('config', '-o', 'json')):
            code, _, err = self.with_closed('>', *command)
            self.assertEqual((code, closed in err), (1, True), f'{command}: {err}')
        self.assertEqual(self.with_closed('2>', 'topic', 'describe', 'nothing'), (3, '', ''))
        self.assertEqual(self.stored(), [])


class BadLines(EverydayTest):
    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 'orders', '--partitions', 1)
        good = {'specversion': '1.0', 'type': 'Placed', 'source': '/shop', 'data': 1}
        self.lines = [json.dumps({**good, 'id': f'o-{n}'}) for n in range(1000)]

    def stored(self):
        return self.acta('subscribe', 'orders', '--from', 'earliest', '--until-end').count('\n')

    def publish(self, code, *options):
        got, out, err = self.broker.acta('publish', 'orders', '--format', 'cloudevents', *options,
                                         stdin='\n'.join(self.lines) + '\n')
        self.assertEqual(got, code, out + err)
        return out, err

    def test_the_first_ends_it_and_is_named(self):
        self.lines[700] = '{"specversion": "1.0", '
        _, err = self.publish(6)
        self.assertIn('line 701', err)
        self.assertEqual(self.stored(), 700)

    def test_or_all_are_passed_over_and_counted(self):
        for n in (3, 4, 998):
            self.lines[n] = 'no event'
        out, err = self.publish(6, '--skip-bad')
        self.assertEqual([f'line {n}:' in err for n in (4, 5, 999)], [True] * 3)
        self.assertIn('3 lines are no event and skipped; 997 events went through', err)
        self.assertEqual(self.stored(), 997)
        self.publish(6, '--skip-bad', '--dry-run')

    def test_none_is_bad(self):
        self.publish(0, '--skip-bad')
        self.assertEqual(self.stored(), 1000)

    def test_only_the_first_ten_are_told_one_by_one(self):
        self.lines[100:150] = ['no event'] * 50
        _, err = self.publish(6, '--skip-bad')
        self.assertEqual(err.count(', line '), 10)
        self.assertIn('further bad lines are only counted', err)
        self.assertIn('50 lines are', err)


if __name__ == '__main__':
    unittest.main()
