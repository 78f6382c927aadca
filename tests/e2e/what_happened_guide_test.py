#!/usr/bin/env python3
"""docs/guides/what-happened.md: every command in it, as it stands there and in its order, and that
they print what it says they print."""

import datetime
import json
import os
import re
import signal
import unittest

import pages
from broker import PATIENCE_S, SOURCE
from faults import until
from stubs import generate, require

GUIDE = SOURCE / 'docs/guides/what-happened.md'
FLOW = SOURCE / 'docs/guides/order-flow'
# Each before those that read what it publishes: when it has nothing left, that is published.
QUEUES = ('reservation', 'payment', 'invoice', 'shipping', 'mail')
HOPS = ('order', 'stock', 'authorization', 'payment', 'invoice', 'parcel', 'shipment', 'mail')
# What Acta can know of an event that QUEUE groups alone read; the others say what is missing.
KNOWN = {'WHERE_FROM', 'WHO_RECEIVED', 'WHO_PROCESSED', 'WHO_FAILED', 'WHO_IS_AFFECTED'}
READ_IN_RANGES = {'order', 'mail'}  # By `analytics`, a STREAM group.


class Guide(pages.PageTest):
    varies = (*pages.VARIES[:2],
              (rf'\b({"|".join((*QUEUES, "analytics"))})\.\d+\b', r'\1.PID'))

    def setUp(self):
        super().setUp()
        stubs = os.path.join(self.folder, 'stubs')
        os.mkdir(stubs)
        generate(stubs)
        self.environment |= {'FLOW': str(FLOW), 'PYTHONPATH': stubs}
        self.services = {}

    def start_service(self, line):
        name = re.fullmatch(r'python \$FLOW/(\w+)\.py &', line).group(1)
        self.services[name] = self.start_here(name, ['sh', '-c', f'exec {line[:-2]}'])

    def follow(self):
        """The guide from its first to its last line."""
        printed = ''
        for block in pages.blocks(GUIDE.read_text()):
            if block.language == 'text':
                self.prints(printed, block.lines)
                continue
            for line in block.lines if block.language == 'sh' else ():
                if line.endswith('&'):
                    self.start_service(line)
                    continue
                if line.startswith('acta ') and self.services:
                    self.comes_to_rest()
                printed = self.run_here(line)

    def comes_to_rest(self):
        """What was ordered is done, or nobody goes on with it."""
        until(lambda: all(self.left(group) == 0 for group in (*QUEUES, 'analytics')),
              'nothing is outstanding', PATIENCE_S)

    def left(self, group):
        """What it has to do yet; None as long as nobody has made it."""
        code, out, _ = self.broker.acta('group', 'lag', group, '-o', 'json')
        if code != 0:
            return None
        return sum(int(row['lagEvents']) for row in json.loads(out)['partitions'])

    def journey(self, order):
        """Its events, each with its id without the order's number and that of its cause."""
        events = self.acta_json('journey', '--affected', f'order:{order}')['events']
        for event in events:
            event['name'] = event['event']['id'].removesuffix(f'-{order}')
            cause = event.get('cause')
            event['by'] = None if cause is None else events[cause]['name']
        return events

    def test_the_guide(self):
        self.follow()
        self.seven_hops_are_one_tree()
        self.what_can_be_known_is_known()
        self.the_printer_is_slow()
        for name, service in self.services.items():
            service.send_signal(signal.SIGTERM)
            self.assertEqual(service.wait(PATIENCE_S), 0, self.read_here(name))
        self.assertEqual(self.read_here('analytics').splitlines()[-1],
                         'analytics: OrderPlaced 2, MailSent 2')

    def seven_hops_are_one_tree(self):
        events = self.journey(1042)
        self.assertEqual(len(events), len(HOPS) + 1)
        self.assertEqual({event['name']: event['by'] for event in events},
                         {**dict(zip(HOPS, (None, *HOPS))), 'points': 'authorization'})
        self.assertGreaterEqual(sum(len(event['groups']) for event in events), len(HOPS) - 1)
        for event in events:
            self.assertEqual(event['event']['correlationId'], 'order-1042')
            self.assertEqual(event['causeKnown'], event['by'] is not None, event)
            self.assertEqual({group['state'] for group in event['groups']} |
                             {'OUTCOME_STATE_PROCESSED'}, {'OUTCOME_STATE_PROCESSED'})

    def what_can_be_known_is_known(self):
        for name in (*HOPS, 'points'):
            answers = self.acta_json('questions', f'{name}-1042')['answers']
            known = {answer['question'].removeprefix('QUESTION_') for answer in answers
                     if answer['certainty'] == 'CERTAINTY_KNOWN'}
            in_ranges = {'WHO_RECEIVED', 'WHO_PROCESSED', 'WHO_FAILED'}
            self.assertEqual(known, KNOWN - in_ranges if name in READ_IN_RANGES else KNOWN, name)
            for answer in answers:
                unknown = answer['certainty'] != 'CERTAINTY_KNOWN'
                self.assertEqual(unknown, bool(answer['why'] and answer['remedy']), answer)

    def the_printer_is_slow(self):
        [invoice] = self.acta_json('questions', 'payment-1042')['event']['groups']
        began, ended = (datetime.datetime.fromisoformat(invoice[time])
                        for time in ('deliverTime', 'endTime'))
        self.assertGreaterEqual((ended - began).total_seconds(), 2)


if __name__ == '__main__':
    require()
    unittest.main()
