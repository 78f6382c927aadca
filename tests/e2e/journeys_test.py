#!/usr/bin/env python3
"""Journeys on a real broker: what `acta journey` and `acta questions` say of an order, as it
happens and after kill -9, against what was done."""

import json
import queue
import threading
import unittest
import urllib.request

from broker import BIN, PATIENCE_S, BrokerTest
from faults import until

ANSWERS = ['WHERE_FROM', 'WHICH_SCHEMA', 'WHO_RECEIVED', 'WHO_PROCESSED', 'WHO_FAILED',
           'WHICH_PROCESS', 'MAY_REPLAY', 'WHO_IS_AFFECTED']


class Journeys(BrokerTest):
    def setUp(self):
        super().setUp()
        for topic in ('orders', 'payments'):
            self.acta('topic', 'create', topic, '--partitions', 2)
        self.acta('group', 'create', 'billing', '--topic', 'orders', '--mode', 'queue', '--from',
                  'earliest', '--max-attempts', 2, '--backoff', '10ms')
        self.acta('group', 'create', 'audit', '--topic', 'orders', '--topic', 'payments', '--from',
                  'earliest')

    def acta(self, *args, **how):
        """A journey is told without what the index does not have half a second later, as on a slow
        machine; journey_at_once_test.py is about that."""
        if args[0] in ('journey', 'questions'):
            until(self.index_has_everything, 'the index has caught up')
        return super().acta(*args, **how)

    def index_has_everything(self):
        page = f'http://{self.broker.http}/metrics'
        with urllib.request.urlopen(page, timeout=PATIENCE_S) as answer:
            return b'\nacta_journeys_index_lag_events 0\n' in answer.read()

    def publish(self, topic, name, *options):
        self.acta('publish', topic, json.dumps({'name': name}), '--id', name, '--type',
                  f'Type{name}', *options)

    def order(self):
        self.publish('orders', 'o1')
        self.publish('payments', 'p1', '--correlation', 'o1', '--causation', 'o1')
        self.publish('orders', 'bad', '--correlation', 'o1', '--causation', 'p1')
        self.publish('orders', 'else')

    def journey(self, *selection):
        for _ in range(3):
            told = self.acta_json('journey', *selection)
            if not told.get('truncated'):  # Or the two seconds were over that a call may take.
                break
        return told['events']

    def outcomes(self, *selection):
        """{event: {group: (state, failed attempts)}}"""
        return {event['event']['id']: {
            group['group']: (group['state'].removeprefix('OUTCOME_STATE_'),
                             [attempt['reason'] for attempt in group['failedAttempts']])
            for group in event['groups']} for event in self.journey(*selection)}

    def test_what_a_command_publishes_says_what_caused_it(self):
        publish = f"{BIN / 'acta'} publish payments paid --id p-$ACTA_ID"
        self.publish('orders', 'o1')
        self.acta('subscribe', 'orders', '--group', 'billing', '--exec', publish, '--max', 1)
        self.acta('group', 'create', 'readers', '--topic', 'orders', '--from', 'earliest')
        self.acta('subscribe', 'orders', '--group', 'readers', '--until-end', '--exec',
                  f"{publish}-audit; {publish}-free --caused-by none")
        told = {event['event']['id']: event for event in self.journey('--event', 'o1')}
        self.assertEqual(set(told), {'o1', 'p-o1', 'p-o1-audit'})
        for name in ('p-o1', 'p-o1-audit'):
            self.assertEqual(told[name]['event']['correlationId'], 'o1')
            self.assertEqual(told[name]['event']['causationId'], 'o1')
            self.assertTrue(told[name]['causeKnown'])
        # The cause of a scheduled event is kept until it is due.
        later = f"{publish}-later --delay 100ms >/dev/null"
        self.publish('orders', 'o2')
        self.acta('subscribe', 'orders', '--group', 'billing', '--exec', later, '--max', 1)
        until(lambda: len(self.journey('--event', 'o2')) == 2, 'it is due', PATIENCE_S)
        # After a restart the token names the event still.
        self.publish('orders', 'o3')
        keep = f"printf %s \"$ACTA_CAUSED_BY\" >{self.folder}/cause"
        self.acta('subscribe', 'orders', '--group', 'billing', '--exec', keep, '--max', 1)
        self.broker.kill()
        self.broker.start()
        with open(f'{self.folder}/cause', encoding='utf-8') as kept:
            cause = kept.read()
        # It has another port now.
        cause = cause.rsplit('@', 1)[0] + '@' + self.broker.address
        self.acta('publish', 'payments', 'x', '--id', 'after', '--caused-by', cause)
        self.assertEqual([event['event']['id'] for event in self.journey('--event', 'o3')],
                         ['o3', 'after'])
        of_other = cause.rsplit('@', 1)[0] + '@elsewhere:7450'
        for bad, why in ((f'{cause[:20]}@0@{self.broker.address}', 'INVALID_DELIVERY_TOKEN'),
                         ('nonsense', 'no cause'), (of_other, 'elsewhere:7450')):
            code, _, err = self.broker.acta('publish', 'payments', 'x', '--caused-by', bad)
            self.assertNotEqual(code, 0)
            self.assertIn(why, err)

    def test_a_journey_that_goes_on_is_followed(self):
        self.publish('orders', 'o1')
        follower = self.broker.spawn('journey', '--event', 'o1', '--follow', text=True)
        self.addCleanup(follower.stdout.close)
        self.addCleanup(follower.stderr.close)
        self.addCleanup(follower.wait)
        self.addCleanup(follower.kill)
        lines = queue.Queue()
        threading.Thread(target=lambda: [lines.put(line) for line in follower.stdout],
                         daemon=True).start()

        def shows(name):
            while name not in lines.get(timeout=PATIENCE_S):
                pass

        shows('o1')
        self.publish('payments', 'p1', '--causation', 'o1')
        shows('p1')
        self.acta('subscribe', 'orders', '--group', 'billing', '--exec', 'true', '--max', 1)
        shows('processed by')

    def test_an_order_is_told_as_it_happens_and_after_a_crash(self):
        self.order()
        pending = ('PENDING', [])
        self.assertEqual(self.outcomes('--event', 'p1'), {
            'o1': {'billing': pending, 'audit': pending}, 'p1': {'audit': pending},
            'bad': {'billing': pending, 'audit': pending}})
        self.acta('subscribe', 'orders', '--group', 'billing', '--exec',
                  'if grep -q bad; then exit 5; fi', '--max', 4)
        self.acta('subscribe', 'orders', 'payments', '--group', 'audit', '--until-end')
        done = ('PROCESSED', [])
        expected = {
            'o1': {'billing': done, 'audit': done}, 'p1': {'audit': done},
            'bad': {'billing': ('DEAD_LETTERED', ['exit-5', 'exit-5']), 'audit': done}}
        self.assertEqual(self.outcomes('--event', 'p1'), expected)
        self.broker.kill()
        self.broker.start()
        self.assertEqual(self.outcomes('--correlation', 'o1'), expected)
        self.acta('deadletter', 'redrive', 'billing', '--all')
        self.acta('subscribe', 'orders', '--group', 'billing', '--exec', 'true', '--max', 1)
        [bad] = [event for event in self.journey('--event', 'bad')
                 if event['event']['id'] == 'bad']
        [billing] = [group for group in bad['groups'] if group['group'] == 'billing']
        self.assertEqual((billing['state'], len(billing['failedAttempts']), billing['redrives'],
                          billing['redrivenBy']), ('OUTCOME_STATE_PROCESSED', 2, 1, 'anonymous'))
        self.assertTrue(billing['memberId'])
        self.assertIn(', redriven once by anonymous', self.acta('journey', '--event', 'bad'))

    def test_who_decided_that_an_event_was_skipped_is_told(self):
        self.order()
        [place] = [event['position'] for event in self.journey('--event', 'else')]
        self.acta('group', 'skip', 'billing', '--topic', 'orders', '--partition',
                  place['partition'], '--offset', place['offset'], '--reason', 'a test')
        [event] = self.journey('--event', 'else')
        [billing] = [group for group in event['groups'] if group['group'] == 'billing']
        self.assertEqual((billing['state'], billing['by'], billing['why']),
                         ('OUTCOME_STATE_SKIPPED', 'anonymous', 'a test'))

    def test_who_discarded_a_dead_letter_is_told(self):
        self.publish('orders', 'o1')
        self.acta('subscribe', 'orders', '--group', 'billing', '--exec', 'exit 5', '--max', 2)
        self.acta('deadletter', 'discard', 'billing', '--all', '--yes')
        [event] = self.journey('--event', 'o1')
        [billing] = [group for group in event['groups'] if group['group'] == 'billing']
        self.assertEqual((billing['state'], billing['by']),
                         ('OUTCOME_STATE_DISCARDED', 'anonymous'))
        self.assertIn('billing: discarded by anonymous', self.acta('journey', '--event', 'o1'))
        self.assertIn('billing: not processed (discarded by anonymous)',
                      self.acta('questions', 'o1'))

    def test_the_tree_is_drawn(self):
        self.order()
        tree = self.acta('journey', '--correlation', 'o1', '--events-only').splitlines()
        self.assertEqual([line.split('Type')[0] for line in tree if 'Type' in line],
                         ['', '\u2514\u2500 ', '   \u2514\u2500 '])
        for drawing, edges in (('dot', ('e0 -> e1', 'e1 -> e2')),
                               ('mermaid', ('e0 --> e1', 'e1 --> e2'))):
            drawn = self.acta('journey', '--correlation', 'o1', '--draw', drawing)
            for edge in edges:
                self.assertIn(edge, drawn)

    def test_a_dead_letter_stands_out_in_a_drawing(self):
        self.order()
        drawing = ('journey', '--correlation', 'o1', '--draw')
        for how in ('dot', 'mermaid'):
            self.assertNotIn('DEAD LETTER', self.acta(*drawing, how))
        self.acta('subscribe', 'orders', '--group', 'billing', '--exec',
                  'if grep -q bad; then exit 5; fi', '--max', 4, '--app', 'biller',
                  '--app-version', '1.4')
        for how, mark in (('dot', ' style=filled '), ('mermaid', ':::deadLetter')):
            [bad] = [line for line in self.acta(*drawing, how).splitlines()
                     if 'DEAD LETTER of billing' in line]
            self.assertIn('Typebad', bad)
            self.assertIn(mark, bad)
        tree = self.acta(*drawing, 'tree')
        self.assertRegex(tree, r'attempt 2: nack by \S+ \(biller 1\.4\) after \S+: exit-5')
        self.assertRegex(tree, r' \d\d:\d\d:\d\d\.\d{3}Z by acta')

    def test_a_long_chain_stays_on_the_screen(self):
        events = [{'id': f'c{i}', 'correlation': 'chain', 'causation': f'c{i - 1}' if i else ''}
                  for i in range(200)]
        self.acta('publish', 'orders', '--partition', 0, '--format', 'jsonl', '--id', '@/id',
                  '--correlation', '@/correlation', '--causation', '@/causation',
                  stdin=''.join(json.dumps(event) + '\n' for event in events))
        drawn = self.acta('journey', '--correlation', 'chain', '--events-only').splitlines()
        self.assertLess(max(len(line) for line in drawn), 120)
        self.assertIn('(199) ', '\n'.join(drawn))

    def certainties(self, event):
        """Of the eight answers, by question; each that is not known says why."""
        answers = self.acta_json('questions', event)['answers']
        self.assertEqual([answer['question'].removeprefix('QUESTION_') for answer in answers],
                         ANSWERS)
        for answer in answers:
            if answer['certainty'] != 'CERTAINTY_KNOWN':
                self.assertTrue(answer['why'] and answer['remedy'], answer)
        return {answer['question'].removeprefix('QUESTION_'):
                answer['certainty'].removeprefix('CERTAINTY_') for answer in answers}

    def test_the_eight_questions_are_answered(self):
        self.order()
        known = self.certainties('p1')
        # Of `audit`, a STREAM group, nobody knows whether it has the event in hand.
        self.assertEqual([known[q] for q in ('WHERE_FROM', 'WHO_RECEIVED', 'WHO_PROCESSED')],
                         ['KNOWN', 'PARTIAL', 'PARTIAL'])
        self.acta('group', 'delete', 'audit', '--yes')
        known = self.certainties('p1')
        self.assertEqual({known[q] for q in ('WHERE_FROM', 'WHO_RECEIVED', 'WHO_PROCESSED')},
                         {'KNOWN'})

    def test_bad_questions_have_their_reason(self):
        for code, text, args in (
                (3, 'EVENT_NOT_FOUND', ('journey', '--event', 'nobody')),
                (3, 'TOPIC_NOT_FOUND', ('journey', '--position', 'nowhere/0/0')),
                (2, '--position', ('journey', '--position', 'orders')),
                (2, '--affected', ('journey', '--affected', 'user')),
                (2, 'name one of', ('journey',)),
                (3, 'EVENT_NOT_FOUND', ('questions', 'nobody'))):
            with self.subTest(args=args):
                self.fails(code, text, *args)

    def test_a_topic_that_keeps_no_journey_says_so(self):
        self.acta('topic', 'create', 'quiet', '--journey', 'off')
        self.publish('quiet', 'q1')
        self.fails(3, 'EVENT_NOT_FOUND', 'journey', '--event', 'q1')
        self.acta('topic', 'alter', 'quiet', '--journey', 'full')
        self.assertEqual(len(self.journey('--event', 'q1')), 1)

    def test_what_retention_took_stands_between_cause_and_effect(self):
        self.acta('topic', 'create', 'brief', '--partitions', 1, '--retention', '1s')
        self.publish('orders', 'placed', '--correlation', 'o7')
        self.publish('brief', 'packed', '--correlation', 'o7', '--causation', 'placed')
        self.publish('payments', 'paid', '--correlation', 'o7', '--causation', 'packed')
        until(lambda: self.acta_json('topic', 'describe', 'brief')['partitions'][0]['firstOffset']
              == '1', 'retention took it', PATIENCE_S)
        for selection in (('--event', 'paid'), ('--event', 'placed'), ('--correlation', 'o7')):
            told = [(event['event']['id'], event['state'].removeprefix('JOURNEY_EVENT_STATE_'),
                     event.get('cause')) for event in self.journey(*selection)]
            with self.subTest(selection=selection):
                self.assertEqual(told, [('placed', 'STORED', None), ('packed', 'TRIMMED', 0),
                                        ('paid', 'STORED', 1)])
        self.assertIn('(gone by retention) brief/0/0', self.acta('journey', '--event', 'paid'))

    def test_a_journey_of_many_events_is_shown_whole(self):
        lines = ''.join(f'line {i}\n' for i in range(2_500))
        self.acta('publish', 'payments', '--correlation', 'o1', stdin=lines)
        self.publish('orders', 'o1')
        self.publish('orders', 'o2', '--correlation', 'o1', '--causation', 'o1')
        for selection in (('--event', 'o1'), ('--event', 'o2'), ('--correlation', 'o1')):
            with self.subTest(selection=selection):
                self.assertEqual(len(self.journey(*selection, '--max', 20_000)), 2_502)
                code, out, err = self.broker.acta('journey', *selection, '--max', 1_000, '-o',
                                                  'json')
                self.assertEqual(code, 0)
                some = json.loads(out)
                self.assertEqual(len(some['events']), 1_000)
                self.assertIn(f"--page-token {some['nextPageToken']} goes on", err)
                rest = self.journey(*selection, '--max', 20_000, '--page-token',
                                    some['nextPageToken'])
                self.assertEqual(len(rest), 1_502)


if __name__ == '__main__':
    unittest.main(verbosity=2)
