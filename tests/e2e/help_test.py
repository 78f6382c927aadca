#!/usr/bin/env python3
"""The example in the help of each command works as it stands, where there is what it names."""

import functools
import json
import os
import re
import signal
import subprocess
import unittest

import stubs
from broker import BIN, PATIENCE_S, BrokerTest

stubs.use()

import grpc  # noqa: E402
from acta.v1 import (claims_pb2, claims_pb2_grpc, groups_pb2, groups_pb2_grpc,  # noqa: E402
                     publisher_pb2, publisher_pb2_grpc, topics_pb2, topics_pb2_grpc)
from network import EARLIEST, Event, batch  # noqa: E402
from workers import queue_group  # noqa: E402

# What goes on until it is interrupted, and how it ends then.
ENDLESS = {'subscribe': 0, 'group lag': -signal.SIGINT}
# What asks no broker, by its first word.
BY_THEMSELVES = {'context', 'completion'}
# Nobody listens there.
NOWHERE = '127.0.0.1:1'


@functools.cache
def said(*words):
    """What a program that asks no broker prints: each is started once for all tests."""
    done = subprocess.run([BIN / 'acta', *words], text=True, capture_output=True,
                          timeout=PATIENCE_S, env={**os.environ, 'ACTA_SERVER': NOWHERE})
    if (done.returncode, done.stderr) != (0, ''):
        raise AssertionError(f'acta {words}: {done.returncode} {done.stderr}')
    return done.stdout


def help_of(path):
    return said(*path.split(), '--help')


def commands():
    """The paths of all commands, from the list in the program's own help."""
    listed = help_of('').split('\nCommands:\n')[1].split('\n\n')[0].splitlines()
    paths = [re.match(r'  ((?:[a-z-]+ )+)', line + ' ').group(1).strip() for line in listed
             if line[2] != ' ']  # Not the rest of a long summary.
    if len(paths) < 20:
        raise AssertionError(f'hardly any: {paths}')
    return paths


def example(path):
    text = help_of(path)
    _, found, line = text.partition('\nExample:\n')
    if not found or len(line.splitlines()) != 1:
        raise AssertionError(f'no example of one line: {text}')
    return line.strip()


class Pages(unittest.TestCase):
    """Of the help; no broker is there."""

    def test_help_fits_a_terminal_of_80_columns(self):
        for path in ['', *commands()]:
            for line in help_of(path).partition('\nExample:\n')[0].splitlines():
                self.assertLessEqual(len(line), 80, f'{path}: {line}')

    def test_the_version_takes_no_broker(self):
        self.assertRegex(said('--version'), r'^acta \d+\.\d+\.\d+\n$')

    def test_help_of_a_part_lists_its_commands(self):
        paths = commands()
        parts = {path.split()[0] for path in paths if ' ' in path}
        self.assertGreater(len(parts), 5)
        for part in parts:
            text = help_of(part)
            for path in paths:
                self.assertEqual(path.startswith(part + ' '), f'\n  {path} ' in text, path)


class Examples(BrokerTest):
    def setUp(self):
        super().setUp()
        self.broker.start_again(f'--storage.backup_dir={self.folder}/backups')
        channel = grpc.insecure_channel(self.broker.address)
        self.addCleanup(channel.close)
        self.topics = topics_pb2_grpc.TopicsStub(channel)
        self.groups = groups_pb2_grpc.GroupsStub(channel)
        self.claims = claims_pb2_grpc.ClaimsStub(channel)
        self.publisher = publisher_pb2_grpc.PublisherStub(channel)

    def clear(self):
        """Without groups and topics."""
        for group in self.groups.ListGroups(groups_pb2.ListGroupsRequest(),
                                            timeout=PATIENCE_S).groups:
            # Its last member may just be leaving.
            self.groups.DeleteGroup(groups_pb2.DeleteGroupRequest(name=group.name, force=True),
                                    timeout=PATIENCE_S)
        for topic in self.topics.ListTopics(topics_pb2.ListTopicsRequest(),
                                            timeout=PATIENCE_S).topics:
            self.topics.DeleteTopic(topics_pb2.DeleteTopicRequest(name=topic.name),
                                    timeout=PATIENCE_S)

    def make_orders(self):
        """With an event in each partition."""
        self.topics.CreateTopic(topics_pb2.CreateTopicRequest(
            topic=topics_pb2.Topic(name='orders')), timeout=PATIENCE_S)
        answer = self.publisher.Publish(publisher_pb2.PublishFrame(batches=[
            batch(Event(data=b'{"total": 12}'), topic='orders', partition=partition)
            for partition in range(4)]), timeout=PATIENCE_S)
        for result in answer.results[0].batches:
            self.assertFalse(result.HasField('error'), answer)

    def make_billing(self, queue):
        group = (queue_group('billing', ['orders']) if queue else groups_pb2.Group(
            name='billing', topics=['orders'], mode=groups_pb2.GROUP_MODE_STREAM))
        self.groups.CreateGroup(groups_pb2.CreateGroupRequest(group=group, start=EARLIEST),
                                timeout=PATIENCE_S)

    def prepare(self, path):
        """The topic 'orders' with events and the group 'billing', unless the command makes them. By
        calls: programs would take longer than the commands.

        For commands about dead letters the group has given up on every event; for those about
        schedules one waits, and for those about claims there is one, which only clients make."""
        self.clear()
        if path == 'topic create':
            return
        self.make_orders()
        if path in ('journey', 'questions'):
            self.acta('publish', 'orders', '{"total": 12}', '--id', 'order-1042')
        if path.startswith('schedule'):
            self.acta('publish', 'orders', '{"remind": "ann"}', '--delay', '1h')
        if path == 'group create':
            return
        queues = ('group skip', 'group expired', 'group update')
        self.make_billing(queue=path in queues or path.startswith('deadletter'))
        if path.startswith('deadletter'):
            self.acta('subscribe', 'orders', '--group', 'billing', '--exec', 'exit 65', '--max', 4)
        if path.startswith('claim'):
            self.claims.Claim(claims_pb2.ClaimRequest(group='billing', key='order-17/mail'),
                              timeout=PATIENCE_S)

    def start_redrive(self):
        return self.acta_json('deadletter', 'redrive', 'billing', '--all', '--rate', '1/s',
                              '--detach')['redriveId']

    def environment(self):
        return {**os.environ, 'ACTA_SERVER': self.broker.address,
                'XDG_CONFIG_HOME': os.path.join(self.folder, 'config'),
                'PATH': f'{BIN}:{os.environ["PATH"]}'}

    def run_example(self, path, example):
        """The standard output; of an endless command what it printed before it was interrupted."""
        endless = path in ENDLESS
        process = subprocess.Popen(
            ['sh', '-c', f'exec {example}' if endless else example], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder,
            env=self.environment())
        self.addCleanup(process.kill)
        first = ''
        if endless:
            first = process.stdout.readline()
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
        told = err if path == 'subscribe' and err.startswith('committed orders/') else ''
        self.assertEqual((process.returncode, err), (ENDLESS.get(path, 0), told), example)
        self.assertTrue(first + out, f'{example} printed nothing')
        return first + out

    def test_the_example_of_each_command_works(self):
        for path in commands():
            with self.subTest(path):
                line = example(path)
                self.assertRegex(line, rf'(^|\| )acta {path}( |$)')
                self.prepare(path)
                if path.startswith('schedule'):
                    [one] = self.acta_json('schedule', 'list')['schedules']
                    line = re.sub(r'\b\d{16}\b', one['scheduleId'], line)
                if path == 'backup delete':
                    made = self.acta_json('backup', 'create')['backups'][0]['id']
                    line = line.replace('2026-01-31T02-00-00Z', made)
                if path == 'deadletter cancel':
                    line = line.replace('00c0ffee00c0ffee', self.start_redrive())
                out = self.run_example(path, line)
                if re.search(r'(-o|--format) json( |$)', line):
                    json.loads(out.splitlines()[0])

    def test_the_example_of_each_command_exits_5_when_the_broker_is_gone(self):
        self.broker.kill()
        for path in commands():
            if path.split()[0] in BY_THEMSELVES:
                continue
            with self.subTest(path):
                done = subprocess.run(['sh', '-c', f'{example(path)} --timeout 200ms'],
                                      stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                      cwd=self.folder, env=self.environment(), timeout=PATIENCE_S)
                self.assertEqual((done.returncode, self.broker.address in done.stderr), (5, True),
                                 done.stderr)


if __name__ == '__main__':
    unittest.main()
