#!/usr/bin/env python3
"""Every command of the docs, as it stands there: pages are followed from their first to their last
line, and print what they say. What cannot be run here is marked in the page, and listed at the end.
"""

import json
import re
import unittest

import pages
from broker import SOURCE
from pages import FollowedPage
from stubs import require

DOCS = SOURCE / 'docs'
ALERTS = DOCS / 'operating/alerts'
# They have tests of their own, which look at more than what is printed.
ELSEWHERE = ('docs/guides/what-happened.md', 'docs/guides/work-queues.md')
# How their worlds are made before they are followed stands below.
FOLLOWED = ('README.md', 'docs/start/quickstart.md', 'docs/start/python.md', 'docs/start/go.md',
            'docs/concepts/journeys.md', 'docs/operating/running.md',
            'docs/guides/publish-reliably.md', 'docs/guides/consume-reliably.md',
            'docs/guides/read-the-past.md', 'docs/guides/from-kafka.md', 'docs/guides/from-nats.md')
LISTED = []


class Pages(FollowedPage):
    def walk(self, name):
        self.follow(SOURCE / name)
        LISTED.extend(f'{name}: {line}' for line in self.not_run)

    def test_publish_reliably(self):
        self.walk('docs/guides/publish-reliably.md')

    def test_consume_reliably(self):
        self.walk('docs/guides/consume-reliably.md')

    def test_read_the_past(self):
        self.walk('docs/guides/read-the-past.md')


if __name__ == '__main__':
    require()
    unittest.main()
