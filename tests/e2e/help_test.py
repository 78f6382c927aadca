#!/usr/bin/env python3
"""The example in the help of each command works as it stands, where there is what it names."""

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
                     topics_pb2, topics_pb2_grpc)

# What goes on until it is interrupted, and how it ends then.
ENDLESS = {'subscribe': 0, 'group lag': -signal.SIGINT}
# What asks no broker, by its first word.
BY_THEMSELVES = {'context', 'completion'}


class Help(BrokerTest):
    def setUp(self):
        super().setUp()
        self.broker.start_again(f'--storage.backup_dir={self.folder}/backups')

    def commands(self):
        """The paths of all commands, from the list in the program's own help."""
        listed = self.acta('--help').split('\nCommands:\n')[1].split('\n\n')[0].splitlines()
        return [re.match(r'  ((?:[a-z-]+ )+)', line + ' ').group(1).strip() for line in listed
                if line[2] != ' ']  # Not the rest of a long summary.

    def example(self, path):
        text = self.acta(*path.split(), '--help')
        _, found, example = text.partition('\nExample:\n')
        self.assertTrue(found, text)
        self.assertEqual(len(example.splitlines()), 1, example)
        return example.strip()

    def clear(self):
        """Without groups and topics. By calls: four programs for each command would take longer
        than the commands."""
        with grpc.insecure_channel(self.broker.address) as channel:
            groups = groups_pb2_grpc.GroupsStub(channel)
            for group in groups.ListGroups(groups_pb2.ListGroupsRequest(),
                                           timeout=PATIENCE_S).groups:
                # Its last member may just be leaving.
                groups.DeleteGroup(groups_pb2.DeleteGroupRequest(name=group.name, force=True),
                                   timeout=PATIENCE_S)
            topics = topics_pb2_grpc.TopicsStub(channel)
            for topic in topics.ListTopics(topics_pb2.ListTopicsRequest(),
                                           timeout=PATIENCE_S).topics:
                topics.DeleteTopic(topics_pb2.DeleteTopicRequest(name=topic.name),
                                   timeout=PATIENCE_S)

    def prepare(self, path):
        """The topic 'orders' with events and the group 'billing', unless the command makes them.

        For commands about dead letters the group has given up on every event; for those about
        schedules one waits, and for those about claims there is one, which only clients make."""
        self.clear()
        if path == 'topic create':
            return
        self.acta('topic', 'create', 'orders')
        for partition in range(4):
            self.acta('publish', 'orders', '{"total": 12}', '--partition', partition)
        if path in ('journey', 'questions'):
            self.acta('publish', 'orders', '{"total": 12}', '--id', 'order-1042')
        if path.startswith('schedule'):
            self.acta('publish', 'orders', '{"remind": "ann"}', '--delay', '1h')
        if path == 'group create':
            return
        queues = ('group skip', 'group expired', 'group update')
        queue = path in queues or path.startswith('deadletter')
        mode = 'queue' if queue else 'stream'
        self.acta('group', 'create', 'billing', '--topic', 'orders', '--from', 'earliest',
                  '--mode', mode)
        if path.startswith('deadletter'):
            self.acta('subscribe', 'orders', '--group', 'billing', '--exec', 'exit 65', '--max', 4)
        if path.startswith('claim'):
            with grpc.insecure_channel(self.broker.address) as channel:
                claims_pb2_grpc.ClaimsStub(channel).Claim(claims_pb2.ClaimRequest(
                    group='billing', key='order-17/mail'), timeout=PATIENCE_S)

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
        paths = self.commands()
        self.assertGreaterEqual(len(paths), 20)
        for path in paths:
            with self.subTest(path):
                example = self.example(path)
                self.assertRegex(example, rf'(^|\| )acta {path}( |$)')
                self.prepare(path)
                if path.startswith('schedule'):
                    [one] = self.acta_json('schedule', 'list')['schedules']
                    example = re.sub(r'\b\d{16}\b', one['scheduleId'], example)
                if path == 'backup delete':
                    made = self.acta_json('backup', 'create')['backups'][0]['id']
                    example = example.replace('2026-01-31T02-00-00Z', made)
                if path == 'deadletter cancel':
                    example = example.replace('00c0ffee00c0ffee', self.start_redrive())
                out = self.run_example(path, example)
                if re.search(r'(-o|--format) json( |$)', example):
                    json.loads(out.splitlines()[0])

    def test_the_example_of_each_command_exits_5_when_the_broker_is_gone(self):
        self.broker.kill()
        for path in self.commands():
            if path.split()[0] in BY_THEMSELVES:
                continue
            with self.subTest(path):
                done = subprocess.run(['sh', '-c', f'{self.example(path)} --timeout 200ms'],
                                      stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                      cwd=self.folder, env=self.environment(), timeout=PATIENCE_S)
                self.assertEqual((done.returncode, self.broker.address in done.stderr), (5, True),
                                 done.stderr)

    def test_help_fits_a_terminal_of_80_columns(self):
        for path in ['', *self.commands()]:
            text = self.acta(*path.split(), '--help').partition('\nExample:\n')[0]
            for line in text.splitlines():
                self.assertLessEqual(len(line), 80, f'{path}: {line}')

    def test_the_version_takes_no_broker(self):
        self.broker.kill()
        self.assertRegex(self.acta('--version'), r'^acta \d+\.\d+\.\d+\n$')

    def test_help_of_a_part_lists_its_commands(self):
        paths = self.commands()
        for part in {path.split()[0] for path in paths if ' ' in path}:
            text = self.acta(part, '--help')
            for path in paths:
                self.assertEqual(path.startswith(part + ' '), f'\n  {path} ' in text, path)


if __name__ == '__main__':
    unittest.main()
