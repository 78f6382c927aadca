#!/usr/bin/env python3
"""A wall clock that is set, by an hour and by ten years, forth and back, while the broker works and
while it does not."""

import datetime
import json
import re
import time
import unittest
import urllib.request

from broker import PATIENCE_S
from oracle import ClockTest

HOUR = 3600
TEN_YEARS = 10 * 365 * 24 * HOUR


def seconds_of(text):
    """Seconds since 1970 of a time of the API, whose fraction may have nine digits."""
    whole, _, fraction = text.rstrip('Z').partition('.')
    moment = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc)
    return moment.timestamp() + float('0.' + (fraction or '0'))


def outside(moment, began, ended):
    """Seconds by which it is before or behind what was between: a command may have taken long."""
    return max(began - moment, moment - ended, 0)


class WallClock(ClockTest):
    def jump(self):
        """Seconds by which the wall clock is before server time; 0 without the alarm."""
        with urllib.request.urlopen(f'http://{self.http()}/metrics', timeout=PATIENCE_S) as page:
            text = page.read().decode()
        found = re.search(r'^acta_log_clock_jump_seconds (\S+)$', text, re.MULTILINE)
        jump = float(found.group(1))
        alarms = self.acta_json('status')['alarms']
        alarmed = any(alarm['code'] == 'CLOCK_JUMP' for alarm in alarms)
        return jump if alarmed else 0

    def http(self):
        return json.loads(self.ready.read_text())['http']

    def server_time_is_off(self):
        """Seconds between server time and the machine's wall clock."""
        began = time.time()
        told = seconds_of(self.acta_json('status')['serverTime'])
        return outside(told, began, time.time())

    def publish(self):
        """The wall clock before and after it."""
        began = time.time()
        self.acta('publish', 'aging', 'an event')
        return began, time.time()

    def append_times(self):
        out = self.acta('read', 'aging', '--partition', '0', '--format', 'json')
        return [seconds_of(json.loads(line)['append_time']) for line in out.splitlines()]

    def begin(self):
        self.start_broker()
        self.acta('topic', 'create', 'aging', '--partitions', '1', '--retention', '1h')
        self.publish()

    def restart(self, offset):
        """The seconds that it was away, which a clock that is behind does not tell it."""
        began = time.monotonic()
        self.broker.terminate()
        self.assertEqual(self.broker.wait(PATIENCE_S), 0)
        self.set_clock(offset)
        self.start_broker()
        return time.monotonic() - began

    def test_jumps_while_it_works_are_not_followed(self):
        """Append times go on as before, nothing expires, no member is out, the alarm says so."""
        self.begin()
        self.start_load('--rejoin=0')
        self.goes_on()
        members = self.members()
        self.assertEqual(len(members), 2)
        for events, jump in enumerate((HOUR, -HOUR, TEN_YEARS, -TEN_YEARS), start=2):
            self.set_clock(jump)
            self.until(lambda jump=jump: abs(self.jump() - jump) < 2, f'no alarm of {jump}')
            published = self.publish()
            self.assertLess(self.server_time_is_off(), 2)
            times = self.append_times()
            self.assertEqual((len(times), times), (events, sorted(times)))
            self.assertLess(outside(times[-1], *published), 2)
            self.assertEqual(self.members(), members)
        self.set_clock(0)
        self.until(lambda: self.jump() == 0, 'the alarm stays')
        self.assertEqual(self.members(), members)
        self.nothing_is_broken()

    def test_a_step_back_that_is_accepted_lets_time_stand_still(self):
        self.begin()
        self.set_clock(-HOUR)
        self.until(self.jump, 'no alarm')
        self.acta('admin', 'accept-clock', '--reason', 'test')
        self.assertEqual(self.jump(), 0)
        self.publish()
        self.publish()
        times = self.append_times()
        self.assertEqual((len(times), times[1]), (3, times[2]))
        self.assertGreaterEqual(times[1], times[0])

    def test_a_step_forth_that_is_accepted_ages_what_is_there(self):
        self.begin()
        self.set_clock(2 * HOUR)
        self.until(self.jump, 'no alarm')
        self.assertEqual(len(self.append_times()), 1)
        self.acta('admin', 'accept-clock', '--reason', 'test')
        self.assertEqual(self.jump(), 0)
        published = self.publish()
        self.until(lambda: len(self.append_times()) == 1, 'what is too old is still there')
        self.assertLess(outside(self.append_times()[0] - 2 * HOUR, *published), 2)

    def test_a_start_with_a_clock_that_is_behind(self):
        """As on a machine whose clock lost its battery: time goes on from what was witnessed."""
        self.begin()
        away = 0
        for events, behind in enumerate((HOUR, TEN_YEARS), start=2):
            away += self.restart(-behind)
            self.publish()
            times = self.append_times()
            self.assertEqual((len(times), times), (events, sorted(times)))
            most = 5 + away
            self.assertLess(self.server_time_is_off(), most)
            self.until(lambda behind=behind, most=most: abs(self.jump() + behind) < most,
                       'no alarm')
        self.restart(0)
        self.until(lambda: self.jump() == 0, 'the alarm stays')
        self.assertEqual(len(self.append_times()), 3)

    def test_a_start_with_a_clock_that_is_ahead(self):
        """Nobody can tell it from a long pause: what is limited in time expires, and the time that
        was witnessed stays. What has no such limit is kept, and the broker works on."""
        self.begin()
        self.acta('topic', 'create', 'kept', '--partitions', '1', '--retention', '36500d')
        self.acta('publish', 'kept', 'before')
        self.restart(TEN_YEARS)
        self.until(lambda: not self.append_times(), 'what is too old is still there')
        self.publish()
        most = 5 + self.restart(0)
        self.until(lambda: abs(self.jump() + TEN_YEARS) < most, 'no alarm')
        self.acta('admin', 'accept-clock', '--reason', 'test')
        began, ended = self.publish()
        times = self.append_times()
        self.assertEqual((len(times), times), (2, sorted(times)))
        # It stands still until the wall clock is where it stands.
        self.assertLess(outside(times[-1] - TEN_YEARS, began - most, ended), 10)
        self.assertEqual(
            self.acta('read', 'kept', '--partition', '0', '--format', 'data'), 'before\n')


if __name__ == '__main__':
    unittest.main()
