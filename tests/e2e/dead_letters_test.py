#!/usr/bin/env python3
"""`acta` and what a QUEUE group gave up on: listing, showing, exporting, redriving and discarding
dead letters; pausing, explaining and skipping."""

import fcntl
import json
import os
import pty
import signal
import time

import stubs

stubs.use()

import grpc  # noqa: E402
from acta.v1 import groups_pb2, groups_pb2_grpc  # noqa: E402
from broker import PATIENCE_S, BrokerTest, rfc3339  # noqa: E402
from faults import await_signal, until  # noqa: E402
from network import EARLIEST  # noqa: E402
from oracle import side_by_side  # noqa: E402
from workers import ACK, REJECT, Worker, queue_group  # noqa: E402

LIST = ('deadletter', 'list', 'workers')
SHOW = ('deadletter', 'show', 'workers')
EXPORT = ('deadletter', 'export', 'workers')
REDRIVE = ('deadletter', 'redrive', 'workers')
DISCARD = ('deadletter', 'discard', 'workers')


class DeadLetterTest(BrokerTest):
    in_turn = True

    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 'jobs', '--partitions', 1)
        self.channel = grpc.insecure_channel(self.broker.address)
        self.addCleanup(self.channel.close)
        self.group()

    def group(self, **settings):
        groups_pb2_grpc.GroupsStub(self.channel).CreateGroup(groups_pb2.CreateGroupRequest(
            group=queue_group('workers', ['jobs'], **settings), start=EARLIEST),
            timeout=PATIENCE_S)

    def redrives(self):
        return self.acta_json('deadletter', 'redrives', 'workers')['redrives']

    def publish(self, count):
        self.acta('publish', 'jobs', stdin=''.join(f'{{"n": {n}}}\n' for n in range(count)))

    def worker(self, **how):
        worker = Worker(self.channel, **how)
        self.addCleanup(worker.die)
        return worker

    def rejecting(self):
        """A member that rejects all it gets: even numbers for one reason, odd ones for another."""
        def reject(worker, leased):
            odd = json.loads(leased.data)['n'] % 2
            worker.settle(REJECT, leased, reason='no-money' if odd else 'bad-card',
                          text='account 17' if odd else 'expired')
            worker.credit(1)
        return self.worker(on_event=reject, app='till', app_version='7')

    def dead(self, count):
        """So many dead letters, and no member."""
        self.publish(count)
        worker = self.rejecting()
        until(lambda: len(self.refs()) == count, f'{count} dead letters', PATIENCE_S)
        worker.leave()

    def letters(self, *filters):
        return self.acta_json(*LIST, *filters)['deadLetters']

    def refs(self, *filters):
        return [f"{one['ref']['topic']}/{one['ref']['partition']}/{one['ref']['offset']}"
                for one in self.letters(*filters)]

    def lag(self):
        return self.acta_json('group', 'lag', 'workers')['partitions'][0]['queue']


class Editing(DeadLetterTest):
    def test_edit_publishes_a_corrected_event_and_forgets_the_dead_letter(self):
        self.dead(1)
        done = self.acta('deadletter', 'edit', 'workers', 'jobs/0/0', '{"n": 7}', '--id', 'new')
        self.assertIn('replaced dead letter jobs/0/0 by jobs/0/1', done)
        self.assertEqual(self.refs(), [])
        edited = self.events('read', 'jobs', '--partition', 0)[1]
        self.assertEqual((edited['id'], edited['data'], edited['causationid']),
                         ('new', {'n': 7}, 'jobs/0/0'))
        self.fails(3, 'DEAD_LETTER_NOT_FOUND', 'deadletter', 'edit', 'workers', 'jobs/0/0', 'x')
        self.fails(2, 'DATA or --file', 'deadletter', 'edit', 'workers', 'jobs/0/0')
        self.fails(2, '--file', 'deadletter', 'edit', 'workers', 'jobs/0/0', '--file', '/none')
        self.fails(2, '--file', 'deadletter', 'edit', 'workers', 'jobs/0/0', '--file', '/')


class Looking(DeadLetterTest):
    def test_list_shows_all_or_what_is_selected(self):
        self.dead(5)
        self.assertEqual(self.refs(), [f'jobs/0/{n}' for n in range(5)])
        table = self.acta(*LIST).splitlines()
        self.assertEqual(len(table), 6)
        self.assertRegex(table[2], r'^jobs/0/1 .* rejected +1 +0 +[0-9a-f]{16}  no-money +account')
        kind = self.letters()[1]['fingerprint']
        self.assertEqual(self.refs('--fingerprint', kind), ['jobs/0/1', 'jobs/0/3'])
        self.assertEqual(self.refs('--max', '2'), ['jobs/0/0', 'jobs/0/1'])
        self.assertEqual(self.refs('--topic', 'other'), [])
        self.assertEqual(len(self.refs('--after', '-1h')), 5)
        self.assertEqual(self.refs('--before', '-1h'), [])

    def test_list_counts_by_fingerprint(self):
        self.dead(5)
        summary = self.acta_json(*LIST, '--by-fingerprint')
        self.assertEqual([(kind['count'], kind['example']['lastAttempt']['reason'])
                          for kind in summary['kinds']], [('3', 'bad-card'), ('2', 'no-money')])
        self.assertEqual(summary['total'], '5')
        table = self.acta(*LIST, '--by-fingerprint').splitlines()
        self.assertRegex(table[1], r'^[0-9a-f]{16} +3 .*bad-card +expired +jobs/0/4$')
        self.assertRegex(table[3], r'^total +5$')
        self.fails(2, '--by-fingerprint', *LIST, '--by-fingerprint', '--topic', 'jobs')

    def test_show_has_every_attempt_and_the_event(self):
        self.dead(2)
        letter = self.acta_json(*SHOW, 'jobs/0/1')['deadLetter']
        self.assertEqual((letter['reason'], len(letter['history'])),
                         ('DEAD_LETTER_REASON_REJECTED', 1))
        attempt = letter['history'][0]
        self.assertEqual((attempt['end'], attempt['app'], attempt['appVersion'], attempt['text']),
                         ('ATTEMPT_END_REJECT', 'till', '7', 'account 17'))
        shown = self.acta(*SHOW, 'jobs/0/1').splitlines()
        self.assertRegex(shown[0], r'^dead letter jobs/0/1: rejected since ')
        self.assertRegex(shown[2], r'^ +1 +0  reject .* till 7  no-money  account 17$')
        self.assertEqual(json.loads(shown[3]), {'n': 1})
        event = json.loads(self.acta(*SHOW, 'jobs/0/1', '--format', 'json').splitlines()[-1])
        self.assertEqual((event['offset'], event['data']), (1, {'n': 1}))
        cloud = json.loads(self.acta(*SHOW, 'jobs/0/1', '--format',
                                     'cloudevents').splitlines()[-1])
        self.assertEqual(cloud['specversion'], '1.0')

    def test_export_writes_a_line_for_each_with_history_and_event(self):
        self.dead(3)
        lines = [json.loads(line) for line in self.acta(*EXPORT).splitlines()]
        self.assertEqual([line['event']['data']['n'] for line in lines], [0, 1, 2])
        self.assertEqual([len(line['dead_letter']['history']) for line in lines], [1, 1, 1])
        path = os.path.join(self.folder, 'letters.jsonl')
        self.assertIn('exported 1 dead letter to', self.acta(*EXPORT, 'jobs/0/2', '--file', path))
        # What fails leaves it as it is.
        self.fails(3, 'GROUP_NOT_FOUND', 'deadletter', 'export', 'worker', '--file', path)
        self.fails(5, '127.0.0.1:1', *EXPORT, '--file', path, '--server', '127.0.0.1:1',
                   '--timeout', '1s')
        with open(path) as file:
            self.assertEqual([json.loads(line)['event']['offset'] for line in file], [2])
        self.assertEqual(self.acta(*EXPORT, '--before', '-1h'), '')
        self.fails(2, '--format', *EXPORT, '--format', 'csv')

    def test_export_ends_in_good_order_where_nobody_reads_on(self):
        self.dead(30)
        reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)  # Less than what is exported.
        export = self.spawn(*EXPORT, stdout=writing)
        os.close(writing)
        self.assertEqual(os.read(reading, 1), b'{')
        os.close(reading)
        _, err = export.communicate(timeout=PATIENCE_S)
        self.assertEqual((export.returncode, err), (0, b''))

    def test_an_export_that_is_interrupted_leaves_nothing_beside_its_file(self):
        self.dead(1)
        folder = os.path.join(self.folder, 'letters')
        os.mkdir(folder)
        self.broker.process.send_signal(signal.SIGSTOP)
        export = self.spawn(*EXPORT, '--file', os.path.join(folder, 'all.jsonl'))
        fds = f'/proc/{export.pid}/fd'
        until(lambda: any('/letters/' in os.path.realpath(f'{fds}/{fd}')
                          for fd in os.listdir(fds)), 'a file to write to')
        export.send_signal(signal.SIGTERM)
        await_signal(export.pid, signal.SIGTERM)  # Or it could be done before.
        self.broker.process.send_signal(signal.SIGCONT)
        _, err = export.communicate(timeout=PATIENCE_S)
        self.assertEqual((export.returncode, b'interrupted' in err), (1, True), err)
        self.assertEqual(os.listdir(folder), [])

    def test_what_is_wrong_is_said(self):
        self.dead(1)
        self.fails(3, 'DEAD_LETTER_NOT_FOUND', *SHOW, 'jobs/0/7')
        self.fails(2, 'TOPIC/PARTITION/OFFSET', *SHOW, 'jobs')
        self.fails(3, 'DEAD_LETTER_NOT_FOUND', *REDRIVE, 'jobs/0/7')
        self.fails(3, 'DEAD_LETTER_NOT_FOUND', *DISCARD, 'jobs/0/7', '--yes')
        self.fails(2, 'nothing is selected', *REDRIVE)
        self.fails(2, 'nothing is selected', *DISCARD, '--yes')
        self.fails(2, '--rate', *REDRIVE, '--all', '--rate', 'fast')
        self.fails(2, '--stop-if needs --rate', *REDRIVE, '--all', '--stop-if', '0.2')
        self.fails(2, '--stop-if', *REDRIVE, '--all', '--rate', '1/s', '--stop-if', '2')
        self.fails(2, '--after', *LIST, '--after', 'soon')
        self.fails(3, 'GROUP_NOT_FOUND', 'deadletter', 'list', 'nobody')
        self.acta('group', 'create', 'billing', '--topic', 'jobs')
        for command in (('list', 'billing'), ('list', 'billing', '--by-fingerprint'),
                        ('show', 'billing', 'jobs/0/0'), ('export', 'billing'),
                        ('redrive', 'billing', '--all'), ('discard', 'billing', '--all', '--yes')):
            self.fails(4, 'WRONG_GROUP_MODE', 'deadletter', *command)
        self.assertEqual(self.refs(), ['jobs/0/0'])


class Redriving(DeadLetterTest):
    def test_what_is_redriven_comes_again_and_a_dry_run_changes_nothing(self):
        self.dead(4)
        self.assertEqual(self.acta_json(*REDRIVE, '--all', '--dry-run'),
                         {'redriven': '4', 'tooOften': '0', 'left': '0', 'dryRun': True})
        self.assertEqual(len(self.refs()), 4)
        self.assertEqual(self.acta_json(*REDRIVE, 'jobs/0/1', 'jobs/0/2')['redriven'], '2')
        self.assertEqual(self.refs(), ['jobs/0/0', 'jobs/0/3'])
        self.assertEqual(self.acta_json(*REDRIVE, '--all', '--max', '1')['left'], '1')
        self.assertEqual(self.refs(), ['jobs/0/3'])
        self.assertRegex(self.acta(*REDRIVE, '--topic', 'jobs'),
                         r'^REDRIVEN +TOO_OFTEN +LEFT\n +1 +0 +0\n$')
        worker = self.worker()
        worker.has(4)
        worker.settled(worker.settle(ACK, *worker.leased))
        self.assertEqual(self.refs(), [])

    def test_what_died_within_a_time_is_redriven(self):
        def redriven(*when):
            return self.acta_json(*REDRIVE, *when)['redriven']

        worker = self.rejecting()
        after = []  # A moment behind each death.
        for n in range(4):
            self.acta('publish', 'jobs', f'{{"n": {n}}}')
            until(lambda: len(self.refs()) == n + 1, 'it is dead', PATIENCE_S)
            after.append(rfc3339(time.time()))
        worker.leave()
        self.assertEqual(redriven('--after', after[1], '--before', after[2], '--dry-run'), '1')
        self.assertEqual(redriven('--after', after[1], '--before', after[2]), '1')
        self.assertEqual(self.refs(), ['jobs/0/0', 'jobs/0/1', 'jobs/0/3'])
        self.assertEqual(redriven('--before', after[0], '--rate', '20/s'), '1')
        self.assertEqual(self.refs(), ['jobs/0/1', 'jobs/0/3'])
        self.assertEqual(redriven('--after', after[2]), '1')
        self.assertEqual(self.refs(), ['jobs/0/1'])
        self.assertEqual(redriven('--after', after[3]), '0')
        worker = self.worker()
        worker.has(3)
        self.assertEqual(sorted(event.offset for event in worker.leased), [0, 2, 3])

    def test_a_rate_is_kept_and_each_is_redriven_once(self):
        self.dead(10)
        self.rejecting()
        began = time.monotonic()
        done = self.acta_json(*REDRIVE, '--all', '--rate', '20/s')
        self.assertGreaterEqual(time.monotonic() - began, 0.4)
        self.assertEqual((done['redriven'], done['left']), ('10', '0'))
        until(lambda: len(self.refs()) == 10, 'all died again', PATIENCE_S)
        self.assertEqual({letter['redrives'] for letter in self.letters()}, {1})
        history = self.acta_json(*SHOW, 'jobs/0/0')['deadLetter']['history']
        self.assertEqual([(one['attempt'], one['redrives']) for one in history], [(1, 0), (1, 1)])

    def test_named_ones_are_redriven_at_a_rate(self):
        self.dead(5)
        done = self.acta_json(*REDRIVE, 'jobs/0/0', 'jobs/0/4', 'jobs/0/2', '--rate', '20/s')
        self.assertEqual((done['redriven'], done['left']), ('3', '0'))
        self.assertEqual(self.refs(), ['jobs/0/1', 'jobs/0/3'])
        self.acta(*REDRIVE, '--all', '--rate', '20/s', '--max', '1')
        self.assertEqual(self.refs(), ['jobs/0/3'])

    def test_redriving_stops_when_too_many_die_again(self):
        self.dead(60)
        self.rejecting()
        code, out, err = self.broker.acta(*REDRIVE, '--all', '--rate', '5/s', '--stop-if', '0.2',
                                          '-o', 'json')
        self.assertEqual(code, 6, err)
        self.assertIn('dead letters again', err)
        done = json.loads(out)
        self.assertLess(int(done['redriven']), 60)
        self.assertEqual(int(done['redriven']) + int(done['left']), 60)

    def test_an_interrupt_stops_and_says_how_far_it_came(self):
        self.dead(60)
        process = self.spawn(*REDRIVE, '--all', '--rate', '2/s', '-o', 'json')
        until(lambda: len(self.refs()) < 60, 'some are redriven', PATIENCE_S)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
        self.assertEqual(process.returncode, 6, err)
        done = json.loads(out)
        self.assertEqual(done['state'], 'REDRIVE_STATE_CANCELLED')
        self.assertIn(f"{done['redriven']} of 60 were redriven", err.decode())
        self.assertEqual(len(self.refs()), int(done['left']))

    def test_a_redrive_goes_on_without_its_command_and_after_a_crash(self):
        self.dead(24)
        started = self.acta_json(*REDRIVE, '--all', '--rate', '20/s', '--detach')
        self.assertEqual((started['state'], started['selected']), ('REDRIVE_STATE_RUNNING', '24'))
        for left in (18, 9):
            until(lambda: len(self.refs()) <= left, 'it goes on', PATIENCE_S)
            self.broker.kill()
            self.broker.start()
        self.channel = grpc.insecure_channel(self.broker.address)
        self.addCleanup(self.channel.close)
        until(lambda: self.redrives()[0]['state'] == 'REDRIVE_STATE_DONE', 'it ended', PATIENCE_S)
        self.assertEqual(self.refs(), [])
        done = self.redrives()[0]
        self.assertEqual(done['redriveId'], started['redriveId'])
        self.assertEqual((done['redriven'], done['left']), ('24', '0'))
        worker = self.worker()
        worker.has(24)
        time.sleep(0.3)
        self.assertEqual(sorted(event.offset for event in worker.leased), list(range(24)))

    def test_a_redrive_outlives_its_command_unless_that_is_interrupted(self):
        self.dead(20)
        process = self.spawn(*REDRIVE, '--all', '--rate', '10/s')
        until(lambda: len(self.refs()) < 20, 'some are redriven', PATIENCE_S)
        process.terminate()
        process.communicate(timeout=PATIENCE_S)
        until(lambda: self.redrives()[0]['state'] == 'REDRIVE_STATE_DONE', 'it ended', PATIENCE_S)
        self.assertEqual(self.refs(), [])

    def test_a_redrive_is_cancelled_and_one_runs_at_a_time(self):
        self.dead(60)
        started = self.acta_json(*REDRIVE, '--all', '--rate', '1/s', '--detach')
        self.fails(4, 'REDRIVE_RUNNING', *REDRIVE, '--all', '--rate', '1/s')
        self.assertRegex(self.acta('deadletter', 'redrives', 'workers'),
                         rf"{started['redriveId']} +running ")
        cancelled = self.acta_json('deadletter', 'cancel', 'workers', started['redriveId'])
        self.assertEqual(cancelled['state'], 'REDRIVE_STATE_CANCELLED')
        left = len(self.refs())
        time.sleep(1.2)
        self.assertEqual(len(self.refs()), left)
        self.fails(3, 'REDRIVE_NOT_FOUND', 'deadletter', 'cancel', 'workers', '0' * 16)
        self.fails(2, 'redrive_id', 'deadletter', 'cancel', 'workers', 'nonsense')
        self.fails(2, '--detach needs --rate', *REDRIVE, '--all', '--detach')

    def test_what_was_redriven_often_stays(self):
        self.dead(2)
        self.acta(*REDRIVE, 'jobs/0/0')
        self.rejecting()
        until(lambda: len(self.refs()) == 2, 'it died again', PATIENCE_S)
        code, out, err = self.broker.acta(*REDRIVE, '--all', '--max-redrives', '1', '-o', 'json')
        self.assertEqual(code, 6, err)
        self.assertEqual((json.loads(out)['redriven'], json.loads(out)['tooOften']), ('1', '1'))
        for rate in ((), ('--rate', '20/s')):
            code, err = self.with_nobody_reading(*REDRIVE, '--all', '--max-redrives', '1', *rate)
            self.assertEqual((code, 'redriven' in err), (6, True), err)

    def test_named_ones_that_stay_do_not_stop_the_others(self):
        self.dead(2)
        self.acta(*REDRIVE, 'jobs/0/0')
        worker = self.rejecting()
        until(lambda: len(self.refs()) == 2, 'it died again', PATIENCE_S)
        worker.leave()
        code, out, err = self.broker.acta(*REDRIVE, 'jobs/0/0', 'jobs/0/1', '--max-redrives', '1',
                                          '--rate', '5/s', '-o', 'json')
        self.assertEqual(code, 6, err)
        done = json.loads(out)
        self.assertEqual([done[name] for name in ('state', 'redriven', 'tooOften', 'left')],
                         ['REDRIVE_STATE_DONE', '1', '1', '0'])
        self.assertEqual(self.refs(), ['jobs/0/0'])

    def test_order_that_is_broken_has_to_be_accepted(self):
        self.acta('group', 'delete', 'workers', '--yes')
        self.group(order=groups_pb2.QUEUE_ORDER_KEY,
                   on_exhausted=groups_pb2.ON_EXHAUSTED_DEAD_LETTER)
        self.acta('publish', 'jobs', '--key', 'k', stdin='{"n": 0}\n{"n": 1}\n')
        worker = self.rejecting()
        until(lambda: len(self.refs()) == 2, 'both are dead', PATIENCE_S)
        worker.leave()
        self.assertTrue(self.letters()[0]['orderBroken'])
        self.fails(4, 'REORDER_NOT_ACCEPTED', *REDRIVE, '--all')
        self.fails(4, 'REORDER_NOT_ACCEPTED', *REDRIVE, '--all', '--rate', '5/s')
        self.assertEqual(self.acta_json(*REDRIVE, '--all', '--accept-order')['redriven'], '2')

    def test_discard_needs_a_yes(self):
        self.dead(3)
        self.fails(4, 'say --yes', *DISCARD, '--all')
        counted = self.acta_json(*DISCARD, '--all', '--dry-run')
        self.assertEqual(len(self.refs('--before', counted.pop('before'))), 3)
        self.assertEqual(counted, {'discarded': '3', 'dryRun': True})
        self.assertEqual(self.acta(*DISCARD, 'jobs/0/1', '--yes'), 'discarded 1 dead letter\n')
        self.assertEqual(self.acta_json(*DISCARD, '--all', '--yes')['discarded'], '2')
        self.assertEqual(self.refs(), [])


class Groups(DeadLetterTest):
    def explained(self, group='workers'):
        return self.acta_json('group', 'explain', group)

    def test_pause_stops_deliveries_until_resume(self):
        self.publish(1)
        self.fails(2, '--reason is missing', 'group', 'pause', 'workers')
        self.fails(2, 'only one', 'group', 'pause', 'workers', '--reason', 'x', '--for', '2h',
                   '--until', '2100-01-01T00:00:00Z')
        self.fails(2, 'is over', 'group', 'pause', 'workers', '--reason', 'x', '--until', '-1h')
        group = self.acta_json('group', 'pause', 'workers', '--reason', 'the bank is closed',
                               '--for', '2h')['group']
        self.assertEqual(group['pause']['reason'], 'the bank is closed')
        self.assertIn('until', group['pause'])
        row = self.explained()['partitions'][0]
        self.assertEqual((row['code'], row['command']),
                         ('STANDSTILL_CODE_PAUSED', 'acta group resume workers'))
        self.assertRegex(
            self.acta('group', 'explain', 'workers'),
            r'jobs +0 +- +PAUSED +0 +1  paused by .*the bank is closed +acta group resume')
        self.assertIn('until it is resumed',
                      self.acta('group', 'pause', 'workers', '--reason', 'longer'))
        self.assertEqual(self.acta('group', 'resume', 'workers'), 'resumed group workers\n')
        self.assertNotIn('pause', self.acta_json('group', 'resume', 'workers')['group'])
        self.assertEqual(self.explained()['partitions'][0]['code'], 'STANDSTILL_CODE_NO_MEMBER')
        self.fails(3, 'GROUP_NOT_FOUND', 'group', 'resume', 'nobody')
        self.fails(3, 'GROUP_NOT_FOUND', 'group', 'explain', 'nobody')

    def test_who_subscribes_to_a_paused_group_is_told(self):
        self.acta('group', 'create', 'stream', '--topic', 'jobs')
        for group in ('workers', 'stream'):
            told = (f'warning: group {group} is paused, and nothing comes until it is resumed: '
                    f'acta group resume {group}\n').encode()
            self.acta('group', 'pause', group, '--reason', 'holidays')
            member = self.spawn('subscribe', 'jobs', '--group', group)
            self.assertEqual(member.stderr.readline(), told)
            until(lambda: self.acta_json('group', 'describe', group)['group']['members'],
                  'it has joined')
            self.acta('group', 'resume', group)
            self.acta('group', 'pause', group, '--reason', 'again')
            self.assertEqual(member.stderr.readline(), told)
            member.send_signal(signal.SIGINT)
            self.assertNotIn(told, member.communicate(timeout=PATIENCE_S)[1])

    def on_a_terminal(self, *args):
        """What is printed, and what is shown beside it."""
        ours, theirs = pty.openpty()
        process = self.spawn(*args, stderr=theirs)
        out = process.communicate(timeout=PATIENCE_S)[0].decode()
        shown = os.read(ours, 10_000).decode()
        os.close(theirs)
        os.close(ours)
        self.assertEqual(process.returncode, 0, shown)
        return out, shown

    def explained_on_a_terminal(self, group):
        out, shown = self.on_a_terminal('group', 'explain', group)
        self.assertNotIn('COMMAND', out)
        return shown

    def test_on_a_terminal_a_redrive_with_a_rate_shows_how_far_it_is(self):
        self.publish(8)
        self.acta('subscribe', 'jobs', '--group', 'workers', '--max', '8', '--exec', 'exit 65')
        out, shown = self.on_a_terminal('deadletter', 'redrive', 'workers', '--all', '--rate', '2')
        self.assertRegex(shown, r'redriven [1-7] of 8, dead again 0')
        self.assertIn('done', out)

    def test_on_a_terminal_the_command_that_helps_is_a_hint(self):
        self.publish(1)
        self.assertIn('acta subscribe jobs --group workers',
                      self.explained_on_a_terminal('workers'))

    def test_on_a_terminal_so_are_the_commands_of_keys(self):
        self.acta('group', 'create', 'keyed', '--topic', 'jobs', '--from', 'earliest',
                  '--mode', 'queue', '--order', 'key', '--max-attempts', '1')
        self.acta('publish', 'jobs', '--key', 'k', stdin='1\n2\n')
        self.acta('subscribe', 'jobs', '--group', 'keyed', '--max', '1', '--exec', 'exit 75')
        shown = self.explained_on_a_terminal('keyed')
        self.assertIn('acta deadletter redrive keyed jobs/0/0', shown)
        # As it says.
        self.acta('deadletter', 'redrive', 'keyed', 'jobs/0/0')
        self.assertEqual(self.acta_json('deadletter', 'list', 'keyed').get('deadLetters', []), [])

    def test_skip_settles_what_is_outstanding(self):
        self.publish(5)
        worker = self.worker()
        worker.has(5)
        skip = ('group', 'skip', 'workers', '--topic', 'jobs', '--partition', '0')
        self.assertEqual(self.acta_json(*skip, '--offset', '1', '--count', '2', '--reason', 'x',
                                        '--dry-run'), {'skipped': '2', 'dryRun': True})
        self.assertEqual(self.lag()['leased'], '5')
        self.assertEqual(self.acta_json(*skip, '--offset', '1', '--count', '2', '--reason', 'x'),
                         {'skipped': '2', 'dryRun': False})
        self.assertEqual(self.lag()['leased'], '3')
        self.assertRegex(self.acta(*skip, '--offset', '2', '--reason', 'x'), r'\njobs .* 2 +1 +0\n')
        self.fails(2, '--reason is missing', *skip, '--offset', '0')
        self.fails(1, 'OFFSET_OUT_OF_RANGE', *skip, '--offset', '9', '--reason', 'x')
        self.fails(3, 'PARTITION_NOT_FOUND', 'group', 'skip', 'workers', '--topic', 'jobs',
                   '--partition', '9', '--offset', '0', '--reason', 'x')

    def test_a_stream_group_skips_where_it_stands(self):
        self.publish(5)
        self.acta('group', 'create', 'billing', '--topic', 'jobs', '--from', 'earliest')
        skip = ('group', 'skip', 'billing', '--topic', 'jobs', '--partition', '0', '--reason', 'x')
        self.assertIn('reads on at offset 0',
                      self.fails(1, 'OFFSET_OUT_OF_RANGE', *skip, '--offset', '2'))
        self.assertEqual(self.acta_json(*skip, '--offset', '0', '--count', '2', '--dry-run'),
                         {'skipped': '2', 'dryRun': True})
        self.assertEqual(self.acta_json(*skip, '--offset', '0', '--count', '2'),
                         {'skipped': '2', 'dryRun': False})
        rest = self.events('subscribe', 'jobs', '--group', 'billing', '--until-end')
        self.assertEqual([event['offset'] for event in rest], [2, 3, 4])
        self.assertEqual(self.acta_json('group', 'lag', 'billing')['partitions'][0]['lagEvents'],
                         '0')


if __name__ == '__main__':
    side_by_side(Editing, Looking, Redriving, Groups)
