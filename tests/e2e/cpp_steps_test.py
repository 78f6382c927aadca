#!/usr/bin/env python3
"""Steps and claims of the C++ client against a real broker: whatever is killed, workers or broker,
each order has one bill, and its claim one result. ACTA_SEED repeats what is drawn."""

import pathlib
import os
import random
import subprocess
import unittest

import stubs
from broker import BIN, PATIENCE_S, BrokerTest, seed

stubs.use()

from faults import until  # noqa: E402
from network import visible_end  # noqa: E402
from oracle import free_port  # noqa: E402

WORKER = pathlib.Path(os.environ.get('ACTA_TESTS', BIN.parent / 'tests')) / 'acta-step-worker'
ORDERS = 400


class CppSteps(BrokerTest):
    def start_worker(self, name):
        out = open(f'{self.folder}/{name}.out', 'ab')
        self.addCleanup(out.close)
        process = subprocess.Popen([WORKER, self.broker.address, name], stdout=out,
                                   stderr=subprocess.STDOUT)
        self.addCleanup(self.end_process, process)
        return process

    def are_billed(self, count):
        until(lambda: visible_end(self.broker.address, 'bills') >= count, f'{count} bills',
              PATIENCE_S)

    def bills(self):
        return self.acta('read', 'bills', '--partition', 0, '--max', 100_000).split()

    def lines(self):
        return [line for path in pathlib.Path(self.folder).glob('worker-*.out')
                for line in path.read_text().splitlines()]

    def test_each_order_has_one_bill_and_one_paid_claim_whatever_is_killed(self):
        chance = random.Random(seed())
        self.broker.start_again('--grpc', f'127.0.0.1:{free_port()}')  # It comes back there.
        self.acta('topic', 'create', 'orders', '--partitions', 2)
        self.acta('topic', 'create', 'bills', '--partitions', 1)
        self.acta('group', 'create', 'workers', '--topic', 'orders', '--mode', 'queue', '--from',
                  'earliest', '--max-attempts', 1000)
        self.acta('publish', 'orders', '--format', 'jsonl', '--id', '@/n',
                  stdin=''.join(f'{{"n": "{n}"}}\n' for n in range(ORDERS)))
        workers = [self.start_worker(f'worker-{n}') for n in range(3)]
        for wanted in sorted(chance.sample(range(20, ORDERS - 40), 2)):
            self.are_billed(wanted)
            self.broker.kill()
            self.broker.start()
            victim = chance.randrange(3)
            workers[victim].kill()
            workers[victim].wait()
            workers[victim] = self.start_worker(f'worker-{victim}')
        self.are_billed(ORDERS)
        # Who is still on its way back to a broker that was killed cannot say good-bye to it.
        until(lambda: len(self.acta_json('group', 'describe', 'workers')['group']
                          .get('members', [])) == 3, 'three members', PATIENCE_S)
        for worker in workers:
            worker.terminate()
            self.assertEqual(worker.wait(PATIENCE_S), 0, self.lines())
        ids = sorted(map(str, range(ORDERS)))
        self.assertEqual(sorted(self.bills()), ids)
        rows = self.acta_json('group', 'lag', 'workers')['partitions']
        self.assertEqual([row.get('lagEvents', '0') for row in rows], ['0', '0'])
        self.assertEqual(self.acta_json('deadletter', 'list', 'workers').get('deadLetters', []), [])
        claims = self.acta_json('claim', 'list', 'workers', '--max', 10_000)['claims']
        self.assertEqual(sorted(claim['key'] for claim in claims), sorted(f'pay/{n}' for n in ids))
        self.assertEqual({claim['state'] for claim in claims}, {'CLAIM_STATE_COMPLETED'})
        # They say so of their own, but for those whose last words a kill took.
        billed = [line.split()[0] for line in self.lines() if line.endswith(' billed')]
        self.assertEqual(len(billed), len(set(billed)))
        self.assertGreater(len(billed), ORDERS - 40)


if __name__ == '__main__':
    unittest.main()
