#!/usr/bin/env python3
"""The main job on real input: publish, two groups, the past, a crash, a stop."""

import json
import time
import unittest

from broker import DATA, BrokerTest

QUAKES = ('publish', 'quakes', '--file', DATA / 'earthquakes.jsonl', '--format', 'jsonl', '--type',
          'earthquake.recorded', '--id', '@/id', '--key', '@/properties/net', '--time',
          '@/properties/time:ms')
COUNT = 1707


class Walk(BrokerTest):
    def positions(self, group):
        lag = self.acta_json('group', 'lag', group)['partitions']
        return [(row['partition'], row['committedOffset'], row['endOffset'], row['lagEvents'])
                for row in lag]

    def lag(self, group):
        return sum(int(lag) for *_, lag in self.positions(group))

    def everything(self):
        rows = self.events('subscribe', 'quakes', '--from', 'earliest', '--until-end')
        return sorted((row['partition'], row['offset'], row['id']) for row in rows)

    def publish(self):
        self.acta('topic', 'create', 'quakes')
        return self.acta_json(*QUAKES)[0]

    def test_positions_and_events_survive_kill_9(self):
        self.assertEqual(self.publish()['stored'], str(COUNT))
        self.assertEqual(len(self.events('subscribe', 'quakes', '--group', 'all',
                                         '--until-end')), COUNT)
        self.assertEqual(len(self.events('subscribe', 'quakes', '--group', 'half',
                                         '--max', COUNT // 2)), COUNT // 2)
        self.assertEqual(self.lag('all'), 0)
        self.assertEqual(self.lag('half'), COUNT - COUNT // 2)
        before = self.positions('all'), self.positions('half'), self.everything()
        self.broker.kill()
        self.broker.start()
        self.assertEqual((self.positions('all'), self.positions('half'), self.everything()),
                         before)
        self.assertEqual(self.acta_json(*QUAKES)[0]['duplicates'], str(COUNT),
                         'ids are remembered across a crash')
        rest = self.events('subscribe', 'quakes', '--group', 'half', '--until-end')
        self.assertEqual(len(rest), COUNT - COUNT // 2)

    def test_events_carry_what_was_mapped(self):
        self.publish()
        wanted = {}
        for line in (DATA / 'earthquakes.jsonl').read_text().splitlines():
            quake = json.loads(line)
            wanted[quake['id']] = quake
        for event in self.events('subscribe', 'quakes', '--from', 'earliest', '--until-end'):
            quake = wanted.pop(event['id'])
            self.assertEqual(event['data'], quake)
            self.assertEqual(event['key'], quake['properties']['net'])
            self.assertEqual(event['type'], 'earthquake.recorded')
            self.assertEqual(event['source'], '/acta/cli')
            self.assertEqual(event['datacontenttype'], 'application/json')
        self.assertEqual(wanted, {})

    def test_a_graceful_stop_exits_0_and_keeps_everything(self):
        self.publish()
        before = self.everything()
        self.assertEqual(self.broker.stop(), 0)
        self.broker.start()
        self.assertEqual(self.everything(), before)

    def test_the_past_is_read_by_time_and_by_offset(self):
        self.acta('topic', 'create', 't', '--partitions', '1')
        self.acta('publish', 't', '--format', 'text', stdin='a\nb\n')
        time.sleep(0.01)
        self.acta('publish', 't', '--format', 'text', stdin='c\nd\n')
        page = self.events('read', 't', '--partition', '0', '--offset', '2', '--max', '1')
        self.assertEqual([row['offset'] for row in page], [2])
        then = page[0]['append_time']
        self.assertEqual(self.acta('subscribe', 't', '--from', then, '--until-end'), 'c\nd\n')
        self.assertEqual(self.acta('subscribe', 't', '--from', 'earliest', '--to', then), 'a\nb\n')
        self.assertEqual(self.acta('subscribe', 't', '--from', '0:3', '--until-end'), 'd\n')

    def test_a_reset_moves_a_group_and_a_dry_run_does_not(self):
        self.publish()
        self.events('subscribe', 'quakes', '--group', 'g', '--until-end')
        reset = ('group', 'reset', 'g', '--to', 'earliest', '--reason', 'test')
        self.acta(*reset, '--dry-run')
        self.assertEqual(self.lag('g'), 0)
        self.acta(*reset)
        self.assertEqual(self.lag('g'), COUNT)

    def test_a_group_commits_after_the_command_succeeded(self):
        self.acta('topic', 'create', 't', '--partitions', '1')
        self.acta('publish', 't', '--format', 'text', stdin='a\nb\nc\n')
        code, _, _ = self.broker.acta('subscribe', 't', '--group', 'g', '--until-end', '--exec',
                                      'read line; test "$line" != b')
        self.assertEqual(code, 1)
        self.assertEqual(self.lag('g'), 2)

    def test_a_cloud_event_goes_through(self):
        self.acta('topic', 'create', 't')
        event = {'specversion': '1.0', 'id': '1', 'source': '/shop', 'type': 'OrderPlaced',
                 'partitionkey': 'ann', 'datacontenttype': 'application/json', 'data': {'n': 1}}
        self.acta('publish', 't', '--format', 'cloudevents', stdin=json.dumps(event) + '\n')
        out = self.acta('subscribe', 't', '--from', 'earliest', '--until-end', '--format',
                        'cloudevents')
        self.assertEqual(json.loads(out), event)


if __name__ == '__main__':
    unittest.main()
