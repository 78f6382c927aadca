#!/usr/bin/env python3
"""What people and programs see of topics, groups and the broker, letter by letter; times, delays,
addresses and what depends on the machine are masked."""

import collections
import contextlib
import csv
import fcntl
import io
import os
import pty
import re
import signal
import struct
import termios
import unittest
import unittest.mock
import urllib.request

from broker import PATIENCE_S, BrokerTest
from faults import until

MASKS = ((r'127\.0\.0\.1:\d+', 'ADDRESS'),
         (r'process \d+', 'process PID'),
         (r'\b[0-9a-f]{32}\b', 'STORE'),
         (r'\b[0-9a-f]{16}\b', 'SIXTEEN'),
         (r'\d+ open of', 'N open of'),
         (r'\d+\.\d [MGT]iB free of \d+\.\d [MGT]iB', 'DISK'),
         (r'\d+\.\d [MGT]iB of \d+\.\d [MGT]iB', 'DISK'),
         (r'/tmp/acta-e2e-\w+', 'FOLDER'),
         (r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ', 'YYYY-MM-DD hh:mm:ssZ'),
         (r'"\d{4}-\d\d-\d\dT[\d:.]+Z"', '"TIME"'),
         (r'"behind":"[\d.]+s"', '"behind":"DELAY"'),
         # On a busy machine half a round trip takes its time, and a sync may take long.
         (r"(the broker's is) [\d.]+m?s (ahead|behind)", r'\1 that of this machine'),
         (r'(?m)^warn(  fsync .*)\n +-> acks wait for the disk: .*', r'ok  \1'),
         (r'(?<=[ ,])(?!0s)(\d+(\.\d+)?(s|ms|us))+(?=[ ,\n])', 'DELAY'))


def masked(text):
    for pattern, mask in MASKS:
        text = re.sub(pattern, mask, text)
    return text


class OutputTest(BrokerTest):
    maxDiff = None

    def prints(self, wanted, *args, spaces=True):
        """Without `spaces` a run of them counts as one: a delay has any width."""
        got = masked(self.acta(*args))
        self.assertEqual(got if spaces else re.sub(' +', ' ', got), wanted)

    def prints_json(self, wanted, *args):
        """In one line, in the order of the proto."""
        line = ''.join(line.strip() for line in wanted.splitlines())
        self.prints(line + '\n', *args, '-o', 'json')


class Topics(OutputTest):
    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 'orders', '--partitions', '2', '--retention', '30d',
                  '--retention-bytes', '10GiB', '--label', 'note=a, "b"')
        self.acta('topic', 'create', 'audit', '--partitions', '1', '--ack', 'os', '--visible-at',
                  'os', '--dedupe', 'off')
        for partition, data in ((0, 'a'), (0, 'bb'), (1, 'ccc')):
            self.acta('publish', 'orders', data, '--partition', partition)

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


class Operating(OutputTest):
    """A QUEUE group with a dead letter, a STREAM group that is behind, an event for later."""

    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 'orders', '--partitions', 1)
        self.acta('group', 'create', 'billing', '--topic', 'orders', '--mode', 'queue', '--from',
                  'earliest', '--max-attempts', 2, '--description', 'invoices')
        self.acta('group', 'create', 'audit', '--topic', 'orders', '--from', 'earliest',
                  '--label', 'team=shop')
        self.acta('publish', 'orders', '{"n": 1}', '--id', 'o-1', '--key', 'ann')
        self.acta('publish', 'orders', '{"n": 2}', '--id', 'o-2', '--key', 'ben')
        self.acta('publish', 'orders', 'later', '--id', 'l-1', '--delay', '1h')
        self.broker.acta('subscribe', 'orders', '--group', 'billing', '--max', 1, '--exec',
                         'echo no such account >&2; exit 65')

    def is_at_rest(self):
        """Who was connected before is gone, and what was written is everywhere."""
        with urllib.request.urlopen(f'http://{self.broker.http}/metrics',
                                    timeout=PATIENCE_S) as answer:
            page = answer.read().decode()
        return all(f'\nacta_{name} 0\n' in page for name in (
            'rpc_connections', 'journeys_index_lag_events', 'log_unsynced_bytes'))

    def loosely(self, wanted, *args):
        until(self.is_at_rest, 'the broker is at rest')
        self.prints(wanted, *args, spaces=False)

    def test_groups(self):
        self.prints("""\
GROUP    MODE    TOPICS               CREATED  DESCRIPTION
audit    stream  orders  YYYY-MM-DD hh:mm:ssZ
billing  queue   orders  YYYY-MM-DD hh:mm:ssZ  invoices
""", 'group', 'list')
        self.prints("""\
group audit: stream of orders, created YYYY-MM-DD hh:mm:ssZ, labels team=shop
MEMBER  CONNECTED  APP  VERSION  PEER  SINCE  PARTITIONS
""", 'group', 'describe', 'audit')
        self.prints("""\
group billing: queue of orders, created YYYY-MM-DD hh:mm:ssZ, labels -, description invoices
order unordered, lease DELAY, 2 attempts and then dead-letter, backoff DELAY x2 up to 10m +-20%, \
dead letters kept 30d, at most 100000
MEMBER  CONNECTED  APP  VERSION  PEER  SINCE  PARTITIONS
""", 'group', 'describe', 'billing')
        self.prints("""\
TOPIC   PARTITION  KEY  CODE       OFFSET  LAG  WHY                     COMMAND
orders          0    -  NO_MEMBER       1    1  no member is connected  \
acta subscribe orders --group billing --exec ./handle.sh
""", 'group', 'explain', 'billing')

    def test_dead_letters(self):
        self.prints("""\
DEAD_LETTER            DEAD_SINCE  WHY       ATTEMPTS  REDRIVES  FINGERPRINT       REASON  \
TEXT
orders/0/0   YYYY-MM-DD hh:mm:ssZ  rejected         1         0  SIXTEEN       -  \
no such account
""", 'deadletter', 'list', 'billing')

    def test_schedules(self):
        self.prints("""\
     SCHEDULE_ID  TOPIC             DELIVER_AT          SCHEDULED_AT  TYPE      EVENT_ID  KEY  \
SIZE  BY
SIXTEEN  orders  YYYY-MM-DD hh:mm:ssZ  YYYY-MM-DD hh:mm:ssZ  acta.cli  l-1            \
45 B  acta
""", 'schedule', 'list', 'orders')

    def test_status(self):
        self.loosely("""\
WHAT VALUE
server actad 0.1.0, process PID, ready
addresses gRPC ADDRESS, HTTP ADDRESS
store STORE, format 1, incarnation 1
up DELAY
topics 1 with 1 partition
groups 2
connections 1, publishing 0, subscribed 0
published 2 events, 110 B, 0 duplicates
delivered 2 events, 110 B
log 504 B in 1 slice, WAL 64.0 KiB
journeys index 0 B in 0 files, 0 events behind, ledger 106 B
syncs half took at most DELAY, 99 of 100 DELAY
disk DISK
memory tail cache 1.0 KiB, commit queue 0 B
""", 'status')

    def test_config(self):
        self.loosely("""\
PROPERTY VALUE SOURCE DEFAULT RANGE MEANING
listen.grpc ADDRESS flag ADDRESS IP address and port address of the API; port 0 picks a free one
listen.http ADDRESS flag ADDRESS IP address and port address of health and metrics; port 0 picks \
a free one
listen.ready_file FOLDER/ready.json flag path written once ready: addresses, process and store as \
JSON; empty: none
storage.data FOLDER/data flag path the data folder; created when missing
""", 'config', '--changed')

    def test_limits(self):
        rows = list(csv.reader(io.StringIO(self.acta('limits', '-o', 'csv'))))
        self.assertEqual(rows[:4], [
            ['LIMIT', 'CURRENT', 'VALUE', 'UNIT', 'MEANING'],
            ['limits.partitions', '1', '10000', 'partitions', 'of all topics of this server'],
            ['limits.partitions_per_topic', '-', '256', 'partitions', 'of one topic'],
            ['limits.max_event', '-', '16777216', 'bytes',
             'the highest max_event_bytes a topic may have']])
        for row in rows[1:]:
            self.assertEqual(len(row), 5)
            self.assertTrue(all(row), row)
            self.assertTrue(row[1] == '-' or row[1].isdigit(), row)
            self.assertTrue(row[2].isdigit(), row)
        shown = self.acta('limits').splitlines()
        self.assertEqual([line.split()[0] for line in shown], [row[0] for row in rows])

    def test_doctor(self):
        self.loosely("""\
ok server ADDRESS (ACTA_SERVER) answers in DELAY, up DELAY
ok versions acta 0.1.0, actad 0.1.0
ok clock the broker's is that of this machine
ok ports gRPC ADDRESS, HTTP ADDRESS
ok data folder FOLDER/data
ok disk DISK, log 504 B
ok stored events no scrub has read them since the start
ok fsync half of the syncs took at most DELAY, 99 of 100 DELAY
ok descriptors N open of 20000, connections 1 of 4096
ok limits none is near
warn group audit 2 events wait, and it has no members
 -> acta group explain audit
warn group billing 1 dead letter
 -> acta deadletter list billing
ok journeys the index is 0 events behind
ok backup none is made here (storage.backup_dir is not set)
""", 'doctor')

    def test_top(self):
        self.loosely("""\
published 0/s, delivered 0/s; 1 connection, 0 subscriptions; log 504 B, disk free DISK
GROUP MODE MEMBERS LAG BEHIND DONE/S FAILED/S RETRY/S DEAD DRAIN HEADROOM STATE
audit stream 0 2 DELAY 0 6d23h no members
billing queue 0 1 DELAY 0 0 0 1 no members
""", 'top', '--looks', 1)


CLEAR = '\x1b[H\x1b[2J'
TOPIC = 'orders-of-the-northern-warehouse-and-its-customers'
GROUP = 'billing-of-the-northern-warehouse-and-its-customers'
TEXT = 'no such account, and the directory of accounts did not answer within thirty seconds'


class Narrow(BrokerTest):
    """Tables in terminals that have less room than they want."""

    def setUp(self):
        super().setUp()
        environment = unittest.mock.patch.dict(os.environ)
        environment.start()
        self.addCleanup(environment.stop)
        os.environ.pop('COLUMNS', None)

    def shown(self, columns, *args):
        """What a terminal of so many columns gets from a command that succeeds."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('4H', 24, columns, 0, 0))
        process = self.spawn(*args, stdout=theirs)
        os.close(theirs)
        shown = b''
        with contextlib.suppress(OSError):  # So it ends.
            while part := os.read(ours, 65_536):
                shown += part
        os.close(ours)
        self.assertEqual(process.wait(PATIENCE_S), 0, args)
        return shown.decode().replace('\r\n', '\n').removeprefix(CLEAR)

    def fits(self, shown, columns):
        for line in shown.splitlines():
            self.assertLessEqual(len(line), columns, shown)

    @staticmethod
    def characters(text):
        return collections.Counter(''.join(text.split()))

    def test_tables_fit_into_eighty_columns_and_lose_nothing(self):
        self.acta('topic', 'create', TOPIC, '--partitions', 1)
        self.acta('group', 'create', GROUP, '--topic', TOPIC, '--mode', 'queue', '--from',
                  'earliest')
        self.acta('publish', TOPIC, 'later', '--id', 'reminder-of-the-customer-ann', '--key',
                  'customer-ann', '--delay', '1h')
        self.acta('publish', TOPIC, 'now')
        self.broker.acta('subscribe', TOPIC, '--group', GROUP, '--max', 1, '--exec',
                         f'echo {TEXT} >&2; exit 65')
        for words in (('topic', 'describe', TOPIC), ('deadletter', 'list', GROUP),
                      ('schedule', 'list', TOPIC), ('config',)):
            whole = self.acta(*words)
            self.assertGreater(max(map(len, whole.splitlines())), 80)
            shown = self.shown(80, *words)
            self.fits(shown, 80)
            self.assertEqual(self.characters(shown), self.characters(whole), shown)
            self.fits(self.shown(40, *words), 40)
            # What is not drawn for people is as it is.
            self.assertEqual(self.shown(40, *words, '-o', 'csv'), self.acta(*words, '-o', 'csv'))
        self.assertIn('\nlisten.max_connections_per_address ', self.shown(80, 'config'))

    def test_so_do_those_whose_numbers_change_with_each_look(self):
        self.acta('topic', 'create', TOPIC, '--partitions', 1)
        self.acta('group', 'create', GROUP, '--topic', TOPIC, '--mode', 'queue')
        self.acta('publish', TOPIC, 'one')
        for words, first in ((('top', '--looks', 1, '--interval', '100ms'), 'GROUP'),
                             (('publish', TOPIC, 'two'), 'EVENTS')):
            wide, narrow = self.acta(*words), self.shown(80, *words)
            self.assertGreater(max(map(len, wide.splitlines())), 80)
            self.fits(narrow, 80)
            # Without numbers and delays.
            wide, narrow = (re.sub(r'[\d.]+[a-zµ]*', '', text[text.index(first):])
                            for text in (wide, narrow))
            self.assertEqual(self.characters(narrow), self.characters(wide), narrow)
            self.fits(self.shown(40, *words), 40)


class Watching(BrokerTest):
    def test_a_terminal_is_drawn_anew_until_it_is_interrupted(self):
        self.acta('topic', 'create', 'orders', '--partitions', 1)
        self.acta('group', 'create', 'billing', '--topic', 'orders')
        clear = b'\x1b[H\x1b[2J'
        for words in (('topic', 'describe', 'orders'), ('group', 'lag', 'billing')):
            ours, theirs = pty.openpty()
            watcher = self.spawn(*words, '--watch', '--interval', '100ms', stdout=theirs)
            os.close(theirs)
            shown = b''
            while shown.count(clear) < 4:
                shown += os.read(ours, 65_536)
            watcher.send_signal(signal.SIGINT)
            watcher.wait(PATIENCE_S)
            os.close(ours)
            before, *looks, _ = shown.split(clear)
            self.assertEqual(before, b'')
            for look in looks:
                lines = look.decode().splitlines()
                self.assertTrue(any(line.startswith(('PARTITION', 'TOPIC')) for line in lines))
                self.assertEqual(lines[-1].split()[0], 'total')


class Hints(BrokerTest):
    def setUp(self):
        super().setUp()
        self.acta('topic', 'create', 'orders', '--partitions', 1)

    def told(self, *args, typed=b''):
        """What a terminal shows beside the output of a command that ends."""
        ours, theirs = pty.openpty()
        process = self.spawn(*args, stdin=theirs, stderr=theirs)
        os.close(theirs)
        os.write(ours, typed)
        out, _ = process.communicate(timeout=PATIENCE_S)
        shown = b''
        with contextlib.suppress(OSError):  # So it ends.
            while part := os.read(ours, 65_536):
                shown += part
        os.close(ours)
        self.assertEqual(process.returncode, 0, shown)
        return out.decode(), shown.decode()

    def test_who_waits_for_what_comes_is_told_how_to_read_what_is_there(self):
        self.acta('publish', 'orders', 'a')
        out, shown = self.told('subscribe', 'orders', '--until-end')
        self.assertEqual(out, '')
        self.assertIn('--from earliest', shown)
        for begin in (('--from', 'earliest'), ('--last', '1'), ('--group', 'billing')):
            out, shown = self.told('subscribe', 'orders', '--until-end', *begin)
            self.assertEqual(out, 'a\n')
            self.assertNotIn('--from', shown)

    def test_who_makes_a_group_by_joining_is_told(self):
        self.acta('publish', 'orders', stdin='a\nb\n')
        for mode in ('stream', 'queue'):
            join = ('subscribe', 'orders', '--group', mode, '--mode', mode, '--max', '1')
            self.assertIn(f'hint: group {mode} is new, and begins at the oldest event',
                          self.told(*join, '--no-color')[1])
            self.assertNotIn('is new', self.told(*join, '--no-color')[1])

    def test_who_is_to_type_events_is_told(self):
        out, shown = self.told('publish', 'orders', '-o', 'csv', typed=b'a\n\x04')
        self.assertEqual(out.splitlines()[1].split(',')[:2], ['1', '1'])
        self.assertIn('Ctrl-D', shown)
        self.assertNotIn('Ctrl-D', self.told('publish', 'orders', 'b')[1])


if __name__ == '__main__':
    unittest.main()
