"""What the first programs of docs/start promise, whatever their language, against a real broker.
The test of each says how it is started, its group, and how long it may be."""

import json
import os
import re
import subprocess

from broker import PATIENCE_S, SOURCE, BrokerTest
from faults import until

LINE = re.compile(r'(\d+)/(\d+) customer-(\d) order-(\d+) \{"number": (\d+)\}')
# Longer than they are silent (5 s), and no longer than a test has to wait.
MEMBER_TIMEOUT_S = 9


class ExamplePrograms(BrokerTest):
    """Its subclasses have the command, the group that it joins, and the file of the program with
    the lines it has at most."""
    options = (f'--limits.member_timeout={MEMBER_TIMEOUT_S}s',)
    environment = {}

    def start_program(self, *arguments):
        process = subprocess.Popen(
            list(map(str, (*self.command, *arguments))), text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env={**os.environ, **self.environment,
                                         'ACTA_SERVER': self.broker.address})
        self.addCleanup(self.end_process, process)
        return process

    def run_program(self, *arguments):
        """The lines it prints."""
        return self.lines_of(self.start_program(*arguments))

    def lines_of(self, process):
        out, err = process.communicate(timeout=PATIENCE_S)
        self.assertEqual(process.returncode, 0, err)
        return out.splitlines()

    def check_events(self, lines, partitions, offset=0):
        """Ten events of three customers, each once, in the order of each partition."""
        found = [LINE.fullmatch(line) for line in lines]
        self.assertTrue(all(found), lines)
        rows = [tuple(map(int, match.groups())) for match in found]
        self.assertEqual(sorted(number for _, _, _, _, number in rows), list(range(10)))
        for partition, _, customer, order, number in rows:
            self.assertEqual((order, number % 3), (number, customer), lines)
            self.assertEqual(partitions.setdefault(customer, partition), partition, lines)
        for each in {row[0] for row in rows}:
            mine = [row for row in rows if row[0] == each]
            self.assertEqual([row[1] for row in mine], list(range(offset, offset + len(mine))))
            self.assertEqual(sorted(mine, key=lambda row: row[4]), mine, 'by number')

    def lag(self):
        rows = self.acta_json('group', 'lag', self.group)['partitions']
        return sum(int(row['lagEvents']) for row in rows)

    def members(self):
        found = self.acta_json('group', 'describe', self.group)['group']
        return [member for member in found.get('members', []) if member.get('connected')]

    def test_the_program_publishes_joins_a_group_reads_and_commits(self):
        lines = self.run_program('parcels')
        self.assertEqual(lines[0], 'published 10, duplicates 0')
        self.assertEqual(len(lines), 12)
        self.assertEqual(lines[-1], 'read and committed 10')
        self.check_events(lines[1:-1], {})
        self.assertEqual(self.lag(), 0)
        self.assertFalse(self.members())

    def test_it_publishes_nothing_twice_and_says_that_it_is_there_while_it_waits(self):
        self.run_program()
        process = self.start_program()
        until(self.members, 'it is a member', PATIENCE_S)
        with self.assertRaises(subprocess.TimeoutExpired):
            process.wait(MEMBER_TIMEOUT_S + 1)
        self.assertEqual(len(self.members()), 1)
        self.acta('publish', 'orders', '--format', 'jsonl', '--id', '@/id', '--key', '@/customer',
                  stdin=''.join(json.dumps({'number': number, 'id': f'late-{number}',
                                            'customer': f'customer-{number % 3}'}) + '\n'
                                for number in range(10)))
        lines = self.lines_of(process)
        self.assertEqual(lines[0], 'published 0, duplicates 10')
        self.assertEqual(len(lines), 12)
        self.assertEqual(lines[-1], 'read and committed 10')
        self.assertEqual(sorted(line.split()[2] for line in lines[1:-1]),
                         [f'late-{number}' for number in range(10)])
        self.assertEqual(self.lag(), 0)

    def test_without_a_broker_it_ends_with_an_error(self):
        self.broker.kill()
        process = self.start_program()
        out, err = process.communicate(timeout=PATIENCE_S)
        self.assertNotEqual(process.returncode, 0)
        self.assertEqual(out, '')
        self.assertIn('UNAVAILABLE', err.upper())

    def test_the_program_is_short(self):
        program = SOURCE / self.program
        self.assertLessEqual(len(program.read_text().splitlines()), self.lines)
