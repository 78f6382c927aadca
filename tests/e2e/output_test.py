#!/usr/bin/env python3
"""What people and programs see of topics and lag, letter by letter; times and delays are masked."""

import re
import unittest

from broker import BrokerTest

MASKS = ((r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ', 'YYYY-MM-DD hh:mm:ssZ'),
         (r'"\d{4}-\d\d-\d\dT[\d:.]+Z"', '"TIME"'),
         (r'"behind":"[\d.]+s"', '"behind":"DELAY"'),
         (r'(?<=[ ,])(?!0s)(\d+(s|ms|us))+(?=[ ,\n])', 'DELAY'))


def masked(text):
    for pattern, mask in MASKS:
        text = re.sub(pattern, mask, text)
    return text


class Output(BrokerTest):
    maxDiff = None

    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 'orders', '--partitions', '2', '--retention', '30d',
                  '--retention-bytes', '10GiB', '--label', 'note=a, "b"')
        self.acta('topic', 'create', 'audit', '--partitions', '1', '--ack', 'os', '--visible-at',
                  'os', '--dedupe', 'off')
        for partition, data in ((0, 'a'), (0, 'bb'), (1, 'ccc')):
            self.acta('publish', 'orders', data, '--partition', partition)

    def prints(self, wanted, *args, spaces=True):
        """Without `spaces` a run of them counts as one: a delay has any width."""
        got = masked(self.acta(*args))
        self.assertEqual(got if spaces else re.sub(' +', ' ', got), wanted)

    def prints_json(self, wanted, *args):
        """In one line, in the order of the proto."""
        line = ''.join(line.strip() for line in wanted.splitlines())
        self.prints(line + '\n', *args, '-o', 'json')

    def test_topic_list(self):
        self.prints("""\
TOPIC   PARTITIONS  RETENTION      SIZE  ACK    VISIBLE_AT  DEDUPE  LABELS
audit            1         7d         -  os     os          off     -
orders           2        30d  10.0 GiB  fsync  fsync       ids     note=a, "b"
""", 'topic', 'list')
        self.prints("""\
TOPIC,PARTITIONS,RETENTION,SIZE,ACK,VISIBLE_AT,DEDUPE,LABELS
audit,1,7d,-,os,os,off,-
orders,2,30d,10.0 GiB,fsync,fsync,ids,"note=a, ""b\"""
""", 'topic', 'list', '-o', 'csv')
        self.prints_json(r"""
            {"topics":[
            {"name":"audit","partitions":1,"retentionBytes":"0","ackLevel":"ACK_LEVEL_OS",
            "visibleAt":"ACK_LEVEL_OS","dedupe":"DEDUPE_MODE_OFF","maxEventBytes":1048576,
            "partitioner":"PARTITIONER_KEY","labels":{},"journey":"JOURNEY_MODE_FULL",
            "retention":"604800s",
            "dedupeWindow":"600s","createTime":"TIME","updateTime":"TIME"},
            {"name":"orders","partitions":2,"retentionBytes":"10737418240",
            "ackLevel":"ACK_LEVEL_FSYNC","visibleAt":"ACK_LEVEL_FSYNC",
            "dedupe":"DEDUPE_MODE_IDS","maxEventBytes":1048576,
            "partitioner":"PARTITIONER_KEY","labels":{"note":"a, \"b\""},
            "journey":"JOURNEY_MODE_FULL",
            "retention":"2592000s",
            "dedupeWindow":"600s","createTime":"TIME","updateTime":"TIME"}],
            "nextPageToken":""}""", 'topic', 'list')

    def test_topic_describe(self):
        self.prints("""\
topic orders: ack fsync, visible at fsync, retention 30d, 10.0 GiB, dedupe ids for 10m, journeys \
full, events up to 1.0 MiB, labels note=a, "b"
PARTITION  FIRST  END  EVENTS  BYTES                OLDEST                NEWEST  DEDUPE_WINDOW
        0      0    2       2     77  YYYY-MM-DD hh:mm:ssZ  YYYY-MM-DD hh:mm:ssZ            10m
        1      0    1       1     40  YYYY-MM-DD hh:mm:ssZ  YYYY-MM-DD hh:mm:ssZ            10m
    total                   3    117
""", 'topic', 'describe', 'orders')
        self.prints("""\
PARTITION,FIRST,END,EVENTS,BYTES,OLDEST,NEWEST,DEDUPE_WINDOW
0,0,2,2,77,YYYY-MM-DD hh:mm:ssZ,YYYY-MM-DD hh:mm:ssZ,10m
1,0,1,1,40,YYYY-MM-DD hh:mm:ssZ,YYYY-MM-DD hh:mm:ssZ,10m
""", 'topic', 'describe', 'orders', '-o', 'csv')
        self.prints_json(r"""
            {"topic":{"name":"orders","partitions":2,"retentionBytes":"10737418240",
            "ackLevel":"ACK_LEVEL_FSYNC","visibleAt":"ACK_LEVEL_FSYNC",
            "dedupe":"DEDUPE_MODE_IDS","maxEventBytes":1048576,
            "partitioner":"PARTITIONER_KEY","labels":{"note":"a, \"b\""},
            "journey":"JOURNEY_MODE_FULL",
            "retention":"2592000s",
            "dedupeWindow":"600s","createTime":"TIME","updateTime":"TIME"},
            "partitions":[
            {"partition":0,"firstOffset":"0","endOffset":"2","bytes":"77","incarnation":"1",
            "firstTime":"TIME","lastTime":"TIME","effectiveDedupeWindow":"600s"},
            {"partition":1,"firstOffset":"0","endOffset":"1","bytes":"40","incarnation":"1",
            "firstTime":"TIME","lastTime":"TIME","effectiveDedupeWindow":"600s"}]}""",
                         'topic', 'describe', 'orders')

    def test_lag_of_a_group_that_is_behind(self):
        self.acta('group', 'create', 'billing', '--topic', 'orders', '--from', 'earliest')
        self.prints("""\
TOPIC PARTITION COMMITTED END LAG BYTES BEHIND MEMBER
orders 0 0 2 2 77 DELAY -
orders 1 0 1 1 40 DELAY -
total 3 117 DELAY
""", 'group', 'lag', 'billing', spaces=False)
        self.prints("""\
TOPIC,PARTITION,COMMITTED,END,LAG,BYTES,BEHIND,MEMBER
orders,0,0,2,2,77,DELAY,-
orders,1,0,1,1,40,DELAY,-
""", 'group', 'lag', 'billing', '-o', 'csv')
        self.prints_json("""
            {"partitions":[
            {"topic":"orders","partition":0,"committedOffset":"0","firstOffset":"0",
            "endOffset":"2","lagEvents":"2","lagBytes":"77","memberId":"","exact":true,
            "gapEvents":"0","behind":"DELAY"},
            {"topic":"orders","partition":1,"committedOffset":"0","firstOffset":"0",
            "endOffset":"1","lagEvents":"1","lagBytes":"40","memberId":"","exact":true,
            "gapEvents":"0","behind":"DELAY"}]}""", 'group', 'lag', 'billing')

    def test_lag_of_a_group_that_has_read_everything(self):
        self.acta('subscribe', 'orders', '--group', 'billing', '--until-end')
        self.prints("""\
TOPIC   PARTITION  COMMITTED  END  LAG  BYTES  BEHIND  MEMBER
orders          0          2    2    0      0      0s       -
orders          1          1    1    0      0      0s       -
total                                0      0      0s
""", 'group', 'lag', 'billing')


if __name__ == '__main__':
    unittest.main()
