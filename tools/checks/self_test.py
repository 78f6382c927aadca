#!/usr/bin/env python3
"""Each check sees the violation planted for it, and accepts the same file without it."""

import pathlib
import tempfile
import unittest

import errors_page
import layers
import sizes
import stale_docs

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


class StaleDocs(Planted):
    def test_a_changed_reason_makes_the_page_stale(self):
        self.plant('proto/acta/v1/errors.proto', PROTO)
        pages = stale_docs.wanted_pages(self.root, None)
        self.assertEqual(stale_docs.stale(self.root, pages), ['docs/reference/errors.md'])
        self.plant('docs/reference/errors.md', pages['docs/reference/errors.md'])
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
        self.assertEqual(sorted(pages), ['deploy/actad.toml', 'docs/reference/configuration.md',
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

    def test_the_page_says_code_retry_and_action(self):
        page = errors_page.page(PROTO)
        self.assertIn('| `THING_NOT_FOUND` | NOT_FOUND | no | Nothing of that name. '
                      '| correct the name. |', page)
        self.assertIn('| `FULL` | RESOURCE_EXHAUSTED | after 100 ms |', page)


if __name__ == '__main__':
    unittest.main()
