#!/usr/bin/env python3
"""docs/guides/work-queues.md: every command in it, as it stands there and in its order."""

import datetime
import os
import re
import shlex
import signal
import time
import unittest

from broker import PATIENCE_S, SOURCE, rfc3339
from faults import until
from pages import PageTest
from stubs import PYTHON, generate, require

GUIDE = SOURCE / 'docs/guides/work-queues.md'
# Rejects what says that it is bad, nacks what says not now; some of it is mended one day.
HANDLE = re.search(r'```bash\n(#!/bin/sh\n.*?)```', GUIDE.read_text(), re.S).group(1)


def sections():
    """The command lines of each section that has some."""
    found = {}
    for section in GUIDE.read_text().split('\n## ')[1:]:
        blocks = re.findall(r'```sh\n(.*?)```', section, re.S)
        if blocks:
            found[section.split('\n')[0]] = [line for block in blocks for line in
                                             block.splitlines()]
    return found


class Guide(PageTest):
    def setUp(self):
        super().setUp()
        handle = os.path.join(self.folder, 'handle.sh')
        with open(handle, 'w') as file:
            file.write(HANDLE)
        os.chmod(handle, 0o755)

    def letters(self):
        return self.acta_json('deadletter', 'list', 'workers')['deadLetters']

    def place(self, letter):
        ref = letter['ref']
        return f"{ref['topic']}/{ref['partition']}/{ref['offset']}"

    def redrives(self):
        return {self.place(letter): letter['redrives'] for letter in self.letters()}

    def dead(self, count):
        until(lambda: len(self.letters()) == count, f'{count} are dead', PATIENCE_S)

    def waiting(self):
        return self.acta_json('schedule', 'list', 'jobs')['schedules']

    def done(self):
        path = os.path.join(self.folder, 'done')
        return self.read_here('done').splitlines() if os.path.exists(path) else []

    def test_the_guide(self):
        walk = {'A pool of workers': self.pool,
                'In order, where it matters': self.order,
                'When something does not move': self.as_they_stand,
                'Dead letters': self.dead_letters,
                'Deploying, and holding still': self.hold_still,
                'Changing settings': self.as_they_stand,
                'Later': self.later,
                'One step, and what is outside': self.step}
        lines = sections()
        self.assertEqual(list(lines), list(walk))
        for section in walk:
            walk[section](lines[section])
        self.worker.send_signal(signal.SIGINT)
        self.assertEqual(self.worker.wait(PATIENCE_S), 0)

    def as_they_stand(self, lines):
        for line in lines:
            self.run_here(line)

    def pool(self, lines):
        self.as_they_stand(lines[:-1])
        self.worker = self.start_here('worker', shlex.split(lines[-1]))
        until(lambda: self.done() == ['{"picture": 17}'], 'it is processed', PATIENCE_S)
        group = self.acta_json('group', 'describe', 'workers')['group']['queue']
        self.assertEqual((group['order'], group['lease'], group['maxAttempts']),
                         ('QUEUE_ORDER_KEY', '30s', 5))

    def order(self, lines):
        self.as_they_stand(lines)
        until(lambda: self.done()[1:] == ['{"picture": 17, "turn": 90}',
                                          '{"picture": 17, "turn": 45}'], 'in order', PATIENCE_S)

    def dead_letters(self, lines):
        for line in lines:
            if line.startswith('acta publish'):
                self.publish(line)
            elif '--accept-order' in line:
                self.accept_order(line)
            elif ' redrive ' in line and '--detach' not in line:
                self.redrive(line)
            else:
                self.look(line)
        self.assertEqual(len(self.read_here('dead-letters.jsonl').splitlines()), 2)

    def publish(self, line):
        """It dies, or it is done although the one before it of its key has died."""
        before = len(self.letters())
        self.run_here(line)
        if 'next' in line:
            until(lambda: self.done()[-1] == 'next', 'its key went on', PATIENCE_S)
        else:
            self.dead(before + 1)

    def here(self, line):
        """The same with letters that are there now."""
        letter = self.letters()[0]
        line = line.replace('jobs/2/17', self.place(letter))
        line = re.sub(r'--fingerprint \w+', f"--fingerprint {letter['fingerprint']}", line)
        for time_, seconds in (('--after', -60), ('--before', 60)):
            line = re.sub(rf'{time_} \S+', f'{time_} {rfc3339(time.time() + seconds)}', line)
        return line

    def redrive(self, line):
        """They die again, and say how often they were redriven."""
        before = self.redrives()
        more = 0 if '--dry-run' in line else 1
        wanted = {place: count + (more if 'jobs/2/17' not in line or at == 0 else 0)
                  for at, (place, count) in enumerate(before.items())}
        self.run_here(self.here(line))
        until(lambda: self.redrives() == wanted, f'{line}: {wanted}', PATIENCE_S)

    def accept_order(self, line):
        self.dead(1)
        self.fails(4, 'REORDER_NOT_ACCEPTED', *shlex.split(line.replace('--accept-order', ''))[1:])
        self.run_here(line)
        until(lambda: self.done()[-1] == 'broken', 'it is mended', PATIENCE_S)

    def look(self, line):
        if 'cancel' in line:
            newest = self.acta_json('deadletter', 'redrives', 'workers')['redrives'][0]
            line = line.replace('00c0ffee00c0ffee', newest['redriveId'])
        before = len(self.letters())
        self.run_here(self.here(line) if 'jobs/2/17' in line else line)
        if 'edit' in line or 'discard' in line:
            self.dead(before - 1)

    def hold_still(self, lines):
        def rows():
            return self.acta_json('group', 'explain', 'workers')['partitions']

        def that_waits():
            return [row for row in rows() if row['code'] == 'STANDSTILL_CODE_RETRY_WAIT']

        pause, resume, later, explain, skip = lines
        self.run_here(pause)
        self.assertEqual({row['code'] for row in rows()}, {'STANDSTILL_CODE_PAUSED'})
        self.run_here(resume)
        self.run_here(later)
        [waits] = until(that_waits, 'it waits', PATIENCE_S)
        self.run_here(explain)
        line = skip.replace('--partition 2', f"--partition {waits['partition']}")
        self.run_here(line.replace('--offset 17', f"--offset {waits['offset']}"))
        until(lambda: {row['code'] for row in rows()} == {'STANDSTILL_CODE_CAUGHT_UP'},
              'nothing is outstanding', PATIENCE_S)

    def later(self, lines):
        for line in lines:
            first = self.waiting()[0]['scheduleId'] if 'schedule' in line else ''
            self.run_here(re.sub(r'\b\d{16}\b', first, line))
        [left] = self.waiting()
        due = datetime.datetime.fromisoformat(left['deliverAt']).astimezone()
        self.assertEqual((due.hour, due.minute), (8, 0))

    def step(self, lines):
        require()
        stubs = os.path.join(self.folder, 'stubs')
        os.mkdir(stubs)
        generate(stubs)
        for line in lines:
            if line.endswith('&'):
                line = line.replace('build/stubs', stubs).replace('build/venv/bin/python',
                                                                  str(PYTHON))
                program = self.start_here('step', ['env', *shlex.split(line)[:-1]], SOURCE)
                continue
            if 'acta read' in line:
                until(lambda: len(self.run_here(line).splitlines()) == 2, 'both are there',
                      PATIENCE_S)
            said = self.run_here(line)
            if '--result' in line:
                result = said
        program.send_signal(signal.SIGINT)
        self.assertEqual(program.wait(PATIENCE_S), 0, self.read_here('step'))
        self.assertEqual(self.read_here('step').splitlines(), [
            'mail about picture-18', f'mail about picture-18 was sent before: {result}'])


if __name__ == '__main__':
    unittest.main()
