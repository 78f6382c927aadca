#!/usr/bin/env python3
"""`acta` and QUEUE groups: what a group is created with, what its lag says, and how the exit code
of a command settles the event it was run for."""

import os
import pathlib
import pty
import signal
import time

from broker import PATIENCE_S, BrokerTest
from faults import await_signal, until
from oracle import free_port, side_by_side

EMPTY = {'ready': 0, 'leased': 0, 'retryWait': 0, 'blockedByKey': 0, 'held': 0, 'notScanned': 0,
         'deadLetters': 0}
# A third of a lease passes until it is extended: the rest is for a machine that is slow.
SHORT_LEASE_S = 5
LONGER_S = 7


class QueueTest(BrokerTest):
    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 'jobs', '--partitions', 1)

    def group(self, *settings):
        return self.acta_json('group', 'create', 'workers', '--topic', 'jobs', '--from', 'earliest',
                              '--mode', 'queue', *settings)['group']

    def publish(self, count):
        self.acta('publish', 'jobs', stdin=''.join(f'{n}\n' for n in range(count)))

    def states(self, **changed):
        """True when the group's one partition has these events, and no others."""
        lag = self.acta_json('group', 'lag', 'workers')['partitions'][0]['queue']
        return {name: int(lag[name]) for name in EMPTY} == {**EMPTY, **changed}

    def exec(self, command, *options):
        return ('subscribe', 'jobs', '--group', 'workers', '--exec', command, *options)

    def ended(self, process):
        out, err = process.communicate(timeout=PATIENCE_S)
        self.assertEqual(process.returncode, 0, err)
        return out.decode(), err.decode()


class Leases(QueueTest):
    def test_a_long_command_keeps_its_lease(self):
        self.group('--lease', f'{SHORT_LEASE_S}s')
        self.publish(1)
        self.acta(*self.exec(f'sleep {LONGER_S}; test $ACTA_ATTEMPT = 1 || exit 65', '--max', '1'))
        until(self.states, 'it was processed at the first attempt')

    def test_a_long_command_keeps_the_lease_that_a_change_of_settings_made_shorter(self):
        self.group()
        worker = self.spawn(*self.exec(f'sleep {LONGER_S}; test $ACTA_ATTEMPT = 1 || exit 65',
                                       '--max', '2', '--concurrency', '2'))
        until(lambda: self.acta_json('group', 'describe', 'workers')['group'].get('members'),
              'the worker is a member')
        self.acta('group', 'update', 'workers', '--lease', f'{SHORT_LEASE_S}s')
        self.publish(1)
        until(lambda: self.states(leased=1), 'the worker has it')
        until(self.states, 'it was processed at the first attempt')
        self.publish(1)
        self.ended(worker)
        until(self.states, 'so was the next one')


class Commands(QueueTest):
    in_turn = True

    def test_a_queue_is_created_with_what_is_said_and_described(self):
        queue = self.group('--order', 'key', '--lease', '45s', '--max-attempts', '3', '--backoff',
                           '10s', '--backoff-jitter', '0.5')['queue']
        self.assertEqual((queue['order'], queue['lease'], queue['maxAttempts'],
                          queue['onExhausted'], queue['backoffJitter']),
                         ('QUEUE_ORDER_KEY', '45s', 3, 'ON_EXHAUSTED_HOLD_KEY', 0.5))
        self.assertIn('order key, lease 45s, 3 attempts and then hold-key, backoff 10s x2 up to '
                      '10m +-50%, dead letters kept 30d, at most 100000',
                      self.acta('group', 'describe', 'workers'))
        self.fails(2, 'say --mode queue', 'group', 'create', 'g', '--topic', 'jobs', '--lease',
                   '45s')

    def test_what_is_printed_is_acked(self):
        self.group()
        self.publish(5)
        self.assertIn('NOT_SCANNED', self.acta('group', 'lag', 'workers'))
        out = self.acta('subscribe', 'jobs', '--group', 'workers', '--max', '3')
        self.assertEqual(out.split(), ['0', '1', '2'])
        # What else was leased is given back, and no attempt is counted.
        rest = self.acta(*self.exec('echo $ACTA_OFFSET $ACTA_ATTEMPT', '--max', '2'))
        self.assertEqual(rest, '3 1\n4 1\n')
        until(self.states, 'everything is settled')

    def test_a_missing_group_becomes_a_queue_when_it_is_said(self):
        self.publish(1)
        subscribe = ('subscribe', 'jobs', '--group', 'workers')
        self.assertEqual(self.acta(*subscribe, '--mode', 'queue', '--max', '1'), '0\n')
        self.assertEqual(self.acta_json('group', 'describe', 'workers')['group']['mode'],
                         'GROUP_MODE_QUEUE')
        self.fails(4, 'is of mode queue', *subscribe, '--mode', 'stream')
        self.fails(2, 'use --max', *subscribe, '--until-end')
        self.fails(2, '--concurrency needs --exec', *subscribe, '--concurrency', '2')
        self.fails(2, 'of mode queue', 'subscribe', 'jobs', '--group', 'other', '--concurrency',
                   '2', '--exec', 'true')

    def test_exit_codes_settle(self):
        self.group('--backoff', '1h', '--backoff-max', '1h')
        self.publish(4)
        command = ('test "$ACTA_OFFSET $ACTA_ATTEMPT" = "$(cat) 1" -a -n "$ACTA_LEASE_UNTIL" '
                   '|| exit 65; echo "no $ACTA_OFFSET" >&2; '
                   'case $ACTA_OFFSET in 0) exit 0;; 1) exit 75;; 2) exit 65;; 3) exit 9;; esac')
        _, err = self.ended(self.spawn(*self.exec(command, '--max', '4', '--app', 'scaler',
                                                  '--app-version', '2.1')))
        self.assertEqual(err.splitlines(), ['no 0', 'no 1', 'no 2', 'no 3',
                                            'processed 1, failed 2, rejected 1'])
        until(lambda: self.states(retryWait=2, deadLetters=1), 'two wait, one is a dead letter')
        letter = self.acta_json('deadletter', 'show', 'workers', 'jobs/0/2')['deadLetter']
        attempt = letter['history'][0]
        self.assertEqual((attempt['text'], attempt['app'], attempt['appVersion']),
                         ('no 2', 'scaler', '2.1'))

    def test_a_discard_leaves_what_came_since_it_asked(self):
        def die():
            self.publish(1)
            self.acta(*self.exec('exit 65', '--max', '1'))

        self.group()
        die()
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        discard = self.spawn('deadletter', 'discard', 'workers', '--all', stdin=theirs,
                             stderr=theirs)
        os.close(theirs)
        shown = b''
        while b'[y/N] ' not in shown:
            shown += os.read(ours, 1000)
        self.assertIn(b'Discard 1 dead letter?', shown)
        die()
        os.write(ours, b'y\n')
        out, _ = discard.communicate(timeout=PATIENCE_S)
        self.assertEqual((discard.returncode, out), (0, b'discarded 1 dead letter\n'))
        left = self.acta_json('deadletter', 'list', 'workers')['deadLetters']
        self.assertEqual([int(letter['ref']['offset']) for letter in left], [1])

    def test_commands_run_beside_each_other(self):
        self.group()
        self.publish(3)
        meet = os.path.join(self.folder, 'meet')
        # Each goes on when all three have begun.
        command = f'echo x >>{meet}; until test $(wc -l <{meet}) = 3; do sleep 0.01; done'
        self.acta(*self.exec(command, '--concurrency', '3', '--max', '3'))
        until(self.states, 'everything is settled')

    def test_a_worker_that_is_killed_leaves_its_events_to_another_at_once(self):
        self.group()
        self.publish(2)
        pids = pathlib.Path(self.folder, 'pids')
        dies = self.spawn(*self.exec(f'echo $$ >>{pids}; exec sleep 1000', '--concurrency', '2'))
        until(lambda: pids.exists() and len(pids.read_text().splitlines()) == 2, 'both are begun')
        for pid in map(int, pids.read_text().split()):  # They outlive who began them.
            self.addCleanup(os.kill, pid, signal.SIGKILL)
        lives = self.spawn(*self.exec('test $ACTA_ATTEMPT = 2 || exit 65', '--max', '2'))
        dies.kill()
        dies.wait(PATIENCE_S)  # Its commands have its pipes still.
        until(self.states, 'the other has processed them', 10)  # A lease is 30 s.
        self.ended(lives)

    def ends_in_good_order(self, number):
        """The command is finished, and the rest given back: no attempt is counted."""
        self.group()
        self.publish(10)
        go = os.path.join(self.folder, 'go')
        os.mkfifo(go)
        worker = self.spawn(*self.exec(f'echo $ACTA_OFFSET; read line <{go}'),
                            start_new_session=True)
        self.assertEqual(worker.stdout.readline(), b'0\n')
        os.killpg(worker.pid, number)
        await_signal(worker.pid, number)
        time.sleep(0.2)  # In which it would end.
        self.assertIsNone(worker.poll())
        with open(go, 'w') as file:
            file.write('go\n')
        out, err = self.ended(worker)
        self.assertEqual((out, err), ('', 'processed 1, failed 0, rejected 0\n'))
        rest = self.acta(*self.exec('echo $ACTA_OFFSET $ACTA_ATTEMPT', '--max', '9'))
        self.assertEqual(rest.splitlines(), [f'{offset} 1' for offset in range(1, 10)])

    def test_an_interrupt_finishes_the_command_and_gives_the_rest_back(self):
        self.ends_in_good_order(signal.SIGINT)

    def test_so_does_what_a_deployment_sends(self):
        self.ends_in_good_order(signal.SIGTERM)

    def test_a_command_that_hangs_fails_when_timeout_ends_it(self):
        self.group('--backoff', '1h', '--backoff-max', '1h')
        self.publish(1)
        self.acta(*self.exec('timeout 1 sleep 60', '--max', '1'))
        until(lambda: self.states(retryWait=1), 'it failed')

    def test_a_command_that_is_missing_ends_the_worker_and_costs_no_attempt(self):
        self.group('--max-attempts', '1')
        self.publish(3)
        self.fails(1, 'the command cannot be run: exit code 127, ', *self.exec('no-such-command'))
        self.fails(1, 'the command cannot be run: exit code 126, ', *self.exec('/dev/null'))
        self.acta(*self.exec('test $ACTA_ATTEMPT = 1 || exit 65', '--max', '3'))
        until(self.states, 'all were processed')

    def test_a_command_whose_output_nobody_reads_ends_the_worker_and_costs_no_attempt(self):
        self.group('--max-attempts', '1')
        self.publish(3)
        reading, writing = os.pipe()
        os.close(reading)
        worker = self.spawn(*self.exec('cat', '--max', '3'), stdout=writing)
        os.close(writing)
        _, err = worker.communicate(timeout=PATIENCE_S)
        self.assertEqual((worker.returncode, err), (0, b'processed 0, failed 0, rejected 0\n'))
        self.acta(*self.exec('test $ACTA_ATTEMPT = 1 || exit 65', '--max', '3'))
        until(self.states, 'all were processed')

    def test_what_did_not_count_is_told_also_where_nobody_reads_the_output(self):
        self.group()
        self.publish(2)
        begun, go = (os.path.join(self.folder, name) for name in ('begun', 'go'))
        os.mkfifo(go)
        reading, writing = os.pipe()
        os.close(reading)
        command = f'if test $ACTA_OFFSET = 1; then echo x; else touch {begun}; read line <{go}; fi'
        worker = self.spawn(*self.exec(command, '--max', '2'), stdout=writing)
        os.close(writing)
        until(lambda: os.path.exists(begun), 'the first one is begun')
        self.acta('group', 'skip', 'workers', '--topic', 'jobs', '--partition', '0', '--offset',
                  '0', '--reason', 'its command goes on, and its ack does not count')
        with open(go, 'w') as file:
            file.write('go\n')
        _, err = worker.communicate(timeout=PATIENCE_S)
        self.assertEqual((worker.returncode, b'1 event did not count' in err), (6, True), err)

    def test_settings_change_under_a_worker_and_survive_a_crash(self):
        self.group('--backoff', '1h', '--backoff-max', '1h')
        self.publish(1)
        go = os.path.join(self.folder, 'go')
        os.mkfifo(go)
        worker = self.spawn(*self.exec(f'read line <{go}; exit 9', '--max', '1'))
        until(lambda: self.states(leased=1), 'the worker has it')
        self.assertIn('lease 45s, 1 attempts and then dead-letter, backoff 1h',
                      self.acta('group', 'update', 'workers', '--max-attempts', '1', '--lease',
                                '45s'))
        with open(go, 'w') as file:
            file.write('go\n')
        self.ended(worker)
        until(lambda: self.states(deadLetters=1), 'it failed as often as it may now')
        self.broker.kill()
        self.broker.start()
        queue = self.acta_json('group', 'describe', 'workers')['group']['queue']
        self.assertEqual((queue['lease'], queue['maxAttempts'], queue['backoffInitial']),
                         ('45s', 1, '3600s'))

    def test_an_update_changes_what_it_names(self):
        self.group()
        self.acta('topic', 'create', 'more')
        group = self.acta_json('group', 'update', 'workers', '--topic', 'jobs', '--topic', 'more',
                               '--description', 'paints', '--label', 'team=shop')['group']
        self.assertEqual((group['topics'], group['description'], group['labels']),
                         (['jobs', 'more'], 'paints', {'team': 'shop'}))
        group = self.acta_json('group', 'update', 'workers', '--order', 'key')['group']
        self.assertEqual((group['description'], group['queue']['order']),
                         ('paints', 'QUEUE_ORDER_KEY'))

    def test_an_update_says_what_it_cannot_change(self):
        self.group()
        update = ('group', 'update', 'workers')
        self.fails(2, 'nothing to change', *update)
        self.fails(2, '--max-attempts', *update, '--max-attempts', '0')
        self.fails(2, 'queue.lease', *update, '--lease', '13h')
        self.fails(3, 'GROUP_NOT_FOUND', 'group', 'update', 'nobody', '--lease', '1m')
        self.fails(3, 'TOPIC_NOT_FOUND', *update, '--topic', 'nothing')
        self.acta('group', 'create', 'stream', '--topic', 'jobs')
        self.fails(4, 'WRONG_GROUP_MODE', 'group', 'update', 'stream', '--lease', '1m')
        self.publish(1)
        worker = self.spawn(*self.exec('exit 75', '--max', '1', '--concurrency', '1'))
        self.ended(worker)

        def members():
            return self.acta_json('group', 'describe', 'workers')['group'].get('members')
        until(lambda: not members(), 'the worker has left')
        self.fails(4, 'REORDER_NOT_ACCEPTED', *update, '--order', 'key')
        self.spawn(*self.exec('true'))
        until(members, 'a member is there')
        self.fails(4, 'GROUP_IN_USE', *update, '--order', 'key-relaxed')

    def test_a_command_goes_on_over_a_restart_of_the_broker(self):
        self.broker.start_again('--grpc', f'127.0.0.1:{free_port()}')  # It comes back there.
        self.group()
        self.publish(3)
        go = os.path.join(self.folder, 'go')
        os.mkfifo(go)
        worker = self.spawn(*self.exec(f'echo $ACTA_OFFSET; test $ACTA_OFFSET -gt 0 || read line '
                                       f'<{go}', '--max', '3'))
        self.assertEqual(worker.stdout.readline(), b'0\n')
        self.broker.kill()
        self.broker.start()
        with open(go, 'w') as file:
            file.write('go\n')
        out, err = self.ended(worker)
        self.assertEqual(out.split(), ['1', '2'])
        self.assertEqual(err, 'processed 3, failed 0, rejected 0\n')
        until(self.states, 'everything is settled')


if __name__ == '__main__':
    side_by_side(Commands, Leases)
