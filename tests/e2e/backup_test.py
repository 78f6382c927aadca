#!/usr/bin/env python3
"""Backups of a broker at work: made, restored, stopped, cut short; and what a reload changes."""

import json
import os
import pathlib
import signal
import subprocess
import threading
import time
import unittest

from broker import BIN, PATIENCE_S, Broker, BrokerTest
from faults import until
from small_disk import mount_tmpfs


def below(folder):
    return sorted(os.listdir(folder)) if folder.exists() else []


class Publisher(threading.Thread):
    """Publishes numbered lines, a call after the other, until it is told to stop."""

    def __init__(self, broker, topic):
        super().__init__()
        self.broker = broker
        self.topic = topic
        self.acknowledged = 0
        self.stopping = False
        self.error = None

    def run(self):
        try:
            while not self.stopping:
                lines = ''.join(f'{self.acknowledged + i}\n' for i in range(200))
                code, _, err = self.broker.acta('publish', self.topic, '--format', 'text',
                                                '--partition', '0', stdin=lines)
                assert code == 0, err
                self.acknowledged += 200
        except BaseException as error:  # pylint: disable=broad-except
            self.error = error

    def end(self):
        self.stopping = True
        self.join()
        if self.error:
            raise self.error


class BackupTest(BrokerTest):
    def setUp(self):
        self.room = None
        super().setUp()
        self.room = pathlib.Path(self.folder)
        self.backups = self.room / 'backups'
        self.config = self.room / 'actad.toml'
        self.assertEqual(self.broker.stop(), 0)
        self.configure(backup_dir=self.backups)
        self.broker.options = ('--config', self.config)
        self.broker.start()

    def configure(self, log_level='info', **storage):
        self.config.write_text(
            f'[log]\nlevel = "{log_level}"\n[storage]\n' +
            ''.join(f'{key} = {json.dumps(value if isinstance(value, int) else str(value))}\n'
                    for key, value in storage.items()))

    def reload(self, *said):
        """Sends SIGHUP and waits until the log has all of this."""
        before = len(self.broker.log.read_text())
        self.broker.process.send_signal(signal.SIGHUP)
        until(lambda: all(one in self.broker.log.read_text()[before:] for one in said), said)

    def inspect(self, *words, code=0):
        done = subprocess.run([BIN / 'acta-inspect', *map(str, words)], text=True,
                              capture_output=True, timeout=PATIENCE_S, check=False)
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        return done.stdout if code == 0 else done.stderr + done.stdout

    def create(self):
        return self.acta_json('backup', 'create')['backups'][0]

    def names(self):
        return [name for name in below(self.backups) if name != 'acta.lock']

    def restored(self, backup, name='restored'):
        """A second broker, beside the first, on what was restored."""
        data = self.room / name / 'data'
        data.parent.mkdir()
        self.inspect('restore', '--backup', backup['path'], '--data', data)
        other = Broker(data.parent)
        other.data = data
        other.start()
        self.addCleanup(lambda: other.process.poll() is None and other.kill())
        return other

    def run_of(self):
        return self.acta_json('backup', 'list').get('lastRun', {})

    def fill(self, mib):
        self.acta('topic', 'create', 'large', '--partitions', '4')
        line = 'x' * 1000 + '\n'
        self.acta('publish', 'large', '--format', 'text', stdin=line * (1000 * mib))


class Rehearsal(BackupTest):
    def test_under_load_what_was_acknowledged_is_restored_and_nobody_notices(self):
        self.acta('topic', 'create', 't', '--partitions', '1')
        self.acta('group', 'create', 'work', '--topic', 't', '--mode', 'queue', '--from',
                  'earliest')
        publisher = Publisher(self.broker, 't')
        publisher.start()
        try:
            until(lambda: publisher.acknowledged >= 400, 'events')
            self.acta('subscribe', 't', '--group', 'stream', '--max', '100')
            self.acta('subscribe', 't', '--group', 'work', '--max', '50', '--exec', 'cat')
            made = []
            for _ in range(3):
                acknowledged = publisher.acknowledged
                made.append((self.create(), acknowledged))
        finally:
            publisher.end()
        self.assertEqual(self.names(), [backup['id'] for backup, _ in made])
        for number, (backup, acknowledged) in enumerate(made):
            self.inspect('verify', '--data', backup['path'])
            other = self.restored(backup, f'restored-{number}')
            code, out, err = other.acta('subscribe', 't', '--from', 'earliest', '--until-end')
            self.assertEqual(code, 0, err)
            lines = out.splitlines()
            self.assertGreaterEqual(len(lines), acknowledged)
            self.assertEqual(lines, [str(i) for i in range(len(lines))])
            for group, settled in (('stream', 100), ('work', 50)):
                _, out, _ = other.acta('group', 'lag', group, '-o', 'json')
                self.assertEqual(int(json.loads(out)['partitions'][0]['committedOffset']), settled)
            # It takes work, and the next start is a plain one.
            self.assertEqual(other.acta('publish', 't', 'more')[0], 0)
            self.assertEqual(other.stop(), 0)
            other.start()
            self.assertEqual(other.stop(), 0)
            self.inspect('verify', '--data', other.data)
        # The first never noticed.
        self.assertEqual(len(self.acta('subscribe', 't', '--from', 'earliest', '--until-end')
                             .splitlines()), publisher.acknowledged)

    def test_a_broker_killed_in_a_backup_goes_on_and_the_next_one_is_whole(self):
        self.configure(backup_dir=self.backups, backup_rate='1MiB')
        self.reload('configuration read again changed=storage.backup_rate')
        self.fill(20)
        self.acta('backup', 'create', '--no-wait')
        until(lambda: int(self.run_of().get('copiedBytes', 0)) > 0, 'copying')
        self.fails(4, 'BACKUP_RUNNING', 'backup', 'create')
        self.broker.kill()
        self.assertTrue(any(name.endswith('.unfinished') for name in self.names()))
        self.configure(backup_dir=self.backups)
        self.broker.start()
        self.assertFalse((self.broker.data / 'backup.cut').exists())
        backup = self.create()
        until(lambda: self.names() == [backup['id']], 'files of the first are gone')
        self.inspect('verify', '--data', backup['path'])
        log = self.room / 'log'
        said = self.inspect('restore', '--backup', backup['path'], '--data', self.room / 'moved',
                            '--wal-dir', log)
        # Else that start reports loss.
        self.assertIn(f'actad --data {self.room}/moved --storage.wal_dir={log}\n', said)

    def test_a_backup_is_stopped_by_command_and_by_the_end_of_the_broker(self):
        self.configure(backup_dir=self.backups, backup_rate='1MiB')
        self.reload('configuration read again changed=storage.backup_rate')
        self.fill(20)
        waiting = self.spawn('backup', 'create', text=True)
        until(lambda: int(self.run_of().get('copiedBytes', 0)) > 0, 'copying')
        self.assertIn('copied', self.acta('backup', 'list'))
        self.assertIn('given up', self.acta('backup', 'stop'))
        _, err = waiting.communicate(timeout=PATIENCE_S)
        self.assertEqual(waiting.returncode, 1)
        self.assertIn('stopped', err)
        until(lambda: not self.names(), 'files of what was given up are gone')
        self.assertIn('no backup', self.acta('backup', 'stop'))
        self.acta('backup', 'create', '--no-wait')
        began = time.monotonic()
        self.assertEqual(self.broker.stop(), 0)
        self.assertLess(time.monotonic() - began, 10)
        self.assertTrue(all(name.endswith('.deleted') for name in self.names()))
        self.broker.start()
        until(lambda: not self.names(), 'the next life has taken what was left')


class Refusals(BackupTest):
    def test_without_a_folder_there_are_no_backups_until_a_reload_names_one(self):
        self.configure()
        self.reload('changed=storage.backup_dir')
        for words in (('create',), ('list',), ('delete', 'x', '--yes')):
            self.assertIn('storage.backup_dir', self.fails(4, 'BACKUP_OFF', 'backup', *words))
        self.configure(backup_dir=self.backups)
        self.reload('changed=storage.backup_dir')
        self.create()

    def test_only_the_newest_are_kept_and_one_is_deleted_by_name(self):
        self.configure(backup_dir=self.backups, backup_keep=2)
        self.reload('changed=storage.backup_keep')
        made = [self.create()['id'] for _ in range(4)]
        until(lambda: self.names() == made[2:], 'files of the oldest are gone')
        listed = [backup['id'] for backup in self.acta_json('backup', 'list')['backups']]
        self.assertEqual(listed, made[2:])
        self.fails(3, 'BACKUP_NOT_FOUND', 'backup', 'delete', made[0], '--yes')
        self.fails(3, 'BACKUP_NOT_FOUND', 'backup', 'delete', '../data', '--yes')
        self.fails(4, 'yes', 'backup', 'delete', made[2])
        self.acta('backup', 'delete', made[2], '--yes')
        until(lambda: self.names() == made[3:], 'files of what was deleted are gone')
        self.assertIn('lastBackupTime', self.acta_json('status'))

    def test_a_folder_that_cannot_be_used_is_told(self):
        self.configure(backup_dir=self.config)  # A file.
        self.reload('changed=storage.backup_dir')
        self.fails(4, 'FOLDER_UNUSABLE', 'backup', 'create')

    def test_a_full_disk_ends_the_backup_and_nothing_else(self):
        small = self.room / 'small'
        small.mkdir()
        if os.geteuid() != 0:
            self.skipTest('mounting takes root')
        mounted = mount_tmpfs(small)
        self.assertEqual(mounted.returncode, 0, mounted.stderr)
        self.addCleanup(subprocess.run, ['umount', small], check=True)
        self.fill(20)
        disk = os.statvfs(small)
        others = small / 'others'
        with open(others, 'wb') as file:
            file.write(bytes(disk.f_bavail * disk.f_frsize - (4 << 20)))
        self.configure(backup_dir=small / 'backups')
        self.reload('changed=storage.backup_dir')
        err = self.fails(4, 'are free', 'backup', 'create')
        self.assertIn(str(small), err)
        self.assertEqual(self.run_of()['state'], 'BACKUP_STATE_FAILED')
        self.assertIn('BACKUP_FAILED', self.acta('status'))
        self.assertEqual(below(small / 'backups'), ['acta.lock'])
        self.acta('publish', 'large', 'on')
        # Room that goes while it copies.
        others.unlink()
        self.configure(backup_dir=small / 'backups', backup_rate='2MiB')
        self.reload('changed=storage.backup_rate')
        self.acta('backup', 'create', '--no-wait')
        until(lambda: int(self.run_of().get('copiedBytes', 0)) > 0, 'copying')
        with open(others, 'wb') as file:
            try:
                while True:
                    file.write(bytes(1 << 20))
            except OSError:
                pass
        until(lambda: self.run_of()['state'] == 'BACKUP_STATE_FAILED', 'no room')
        self.assertIn('no room', self.run_of()['error'])
        until(lambda: below(small / 'backups') == ['acta.lock'], 'files of what failed are gone')
        others.unlink()
        self.configure(backup_dir=small / 'backups')
        self.reload('changed=storage.backup_rate')
        self.create()
        self.assertNotIn('BACKUP_FAILED', self.acta('status'))

    def test_a_restore_says_what_is_wrong_and_leaves_nothing(self):
        self.acta('topic', 'create', 't')
        self.acta('publish', 't', 'a')
        backup = self.create()
        new = self.room / 'new'
        self.assertIn('FOLDER_IN_USE', self.inspect(
            'restore', '--backup', backup['path'], '--data', self.broker.data, code=1))
        self.assertIn('no backup', self.inspect(
            'restore', '--backup', self.broker.data, '--data', new, code=1))
        self.assertIn(backup['path'], self.inspect(
            'restore', '--backup', self.backups, '--data', new, code=1))
        self.inspect('restore', '--data', new, code=2)
        log = next(pathlib.Path(backup['path'], 'db').glob('*.log'))
        with open(log, 'r+b') as file:
            file.seek(100)
            byte = file.read(1)
            file.seek(100)
            file.write(bytes([byte[0] ^ 1]))
        for words in (('restore', '--backup', backup['path'], '--data', new),
                      ('verify', '--data', backup['path'])):
            self.assertIn(f'db/{log.name}', self.inspect(*words, code=1))
        self.assertFalse(new.exists())
        report = json.loads(self.inspect('verify', '--data', backup['path'], '-o', 'json', code=1))
        self.assertEqual(report['findings'][0]['where'], 'backup')


class Reload(BackupTest):
    def test_a_reload_takes_what_it_can_and_names_the_rest(self):
        self.configure(log_level='debug', backup_dir=self.backups, tail_cache='64MiB')
        self.reload('configuration read again', 'changed=log.level',
                    'property=storage.tail_cache', 'next start')
        values = {row['name']: row for row in self.acta_json('config')['properties']}
        self.assertEqual(values['log.level']['value'], 'debug')
        self.assertEqual(values['log.level']['source'], 'file')
        # What holds is shown.
        self.assertEqual(values['storage.tail_cache']['value'], '128MiB')

    def test_the_form_of_log_lines_and_what_is_slow_are_changed_while_it_works(self):
        self.config.write_text('[log]\nformat = "json"\nslow = "1us"\n')
        before = len(self.broker.log.read_text().splitlines())
        self.reload('configuration read again', 'log.format', 'log.slow')
        self.acta('topic', 'create', 't')
        until(lambda: 'slow operation' in self.broker.log.read_text(), 'it is told')
        self.assertEqual(self.broker.stop(), 0)
        lines = [json.loads(line) for line in self.broker.log.read_text().splitlines()[before:]]
        self.assertLessEqual({'configuration read again', 'slow operation', 'stopped'},
                             {line['event'] for line in lines})

    def test_a_wrong_file_changes_nothing(self):
        self.config.write_text('[log]\nlevel = "loud"\n')
        self.reload('nothing was changed', 'loud')
        self.config.unlink()
        self.reload('nothing was changed', str(self.config))
        values = {row['name']: row['value'] for row in self.acta_json('config')['properties']}
        self.assertEqual(values['log.level'], 'info')

    def test_the_log_is_scrubbed_by_itself_when_that_is_asked_for(self):
        self.assertNotIn('scrub', self.acta_json('status'))
        self.configure(backup_dir=self.backups, scrub_every='7d')
        self.reload('changed=storage.scrub_every')
        self.assertNotIn('scrub begun', self.broker.log.read_text())


if __name__ == '__main__':
    unittest.main()
