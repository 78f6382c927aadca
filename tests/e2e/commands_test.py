#!/usr/bin/env python3
"""Every command of `acta` against a real broker: what it does, its JSON, its exit codes."""

import json
import os
import pty
import signal
import subprocess
import time
import unittest

from broker import BIN, PATIENCE_S, BrokerTest
from faults import await_signal, until


class CommandTest(BrokerTest):
    def topic(self, name='orders', events=0, partitions=1):
        """A topic whose events are '0', '1' and so on."""
        self.acta('topic', 'create', name, '--partitions', partitions)
        if events:
            self.acta('publish', name, stdin=''.join(f'{n}\n' for n in range(events)))

    def member(self, group='billing', topic='orders', *options):
        """A member that has read its first event, so that it is connected and owns a partition."""
        member = self.spawn('subscribe', topic, '--group', group, *options)
        self.assertEqual(member.stdout.readline(), b'0\n')
        return member

    def ended(self, process, code):
        """Both outputs of a process that must end by itself with this code."""
        out, err = process.communicate(timeout=PATIENCE_S)
        self.assertEqual(process.returncode, code, err)
        return out.decode(), err.decode()

    def line_until(self, process, wanted):
        """The first line of its output that `wanted` accepts."""
        for line in process.stdout:
            if wanted(line):
                return line
        raise AssertionError(f'the output ended: {process.communicate(timeout=PATIENCE_S)}')

    def positions(self, group='billing'):
        rows = self.acta_json('group', 'lag', group)['partitions']
        return [int(row['committedOffset']) for row in rows]

    def data(self, topic='orders'):
        return self.acta('subscribe', topic, '--from', 'earliest', '--until-end').split()

    def on_a_terminal(self, answer, *args):
        """Runs a command that asks there; returns the exit code and what the terminal shows."""
        ours, theirs = pty.openpty()
        process = self.spawn(*args, stdin=theirs, stderr=theirs)
        os.close(theirs)
        shown = b''
        while b'[y/N] ' not in shown:
            shown += os.read(ours, 1000)
        os.write(ours, answer + b'\n')
        process.wait(timeout=PATIENCE_S)
        try:
            while True:
                shown += os.read(ours, 1000)
        except OSError:
            os.close(ours)  # Everything was read, and the other side is closed.
        return process.returncode, shown.decode()


class Topics(CommandTest):
    def test_alter_changes_what_is_named_and_nothing_else(self):
        self.topic()
        before = self.acta_json('topic', 'describe', 'orders')['topic']
        topic = self.acta_json('topic', 'alter', 'orders', '--retention', '30d', '--label',
                               'team=shop')['topic']
        self.assertEqual(topic['retention'], '2592000s')
        self.assertEqual(topic['labels'], {'team': 'shop'})
        changed = {name for name in topic if topic[name] != before.get(name)}
        self.assertEqual(changed, {'retention', 'labels', 'updateTime'})
        self.assertEqual(self.acta_json('topic', 'describe', 'orders')['topic'], topic)

    def test_alter_grows_partitions_when_the_order_of_keys_is_given_up(self):
        self.topic()
        self.fails(4, 'REORDER_NOT_ACCEPTED', 'topic', 'alter', 'orders', '--partitions', '2')
        topic = self.acta_json('topic', 'alter', 'orders', '--partitions', '2',
                               '--accept-reorder')['topic']
        self.assertEqual(topic['partitions'], 2)
        self.fails(2, 'only grow', 'topic', 'alter', 'orders', '--partitions', '1',
                   '--accept-reorder')

    def test_alter_needs_a_topic_and_a_setting(self):
        self.topic()
        self.fails(2, 'nothing to change', 'topic', 'alter', 'orders')
        self.fails(2, '--retention', 'topic', 'alter', 'orders', '--retention', 'soon')
        self.fails(3, 'TOPIC_NOT_FOUND', 'topic', 'alter', 'nothing', '--retention', '1d')

    def test_a_terminal_has_colours_unless_they_are_not_wanted(self):
        self.topic()

        def shown(*options, **environment):
            ours, theirs = pty.openpty()
            process = subprocess.Popen(
                [BIN / 'acta', 'topic', 'describe', 'nothing', *options], stderr=theirs,
                env={**os.environ, 'ACTA_SERVER': self.broker.address, **environment})
            os.close(theirs)
            text = os.read(ours, 1000)
            process.wait(PATIENCE_S)
            os.close(ours)
            return text
        self.assertIn(b'\x1b[31m', shown())
        self.assertNotIn(b'\x1b', shown('--no-color'))
        self.assertNotIn(b'\x1b', shown(NO_COLOR='1'))
        self.assertNotIn('\x1b', self.fails(3, 'TOPIC_NOT_FOUND', 'topic', 'describe', 'nothing'))

    def test_delete_asks_on_a_terminal(self):
        self.topic()
        code, shown = self.on_a_terminal(b'n', 'topic', 'delete', 'orders')
        self.assertEqual(code, 4)
        self.assertIn("Delete topic 'orders' and all its events?", shown)
        self.assertIn('nothing was deleted', shown)
        self.acta('topic', 'describe', 'orders')
        self.assertEqual(self.on_a_terminal(b'y', 'topic', 'delete', 'orders')[0], 0)
        self.fails(3, 'TOPIC_NOT_FOUND', 'topic', 'describe', 'orders')

    def test_delete_is_refused_while_members_read_it_unless_forced(self):
        self.topic(events=1)
        member = self.member()
        self.fails(4, 'TOPIC_IN_USE', 'topic', 'delete', 'orders', '--yes')
        self.acta('topic', 'describe', 'orders')
        self.assertEqual(self.acta_json('topic', 'delete', 'orders', '--yes', '--force'), {})
        self.assertIn('TOPIC_NOT_FOUND', self.ended(member, 3)[1])
        self.assertEqual(self.acta_json('topic', 'list')['topics'], [])


class Groups(CommandTest):
    def test_create_fixes_the_start_and_list_shows_what_reads_a_topic(self):
        self.topic(events=3)
        self.topic('other')
        group = self.acta_json('group', 'create', 'billing', '--topic', 'orders', '--from', '2',
                               '--description', 'sends bills', '--label', 'team=shop')['group']
        self.assertEqual((group['name'], group['topics'], group['mode']),
                         ('billing', ['orders'], 'GROUP_MODE_STREAM'))
        self.assertEqual((group['description'], group['labels']),
                         ('sends bills', {'team': 'shop'}))
        self.acta('group', 'create', 'audit', '--topic', 'orders', '--topic', 'other')
        self.assertEqual(self.positions('billing'), [2])
        self.assertEqual(self.positions('audit'), [3, 0])

        def listed(*args):
            return [group['name'] for group in self.acta_json('group', 'list', *args)['groups']]
        self.assertEqual(listed(), ['audit', 'billing'])
        self.assertEqual(listed('--topic', 'other'), ['audit'])
        self.fails(3, 'TOPIC_NOT_FOUND', 'group', 'list', '--topic', 'othre')

    def test_create_says_what_is_wrong(self):
        self.topic()
        self.fails(2, '--topic is missing', 'group', 'create', 'billing')
        self.fails(2, '--mode', 'group', 'create', 'billing', '--topic', 'orders', '--mode', 'x')
        self.fails(1, 'OFFSET_OUT_OF_RANGE', 'group', 'create', 'billing', '--topic', 'orders',
                   '--from', '5')
        self.fails(3, 'TOPIC_NOT_FOUND', 'group', 'create', 'billing', '--topic', 'nothing')
        self.acta('group', 'create', 'billing', '--topic', 'orders')
        self.fails(4, 'GROUP_ALREADY_EXISTS', 'group', 'create', 'billing', '--topic', 'orders')
        self.fails(2, '--topik', 'group', 'list', '--topik', 'orders')

    def test_describe_shows_members_with_their_partitions(self):
        self.topic(events=1)
        self.member('billing', 'orders', '--member', 'till-1')
        group = self.acta_json('group', 'describe', 'billing')['group']
        self.assertEqual((group['name'], group['topics']), ('billing', ['orders']))
        member = group['members'][0]
        self.assertEqual((member['memberId'], member['connected'], member['app']),
                         ('till-1', True, 'acta'))
        self.assertEqual(member['partitions'],
                         [{'topic': 'orders', 'partition': 0, 'generation': '1'}])
        self.assertIn('till-1  yes', self.acta('group', 'describe', 'billing'))
        self.fails(2, 'GROUP is missing', 'group', 'describe')

    def test_delete_asks_and_is_refused_while_members_are_connected_unless_forced(self):
        self.topic(events=1)
        member = self.member()
        self.fails(4, '--yes', 'group', 'delete', 'billing')
        self.assertEqual(self.on_a_terminal(b'', 'group', 'delete', 'billing')[0], 4)
        self.fails(4, 'GROUP_IN_USE', 'group', 'delete', 'billing', '--yes')
        self.assertEqual(self.acta_json('group', 'delete', 'billing', '--yes', '--force'), {})
        self.assertIn('GROUP_NOT_FOUND', self.ended(member, 3)[1])
        self.assertEqual(self.acta_json('group', 'list')['groups'], [])
        self.fails(3, 'GROUP_NOT_FOUND', 'group', 'delete', 'billing', '--yes')

    def test_lag_watches_until_it_is_interrupted(self):
        self.topic(events=3)
        self.acta('group', 'create', 'billing', '--topic', 'orders', '--from', 'earliest')
        watch = self.spawn('group', 'lag', 'billing', '--watch', '--interval', '100ms', '-o',
                           'json')
        self.assertEqual(json.loads(watch.stdout.readline())['partitions'][0]['lagEvents'], '3')
        self.acta('publish', 'orders', 'x')
        self.line_until(watch, lambda line: json.loads(line)['partitions'][0]['lagEvents'] == '4')
        watch.send_signal(signal.SIGINT)
        self.ended(watch, -signal.SIGINT)
        self.fails(2, '--interval', 'group', 'lag', 'billing', '--watch', '--interval', 'often')

    def test_watching_into_a_file_moves_no_cursor(self):
        self.topic()
        self.acta('group', 'create', 'billing', '--topic', 'orders')
        watch = self.spawn('group', 'lag', 'billing', '--watch', '--interval', '100ms')
        lines = [watch.stdout.readline() for _ in range(6)]
        self.assertEqual([line.split()[0] for line in lines],
                         [b'TOPIC', b'orders', b'total'] * 2)

    def test_watching_ends_with_the_group(self):
        self.topic()
        self.acta('group', 'create', 'billing', '--topic', 'orders')
        watch = self.spawn('group', 'lag', 'billing', '--watch', '--interval', '100ms')
        watch.stdout.readline()
        self.acta('group', 'delete', 'billing', '--yes')
        self.assertIn('GROUP_NOT_FOUND', self.ended(watch, 3)[1])

    def test_reset_moves_one_partition_or_all_and_a_dry_run_none(self):
        self.topic(events=5)
        self.acta('group', 'create', 'billing', '--topic', 'orders', '--from', '1')
        reset = ('group', 'reset', 'billing', '--reason', 'billed twice')
        wanted = [{'topic': 'orders', 'partition': 0, 'oldOffset': '1', 'newOffset': '5'}]
        self.assertEqual(self.acta_json(*reset, '--to', 'latest', '--dry-run'),
                         {'changes': wanted, 'dryRun': True})
        self.assertEqual(self.positions(), [1])
        self.assertEqual(self.acta_json(*reset, '--to', 'latest'),
                         {'changes': wanted, 'dryRun': False})
        self.assertEqual(self.positions(), [5])
        self.acta(*reset, '--to', '0:3')
        self.assertEqual(self.positions(), [3])
        self.acta(*reset, '--to', '-1h')
        self.assertEqual(self.positions(), [0])

    def test_reset_is_fenced_by_members_unless_forced(self):
        self.topic(events=5)
        member = self.member()
        reset = ('group', 'reset', 'billing', '--to', 'earliest', '--reason', 'billed twice')
        self.fails(4, 'FENCED', *reset)
        self.assertTrue(self.acta_json(*reset, '--dry-run')['dryRun'])
        self.assertIsNone(member.poll())
        self.acta(*reset, '--force')
        self.line_until(member, lambda line: line == b'0\n')  # It is back by itself, there.
        self.line_until(member, lambda line: line == b'4\n')
        until(lambda: self.positions() == [5], 'what it read again is committed', PATIENCE_S)

    def test_reset_says_what_is_wrong(self):
        self.topic(events=1)
        self.topic('other')
        self.acta('group', 'create', 'billing', '--topic', 'orders', '--topic', 'other')
        reset = ('group', 'reset', 'billing')
        self.fails(2, '--reason is missing', *reset, '--to', 'earliest')
        self.fails(2, '--to is missing', *reset, '--reason', 'x')
        self.fails(2, 'bogus', *reset, '--reason', 'x', '--to', 'bogus')
        self.fails(2, '--topic', *reset, '--reason', 'x', '--to', '0:0')
        self.fails(1, 'OFFSET_OUT_OF_RANGE', *reset, '--reason', 'x', '--to', '0:2', '--topic',
                   'orders')
        self.fails(3, 'PARTITION_NOT_FOUND', *reset, '--reason', 'x', '--to', '9:0', '--topic',
                   'orders')
        self.fails(3, 'TOPIC_NOT_FOUND', *reset, '--reason', 'x', '--to', 'latest', '--topic',
                   'nothing')


class Events(CommandTest):
    def test_publish_goes_to_a_partition_with_attributes(self):
        self.topic(partitions=4)
        done = self.acta_json('publish', 'orders', '7', '--partition', '3', '--attribute', 'a=1',
                              '--attribute', 'b=2', '--batch', '1KiB')[0]
        self.assertEqual((done['events'], done['stored'], done['failed']), ('1', '1', '0'))
        event = self.events('read', 'orders', '--partition', '3')[0]
        self.assertEqual((event['data'], event['attributes']), (7, {'a': '1', 'b': '2'}))
        self.fails(3, 'PARTITION_NOT_FOUND', 'publish', 'orders', 'x', '--partition', '4')
        self.fails(2, '--attribute', 'publish', 'orders', 'x', '--attribute', 'a')
        self.fails(2, '--batch', 'publish', 'orders', 'x', '--batch', '2MiB')

    def test_publish_keeps_order_whatever_the_batches(self):
        self.topic()
        lines = [str(number) for number in range(500)]
        for batch in ('1B', '100B', '1MiB'):
            self.acta('publish', 'orders', '--batch', batch, stdin='\n'.join(lines))
        self.assertEqual(self.data(), lines * 3)

    def test_publish_keeps_to_a_rate(self):
        self.topic()
        done = self.acta_json('publish', 'orders', '--rate', '100', stdin='x\n' * 31)[0]
        self.assertEqual(done['stored'], '31')
        self.assertGreaterEqual(float(done['seconds']), 0.3)
        self.fails(2, '--rate', 'publish', 'orders', 'x', '--rate', '0')

    def test_publish_shows_what_it_would_send_and_sends_nothing(self):
        self.topic()
        out = self.acta('publish', 'orders', '--dry-run', '--format', 'jsonl', '--key', '@/who',
                        '--attribute', 'a=1', stdin='{"who": "ann"}\n{"who": "bob"}\n')
        shown = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([(event['key'], event['data'], event['attributes']) for event in shown],
                         [('ann', {'who': 'ann'}, {'a': '1'}), ('bob', {'who': 'bob'}, {'a': '1'})])
        self.assertEqual(self.data(), [])
        self.fails(1, 'line 2', 'publish', 'orders', '--dry-run', '--format', 'jsonl',
                   stdin='{}\nno json\n')

    def test_publish_that_stops_half_way_is_partly_done_and_says_how_far(self):
        self.acta('topic', 'create', 'orders', '--partitions', '1', '--max-event', '1KiB')
        code, out, err = self.broker.acta('publish', 'orders', '-o', 'json', '--batch', '1B',
                                          stdin='a\n' + 'x' * 2000 + '\n')
        self.assertEqual(code, 6, err)
        self.assertIn('EVENT_TOO_LARGE', err)
        self.assertIn('standard input, line 2: event 0 of the batch', err)
        self.assertEqual(json.loads(out)[0]['stored'], '1')
        self.assertEqual(self.data(), ['a'])

    def test_a_refused_batch_names_the_line_of_the_event_that_it_is_refused_for(self):
        self.topic()
        lines = [json.dumps({'key': 'k' * (2000 if n == 7 else 1)}) for n in range(1, 11)]
        code, _, err = self.broker.acta('publish', 'orders', '--format', 'jsonl', '--key', '@/key',
                                        stdin='\n'.join(lines))
        self.assertIn(code, (1, 6))  # The first ones may be in a batch before.
        self.assertRegex(err, r'standard input, line 7: the key of event \d of the batch .*'
                              r'KEY_TOO_LARGE')

    def test_exec_commits_after_each_success_and_stops_at_the_first_failure(self):
        self.topic(events=3)
        seen = os.path.join(self.folder, 'seen')
        subscribe = ('subscribe', 'orders', '--group', 'billing', '--exec')
        command = f'echo "$ACTA_TOPIC $ACTA_PARTITION $ACTA_OFFSET $(cat)" >>{seen}'
        self.acta(*subscribe, command, '--max', '1')
        self.assertEqual(self.positions(), [1])
        self.fails(1, 'exited with 7 at orders/0 offset 2', *subscribe,
                   f'{command}; test $ACTA_OFFSET -lt 2 || exit 7', '--until-end')
        self.assertEqual(self.positions(), [2])
        self.acta(*subscribe, command, '--until-end')
        self.assertEqual(self.positions(), [3])
        with open(seen) as file:
            self.assertEqual(file.read().splitlines(), [f'orders 0 {n} {n}' for n in (0, 1, 2, 2)])
        self.fails(2, '--exec needs a value', *subscribe)

    def test_an_empty_command_or_group_is_refused_and_nothing_is_processed(self):
        self.topic(events=3)
        self.acta('group', 'create', 'billing', '--topic', 'orders', '--from', 'earliest')
        for command in ('', ' '):
            self.fails(2, '--exec: it is empty', 'subscribe', 'orders', '--group', 'billing',
                       '--exec', command, '--until-end')
        self.assertEqual(self.positions(), [0])
        self.fails(2, '--group: it is empty', 'subscribe', 'orders', '--group', '', '--until-end')

    def test_partitions_that_end_before_the_start_are_left_out_and_named(self):
        self.topic(partitions=3)
        for partition, line in ((0, 'a\nb\nc\n'), (1, 'd\n'), (2, 'e\nf\n')):
            self.acta('publish', 'orders', '--partition', partition, stdin=line)
        code, out, err = self.broker.acta('subscribe', 'orders', '--from', '2', '--until-end')
        self.assertEqual((code, out), (0, 'c\n'), err)
        self.assertIn('topic orders: 1 of 3 partitions end before offset 2 and are not read: 1',
                      err)
        self.fails(1, 'OFFSET_OUT_OF_RANGE', 'subscribe', 'orders', '--from', '4', '--until-end')

    def executing(self):
        """A member whose first command runs until something is written to the path."""
        self.topic(events=100)
        go = os.path.join(self.folder, 'go')
        os.mkfifo(go)
        member = self.spawn('subscribe', 'orders', '--group', 'billing', '--exec',
                            f'echo $ACTA_OFFSET; test $ACTA_OFFSET -gt 0 || read line <{go}',
                            start_new_session=True)
        self.assertEqual(member.stdout.readline(), b'0\n')
        return member, go

    def test_an_interrupt_finishes_the_command_and_says_what_was_committed(self):
        member, go = self.executing()
        os.killpg(member.pid, signal.SIGINT)
        await_signal(member.pid, signal.SIGINT)
        time.sleep(0.2)  # In which it would end.
        self.assertIsNone(member.poll())
        with open(go, 'w') as file:
            file.write('go\n')
        out, err = self.ended(member, 0)
        self.assertEqual(out, '')
        self.assertEqual(err.splitlines()[-1], 'committed orders/0 up to offset 0')
        self.assertEqual(self.positions(), [1])

    def test_an_interrupt_before_anything_came_says_that_nothing_was_committed(self):
        self.topic()
        member = self.spawn('subscribe', 'orders', '--group', 'billing')
        until(lambda: self.broker.acta('group', 'describe', 'billing')[0] == 0, 'it has joined')
        member.send_signal(signal.SIGINT)
        self.assertEqual(self.ended(member, 0)[1].splitlines()[-1], 'committed nothing')

    def test_exec_is_not_started_again_after_a_signal(self):
        member, go = self.executing()
        member.terminate()
        await_signal(member.pid, signal.SIGTERM)
        with open(go, 'w') as file:
            file.write('go\n')
        self.assertEqual(self.ended(member, 0)[0], '')
        self.assertEqual(self.positions(), [1])


class Retention(CommandTest):
    options = ('--storage.slice_seconds=1',)

    def test_what_retention_took_is_told_to_readers_and_groups_until_somebody_decides(self):
        self.acta('topic', 'create', 'orders', '--partitions', '1', '--retention', '1s')
        self.acta('group', 'create', 'billing', '--topic', 'orders', '--from', 'earliest')
        self.acta('publish', 'orders', stdin='a\nb\n')
        until(lambda: self.acta_json('topic', 'describe', 'orders')['partitions'][0]
              ['firstOffset'] == '2', 'retention takes both', PATIENCE_S)
        gone = 'events 0 to 1 were removed by retention; the first offset is 2 [GAP]'
        self.fails(1, gone, 'read', 'orders', '--partition', '0', '--offset', '0')
        self.fails(1, gone, 'subscribe', 'orders', '--from', '0', '--until-end')
        self.assertEqual(self.data(), [])
        group = ('subscribe', 'orders', '--group', 'billing', '--until-end')
        self.fails(1, gone, *group)
        code, _, err = self.broker.acta('group', 'lag', 'billing')
        self.assertEqual(code, 0)
        self.assertIn('retention has removed 2 events that the group had not read; where it may go '
                      'on: acta group explain billing\n', err)
        self.assertIn('acta group reset billing --topic orders --to 0:2 --reason "..."',
                      self.acta('group', 'explain', 'billing'))
        self.acta('group', 'reset', 'billing', '--to', 'earliest', '--reason', 'not needed')
        self.acta(*group)
        self.assertEqual(self.positions(), [2])


class Server(CommandTest):
    def test_status_tells_what_runs(self):
        self.topic(events=3, partitions=2)
        self.acta('group', 'create', 'billing', '--topic', 'orders')
        status = self.acta_json('status')
        self.assertEqual((status['topics'], status['partitions'], status['groups']),
                         ('1', '2', '1'))
        self.assertEqual(status['eventsPublished'], '3')
        self.assertEqual(status['grpcAddress'], self.broker.address)
        self.assertEqual(int(status['pid']), self.broker.process.pid)
        self.assertTrue(status['ready'])
        self.assertIn(f'process {self.broker.process.pid}, ready', self.acta('status'))
        self.fails(2, 'one argument too many', 'status', 'now')

    def test_config_tells_value_and_source_of_every_property(self):
        properties = {row['name']: row for row in self.acta_json('config')['properties']}
        self.assertGreater(len(properties), 50)
        data = properties['storage.data']
        self.assertEqual((data['value'], data['source']), (str(self.broker.data), 'flag'))
        self.assertEqual(properties['topics.default_partitions']['source'], 'default')
        changed = self.acta('config', '--changed', '-o', 'csv').splitlines()
        self.assertEqual([line.split(',')[0] for line in changed[1:]],
                         [name for name, row in properties.items() if row['source'] != 'default'])
        self.fails(2, "did you mean '--changed'", 'config', '--change')

    def test_limits_tell_their_current_use(self):
        def current():
            limits = self.acta_json('limits')['limits']
            return {row['name']: row['current'] for row in limits if 'current' in row}
        before = current()['limits.partitions']
        self.topic(partitions=3)
        self.assertEqual((before, current()['limits.partitions']), ('0', '3'))
        self.fails(2, "'xml' is not an output", 'limits', '-o', 'xml')

    def test_version_tells_both_programs_and_the_libraries(self):
        rows = {row['program']: row['version'] for row in self.acta_json('version')}
        self.assertEqual(set(rows), {'acta', 'actad'})
        deps = {row['program']: row['version'] for row in self.acta_json('version', '--deps')}
        self.assertLess({'gRPC', 'RocksDB', 'protobuf'}, set(deps))
        self.assertTrue(all(deps.values()), deps)
        self.fails(2, "did you mean '--deps'", 'version', '--dep')

    def test_scrub_reads_everything(self):
        self.topic(events=10)
        scrub = self.acta_json('admin', 'scrub')
        self.assertGreater(int(scrub['batches']), 0)
        self.assertGreater(int(scrub['bytes']), 0)
        self.assertEqual(scrub['damaged'], [])
        self.assertIn(' 0 damaged', self.acta('admin', 'scrub'))
        self.fails(2, 'one argument too many', 'admin', 'scrub', 'orders')

    def test_accept_clock_needs_a_reason(self):
        clock = self.acta_json('admin', 'accept-clock', '--reason', 'NTP corrected the clock')
        self.assertEqual(set(clock), {'serverTime', 'moved'})
        self.assertIn('NTP corrected the clock', self.broker.log.read_text())
        self.fails(2, '--reason is missing', 'admin', 'accept-clock')

    def test_commands_exit_5_when_the_broker_is_gone(self):
        """In forms that are no example in their help: help_test.py has each example."""
        self.broker.kill()
        for words in ('publish t x', 'publish t x --delay 1h', 'subscribe t', 'group lag g',
                      'group reset g --to latest --reason x', 'group pause g --reason x',
                      'deadletter list g', 'deadletter export g', 'deadletter redrive g --all',
                      'deadletter discard g --all --yes', 'journey --event e', 'top', 'config',
                      'admin log-level'):
            with self.subTest(words):
                self.fails(5, self.broker.address, *words.split(), '--timeout', '200ms')
        self.assertEqual(len(json.loads(self.acta('version', '-o', 'json', '--timeout', '200ms'))),
                         1)


if __name__ == '__main__':
    unittest.main()
