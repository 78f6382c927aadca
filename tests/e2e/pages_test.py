#!/usr/bin/env python3
"""Every command of the docs, as it stands there: pages are followed from their first to their last
line, and print what they say (pages.py has the rules). What cannot be run here is marked in the
page, and printed at the end.
"""

import atexit
import os
import re
import shlex
import unittest

import pages
from broker import SOURCE
from pages import FollowedPage
from stubs import require

DOCS = SOURCE / 'docs'
ALERTS = sorted((DOCS / 'operating/alerts').glob('Acta*.md'))
PAGES = ('README.md', 'docs/start/quickstart.md', 'docs/start/python.md', 'docs/start/go.md',
         'docs/start/node.md', 'docs/start/java.md',
         'docs/concepts/journeys.md', 'docs/operating/running.md',
         'docs/operating/installing.md', 'docs/operating/backing-up.md',
         'docs/guides/publish-reliably.md', 'docs/guides/consume-reliably.md',
         'docs/guides/read-the-past.md', 'docs/guides/growing-a-topic.md',
         'docs/guides/from-kafka.md', 'docs/guides/from-nats.md')
# They have tests of their own, which look at more than what is printed.
ELSEWHERE = ('docs/guides/what-happened.md', 'docs/guides/work-queues.md')
NOT_RUN = []


def all_pages():
    return [SOURCE / 'README.md', *sorted(DOCS.rglob('*.md'))]


def shell_blocks(page):
    return [block for block in pages.blocks(page.read_text()) if block.language == 'sh']


@atexit.register
def list_what_was_not_run():
    for line in NOT_RUN:
        print(f'not run: {line}')


class Pages(FollowedPage):
    def walk(self, name):
        self.follow(SOURCE / name)
        NOT_RUN.extend(f'{name}: {line}' for line in self.not_run)
        self.not_run = []

    def many(self, topic, partition, count):
        """Events that no page says: only their number matters."""
        lines = '\n'.join(map(str, range(count)))
        self.acta('publish', topic, '--partition', partition, stdin=lines)

    def world_of_journeys(self):
        self.acta('topic', 'create', 'orders')
        self.acta('publish', 'orders', '{}', '--id', 'order-1042', '--correlation', 'order-1042',
                  '--affected', 'user:42')
        self.many('orders', 1, 18)

    def world_of_alerts(self):
        """What the pages of alerts name: orders with `billing` behind it, and jobs with dead
        letters of `jobs`, with `workers` and `mail`."""
        self.library = os.path.join(self.folder, 'data')
        self.acta('topic', 'create', 'orders')
        self.acta('publish', 'orders', '{}', '--id', 'order-1042', '--partition', 0)
        self.many('orders', 3, 81730)
        self.acta('topic', 'create', 'jobs')
        self.many('jobs', 2, 22)
        self.acta('subscribe', 'jobs', '--group', 'jobs', '--mode', 'queue', '--exec', 'exit 65',
                  '--max', 22)
        self.many('jobs', 3, 81000)
        self.acta('group', 'create', 'workers', '--topic', 'jobs', '--mode', 'queue')
        self.acta('group', 'create', 'mail', '--topic', 'jobs')
        self.many('jobs', 3, 726)

    def make_backups(self):
        """The broker makes them from now on."""
        backups = os.path.join(self.folder, 'backups')
        self.broker.start_again(f'--storage.backup_dir={backups}')
        self.environment['ACTA_SERVER'] = self.broker.address
        self.http = self.broker.http

    def world_of_backups(self):
        self.make_backups()
        self.acta('topic', 'create', 'orders')
        self.many('orders', 0, 100)
        made = self.acta_json('backup', 'create')['backups'][0]['path']
        self.instead = {'/var/backups/acta/2026-02-01T02-00-00Z': made,
                        '/tmp/rehearsal': os.path.join(self.folder, 'rehearsal')}

    def test_of_alerts(self):
        self.make_backups()
        self.world_of_alerts()
        for page in ALERTS:
            groups = self.acta_json('group', 'list')['groups']
            if 'billing' not in [group['name'] for group in groups]:
                self.acta('group', 'create', 'billing', '--topic', 'orders', '--from', 'earliest')
            self.walk(page.relative_to(SOURCE).as_posix())


def add_test(name):
    """One test a page."""
    def test(self):
        if name == 'docs/concepts/journeys.md':
            self.world_of_journeys()
        if name == 'docs/operating/backing-up.md':
            self.world_of_backups()
        self.walk(name)
    setattr(Pages, 'test_' + re.sub(r'\W', '_', name.removesuffix('.md')), test)


for page_name in PAGES:
    add_test(page_name)


class Marks(unittest.TestCase):
    """No command is left out unseen."""

    def test_every_page_with_commands_is_followed(self):
        found = {page.relative_to(SOURCE).as_posix() for page in all_pages() if shell_blocks(page)}
        alerts = {page.relative_to(SOURCE).as_posix() for page in ALERTS if shell_blocks(page)}
        self.assertEqual(found, {*PAGES, *ELSEWHERE} | alerts)

    def test_marks_are_understood(self):
        for page in all_pages():
            for block in pages.blocks(page.read_text()):
                if block.mark:
                    self.assertRegex(block.mark, r'^(exit \d|Ctrl-C|not run: \S.*|run by \S+)$',
                                     page)
                    pages.split_not_run(block)
                    file = block.argument('run by')
                    self.assertTrue(file is None or (SOURCE / file).exists(), f'{page}: {file}')

    def test_commands_of_other_languages_stay_out(self):
        """`bash`, `console` and their like would hide commands."""
        known = {'', 'sh', 'text', 'json', 'cpp', 'python', 'proto', 'toml', 'ini', 'bash', 'cmake',
                 'xml'}
        for page in all_pages():
            for block in pages.blocks(page.read_text()):
                self.assertIn(block.language, known, page)
                if block.language == 'bash':
                    self.assertTrue(block.lines[0].startswith('#!'), f'{page}: a script has a #!')

    def test_every_command_that_is_named_exists_with_its_options(self):
        command_line = pages.CommandLine()
        for page in [*all_pages(), SOURCE / 'CONTRIBUTING.md', SOURCE / 'CHANGELOG.md']:
            for words in pages.commands(page.read_text()):
                with self.subTest(page.relative_to(SOURCE).as_posix(), words=words):
                    self.assertEqual(command_line.problem(words), '')


class Comparison(unittest.TestCase):
    def test_words_are_counted_as_a_shell_splits_them(self):
        text = (DOCS / 'internals/comparison-cli.md').read_text()
        counted = re.findall(r'`((?:acta|rpk|nats|kcat|echo) [^`]*)` (\d+)', text)
        self.assertGreater(len(counted), 60)
        for command, count in counted:
            self.assertEqual(len(shlex.split(command.replace('\\|', '|'))), int(count), command)


class TheRules(unittest.TestCase):
    """What pages.py takes a page for."""

    def test_a_mark_belongs_to_the_block_below_it(self):
        first, second = pages.blocks('<!-- exit 4 -->\n```sh\na \\\n b\nc |\n  d\n```\n'
                                     '```text\n...\n```')
        self.assertEqual((first.argument('exit'), first.lines), ('4', ['a  b', 'c | d']))
        self.assertEqual((second.mark, second.language, second.lines), ('', 'text', ['...']))

    def test_a_mark_without_its_line_and_a_command_of_ours_are_refused(self):
        for words in ('dmesg', 'acta status'):
            with self.assertRaises(AssertionError):
                pages.split_not_run(pages.Block(f'not run: {words}', 'sh', 'acta status\n'))

    def test_commands_are_found_in_blocks_and_sentences(self):
        text = ("Say `acta group lag\nbilling`.\n"
                "```sh\necho x | acta publish 'a b' --id 1  # why\n```")
        self.assertEqual(pages.commands(text),
                         [['publish', 'a b', '--id', '1'], ['group', 'lag', 'billing']])

    def test_what_does_not_exist_is_a_problem(self):
        command_line = pages.CommandLine()
        for words in (['admin', 'status'], ['publsh', 'orders'], ['status', '--nothing']):
            self.assertNotEqual(command_line.problem(words), '', words)
        for words in (['group', 'lag', 'x', '--watch'], ['COMMAND', '--help'], ['schedule']):
            self.assertEqual(command_line.problem(words), '', words)


class ThatFail(FollowedPage):
    """A page that says what is not so makes its test fail."""

    def fails_on(self, text):
        [block, *behind] = pages.blocks(text)
        with self.assertRaises(AssertionError):
            self.follow_block(block, behind[0].lines if behind else None)

    def test_a_command_that_fails(self):
        self.fails_on('```sh\nacta publish nowhere x\n```')

    def test_one_that_does_not_fail_as_it_says(self):
        self.fails_on('<!-- exit 4 -->\n```sh\nacta publish nowhere x\n```')

    def test_another_output(self):
        self.fails_on('```sh\necho 17\n```\n```text\n18\n```')

    def test_more_output_than_is_shown(self):
        self.fails_on('```sh\necho 17; echo 18\n```\n```text\n17\n```')


if __name__ == '__main__':
    require()
    unittest.main()
