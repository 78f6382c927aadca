"""acta-bench --quick against a real broker: every measure yields well-formed rows."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get('ACTA_BIN', SOURCE / 'build/release/bin'))
KEYS = {'measure', 'value', 'unit', 'least', 'goal', 'limit', 'limit_name', 'least_of_limit',
        'goal_of_limit', 'lower_is_better', 'runs', 'broker_cpu_s_per_million',
        'client_cpu_s_per_million', 'broker_peak_rss_mib', 'ratio_to_limit'}


def run(program, *args):
    return subprocess.run([BIN / program, *map(str, args)], text=True, capture_output=True,
                          timeout=280)


class BenchSmokeTest(unittest.TestCase):
    def report(self, *command):
        """The rows by name of a program that must succeed."""
        done = run(*command)
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        report = json.loads(done.stdout)
        self.assertEqual(set(report), {'machine', 'limits', 'rows'})
        self.assertGreater(report['machine']['cores'], 0)
        rows = {row['measure']: row for row in report['rows']}
        self.assertEqual(len(rows), len(report['rows']), 'a name is there twice')
        for name, row in rows.items():
            self.check(name, row)
        self.limits = {row['measure']: row['value'] for row in report['limits']}
        return rows

    def check(self, name, row):
        self.assertEqual(set(row), KEYS, name)
        self.assertGreater(row['value'], 0, name)
        self.assertTrue(row['unit'], name)
        self.assertIsInstance(row['lower_is_better'], bool, name)
        self.assertGreaterEqual(len(row['runs']), 1, name)
        for number in row['runs']:
            self.assertGreater(number, 0, name)
        self.assertEqual(row['limit'] is None, row['limit_name'] is None, name)
        for key in ('least', 'goal', 'limit'):
            if row[key] is not None:
                self.assertGreater(row[key], 0, f'{name}: {key}')

    def test_every_measure_yields_figures(self):
        # What needs a log of many GiB is for hours, not for now.
        listed = [line.split(':')[0] for line in run('acta-bench', '--list').stdout.splitlines()
                  if not line.endswith('(--large)')]
        self.assertIn('publish_consume_fsync_log', listed)
        with tempfile.TemporaryDirectory(prefix='acta-bench-') as folder:
            rows = self.report('acta-bench', '--quick', '--seconds', '0.08',
                               '--warm-up', '0.02', '-o', 'json', '--dir', folder)
            self.assertEqual(os.listdir(folder), [], 'something was left behind')
        for name in listed:
            self.assertTrue(any(row == name or row.startswith(name + '.') for row in rows), name)
        self.assertLessEqual({'tcp_stream', 'tcp_round_trip', 'rocksdb_os', 'grpc_unary'},
                             set(self.limits))
        self.assertNotIn(0, self.limits.values())
        main = rows['publish_consume_fsync_log']
        self.assertEqual(main['limit_name'], 'rocksdb_fsync')
        self.assertIsNotNone(main['client_cpu_s_per_million'])

    def test_every_limit_yields_figures(self):
        with tempfile.TemporaryDirectory(prefix='acta-bench-') as folder:
            rows = self.report('acta-bench-limits', '--seconds', '0.1', '-o', 'json', '--dir',
                               folder)
            self.assertEqual(os.listdir(folder), [], 'something was left behind')
        self.assertLessEqual({'disk_append_sync', 'rocksdb_os', 'rocksdb_fsync', 'grpc_unary',
                              'grpc_stream_64k', 'crc32c', 'memcpy'}, set(rows))

    def test_the_short_form_and_the_commands_of_pages_name_measures_that_there_are(self):
        commands = [['--short']]
        for page in ('docs/internals/performance.md', 'docs/operating/durability.md'):
            text = (SOURCE / page).read_text()
            commands += [['--only', names] for names in re.findall(r"--only\s+'?([\w*,]+)", text)]
        self.assertGreater(len(commands), 5)
        for words in commands:
            done = run('acta-bench', *words, '--list')
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertTrue(done.stdout, words)

    def test_a_wrong_word_is_a_usage_error(self):
        for words in (['--only', 'publish_consume_slow'], ['--runs', '-1'], ['--quikc'],
                      ['--only', 'many', '--server', '127.0.0.1:1']):
            done = run('acta-bench', *words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(words[:2][-1], done.stderr)


if __name__ == '__main__':
    unittest.main()
