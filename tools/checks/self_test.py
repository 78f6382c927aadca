#!/usr/bin/env python3
"""Each check sees the violation planted for it, and accepts the same file without it."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import api_page
import cli_page
import clocks
import errors_page
import layers
import links
import sizes
import stale_docs

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'docs'))

import stage  # noqa: E402

# A program that answers --help, of itself and of two commands.
ACTA = '''#!/bin/sh
case "$*" in
  --help) echo 'acta: it\n\nCommands:\n  one THING  does one\n  two go     goes' ;;
  *) echo "does it: $*\n\nUsage: acta $*" ;;
esac
echo '\nEvery command:\n  -q'
test "$*" = --help || echo '\nExample:\n  acta x'
'''
SERVICE = '''// About things.
syntax = "proto3";

// Does things | more.
service Things {
  // Makes one.
  // Errors: THING_EXISTS.
  rpc Make(stream Thing) returns (Made);
}
// A thing.
message Thing {
  string name = 1;
  oneof by {
    // By number.
    repeated Made made = 2;
  }
  reserved 3;
}
message Made {}
'''
PROTO = '''
enum ErrorReason {
  // Nothing of that name.
  // Client action: correct the name.
  THING_NOT_FOUND = 1 [(error) = {status_code: 5}];
  // Full.
  // Client action: wait.
  FULL = 2 [(error) = {status_code: 8, retryable: true, retry_after_ms: 100}];
}
'''


class Planted(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def plant(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def size_problems(self, baseline=None):
        return sizes.find_problems(self.root, baseline or {})[1]


class Clocks(Planted):
    def check_one(self, name, line, problems):
        self.plant(name, f'// absl::Now() is for people.\n{line}\n')
        found = clocks.find_problems(self.root)
        self.assertEqual([problem.split(': ')[0] for problem in found], problems)

    def test_a_deadline_by_the_wall_clock_is_found(self):
        self.check_one('server/core/a.cc', 'if (deadline < absl::Now()) return;',
                       ['server/core/a.cc:2'])

    def test_a_deadline_since_boot_is_not(self):
        self.check_one('server/core/a.cc', 'if (deadline < clock.SinceBoot()) return;', [])

    def test_what_is_listed_may_ask_as_often_as_it_says(self):
        self.check_one('storage/log/store_opening.cc', 'Format(absl::Now());', [])
        self.check_one('storage/log/store_opening.cc', 'absl::Now(), absl::Now()',
                       ['storage/log/store_opening.cc:2'])
        self.check_one('storage/log/store_opening.cc', '', ['storage/log/store_opening.cc:1'])


class Layers(Planted):
    def check_one(self, name, include, wrong):
        self.plant(name, f'#pragma once\n#include {include}\n')
        problems = layers.find_problems(self.root)
        self.assertEqual(len(problems), 1 if wrong else 0, problems)
        if wrong:
            self.assertTrue(problems[0].startswith(f'{name}:2: '), problems)

    def test_the_command_line_may_not_include_the_server(self):
        self.check_one('tools/acta/a.h', '"server/core/publish/publisher.h"', True)

    def test_the_command_line_may_include_the_client(self):
        self.check_one('tools/acta/a.h', '"client/cpp/channel.h"', False)

    def test_examples_include_what_is_installed(self):
        self.check_one('client/cpp/examples/a.cc', '"acta/client/channel.h"', False)

    def test_examples_may_not_include_the_tree(self):
        self.check_one('client/cpp/examples/a.cc', '"client/cpp/channel.h"', True)

    def test_core_may_not_name_grpc(self):
        self.check_one('server/core/publish/a.h', '<grpcpp/grpcpp.h>', True)

    def test_core_may_not_use_stubs(self):
        self.check_one('server/core/publish/a.h', '"acta/v1/topics.grpc.pb.h"', True)

    def test_only_rocks_names_rocksdb(self):
        self.check_one('storage/log/a.h', '<rocksdb/db.h>', True)

    def test_rocks_names_rocksdb(self):
        self.check_one('storage/rocks/a.h', '<rocksdb/db.h>', False)

    def test_the_floor_of_the_house_includes_nothing_of_ours(self):
        self.check_one('storage/base/a.h', '"proto/support/error.h"', True)

    def test_the_two_edges_do_not_know_each_other(self):
        self.check_one('server/http/a.h', '"server/rpc/server.h"', True)

    def test_the_edge_sees_no_storage_but_its_floor(self):
        self.check_one('server/rpc/a.h', '"storage/log/commit_queue.h"', True)

    def test_a_leaf_of_core_does_not_know_those_above(self):
        self.check_one('server/core/topics/a.h', '"server/core/publish/a.h"', True)

    def test_storage_does_not_know_the_server(self):
        self.check_one('storage/state/a.cc', '"server/core/topics/topic_registry.h"', True)

    def test_a_file_without_a_room_is_found(self):
        self.check_one('tools/new/a.cc', '<vector>', True)


class Sizes(Planted):
    def body(self, lines):
        return 'void F(int x) {\n' + '  x++;\n' * (lines - 2) + '}\n'

    def test_a_long_file_is_found(self):
        self.plant('client/a.cc', '// x\n' * 500)
        self.assertEqual(self.size_problems(), [])
        self.plant('client/a.cc', '// x\n' * 501)
        self.assertEqual(len(self.size_problems()), 1)

    def test_a_long_function_is_found(self):
        self.plant('client/a.cc', self.body(60))
        self.assertEqual(self.size_problems(), [])
        self.plant('client/a.cc', self.body(61))
        self.assertIn('client/a.cc:1: function: F has 61', self.size_problems()[0])

    def test_a_long_function_with_a_head_of_two_lines_is_found(self):
        text = 'absl::Status Thing::Do(int a,\n                       int b) {\n'
        self.plant('client/a.cc', text + '  a++;\n' * 60 + '}\n')
        self.assertIn('Thing::Do', self.size_problems()[0])

    def test_a_long_method_within_a_class_is_found(self):
        method = '  int Get() const {\n' + '    x++;\n' * 60 + '  }\n'
        self.plant('client/a.h', 'class A {\n public:\n' + method + '};\n')
        self.assertIn('Get', self.size_problems()[0])

    def test_a_long_line_is_found(self):
        self.plant('client/a.cc', '// ' + 'x' * 98 + '\n')
        self.assertEqual(len(self.size_problems()), 1)

    def test_what_is_in_the_baseline_may_not_grow(self):
        self.plant('client/a.cc', self.body(70))
        key = ('function', 'client/a.cc:F')
        self.assertEqual(self.size_problems({key: 70}), [])
        self.assertEqual(len(self.size_problems({key: 69})), 1)


class Links(Planted):
    def check_one(self, text, wrong, other='# Two Words\n\n## A `b`: c!\n\n# Two Words\n'):
        self.plant('docs/page.md', text)
        self.plant('docs/other.md', other)
        self.plant('code.cc', '')
        problems, _ = links.find_problems(self.root)
        self.assertEqual(len(problems), wrong, problems)

    def test_what_is_there_is_found(self):
        self.check_one('[a](other.md) [b](other.md#two-words) [c](other.md#a-b-c)\n'
                       '[d](../code.cc#L3) [e](other.md#two-words-1) [f](../docs)\n'
                       '[g](https://nowhere/x) [h](#here)\n'
                       '# Here\n![i](../code.cc)\n[j]: other.md\n<a href="other.md">k</a>\n', 0)

    def test_a_missing_file_is_found_with_its_line(self):
        self.check_one('# A\n\n```\n[x](y.md)\n```\n\n[b](nowhere.md)\n', 1)
        self.assertEqual(links.find_problems(self.root)[0],
                         ['docs/page.md:7: nowhere.md: there is no such file'])

    def test_a_missing_anchor_is_found(self):
        for link in ('[a](other.md#three)', '[a](#three)', '[a](other.md#two-words-2)',
                     '[a](../code.cc#three)'):
            self.check_one(f'{link}\n', 1)

    def test_every_way_to_write_a_link_is_seen(self):
        for link in ('![a](b.png)', '[a][b]\n\n[b]: c.md', '<img src="b.png">', '[a](b.md "c")',
                     '[![a](../code.cc)](b.md)', '[a](/other.md)', '[a](../../b.md)', '[a]()'):
            self.check_one(f'{link}\n', 1)

    def test_code_and_comments_have_no_links(self):
        self.check_one('`[a](b.md)` <!-- [a](b.md) -->\n\n```sh\n[a](b.md)\n```\n', 0)

    def test_headings_in_code_are_none(self):
        self.check_one('[a](other.md#no)\n', 1, other='```sh\n# No\n```\n')


class Navigation(Planted):
    SITE = ('site_name: x\nnav:\n  - Start: README.md\n  - Guides:\n'
            '      - One: docs/guides/one.md\n\n# Reached by links.\nnot_in_nav: |\n'
            '  /docs/*/README.md\n  /docs/alerts/A*.md\n  index.md\n  /docs/old/\n')

    def unlisted(self, *more):
        for page in ('README.md', 'docs/guides/one.md', 'docs/guides/README.md', *more):
            self.plant(page, '# A\n')
        self.plant(links.SITE, self.SITE)
        return links.find_unlisted(self.root)

    def test_pages_in_it_and_those_that_may_be_left_out_are_fine(self):
        self.assertEqual(self.unlisted('docs/alerts/Ab.md', 'docs/a/b/index.md', 'docs/old/a/b.md',
                                       'tools/README.md'), [])

    def test_a_page_that_is_missing_in_it_is_found(self):
        for page in ('docs/guides/two.md', 'docs/a/b/README.md', 'docs/README.md',
                     'docs/alerts/b.md', 'docs/older.md', 'docs/alerts/A/b.md'):
            self.assertEqual(self.unlisted(page),
                             [f'{page}:1: is not in the navigation: add it to {links.SITE}'])
            (self.root / page).unlink()

    def test_an_entry_that_leads_nowhere_is_found(self):
        self.unlisted()
        (self.root / 'docs/guides/one.md').unlink()
        self.assertEqual(links.find_unlisted(self.root),
                         [f'{links.SITE}:5: docs/guides/one.md: there is no such file'])


class Stage(Planted):
    def test_what_is_linked_to_is_laid_out_where_it_lies(self):
        self.plant('README.md', '[a](docs) [b](proto/v1) [c](proto/v1/a.proto) [d](https://x)\n')
        self.plant('docs/README.md', '[a](../tools/x.md#b) [c](#d)\n# D\n')
        self.plant('proto/v1/a.proto', 'a')
        self.plant('tools/x.md', '# B\n')
        self.plant('tools/y.md', '# nobody links here\n')
        site = self.root / 'build/pages'
        stage.Stage(self.root, site).run()
        found = {path.relative_to(site).as_posix() for path in site.rglob('*') if path.is_file()}
        self.assertEqual(found, {'README.md', 'docs/README.md', 'proto/v1/a.proto',
                                 'proto/v1/index.md', 'tools/x.md'})
        self.assertIn('[a](docs/README.md) [b](proto/v1/index.md)',
                      (site / 'README.md').read_text())
        self.assertIn('[a.proto](a.proto)', (site / 'proto/v1/index.md').read_text())
        self.assertEqual(links.find_problems(site)[0], [])


class StaleDocs(Planted):
    def test_a_changed_reason_makes_the_page_stale(self):
        self.plant('proto/acta/v1/errors.proto', PROTO)
        pages = stale_docs.wanted_pages(self.root, None)
        self.assertEqual(stale_docs.stale(self.root, pages),
                         ['docs/reference/errors.md', 'docs/reference/api.md'])
        for page in pages:
            self.plant(page, pages[page])
        self.assertEqual(stale_docs.stale(self.root, pages), [])
        self.plant('proto/acta/v1/errors.proto', PROTO.replace('Full.', 'Too full.'))
        pages = stale_docs.wanted_pages(self.root, None)
        self.assertEqual(stale_docs.stale(self.root, pages), ['docs/reference/errors.md'])

    def test_a_changed_page_of_actad_is_stale(self):
        self.plant('proto/acta/v1/errors.proto', PROTO)
        # A program that prints the name of the page it is asked for.
        self.plant('actad', '#!/bin/sh\necho "$1 $2"\n')
        actad = self.root / 'actad'
        actad.chmod(0o700)
        pages = stale_docs.wanted_pages(self.root, actad)
        self.assertEqual(sorted(pages), ['deploy/actad.toml', 'docs/reference/api.md',
                                         'docs/reference/configuration.md',
                                         'docs/reference/errors.md', 'docs/reference/metrics.md'])
        for page in pages:
            self.plant(page, pages[page])
        self.assertEqual(stale_docs.stale(self.root, pages), [])
        for page, topic in stale_docs.ACTAD_PAGES.items():
            self.assertEqual(pages[page], f'--generate-reference {topic}\n')
            self.plant(page, pages[page] + 'edited by hand\n')
            self.assertEqual(stale_docs.stale(self.root, pages), [page])
            (self.root / page).unlink()
            self.assertEqual(stale_docs.stale(self.root, pages), [page])
            self.plant(page, pages[page])

    def test_a_changed_comment_makes_the_page_of_the_api_stale(self):
        self.plant('proto/acta/v1/errors.proto', PROTO)
        self.plant('proto/acta/v1/things.proto', SERVICE)
        pages = stale_docs.wanted_pages(self.root)
        for page in pages:
            self.plant(page, pages[page])
        self.plant('proto/acta/v1/things.proto', SERVICE.replace('Makes one', 'Makes two'))
        self.assertEqual(stale_docs.stale(self.root, stale_docs.wanted_pages(self.root)),
                         ['docs/reference/api.md'])

    def test_the_page_of_the_api_says_what_the_protos_say(self):
        page = api_page.page({'things': SERVICE})
        for text in ('## things.proto\n\nAbout things.\n',
                     '### service Things\n\nDoes things | more.\n',
                     '| `Make` | stream [Thing](#thing) | [Made](#made) | Makes one. '
                     'Errors: THING_EXISTS. |',
                     '### Thing\n\nA thing.\n', '| `name` | 1 | string |  |',
                     '| `made` | 2 | repeated [Made](#made), one of `by` | By number. |',
                     '### Made\n'):
            self.assertIn(text, page)

    def test_a_proto_that_is_written_otherwise_is_an_error(self):
        for text in ('message A {\n  group B = 1 {\n  }\n}\n', 'union A {\n}\n'):
            with self.assertRaises(ValueError):
                api_page.page({'a': text})

    def test_the_page_of_the_command_line_is_what_help_says(self):
        self.plant('proto/acta/v1/errors.proto', PROTO)
        self.plant('acta', ACTA)
        acta = self.root / 'acta'
        acta.chmod(0o700)
        page = cli_page.page(acta)
        for text in ('## one\n\n### acta one\n\ndoes it: one --help\n', '### acta two go\n',
                     'Usage: acta two go --help\n\nExample:\n  acta x\n```'):
            self.assertIn(text, page)
        self.assertEqual(page.count('Every command:'), 1)
        name = 'docs/reference/cli.md'
        pages = stale_docs.wanted_pages(self.root, None, acta)
        for planted in pages:
            self.plant(planted, pages[planted])
        self.assertEqual(stale_docs.stale(self.root, pages), [])
        self.plant('acta', ACTA.replace('does it', 'does that'))
        self.assertEqual(stale_docs.stale(self.root,
                                          stale_docs.wanted_pages(self.root, None, acta)), [name])

    def test_the_page_says_code_retry_and_action(self):
        page = errors_page.page(PROTO)
        self.assertIn('| `THING_NOT_FOUND` | NOT_FOUND | no | Nothing of that name. '
                      '| correct the name. |', page)
        self.assertIn('| `FULL` | RESOURCE_EXHAUSTED | after 100 ms |', page)


class ToolsDev(unittest.TestCase):
    def test_asked_for_help_a_command_does_nothing_else(self):
        with tempfile.TemporaryDirectory() as programs:  # And no compiler, package or formatter.
            for program in ('cat', 'dirname'):
                pathlib.Path(programs, program).symlink_to(shutil.which(program))

            def run(*words):
                dev = pathlib.Path(__file__).resolve().parents[1] / 'dev'
                return subprocess.run([shutil.which('bash'), dev, *words], text=True,
                                      capture_output=True, env={'PATH': programs})
            usage = run('help').stdout
            commands = re.findall(r'^  ([a-z]+) ', usage, re.MULTILINE)
            self.assertIn('fmt', commands)
            for command in set(commands) - {'bench', 'campaign', 'peers', 'run', 'soak'}:
                for asked in ('--help', '-h'):
                    done = run(command, asked)
                    self.assertEqual((done.returncode, done.stdout), (0, usage), done.stderr)


if __name__ == '__main__':
    unittest.main()
