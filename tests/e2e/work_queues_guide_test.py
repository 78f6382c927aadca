#!/usr/bin/env python3
"""docs/guides/work-queues.md: every command in it, as it stands there."""

import os
import re
import shlex
import signal
import subprocess
import unittest

from broker import BIN, PATIENCE_S, SOURCE, BrokerTest
from faults import until

GUIDE = SOURCE / 'docs/guides/work-queues.md'
# Rejects what says that it is bad, nacks what says not now.
HANDLE = '''#!/bin/sh
data=$(cat)
case "$data" in
  *bad*) echo "this picture is bad" >&2; exit 65 ;;
  *later*) exit 75 ;;
esac
'''


def commands():
    blocks = re.findall(r'```sh\n(.*?)```', GUIDE.read_text(), re.S)
    return [line for block in blocks for line in block.splitlines() if line.startswith('acta ')]


class Guide(BrokerTest):
    def run_here(self, line):
        done = subprocess.run(['sh', '-c', line], cwd=self.folder, text=True, capture_output=True,
                              timeout=PATIENCE_S, env=self.environment)
        self.assertEqual(done.returncode, 0, f'{line}: {done.stderr}{done.stdout}')
        self.ran.append(line)
        return done.stdout

    def letters(self):
        return self.acta_json('deadletter', 'list', 'workers')['deadLetters']

    def place(self, letter):
        ref = letter['ref']
        return ref['topic'], ref.get('partition', 0), int(ref.get('offset', 0))

    def all_that_begin(self, *words):
        return [line for line in self.lines if line.startswith(' '.join(('acta', *words)))]

    def test_the_guide(self):
        self.lines, self.ran = commands(), []
        self.environment = {**os.environ, 'ACTA_SERVER': self.broker.address,
                            'PATH': f'{BIN}:{os.environ["PATH"]}'}
        handle = os.path.join(self.folder, 'handle.sh')
        with open(handle, 'w') as file:
            file.write(HANDLE)
        os.chmod(handle, 0o755)
        for words in (('topic',), ('group', 'create'), ('publish',)):
            for line in self.all_that_begin(*words):
                self.run_here(line)
        [line] = self.all_that_begin('subscribe')
        worker = subprocess.Popen(shlex.split(line), cwd=self.folder, env=self.environment,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(worker.wait)
        self.addCleanup(worker.kill)
        self.ran.append(line)
        for data in ('bad 1', 'bad 2', 'later'):
            self.run_here(f"acta publish jobs '{data}'")
        until(lambda: len(self.letters()) == 2, 'two are dead', PATIENCE_S)
        for line in (*self.all_that_begin('group', 'explain'),
                     *self.all_that_begin('group', 'lag')):
            self.run_here(line)
        self.look_at_letters()
        for line in (*self.all_that_begin('group', 'pause'),
                     *self.all_that_begin('group', 'resume'),
                     *self.all_that_begin('group', 'update')):
            self.run_here(line)
        self.skip()
        self.schedules()
        worker.send_signal(signal.SIGINT)
        worker.wait(PATIENCE_S)
        self.assertEqual({tuple(line.split()[1:3]) for line in self.lines} -
                         {tuple(line.split()[1:3]) for line in self.ran}, set())

    def look_at_letters(self):
        kind = self.letters()[0]['fingerprint']
        dead = 2
        for line in self.all_that_begin('deadletter'):
            if 'discard' in line or ' redrive ' in line:
                until(lambda: len(self.letters()) == dead, 'they are dead again', PATIENCE_S)
            if 'cancel' in line:
                newest = self.acta_json('deadletter', 'redrives', 'workers')['redrives'][0]
                line = line.replace('00c0ffee00c0ffee', newest['redriveId'])
            dead -= 'discard' in line
            if 'edit' in line:
                self.run_here("acta publish jobs 'bad 3'")
                until(lambda: len(self.letters()) == 3, 'one more is dead', PATIENCE_S)
            topic, partition, offset = self.place(self.letters()[0])
            line = line.replace('jobs/2/17', f'{topic}/{partition}/{offset}')
            self.run_here(re.sub(r'--fingerprint \w+', f'--fingerprint {kind}', line))
        until(lambda: len(self.letters()) == dead, 'what was redriven is dead again', PATIENCE_S)

    def schedules(self):
        for line in self.all_that_begin('schedule'):
            [waits] = self.acta_json('schedule', 'list', 'jobs')['schedules']
            self.run_here(re.sub(r'\b\d{16}\b', waits['scheduleId'], line))
        self.assertEqual(self.acta_json('schedule', 'list', 'jobs')['schedules'], [])

    def skip(self):
        rows = self.acta_json('group', 'explain', 'workers')['partitions']
        [waits] = [row for row in rows if row['code'] == 'STANDSTILL_CODE_RETRY_WAIT']
        [line] = self.all_that_begin('group', 'skip')
        line = line.replace('--partition 2', f"--partition {waits.get('partition', 0)}")
        self.run_here(line.replace('--offset 17', f"--offset {waits.get('offset', 0)}"))
        rows = self.acta_json('group', 'explain', 'workers')['partitions']
        self.assertEqual({row['code'] for row in rows}, {'STANDSTILL_CODE_CAUGHT_UP'})


if __name__ == '__main__':
    unittest.main()
