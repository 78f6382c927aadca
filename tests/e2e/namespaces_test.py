#!/usr/bin/env python3
"""A broker and its clients in network namespaces of their own, joined by a link that goes down or
loses packets: the kernel's own TCP, under the load of the oracle. Takes root.

ACTA_NETWORK_FAULTS says how often the link goes down, ACTA_NETWORK_SEED repeats a run.
"""

import os
import random
import subprocess
import time
import unittest

from broker import BIN
from faults import until
from oracle import OracleTest

FAULTS = int(os.environ.get('ACTA_NETWORK_FAULTS', 4))
SEED = int(os.environ.get('ACTA_NETWORK_SEED', time.time_ns() % 1_000_000_007))
LINK = 'veth0'  # Its end in either namespace.


def ip(*args):
    return subprocess.run(['ip', *args], capture_output=True, text=True, check=True)


def qdisc(namespace, verb, *how):
    return subprocess.run(['tc', '-s', '-n', namespace, 'qdisc', verb, 'dev', LINK, *how],
                          capture_output=True, text=True, check=False)


class Namespaces(OracleTest):
    program = BIN / 'actad'
    options = ('--insecure', '--listen.keepalive=1s', '--listen.keepalive_timeout=1s')
    host = '10.213.7.1'
    client_host = '10.213.7.2'

    def setUp(self):
        super().setUp()
        self.names = [f'acta-test-{os.getpid()}-{end}' for end in ('broker', 'client')]
        self.broker_in, self.client_in = (('ip', 'netns', 'exec', name) for name in self.names)
        try:
            for name in self.names:
                ip('netns', 'add', name)
                self.addCleanup(ip, 'netns', 'del', name)  # And the link with it.
                ip('-n', name, 'link', 'set', 'lo', 'up')
            ip('-n', self.names[0], 'link', 'add', LINK, 'type', 'veth', 'peer', 'name', LINK,
               'netns', self.names[1])
        except (OSError, subprocess.CalledProcessError) as error:
            reason = f'no namespaces: {getattr(error, "stderr", error)}'
            print(reason, flush=True)
            self.skipTest(reason)
        for name, address in zip(self.names, (self.host, self.client_host)):
            ip('-n', name, 'address', 'add', f'{address}/24', 'dev', LINK)
            ip('-n', name, 'link', 'set', LINK, 'up')
        self.addCleanup(self.end)  # Before the namespaces go.
        print(f'ACTA_NETWORK_SEED={SEED}', flush=True)
        self.chance = random.Random(SEED)
        self.start_broker()
        self.start_load(f'--seed={SEED}', '--rejoin=0')
        self.goes_on()

    def down(self, end):
        ip('-n', self.names[end], 'link', 'set', LINK, 'down')

    def up(self):
        for name in self.names:
            ip('-n', name, 'link', 'set', LINK, 'up')

    def test_a_link_that_goes_down_and_comes_back_at_either_end(self):
        for _ in range(FAULTS):
            self.works_for(self.chance.uniform(0.1, 0.5))
            self.down(self.chance.randrange(2))
            self.works_for(self.chance.uniform(0.1, 0.8))
            self.up()
            self.goes_on()
        self.nothing_is_broken()

    def test_a_link_that_is_down_longer_than_the_broker_waits(self):
        # Who stood still was out as well, and comes back.
        until(lambda: len(self.members()) == 2, 'both are members')
        began = time.monotonic()
        self.down(1)
        until(lambda: not self.members(), 'the members are out', 10)
        print(f'out after {time.monotonic() - began:.1f} s', flush=True)
        self.assertGreater(time.monotonic() - began, 1)
        self.up()
        until(lambda: len(self.members()) == 2, 'they are back')
        self.goes_on()
        self.nothing_is_broken()

    def test_a_link_that_loses_packets(self):
        """By netem; else by a queue that is too short for what is sent."""
        for name in self.names:
            added = qdisc(name, 'add', 'root', 'netem', 'loss', '5%', 'delay', '5ms')
            if added.returncode != 0:
                print(f'tbf, because netem: {added.stderr.strip()}', flush=True)
                added = qdisc(name, 'add', 'root', 'tbf', 'rate', '20mbit', 'burst', '4kb',
                              'limit', '8kb')
            self.assertEqual(added.returncode, 0, added.stderr)
        for _ in range(2):
            self.goes_on()
        lost = [int(qdisc(name, 'show').stdout.split('dropped ')[1].split(',')[0])
                for name in self.names]
        for name in self.names:
            qdisc(name, 'del', 'root')
        print(f'{lost} packets lost', flush=True)
        self.assertGreater(sum(lost), 20)
        self.nothing_is_broken()


if __name__ == '__main__':
    unittest.main()
