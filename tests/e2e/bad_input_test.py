#!/usr/bin/env python3
"""Bad input on the command line: the exit code, the reason, and that nothing else suffers."""

import os
import subprocess
import unittest

from broker import BIN, BrokerTest


class BadInput(BrokerTest):
    def tearDown(self):
        """Whatever was wrong, the broker works for others."""
        self.acta('topic', 'create', 'after')
        self.acta('publish', 'after', 'x')

    def test_an_unknown_topic_is_not_found(self):
        self.fails(3, 'TOPIC_NOT_FOUND', 'topic', 'describe', 'nothing')
        self.fails(3, 'TOPIC_NOT_FOUND', 'publish', 'nothing', 'x')
        self.fails(3, 'TOPIC_NOT_FOUND', 'subscribe', 'nothing', '--from', 'earliest',
                   '--until-end')
        self.fails(3, 'TOPIC_NOT_FOUND', 'subscribe', 'nothing', '--group', 'g')
        self.fails(3, 'TOPIC_NOT_FOUND', 'read', 'nothing', '--partition', '0', '--offset', '0')
        self.fails(3, 'TOPIC_NOT_FOUND', 'topic', 'delete', 'nothing', '--yes')

    def test_an_unknown_group_is_not_found(self):
        self.fails(3, 'GROUP_NOT_FOUND', 'group', 'lag', 'nothing')
        self.fails(3, 'GROUP_NOT_FOUND', 'group', 'describe', 'nothing')
        self.fails(3, 'GROUP_NOT_FOUND', 'group', 'reset', 'nothing', '--to', 'earliest',
                   '--reason', 'x')

    def test_a_bad_name_is_a_usage_error(self):
        self.fails(2, 'INVALID_NAME', 'topic', 'create', 'no spaces')
        self.fails(2, 'INVALID_NAME', 'topic', 'create', 'x' * 250)

    def test_what_is_no_text_is_a_usage_error_and_data_may_be_any_bytes(self):
        self.acta('topic', 'create', 't', '--partitions', '1')
        for words in (('topic', 'describe', b'\xff'), ('publish', 't', 'x', '--type', b'\xff')):
            done = subprocess.run([BIN / 'acta', *words, '--server', self.broker.address],
                                  capture_output=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr.count(b'\n')), (2, 1), done.stderr)
            self.assertIn(rb"'\xff' is not UTF-8", done.stderr)
        subprocess.run([BIN / 'acta', 'publish', 't', b'\xff', '--key', b'\xfe', '--server',
                        self.broker.address], check=True, capture_output=True, timeout=60)
        self.assertEqual(self.acta('read', 't', '--partition', '0', '--format', 'json').count(
            '"data_base64":"/w=="'), 1)

    def test_labels_and_descriptions_command_no_terminal_above_a_table(self):
        label = ('--label', 'x=\x1b[31m')
        self.acta('topic', 'create', 't', *label)
        self.acta('group', 'create', 'g', '--topic', 't', '--description', 'a\nb', *label)
        for words in (('topic', 'describe', 't'), ('topic', 'alter', 't', '--retention', '1h'),
                      ('group', 'describe', 'g')):
            self.assertRegex(self.acta(*words).splitlines()[0], r'labels x=\?\[31m')
        self.assertIn(', description a?b\n', self.acta('group', 'describe', 'g'))

    def test_what_is_read_commands_no_terminal_by_an_error_or_a_warning(self):
        self.acta('topic', 'create', 't', '--partitions', '1')
        bad = r'{"specversion":"1.0","\u001b]0;x\u0007\u009b1m":{}}'
        publish = ('publish', 't', '--format', 'cloudevents')
        for options, code in (((), 1), (('--skip-bad',), 6)):
            err = self.fails(code, "extension '?]0;x??1m' is not", *publish, *options, stdin=bad)
            self.assertNotRegex(err, '[\x1b\x07\x9b]')

    def test_what_exists_is_refused(self):
        self.acta('topic', 'create', 't')
        self.fails(4, 'TOPIC_ALREADY_EXISTS', 'topic', 'create', 't')

    def test_limits_are_named(self):
        self.acta('topic', 'create', 't', '--max-event', '1KiB')
        self.fails(1, 'EVENT_TOO_LARGE', 'publish', 't', 'x' * 2000)
        self.acta('topic', 'create', 'usual')
        self.fails(1, 'KEY_TOO_LARGE', 'publish', 'usual', 'x', '--key', 'k' * 1025)
        self.fails(2, '257', 'topic', 'create', 'big', '--partitions', '257')

    def test_offsets_outside_the_log_are_refused(self):
        self.acta('topic', 'create', 't', '--partitions', '1')
        self.fails(1, 'OFFSET_OUT_OF_RANGE', 'read', 't', '--partition', '0', '--offset', '5')
        self.fails(2, '--offset', 'read', 't', '--partition', '0', '--offset', '-1')
        self.fails(3, 'PARTITION_NOT_FOUND', 'read', 't', '--partition', '7', '--offset', '0')

    def test_an_end_that_cannot_come_is_a_usage_error(self):
        self.acta('topic', 'create', 't', '--partitions', '2')
        read = ('subscribe', 't', '--from')
        self.fails(2, '--to: partition 0 is given twice', *read, 'earliest', '--to', '0:0',
                   '--to', '0:1')
        self.fails(2, '--from: partition 1 is given twice', *read, '1:0', '--from', '0:0',
                   '--from', '1:0', '--until-end')
        self.fails(2, "--to: topic 't' has no partition 2", *read, 'earliest', '--to', '2:0')
        self.fails(2, '--to: partition 0 is not read', *read, '1:0', '--to', '0:1')
        self.acta(*read, '1:0', '--to', '1:0')

    def test_a_line_that_is_no_json_is_named_and_nothing_of_it_is_stored(self):
        self.acta('topic', 'create', 't')
        err = self.fails(6, 'line 2', 'publish', 't', '--format', 'jsonl',
                         stdin='{"a": 1}\n{"a":\n')
        self.assertIn('1 event', err)
        self.fails(1, 'line 1', 'publish', 't', '--format', 'jsonl', stdin='{"a":\n')

    def test_what_went_wrong_is_told_also_where_nobody_reads_the_output(self):
        self.acta('topic', 'create', 't')
        publish = ('publish', 't', '--format', 'jsonl')
        later = ('--delay', '1h')  # Sent together: without the second line nothing is.
        for options, expected in (((), 6), (('--skip-bad',), 6), (later, 1),
                                  ((*later, '--skip-bad'), 6)):
            code, err = self.with_nobody_reading(*publish, *options, stdin='{"a": 1}\n{"a":\n')
            self.assertEqual((code, 'line 2' in err, 'error: ' in err), (expected, True, True), err)
        for options, expected in ((('--skip-bad',), 6), ((), 1)):
            code, err = self.with_nobody_reading(*publish, '--dry-run', *options,
                                                 stdin='{"a":\n{"a": 1}\n')
            self.assertEqual((code, 'line 1' in err, 'error: ' in err), (expected, True, True), err)
        code, err = self.with_nobody_reading('doctor', '--server', '127.0.0.1:1', '--timeout',
                                             '2s')
        self.assertEqual((code, '127.0.0.1:1' in err), (5, True), err)

    def test_a_missing_time_is_an_error_and_a_missing_key_is_not(self):
        self.acta('topic', 'create', 't')
        self.fails(1, '--time', 'publish', 't', '{}', '--format', 'jsonl', '--time', '@/t:ms')
        self.acta('publish', 't', '{}', '--format', 'jsonl', '--key', '@/k')

    def test_deleting_asks_and_without_a_terminal_needs_yes(self):
        self.acta('topic', 'create', 't')
        self.fails(4, '--yes', 'topic', 'delete', 't')
        self.acta('topic', 'describe', 't')
        self.acta('topic', 'delete', 't', '--yes')
        self.fails(3, 'TOPIC_NOT_FOUND', 'topic', 'describe', 't')

    def test_a_slip_of_the_keyboard_gets_a_suggestion(self):
        self.fails(2, "did you mean 'publish'", 'pubish', 't')
        self.fails(2, "did you mean 'topic create'", 'topic', 'craete', 't')
        self.fails(2, "did you mean '--partitions'", 'topic', 'create', 't', '--partition', '1')

    def test_a_group_with_other_topics_is_refused(self):
        self.acta('topic', 'create', 'a')
        self.acta('topic', 'create', 'b')
        self.acta('group', 'create', 'g', '--topic', 'a')
        self.fails(4, 'GROUP_MISMATCH', 'subscribe', 'b', '--group', 'g', '--until-end')

    def test_a_broker_that_is_not_there_is_unavailable(self):
        done = subprocess.run([BIN / 'acta', 'topic', 'list', '--server', '127.0.0.1:1',
                               '--timeout', '2s'], capture_output=True, text=True,
                              env=os.environ, timeout=60)
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertIn('127.0.0.1:1', done.stderr)


if __name__ == '__main__':
    unittest.main()
