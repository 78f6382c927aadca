#!/usr/bin/env python3
"""The daemon's own bad inputs: folders, configuration, listeners; and what HTTP answers. And that
the log of a broker is kept when its test fails."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
import unittest.mock
import urllib.error
import urllib.request

import broker
from broker import BIN, PATIENCE_S, SOURCE, BrokerTest
from faults import until


def actad(*args, env=None, prefix=()):
    return subprocess.run([*prefix, BIN / 'actad', *map(str, args)], capture_output=True, text=True,
                          timeout=PATIENCE_S, env={**os.environ, **(env or {})})


class Daemon(BrokerTest):
    def refuses(self, said, *args, **how):
        """A start that must fail and say this."""
        done = actad('--grpc', '127.0.0.1:0', '--http', '127.0.0.1:0', *args, **how)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(said, done.stderr)
        return done

    def other(self):
        return os.path.join(self.folder, 'other')

    def test_a_second_broker_on_the_folder_is_refused(self):
        self.refuses('FOLDER_IN_USE', '--data', self.broker.data,
                     '--ready-file', self.broker.ready)
        self.acta('topic', 'list')
        self.assertTrue(self.broker.ready.exists())

    def test_nobody_is_told_of_a_run_that_was_killed_while_the_next_one_starts(self):
        self.broker.kill()
        self.assertTrue(self.broker.ready.exists())
        (self.broker.data / 'FORMAT').write_text('acta 999\n')
        self.refuses('FORMAT_TOO_NEW', '--data', self.broker.data,
                     '--ready-file', self.broker.ready)
        self.assertFalse(self.broker.ready.exists())

    def test_a_second_broker_on_the_port_is_refused(self):
        for listener, address in (('grpc', self.broker.address), ('http', self.broker.http)):
            done = actad('--grpc', '127.0.0.1:0', '--http', '127.0.0.1:0', '--data', self.other(),
                         f'--{listener}', address)
            self.assertEqual(done.returncode, 1)
            self.assertIn(address.rsplit(':', 1)[1] + ': Address already in use', done.stderr)
            self.assertIn(f'or name another address with --{listener}', done.stderr)
        self.acta('topic', 'list')

    def test_without_a_folder_it_says_what_to_type(self):
        done = actad()
        self.assertEqual(done.returncode, 2)
        self.assertIn('--data', done.stderr)

    def test_an_unknown_configuration_key_gets_a_suggestion(self):
        config = os.path.join(self.folder, 'actad.toml')
        with open(config, 'w') as file:
            file.write('[topics]\ndefault_partition = 3\n')
        self.refuses('default_partition', '--data', self.other(), '--config', config)
        self.refuses('ACTAD_TOPICS__NOTHING', '--data', self.other(),
                     env={'ACTAD_TOPICS__NOTHING': '1'})
        self.refuses('--nothing', '--data', self.other(), '--nothing')

    def test_a_value_out_of_range_names_the_property_and_the_range(self):
        done = self.refuses('limits.key', '--data', self.other(), '--limits.key=999GiB')
        self.assertEqual(done.returncode, 2)
        self.refuses('listen.max_connections', '--data', self.other(),
                     '--listen.max_connections=0')
        self.refuses('listen.keepalive', '--data', self.other(), '--listen.keepalive=soon')

    def test_an_unusable_folder_is_refused(self):
        blocked = os.path.join(self.folder, 'file')
        open(blocked, 'w').close()
        self.refuses('FOLDER_UNUSABLE', '--data', blocked)
        self.refuses('FOLDER_UNUSABLE', '--data', os.path.join(blocked, 'below'))

    def test_a_folder_below_one_that_was_deleted_is_refused(self):
        os.mkdir(self.other())
        delete = f'cd {self.other()}; rmdir {self.other()}; exec "$@"'
        self.refuses('FOLDER_UNUSABLE', '--data', 'below', prefix=('sh', '-c', delete, 'sh'))

    def refuses_as_a_stranger(self, says):
        """Root reads everything unless the two capabilities for it are taken away."""
        prefix = ('setpriv', '--bounding-set', '-dac_override,-dac_read_search')
        return self.refuses(says, '--data', self.other(),
                            prefix=prefix if os.geteuid() == 0 else ())

    def test_an_unreadable_folder_is_refused(self):
        os.mkdir(self.other(), 0o000)
        self.addCleanup(os.chmod, self.other(), 0o700)
        self.refuses_as_a_stranger('FOLDER_UNUSABLE')

    def test_an_unreadable_file_is_no_loss(self):
        """As a copy made by root leaves it: nobody may be sent to a backup for that."""
        self.broker.kill()
        shutil.copytree(self.broker.data, self.other())
        for name in ('acta.lock', 'FORMAT', 'witness', 'db/LOCK', 'db/CURRENT', 'db/MANIFEST-*',
                     'db/*.log'):
            file = next(pathlib.Path(self.other()).glob(name))
            file.chmod(0o000)
            done = self.refuses_as_a_stranger('FOLDER_UNUSABLE')
            self.assertIn(str(file), done.stderr)
            self.assertIn('correct its owner and mode', done.stderr)
            self.assertNotIn('backup', done.stderr)
            file.chmod(0o600)

    def test_a_listener_beyond_loopback_needs_a_word(self):
        self.refuses('--insecure', '--data', self.other(), '--grpc', '0.0.0.0:0')

    def test_no_file_takes_the_place_of_a_stream_that_is_closed(self):
        """Else log lines went over the witness."""
        self.broker.stop()
        self.broker.before_exec = lambda: os.closerange(0, 3)
        self.broker.start()
        for stream in range(3):
            self.assertEqual(os.readlink(f'/proc/{self.broker.process.pid}/fd/{stream}'),
                             '/dev/null')
        self.acta('topic', 'list')

    def test_http_answers_health_and_metrics(self):
        for path in ('healthz', 'readyz', 'metrics'):
            with urllib.request.urlopen(f'http://{self.broker.http}/{path}', timeout=10) as answer:
                self.assertEqual(answer.status, 200)
                if path == 'metrics':
                    self.assertIn('acta_', answer.read().decode())
        with self.assertRaises(urllib.error.HTTPError):
            urllib.request.urlopen(f'http://{self.broker.http}/nothing', timeout=10)

    def page_at_rest(self):
        """Of metrics, when everything is synced and nobody else looks at it."""
        with urllib.request.urlopen(f'http://{self.broker.http}/metrics', timeout=10) as answer:
            text = answer.read().decode()
        at_rest = ('\nacta_log_unsynced_bytes 0\n', '\nacta_http_connections 1\n')
        return all(line in text for line in at_rest) and text

    def test_every_metric_of_the_reference_page_is_shown(self):
        page = (SOURCE / 'docs/reference/metrics.md').read_text()
        # A QUEUE group has its own from its beginning on.
        self.acta('topic', 'create', 'jobs')
        self.acta('group', 'create', 'workers', '--topic', 'jobs', '--mode', 'queue')
        named = set(re.findall(r'^\| `(acta_\w+)`', page, re.MULTILINE))
        text = until(self.page_at_rest, 'it is at rest')
        shown = set(re.findall(r'^# TYPE (acta_\w+) ', text, re.MULTILINE))
        # A reason appears with its first refusal.
        # These come with the first refusal, claim, backup.
        self.assertEqual(named - shown, {'acta_rpc_rejections_total', 'acta_claims_calls_total',
                                         'acta_telemetry_spans_total',
                                         'acta_groups_headroom_seconds',
                                         'acta_backups_newest_timestamp_seconds',
                                         'acta_claims_claims'})
        self.assertIn('\nacta_log_tail_cache_limit_bytes 134217728\n', text)
        self.assertIn('\nacta_log_dedupe_limit_bytes 268435456\n', text)


class KeptLogs(unittest.TestCase):
    class Tests(BrokerTest):
        def test_that_fails(self):
            until(lambda: ' started ' in self.broker.log.read_text(), 'its first line is there')
            self.fail('on purpose')

        def test_that_passes(self):
            pass

    def test_only_a_test_that_fails_leaves_its_logs_and_under_its_name(self):
        with tempfile.TemporaryDirectory() as kept, \
                unittest.mock.patch.object(broker, 'FAILED', pathlib.Path(kept)):
            result = unittest.TestResult()
            for name in ('test_that_fails', 'test_that_passes'):
                self.Tests(name).run(result)
            self.assertEqual((result.testsRun, len(result.failures), result.errors), (2, 1, []))
            folder, = pathlib.Path(kept).iterdir()
            self.assertTrue(folder.name.endswith('test_that_fails'))
            self.assertIn(' started ', (folder / 'actad.log').read_text())


if __name__ == '__main__':
    unittest.main()
